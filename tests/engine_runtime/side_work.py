"""What the tests of side processes let a child do: `python -m engine_runtime.side_work WHAT`."""

import json
import os
import signal
import subprocess
import sys
import time


def facts():
    return {
        "nice": os.getpriority(os.PRIO_PROCESS, 0),
        "oom": int(open("/proc/self/oom_score_adj").read()),
        "leads": os.getpgid(0) == os.getpid(),
        "argv": sys.argv[1:],
        "env": {name: value for name, value in os.environ.items() if name.startswith("POLYCOPY_")},
        "stdin": sys.stdin.read(),
        "cwd": os.getcwd(),
    }


def hang_with_child():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    print("pids", os.getpid(), child.pid, file=sys.stderr, flush=True)
    time.sleep(600)


def leave_child_behind():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    print(json.dumps({"child": child.pid}), flush=True)


def eat(mb):
    kept = [bytearray(b"x" * (1 << 20)) for _ in range(mb)]
    time.sleep(600)
    return kept


def eat_in_child():
    code = "import time; kept = bytearray(b'x' * (200 << 20)); time.sleep(600)"
    subprocess.run([sys.executable, "-c", code], check=False)


WORK = {
    "facts": lambda: print(json.dumps(facts())),
    "hang": hang_with_child,
    "leave": leave_child_behind,
    "eat": lambda: eat(400),
    "eat_in_child": eat_in_child,
    "garbage": lambda: print("this is {no JSON"),
    "half": lambda: print('{"a": [1, 2'),
    "two": lambda: print("{}\n{}"),
    "nothing": lambda: None,
    "much": lambda: sys.stdout.write("[" + "1," * (20 << 20)),
    "noise": lambda: (sys.stderr.write("x" * (4 << 20)), print("[]")),
    "raise": lambda: {}["of no use"],
    "refuse": lambda: (print("Usage: …\n\nError: no bot of that name", file=sys.stderr), sys.exit(2)),
    "secret": lambda: (print("Error: at postgresql://a:pass-word-1@h/d", file=sys.stderr), sys.exit(1)),
    "kill_self": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "progress": lambda: (print("progress 1 of 2\nprogress 2 of 2\nError: no", file=sys.stderr), sys.exit(1)),
    "unread": lambda: (os.close(0), print("{}")),
}

if __name__ == "__main__":
    WORK[sys.argv[1]]()
