"""How long the loop kept others waiting: the length of each scheduler pass, between two waits for I/O.

Costs two clock readings a pass, not a task step, so a busy feed does not pay for it.
"""

from collections import deque
from time import perf_counter

import attrs
import trio

WINDOW_PASSES = 4_096


@attrs.define(eq=False)
class LoopLag(trio.abc.Instrument):
    """A trio instrument. `worst_s` is the longest pass since it was last read."""

    _woke_s: float | None = attrs.field(init=False, default=None)
    _worst_s: float = attrs.field(init=False, default=0.0)
    passes: int = attrs.field(init=False, default=0)
    _recent_s: deque[float] = attrs.field(init=False, factory=lambda: deque(maxlen=WINDOW_PASSES))

    def after_io_wait(self, timeout: float) -> None:
        """The loop woke up; tasks run from here on."""
        self._woke_s = perf_counter()

    def before_io_wait(self, timeout: float) -> None:
        """All runnable tasks have had their step."""
        if self._woke_s is None:
            return
        pass_s = perf_counter() - self._woke_s
        self.passes += 1
        self._recent_s.append(pass_s)
        self._worst_s = max(self._worst_s, pass_s)

    def take_worst_s(self) -> float:
        """Returns the longest pass since the last call, in seconds, and forgets it."""
        worst_s, self._worst_s = self._worst_s, 0.0
        return worst_s

    def quantile_s(self, quantile: float) -> float:
        """Returns a quantile over the last passes, in seconds; 0 when there were none."""
        ordered = sorted(self._recent_s)
        return ordered[min(len(ordered) - 1, int(len(ordered) * quantile))] if ordered else 0.0
