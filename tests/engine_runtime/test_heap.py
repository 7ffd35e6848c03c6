import os
import sys
from pathlib import Path

import pytest
import trio

from engine.runtime.heap import _trim, keep_trimmed

MIB = 1 << 20


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(sys.platform != "linux" or _trim() is None, reason="another C library")
def test_what_lies_free_between_things_that_live_goes_back():
    # Below the size from which blocks are given back at once; one in sixteen lives on.
    blocks = [bytearray(b"x" * 60_000) for _ in range(3_200)]
    kept = blocks[::16]
    del blocks
    before = resident_bytes()

    async def main():
        with trio.move_on_after(1):
            await keep_trimmed(0.1)

    trio.run(main)
    assert before - resident_bytes() > 100 * MIB
    assert len(kept) == 200


def test_without_such_a_call_it_ends(monkeypatch):
    monkeypatch.setattr("engine.runtime.heap._trim", lambda: None)
    trio.run(keep_trimmed)
