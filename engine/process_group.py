"""A process that leads a session, and all that it started: how much memory they hold, and their end."""

import os
import signal
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")


def kill_group(leader: int) -> None:
    """Kills every process of a group; a group that has ended is no error."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def resident_mb(leader: int) -> int:
    """Returns the memory of a process and its descendants, resident or swapped out, MB; 0 where the system does not tell."""
    found, kilobytes, waiting = set[int](), 0, [leader]
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            kilobytes += _kilobytes(pid)
            waiting += _children(pid)
    return kilobytes >> 10


def _kilobytes(pid: int) -> int:
    with suppress(OSError, ValueError):
        lines = (_PROC / str(pid) / "status").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith(("VmRSS:", "VmSwap:")))
    return 0


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError, ValueError):
        for task in (_PROC / str(pid) / "task").iterdir():
            found += [int(text) for text in (task / "children").read_text().split()]
    return found
