"""Which gaps are to be read, and when."""

from collections.abc import Sequence

import attrs

from actors.rules.gaps import Reading, coalesced, merged
from protocols.ingest import GapReason, GapRequest

PLANNED_MAX = 64
TOUCHING_MS = 5_000


@attrs.define(eq=False, kw_only=True)
class GapPlan:
    """Each gap is read at once and again `reread_s` later, because history is late; never if that is 0.

    A reading stays in the plan until it is done, so a crash in the middle of it loses nothing.
    """

    reread_s: float
    _planned: list[Reading] = attrs.field(init=False, factory=list)

    def add(self, requests: Sequence[GapRequest], now_s: float) -> None:
        """Plans requests for now; those whose intervals touch become one."""
        readings = 2 if self.reread_s > 0 else 1
        for request in coalesced(requests, touching_ms=TOUCHING_MS):
            if len(self._planned) >= PLANNED_MAX:
                # A history that is down for hours must not fill the memory: the last one grows instead.
                request = merged(self._planned.pop().request, request)
            self._planned.append(Reading(due_s=now_s, request=request, readings_left=readings))

    def due(self, now_s: float) -> list[Reading]:
        """Returns the readings whose time has come, oldest plan first."""
        return [reading for reading in self._planned if reading.due_s <= now_s]

    def next_due_s(self) -> float | None:
        """Returns the monotonic time of the next reading, or None when nothing is planned."""
        return min((reading.due_s for reading in self._planned), default=None)

    def done(self, reading: Reading, now_s: float) -> None:
        """Ends a reading. One that became part of a larger one meanwhile is still planned with that."""
        if not self._removed(reading) or reading.readings_left == 1:
            return
        left = reading.readings_left - 1
        self._planned.append(attrs.evolve(reading, due_s=now_s + self.reread_s, readings_left=left))

    def postpone(self, reading: Reading, due_s: float) -> None:
        """Plans a reading that failed for later."""
        if self._removed(reading):
            self._planned.append(attrs.evolve(reading, due_s=due_s))

    def unread(self) -> frozenset[GapRequest]:
        """Returns what a later start has to read as well. A planned recycling lost nothing."""
        requests = (reading.request for reading in self._planned)
        return frozenset(request for request in requests if request.reason is not GapReason.RECYCLE)

    def _removed(self, reading: Reading) -> bool:
        if reading in self._planned:
            self._planned.remove(reading)
            return True
        return False
