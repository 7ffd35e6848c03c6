"""When a silent stream counts as dead. Liveness is the age of data, never PONG (venue.md §1.3)."""

import attrs


@attrs.define(eq=False, kw_only=True)
class StallWatch:
    """The stall time-out: as configured while data flows, doubled up to a maximum while new sockets stay silent."""

    timeout_s: float
    timeout_max_s: float
    _current_s: float = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._current_s = self.timeout_s

    @property
    def current_s(self) -> float:
        """Returns the silence that is tolerated now, in seconds."""
        return self._current_s

    def stalled(self) -> None:
        """Says that a socket was replaced because it was silent for `current_s`."""
        self._current_s = min(self.timeout_max_s, self._current_s * 2)

    def data_arrived(self) -> None:
        """Says that a socket delivered data."""
        self._current_s = self.timeout_s
