"""Keeps what large answers took from staying with the process."""

import ctypes
import sys

LARGE_BYTES = 128 << 10
"""The allocator's own first limit. Blocks from this size on are given back as soon as they are freed."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's `mallopt` (malloc.h)."""


def give_back_large_blocks() -> bool:
    """Pins the size from which freed memory goes back at once; returns whether this platform lets it.

    Left alone, glibc raises that size to whatever was freed last, up to 32 MB: the bodies of positions and trades then lie in
    the heap, and what outlives them in between keeps their room.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    # Another C library may not have it, or not these parameters.
    return mallopt is not None and all(mallopt(one, LARGE_BYTES) == 1 for one in (_MMAP_THRESHOLD, _TRIM_THRESHOLD))
