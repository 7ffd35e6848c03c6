"""The clock of a server, as its answers tell it: what time it is there now, between two bounds."""

from collections import deque

import attrs

LOOK_BACK_S = 30.0
"""Clocks drift apart by some milliseconds in that time."""


@attrs.frozen(kw_only=True)
class _Reading:
    """The server's clock was read after we had asked and before we were answered."""

    received_s: float
    ahead_min_s: float
    """So far it is ahead of our monotonic clock, at least."""
    ahead_max_s: float


@attrs.define(eq=False)
class ServerClock:
    """Turns times of the server into monotonic ones and back, always rather too early than too late.

    An answer that took long says little; together with those of the last half minute it says as much as the quickest of them.
    """

    _readings: deque[_Reading] = attrs.field(factory=deque)

    @property
    def is_known(self) -> bool:
        """Whether there is an answer to go by."""
        return bool(self._readings)

    def read(self, server_ms: int, *, sent_s: float, received_s: float) -> None:
        """Takes an answer. One that contradicts those before tells of a clock that was set, or of another server."""
        reading = _Reading(
            received_s=received_s,
            ahead_min_s=server_ms / 1000 - received_s,
            # Milliseconds are cut off: it may have been one later.
            ahead_max_s=(server_ms + 1) / 1000 - sent_s,
        )
        while self._readings and self._readings[0].received_s < received_s - LOOK_BACK_S:
            self._readings.popleft()
        if self.is_known and not self._fits(reading):
            self._readings.clear()
        self._readings.append(reading)

    def forget(self) -> None:
        """Forgets everything: another server may be there next time."""
        self._readings.clear()

    def monotonic_s(self, server_ms: int, now_s: float) -> float:
        """Returns a moment of the server in our time, at the latest now."""
        return min(now_s, server_ms / 1000 - self._ahead_max_s)

    def server_ms(self, monotonic_s: float) -> int:
        """Returns a moment of ours in the server's time."""
        return int((monotonic_s + self._ahead_min_s) * 1000)

    @property
    def _ahead_min_s(self) -> float:
        return max(reading.ahead_min_s for reading in self._readings)

    @property
    def _ahead_max_s(self) -> float:
        return min(reading.ahead_max_s for reading in self._readings)

    def _fits(self, reading: _Reading) -> bool:
        return reading.ahead_min_s <= self._ahead_max_s and reading.ahead_max_s >= self._ahead_min_s
