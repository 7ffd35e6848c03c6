"""Flights of several replicas: a price that one has fetched serves all, and only one of them fetches it.

Without the store between them each replica fetches for itself, within its share of what the venue allows.
"""

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Protocol, TypeVar

import attrs
import trio

from actors.price_flight import VALUES_MAX, Flight, FlightQueue, fitting, spellings
from actors.price_memory import PriceMemory
from actors.rules.log_limit import LogLimit
from actors.rules.price_freshness import has_ended
from protocols.errors import TransientError
from protocols.prices import PriceSource, Quote
from protocols.shared_quotes import Boarding, Published, SharedQuote, SharedQuotes, Want

_log = logging.getLogger(__name__)
T = TypeVar("T")
PATIENCE_S = 0.25
"""A store that takes longer must not keep prices waiting."""
REST_S = 2.0
"""So long nobody asks it again."""
TELL_S = 0.4
NEWS_WAIT_S = 5.0
ROUNDS_MAX = 4
"""So often a flight asks the store; then it fetches for itself."""


class Crew(Protocol):
    """What happens on a flight of this replica alone."""

    @property
    def memory(self) -> PriceMemory: ...

    @property
    def queue(self) -> FlightQueue: ...

    async def fetch_all(self, flight: Flight) -> None:
        """Asks the venue for whatever a flight has not brought yet."""
        ...

    async def fetch(self, flight: Flight, asked: Sequence[str], along: Sequence[str]) -> None:
        """Asks the venue for some markets; `along` in a call for hidden ones, if there is one anyway."""
        ...

    def take(self, quotes: Sequence[SharedQuote], absent: Collection[str], flight: Flight | None = None) -> None:
        """Takes what another replica has fetched."""
        ...

    def wants_of(self, flight: Flight, tried: Collection[str]) -> tuple[list[Want], int]:
        """Returns what a flight has not brought, without what the venue was asked for; and room in a call, in values."""
        ...

    def is_hidden(self, condition_id: str) -> bool:
        """Returns whether Gamma shows a market only among closed ones."""
        ...

    def is_absent(self, condition_id: str) -> bool:
        """Returns whether the venue said lately that it has no such market."""
        ...

    def is_looked_at(self, condition_id: str) -> bool:
        """Returns whether somebody here waits for a market, watches it, or asked for it lately."""
        ...

    def asked_since_seen(self) -> Sequence[tuple[str, float]]:
        """Returns what users here have asked for since it was observed, and when that was."""
        ...


