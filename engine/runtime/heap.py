"""Gives memory that is free back to the system."""

import ctypes
import sys
from collections.abc import Callable

import trio

TRIM_S = 20.0
"""Pages of positions and trades are read all the time; what they leave is a few megabytes."""


async def keep_trimmed(every_s: float = TRIM_S) -> None:
    """Gives free pages of the C heap back until cancelled; where the platform cannot, returns at once.

    The allocator gives back by itself only what lies above everything that lives: the rest of a body that is gone stays with
    the process, between what outlives it.
    """
    trim = _trim()
    while trim is not None:
        await trio.sleep(every_s)
        trim(0)


def _trim() -> Callable[[int], int] | None:
    """Returns glibc's `malloc_trim`, which takes about a millisecond for each megabyte it finds; others have none."""
    if sys.platform != "linux":
        return None
    found: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return found
