"""What a side process does before its work: `python -m engine.side_child LIFELINE CPU_S MODULE ARGUMENTS…`.

It becomes the first that the kernel sacrifices and the last that it serves, and ends with all that it started as soon as the
engine is gone. The work is a module of this project, run as with `python -m`.
"""

import os
import resource
import runpy
import signal
import sys
import threading
from contextlib import suppress

NICE = 10
FIRST_TO_GO = 1000
"""`oom_score_adj`: when the machine runs out of memory it is this process, and not the engine, that is ended."""


def humble(cpu_s: int) -> None:
    """Gives way to everything else. `cpu_s` bounds what is computed even if nobody is left to stop it."""
    with suppress(OSError):
        os.nice(NICE - os.getpriority(os.PRIO_PROCESS, 0))
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write(str(FIRST_TO_GO))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s if most < 0 else min(cpu_s, most), most))


def end_with_the_engine(lifeline: int) -> None:
    """Ends this process and all it started when the other end of a pipe, which only the engine holds, is closed.

    PR_SET_PDEATHSIG would not do: it comes when the thread ends that started this process, and trio's threads come and go.
    """

    def watch() -> None:
        while True:
            with suppress(InterruptedError):
                if not os.read(lifeline, 1):
                    os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()


def main() -> None:
    """Runs the module that the command line names."""
    lifeline, cpu_s, module, *arguments = sys.argv[1:]
    humble(int(cpu_s))
    end_with_the_engine(int(lifeline))
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