@attrs.define(eq=False, kw_only=True)
class PriceSharing:
    """Works on what belongs to the crew. `name` is unique to the process."""

    store: SharedQuotes
    name: str
    counts: Counter[str] = attrs.field(init=False, factory=Counter)
    """Markets: `taken` from others, `fetched` here, of which `along` were for others; `waited` for another's flight, of which
    `outlived` its claim. And flights that went `alone` because the store did not answer."""
    failures: int = attrs.field(init=False, default=0)
    is_open: bool = attrs.field(init=False, default=True)
    """The store answered the last time."""
    _flights: int = attrs.field(init=False, default=0)
    _rests_until_s: float = attrs.field(init=False, default=float("-inf"))
    _arrived: trio.Event = attrs.field(init=False, factory=trio.Event)
    _told: dict[str, float] = attrs.field(init=False, factory=dict)
    """By market: for which observation others know that users here want a newer one."""
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)

    async def run(self, crew: Crew) -> None:
        """Hears what others publish and tells them what users here look at, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._hear, crew)
            nursery.start_soon(self._tell, crew)

    async def share(self, flight: Flight, crew: Crew) -> None:
        """Brings what a flight wants: from the store, from the venue, or by a flight of another replica."""
        self._flights += 1
        name = f"{self.name}:{self._flights}"
        tried: set[str] = set()
        for round_ in range(ROUNDS_MAX):
            wants, room = crew.wants_of(flight, tried)
            if round_ and all(want.rides for want in wants):
                return
            boarding = await self._boarded(name, wants, room)
            if boarding is None:
                break
            before = {id_: _observed_s(crew, id_) for id_ in boarding.theirs}
            ends_s = trio.current_time() + max(boarding.theirs.values(), default=0.0)
            self.counts["taken"] += len(boarding.found)
            crew.take(boarding.found, boarding.absent, flight)
            tried.update(await self._fetch(name, flight, boarding, crew))
            await self._landed_elsewhere(flight, before, ends_s, crew)
            # Once more for what did not come, and for riders that somebody began to wait for meanwhile.
        self.counts["alone"] += 1
        await crew.fetch_all(flight)

    async def _fetch(self, name: str, flight: Flight, boarding: Boarding, crew: Crew) -> Sequence[str]:
        """Fetches what is this flight's, and gives it to everybody; returns what the venue was asked for."""
        room = VALUES_MAX - sum(map(spellings, boarding.ours))
        along = fitting(boarding.along, room)
        hidden = fitting(boarding.along_hidden, room - sum(map(spellings, along)))
        # Whoever wants one of them meanwhile waits for this flight.
        crew.queue.ride(flight, along)
        asked = [*boarding.ours, *along]
        if not (asked or any(one not in flight.names and one not in flight.absent for one in flight.market_names)):
            return ()
        before = dict(flight.quotes)
        await crew.fetch(flight, asked, hidden)
        brought = [
            _shared(quote, is_hidden=crew.is_hidden(id_))
            for id_, quote in flight.quotes.items()
            if quote is not before.get(id_) and quote.source is not PriceSource.DATABASE
        ]
        self.counts["fetched"] += len(asked)
        self.counts["along"] += len(along)
        absent = [id_ for id_ in asked if id_ in flight.absent]
        landed = {one.facts.condition_id for one in brought}.union(absent)
        left = [id_ for id_ in (*asked, *boarding.along, *boarding.along_hidden) if id_ not in landed]
        if landed or left:
            published = Published(quotes=brought, absent=absent)
            await self._answered(lambda: self.store.publish(name, published, left))
        return asked

    async def _landed_elsewhere(self, flight: Flight, before: dict[str, float], ends_s: float, crew: Crew) -> None:
        """Waits for flights of others until their claims end. `before`: what was known when they were boarded."""
        waited = set(before)
        self.counts["waited"] += len(waited)
        while True:
            for condition_id in list(waited):
                entry = crew.memory.get(condition_id)
                if entry is not None and entry.quote.observed_s > before[condition_id]:
                    flight.quotes[condition_id] = entry.quote
                    waited.discard(condition_id)
                elif crew.is_absent(condition_id):
                    flight.absent.add(condition_id)
                    waited.discard(condition_id)
            if not waited:
                return
            with trio.move_on_at(ends_s) as patience:
                await self._arrived.wait()
            if patience.cancelled_caught:
                self.counts["outlived"] += len(waited)
                return

    async def _boarded(self, name: str, wants: Sequence[Want], room: int) -> Boarding | None:
        """Returns what the store says; None when it does not answer."""
        if not wants:
            return Boarding()
        return await self._answered(lambda: self.store.board(name, wants, room))

    async def _answered(self, call: Callable[[], Awaitable[T]]) -> T | None:
        """Returns an answer of the store, or None when there is none, or none was asked for while it rests."""
        if trio.current_time() < self._rests_until_s:
            return None
        try:
            with trio.fail_after(PATIENCE_S):
                answer = await call()
        except (TransientError, trio.TooSlowError) as error:
            self._failed(error)
            return None
        self.is_open = True
        return answer

    def _failed(self, error: Exception) -> None:
        self.failures += 1
        self.is_open = False
        now_s = trio.current_time()
        self._rests_until_s = now_s + REST_S
        if self._log_limit.allows("failed", now_s) is not None:
            text = str(error) or f"no answer within {PATIENCE_S:g} s"
            _log.warning("prices are not shared, this replica fetches for itself", extra={"error": text})

    async def _hear(self, crew: Crew) -> None:
        while True:
            try:
                news = await self.store.news(crew.is_looked_at, NEWS_WAIT_S)
            except TransientError as error:
                self._failed(error)
                await trio.sleep(REST_S)
                continue
            if news.quotes or news.absent:
                crew.take(news.quotes, news.absent)
                arrived, self._arrived = self._arrived, trio.Event()
                arrived.set()

    async def _tell(self, crew: Crew) -> None:
        while True:
            await trio.sleep(TELL_S)
            asked = crew.asked_since_seen()
            new = [id_ for id_, observed_s in asked if self._told.get(id_) != observed_s]
            if not new:
                continue
            self._told = dict(asked)

            async def tell(ids: Sequence[str] = new) -> bool:
                await self.store.tell(ids)
                return True

            if not await self._answered(tell):
                self._told = {}


def _observed_s(crew: Crew, condition_id: str) -> float:
    entry = crew.memory.get(condition_id)
    return float("-inf") if entry is None else entry.quote.observed_s


def _shared(quote: Quote, *, is_hidden: bool) -> SharedQuote:
    assert quote.as_of_ms is not None, "what was fetched has a time"
    return SharedQuote(
        facts=quote.facts,
        source=quote.source,
        hidden=is_hidden,
        resolved=quote.resolved,
        ended=has_ended(quote),
        as_of_ms=quote.as_of_ms,
        observed_s=quote.observed_s,
    )
