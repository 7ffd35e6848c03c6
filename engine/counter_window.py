"""Rates from counters: remembers readings of the last minute, a bounded number of them."""

from collections import deque
from collections.abc import Hashable, Mapping

import attrs

READINGS_MAX = 61


@attrs.define(eq=False)
class CounterWindow:
    """One reading a second at most; an older one within the same second stays."""

    _readings: deque[tuple[float, dict[Hashable, int]]] = attrs.field(
        init=False, factory=lambda: deque(maxlen=READINGS_MAX)
    )

    def add(self, now_s: float, counts: Mapping[Hashable, int]) -> None:
        """Keeps what the counters say at monotonic time `now_s`."""
        if not self._readings or now_s - self._readings[-1][0] >= 1.0:
            self._readings.append((now_s, dict(counts)))

    def per_s(self, key: Hashable, count: int, now_s: float, window_s: float) -> float | None:
        """Returns the growth of a counter a second, over `window_s` or what is known of it; None without an older reading.

        A counter that is smaller than before began anew, with a new lease: then nothing is known either.
        """
        older = self._oldest_within(now_s, window_s)
        if older is None or key not in older[1] or count < older[1][key]:
            return None
        return round((count - older[1][key]) / (now_s - older[0]), 2)

    def grown(self, key: Hashable, count: int, now_s: float, window_s: float) -> int:
        """Returns the growth of a counter that never begins anew; one that was not there before began at 0."""
        older = self._oldest_within(now_s, window_s)
        return 0 if older is None else count - older[1].get(key, 0)

    def _oldest_within(self, now_s: float, window_s: float) -> tuple[float, dict[Hashable, int]] | None:
        return next((one for one in self._readings if now_s - window_s <= one[0] < now_s), None)
