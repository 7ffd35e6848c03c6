"""Free places in calls to the venue's catalogue: whoever can wait a moment for markets asks in a call that goes out anyway.

A call takes a hundred ids. The one for prices goes out every two seconds while anybody looks at prices, it is seldom full, and
its answer holds whole markets. While no such calls go out, nobody waits for one. Who cannot wait hails one: it goes out now
instead of a little later, so that the question costs part of a call and no time.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager

import attrs
import trio

from protocols.venue.gamma import spellings_of

SHOWN_PATIENCE_S, CLOSED_PATIENCE_S = 5.0, 15.0
"""How long somebody waits for a call with a free place."""
HAILED_PATIENCE_S = 0.5
"""The same for one that was hailed: it departs at once or not at all."""
PLACES_MIN = 10
"""So many places empty in the last call tell of room in the next one."""
SHOWN_LATELY_S, CLOSED_LATELY_S = 3.0, 16.0
"""Such a call is expected while the last one is not older. Prices of open markets are renewed every 2 s, those of markets that
have ended every 13 s."""


@attrs.define(eq=False, kw_only=True)
class Rider:
    """One id, for everybody who waits for it."""

    condition_id: str
    askers: int = 0
    answered: bool = False
    """False when it has landed: whoever waits has to ask by himself."""
    item: bytes | None = None
    """The market as the venue wrote it; None: it was not in the answer."""
    landed: trio.Event = attrs.field(factory=trio.Event)


@attrs.define(eq=False, kw_only=True)
class Carriage:
    """Who rides in one call."""

    riders: dict[str, Rider] = attrs.field(factory=dict)
    arrived: bool = False

    def bring(self, items: Mapping[str, bytes]) -> None:
        """Says what the call brought, by id: an id that is not among it is not in this list of the venue."""
        self.arrived = True
        for condition_id, rider in self.riders.items():
            rider.answered, rider.item = True, items.get(condition_id)
            rider.landed.set()
        self.riders = {}

    def put_out(self) -> None:
        """Says that a call with them was refused: one of them may be the reason, and costs nobody else a second call."""
        for rider in self.riders.values():
            rider.landed.set()
        self.riders = {}


@attrs.define(eq=False, kw_only=True)
class _Stop:
    """Where riders towards one list of the catalogue wait."""

    lately_s: float
    patience_s: float
    departed_s: float = float("-inf")
    places: int = 0
    """That were left empty by the last call; none when it brought nothing."""
    waiting: dict[str, Rider] = attrs.field(factory=dict)


@attrs.define(eq=False, kw_only=True)
class MarketRides:
    """One for each process. The lists are those of the filter `closed`: None, or True (venue.md §3.1)."""

    carried: int = attrs.field(init=False, default=0)
    """Ids that were answered by somebody else's call."""
    hail: Callable[[], bool] = attrs.field(init=False, default=lambda: False)
    """Has the next call among markets that are shown depart now; returns whether it will. Set by whoever makes such calls."""
    _shown: _Stop = attrs.field(init=False, factory=lambda: _Stop(lately_s=SHOWN_LATELY_S, patience_s=SHOWN_PATIENCE_S))
    _closed: _Stop = attrs.field(
        init=False, factory=lambda: _Stop(lately_s=CLOSED_LATELY_S, patience_s=CLOSED_PATIENCE_S)
    )

    @contextmanager
    def carrying(self, room: int, *, closed: bool) -> Iterator[Carriage]:
        """Takes those along who wait longest, as far as there is room, every spelling of an id counted.

        Whoever was told nothing when the call is over waits for the next one.
        """
        stop = self._stop(closed)
        stop.departed_s = trio.current_time()
        carriage = Carriage()
        for condition_id in list(stop.waiting):
            room -= len(spellings_of(condition_id))
            if room < 0:
                break
            carriage.riders[condition_id] = stop.waiting.pop(condition_id)
        try:
            yield carriage
        finally:
            stop.places = max(0, room) if carriage.arrived else 0
            left = {id_: rider for id_, rider in carriage.riders.items() if rider.askers and id_ not in stop.waiting}
            stop.waiting = left | stop.waiting
            for condition_id, rider in carriage.riders.items():
                if condition_id not in left:
                    rider.landed.set()

    def has_places(self) -> bool:
        """Returns whether whoever asks among markets that are shown will soon have been told, at no cost."""
        stop = self._shown
        return trio.current_time() - stop.departed_s <= stop.lately_s and stop.places >= PLACES_MIN

    async def told(self, condition_ids: Collection[str], *, closed: bool) -> dict[str, bytes | None]:
        """Returns the markets that calls of others brought, None for what is not in this list; ids that nobody asked for are
        left out. Waits only while such calls go out, and not for ever."""
        stop = self._stop(closed)
        if trio.current_time() - stop.departed_s > stop.lately_s:
            await trio.lowlevel.checkpoint()
            return {}
        return await self._ridden(stop, condition_ids, stop.patience_s)

    async def told_at_once(self, condition_ids: Collection[str]) -> dict[str, bytes | None]:
        """Returns the same for somebody who cannot wait, among markets that are shown: nothing unless a call departs now."""
        if not (self.has_places() and self.hail()):
            await trio.lowlevel.checkpoint()
            return {}
        return await self._ridden(self._shown, condition_ids, HAILED_PATIENCE_S)

    async def _ridden(self, stop: _Stop, condition_ids: Collection[str], patience_s: float) -> dict[str, bytes | None]:
        now_s = trio.current_time()
        riders = [self._board(stop, condition_id) for condition_id in dict.fromkeys(condition_ids)]
        try:
            with trio.move_on_at(now_s + patience_s):
                await _all(rider.landed for rider in riders)
        finally:
            for rider in riders:
                rider.askers -= 1
                if not rider.askers and stop.waiting.get(rider.condition_id) is rider:
                    del stop.waiting[rider.condition_id]
        told = {rider.condition_id: rider.item for rider in riders if rider.answered}
        if len(told) < len(riders):
            # Somebody waited in vain: nobody counts on it before a call brought something again.
            stop.places = 0
        self.carried += len(told)
        return told

    def _board(self, stop: _Stop, condition_id: str) -> Rider:
        rider = stop.waiting.setdefault(condition_id, Rider(condition_id=condition_id))
        rider.askers += 1
        return rider

    def _stop(self, closed: bool) -> _Stop:
        return self._closed if closed else self._shown


async def _all(events: Iterable[trio.Event]) -> None:
    for event in events:
        await event.wait()
