import subprocess
import sys

import pytest

# Bodies of growing size, each freed before the next: what a poller sees. A small object that stays lies behind each.
_PROGRAM = """
import sys
from engine.runtime.heap import give_back_large_blocks

if sys.argv[1] == "pinned" and not give_back_large_blocks():
    print("unsupported")
    raise SystemExit
resident = lambda: int(open("/proc/self/statm").read().split()[1]) * 4096
before, kept = resident(), []
for kilobytes in (256, 1024, 4096, 8192):
    bytearray(kilobytes << 10)
for _ in range(20):
    bodies = []
    for _ in range(4):
        bodies.append(bytearray(b"x" * (1 << 20)))
        kept.append(bytearray(b"y" * 2000))
    bodies.clear()
print(resident() - before)
"""


def grown_bytes(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", _PROGRAM, how], capture_output=True, text=True, check=True)
    if done.stdout.strip() == "unsupported":
        pytest.skip("another C library")
    return int(done.stdout)


def test_bodies_that_are_gone_leave_nothing_in_the_heap():
    pinned, alone = grown_bytes("pinned"), grown_bytes("alone")
    assert pinned < 1 << 20
    assert alone > pinned
