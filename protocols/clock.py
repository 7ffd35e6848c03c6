"""Ports of time and randomness.

Monotonic time is trio's own (`trio.current_time`, `trio.sleep`): a `MockClock` already controls it. Wall-clock time and
randomness come in by constructor, so that a test, a replay or the simulation owns them too.
"""

from random import Random
from typing import Protocol

__all__ = ["Random", "WallClock"]


class WallClock(Protocol):
    """The time that other machines agree on."""

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch."""
        ...
