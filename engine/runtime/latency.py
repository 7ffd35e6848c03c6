"""A histogram for monitoring that also remembers its last values, for exact quantiles on a page."""

import math
from collections import deque

import attrs

from protocols.instruments import Observer

VALUES_KEPT = 4_096


@attrs.define(eq=False)
class LatencyRecorder:
    """`Observer` that passes values on. A trade of an earlier run has no arrival time and is not recorded."""

    _histogram: Observer
    _last: deque[float] = attrs.field(init=False, factory=lambda: deque(maxlen=VALUES_KEPT))

    def observe(self, value: float) -> None:
        """Records one value in seconds; NaN is ignored."""
        if not math.isnan(value):
            self._histogram.observe(value)
            self._last.append(value)

    def quantile_s(self, quantile: float) -> float | None:
        """Returns a quantile of the last values in seconds, or None when there are none."""
        ordered = sorted(self._last)
        return ordered[min(len(ordered) - 1, int(len(ordered) * quantile))] if ordered else None
