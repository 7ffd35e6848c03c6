"""One question to the upstreams, shared by everybody who waits for a part of it."""

from collections import deque
from collections.abc import Iterable, Sequence

import attrs
import trio

from protocols.prices import MarketName, Quote
from protocols.venue.gamma import spellings_of

Wanted = str | MarketName
"""A condition id, or a slug or token."""
VALUES_MAX = 100
"""Ids of one call upstream, every spelling of an id counted (venue.md §3.1)."""
QUEUE_MAX = 20
"""Flights that wait; more would only be asked for when those who wanted them have long gone."""


@attrs.define(eq=False)
class Flight:
    """Filled until it departs; `landed` is set however it ends."""

    opened_s: float
    wanted: dict[Wanted, float] = attrs.field(init=False, factory=dict)
    """With the age in seconds below which a price by another replica is good enough."""
    riders: set[str] = attrs.field(init=False, factory=set)
    """Those of them for which nobody waits."""
    values: int = attrs.field(init=False, default=0)
    quotes: dict[str, Quote] = attrs.field(init=False, factory=dict)
    """What it brought, also for markets that memory has forgotten since."""
    names: dict[MarketName, str] = attrs.field(init=False, factory=dict)
    absent: set[Wanted] = attrs.field(init=False, factory=set)
    landed: trio.Event = attrs.field(init=False, factory=trio.Event)

    @property
    def condition_ids(self) -> list[str]:
        """The condition ids wanted."""
        return [wanted for wanted in self.wanted if isinstance(wanted, str)]

    @property
    def market_names(self) -> list[MarketName]:
        """The slugs and tokens wanted."""
        return [wanted for wanted in self.wanted if isinstance(wanted, MarketName)]


def spellings(wanted: Wanted) -> int:
    """Returns how many values a call spends on it."""
    return len(spellings_of(wanted)) if isinstance(wanted, str) else 1


def fitting(condition_ids: Iterable[str], room: int) -> Sequence[str]:
    """Returns the first of them that go into a call with `room` values left."""
    taken: list[str] = []
    for condition_id in condition_ids:
        room -= spellings(condition_id)
        if room < 0:
            break
        taken.append(condition_id)
    return taken


@attrs.define(eq=False)
class FlightQueue:
    """Flights that have not departed, and who is in which, in the air too."""

    wake: trio.Event = attrs.field(init=False, factory=trio.Event)
    """Set when there may be something to do; whoever waits puts a new one here first."""
    _waiting: deque[Flight] = attrs.field(init=False, factory=deque)
    _booked: dict[Wanted, Flight] = attrs.field(init=False, factory=dict)
    turned_away: int = attrs.field(init=False, default=0)

    def __len__(self) -> int:
        return len(self._waiting)

    def is_booked(self, wanted: Wanted) -> bool:
        """Returns whether a flight brings it."""
        return wanted in self._booked

    def has_room_for(self, wanted: Wanted) -> bool:
        """Returns whether it would not take a flight of its own."""
        room = bool(self._waiting) and self._waiting[-1].values + spellings(wanted) <= VALUES_MAX
        return room or wanted in self._booked

    def book(self, wanted: Wanted, now_s: float, age_max_s: float = 0.0) -> Flight | None:
        """Returns the flight that brings it, a new one if need be; None when too many wait already."""
        flight = self._booked.get(wanted)
        if flight is not None:
            flight.riders.discard(wanted)
            flight.wanted[wanted] = min(flight.wanted[wanted], age_max_s)
            return flight
        cost = spellings(wanted)
        if not self._waiting or self._waiting[-1].values + cost > VALUES_MAX:
            if len(self._waiting) >= QUEUE_MAX:
                self.turned_away += 1
                return None
            self._waiting.append(Flight(now_s))
        flight = self._waiting[-1]
        self._add(flight, wanted, cost, age_max_s)
        self.wake.set()
        return flight

    def first(self) -> Flight | None:
        """Returns the flight that departs next."""
        return self._waiting[0] if self._waiting else None

    def depart(self) -> Flight:
        """Takes the first flight out."""
        return self._waiting.popleft()

    def ride(self, flight: Flight, condition_ids: Iterable[str], age_max_s: float = 0.0) -> None:
        """Lets more markets take part in a flight that departs, as far as there is room."""
        for condition_id in condition_ids:
            cost = spellings(condition_id)
            if condition_id not in self._booked and flight.values + cost <= VALUES_MAX:
                self._add(flight, condition_id, cost, age_max_s)
                flight.riders.add(condition_id)

    def land(self, flight: Flight) -> None:
        """Ends a flight and wakes who waits for it."""
        for wanted in flight.wanted:
            if self._booked.get(wanted) is flight:
                del self._booked[wanted]
        flight.landed.set()
        self.wake.set()

    def _add(self, flight: Flight, wanted: Wanted, cost: int, age_max_s: float) -> None:
        flight.wanted[wanted] = age_max_s
        flight.values += cost
        self._booked[wanted] = flight
