"""How long the loop kept others waiting: the length of each scheduler pass, between two waits for I/O.

Costs two clock readings a pass, not a task step, and remembers only passes that somebody could notice: a saturated feed
makes a pass a frame and must not pay for being measured.
"""

from collections import deque
from time import perf_counter

import attrs
import trio

NOTICEABLE_S = 0.001
PASSES_KEPT = 4_096


@attrs.define(eq=False)
class LoopLag(trio.abc.Instrument):
    """A trio instrument."""

    passes: int = attrs.field(init=False, default=0)
    _woke_s: float = attrs.field(init=False, default=float("inf"))
    _long_s: deque[tuple[int, float]] = attrs.field(init=False, factory=lambda: deque(maxlen=PASSES_KEPT))
    """(number, length) of the last noticeable passes."""
    _worst_s: float = attrs.field(init=False, default=0.0)

    def after_io_wait(self, timeout: float) -> None:
        """The loop woke up; tasks run from here on."""
        self._woke_s = perf_counter()

    def before_io_wait(self, timeout: float) -> None:
        """All runnable tasks have had their step."""
        self.passes += 1
        pass_s = perf_counter() - self._woke_s
        if pass_s > NOTICEABLE_S:
            self._long_s.append((self.passes, pass_s))
            if pass_s > self._worst_s:
                self._worst_s = pass_s

    def take_worst_s(self) -> float:
        """Returns the longest noticeable pass since the last call, in seconds, and forgets it; 0 when there was none."""
        worst_s, self._worst_s = self._worst_s, 0.0
        return worst_s

    def quantile_s(self, quantile: float, passes: int = 100_000) -> float:
        """Returns a quantile over the last `passes`, in seconds; 0 stands for less than a millisecond."""
        passes = min(passes, self.passes)
        recent = sorted(length for number, length in self._long_s.copy() if number > self.passes - passes)
        above = int(passes * (1 - quantile))
        return recent[-above - 1] if above < len(recent) else 0.0
