"""Prices for everybody who asks, at a cost upstream that does not grow with them (D59, D65)."""

from collections import Counter
from collections.abc import Collection, Sequence
from functools import partial

import attrs
import trio

from actors.price_crew import PriceCrew
from actors.price_desk import PriceDesk
from actors.price_flight import Flight, FlightQueue
from actors.price_memory import Entry, Forgetful, PriceMemory
from actors.price_pilot import PricePilot
from actors.price_sharing import PriceSharing
from actors.price_subscription import PriceSubscription
from actors.price_writes import PriceWrites
from actors.rules.allowance import Allowance
from actors.rules.price_freshness import Freshness
from config.schema import PricesConfig
from protocols.clock import Random, WallClock
from protocols.errors import TransientError
from protocols.instruments import Observer
from protocols.prices import MarketName, PriceFallback, PriceStore, PriceUpstream, Quote

ABSENT_S = 5.0
"""So long an id that nobody has is not asked for again."""
UNDECIDED_S = 1.0
"""So long a market of which nothing is known is not tried again while nobody answers."""
ANSWER_S = 5.0
"""Longest wait of an asker."""
FLIGHTS_MAX = 4
NEW_FLIGHTS_PER_S, NEW_FLIGHTS_BURST = 2.0, 20.0
"""Flights that are made for markets which were never asked for; such a market may always join one that goes anyway."""


class _Undecided:
    """Nothing is known of a market, and nobody could be asked."""


_UNDECIDED = _Undecided()
_Answer = Quote | Flight | _Undecided | None


@attrs.define(eq=False, kw_only=True)
class PriceCache:
    """requests → quotes. Memory first; what is missing or old shares one call, and everybody who wants it awaits that.

    Askers are tasks of their own, here they only read memory, book a flight and wait for it; calls are made by `run`. If that
    crashes, its flights land empty: who waits gets the last known quote marked stale, and the next run goes on.
    """

    upstream: PriceUpstream
    fallback: PriceFallback
    store: PriceStore
    config: PricesConfig
    clock: WallClock
    rng: Random
    ages: Observer | None = None
    """Takes the age in seconds of each quote of an open market that is served."""
    sharing: PriceSharing | None = None
    """None: no other replica is told of anything."""
    results: Counter[str] = attrs.field(init=False, factory=Counter)
    """Markets asked for, by `hit`, `wait`, `stale`, `missing` and `unavailable`."""
    memory: PriceMemory = attrs.field(init=False)
    desk: PriceDesk = attrs.field(init=False)
    writes: PriceWrites = attrs.field(init=False)
    queue: FlightQueue = attrs.field(init=False, factory=FlightQueue)
    watchers: dict[str, set[PriceSubscription]] = attrs.field(init=False, factory=dict)
    _absent: Forgetful[str | MarketName] = attrs.field(init=False, factory=lambda: Forgetful(ABSENT_S))
    _undecided: Forgetful[str | MarketName] = attrs.field(init=False, factory=lambda: Forgetful(UNDECIDED_S))
    _new_flights: Allowance = attrs.field(
        init=False, factory=lambda: Allowance(per_s=NEW_FLIGHTS_PER_S, burst=NEW_FLIGHTS_BURST)
    )
    _freshness: Freshness = attrs.field(init=False)
    _pilot: PricePilot = attrs.field(init=False)
    _in_air: int = attrs.field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        config = self.config
        self._freshness = Freshness(config.ttl_ms / 1000)
        self.memory = PriceMemory(markets_max=config.markets_max, is_watched=self.watchers.__contains__)
        self.desk = PriceDesk(
            upstream=self.upstream, fallback=self.fallback, rng=self.rng, backoff_max_s=config.backoff_max_s
        )
        self.writes = PriceWrites(store=self.store, config=config, rng=self.rng)
        self._pilot = PricePilot(
            desk=self.desk,
            store=self.store,
            memory=self.memory,
            writes=self.writes,
            queue=self.queue,
            watchers=self.watchers,
            absent=self._absent,
            undecided=self._undecided,
            freshness=self._freshness,
            clock=self.clock,
        )
        if self.sharing is not None:
            self._pilot.share = partial(self.sharing.share, crew=PriceCrew(self._pilot))

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Makes the calls and the writes until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.writes.run)
            if self.sharing is not None:
                nursery.start_soon(self.sharing.run, PriceCrew(self._pilot))
            task_status.started()
            while True:
                await self._until_departure()
                self._in_air += 1
                flight = self.queue.depart()
                self._pilot.board(flight)
                nursery.start_soon(self._fly, flight)

    async def quotes(self, condition_ids: Collection[str], max_age_ms: int = 0) -> dict[str, Quote | None]:
        """Returns a quote not older than `max_age_ms`, at least the TTL, for each canonical condition id.

        That of a market whose trading has ended, but which is not resolved, may be 15 s old.
        None: the venue has no such market. `Quote.stale`: the last known one, because no upstream answers. Ids of which
        nothing is known and that nobody could be asked for are left out; raises `TransientError` when that are all.
        """
        now_s, limit_s = trio.current_time(), self._freshness.limit_s(max_age_ms)
        answers: dict[str, Quote | None] = {}
        waits: dict[str, Flight] = {}
        for condition_id in condition_ids:
            answer = self._at_hand(condition_id, limit_s, now_s)
            if isinstance(answer, Flight):
                waits[condition_id] = answer
            elif not isinstance(answer, _Undecided):
                answers[condition_id] = answer
        if waits:
            await _landing(waits.values())
            for condition_id, flight in waits.items():
                answer = self._brought(condition_id, flight)
                if not isinstance(answer, _Undecided):
                    answers[condition_id] = answer
        self._count(answers, waits, len(condition_ids))
        if condition_ids and not answers:
            raise TransientError("no price is known and no upstream answers")
        return answers

    def hail(self) -> bool:
        """Has the next call depart now instead of a little later, for others who ask along; returns whether it will. Never
        waits. Everything that is wanted is renewed by it, so that it costs part of a call. Where prices are shared it may be
        another replica's call, which takes nobody along from here: then never."""
        return self.sharing is None and self._pilot.renew_early()

    async def condition_id_of(self, name: MarketName) -> str | None:
        """Returns the condition id of a slug or token; None when the venue has no such market. Raises `TransientError`."""
        condition_id = self.memory.named(name)
        if condition_id is not None:
            return condition_id
        now_s = trio.current_time()
        if self._absent.holds(name, now_s):
            return None
        flight = None if self._undecided.holds(name, now_s) else self.queue.book(name, now_s)
        if flight is not None:
            await _landing([flight])
            if name in flight.names:
                return flight.names[name]
            if name in flight.absent:
                return None
        raise TransientError("the market of a name is not known and no upstream answers")

    async def stored(self, condition_id: str) -> Quote | None:
        """Returns what is known of a market without calling out: memory, else its row. Raises `TransientError`."""
        entry = self.memory.used(condition_id)
        quote = await self._pilot.row(condition_id) if entry is None else entry.quote
        fresh = quote is None or self._freshness.serves(quote, self._freshness.served_s, trio.current_time())
        return quote if quote is None or fresh else _stale(quote)

    async def stored_condition_id(self, name: MarketName) -> str | None:
        """Returns the condition id of a slug or token without calling out. Raises `TransientError`."""
        return self.memory.named(name) or await self._pilot.row_named(name)

    async def subscribe(self, condition_ids: Sequence[str]) -> PriceSubscription:
        """Returns a stream that begins with the current quotes; the caller closes it. Raises `TransientError`.

        Markets that the venue does not have are not watched; with no other ones the stream is closed from the start.
        """
        answers = await self.quotes(condition_ids)
        watched = [id_ for id_ in condition_ids if answers.get(id_, _UNDECIDED) is not None]
        if len(self.watchers.keys() | set(watched)) > self.config.markets_max:
            raise TransientError("more markets are watched than are kept in memory")
        missing = [id_ for id_ in condition_ids if id_ not in watched]
        subscription = PriceSubscription(condition_ids=watched, missing=missing, on_close=self._forget)
        for condition_id in watched:
            self.watchers.setdefault(condition_id, set()).add(subscription)
            quote = answers.get(condition_id)
            if quote is not None:
                subscription.offer(quote)
                if quote.stale:
                    self._pilot.told_stale.add(condition_id)
        self.queue.wake.set()
        return subscription

    def _forget(self, subscription: PriceSubscription) -> None:
        for condition_id in subscription.condition_ids:
            watching = self.watchers.get(condition_id)
            if watching is not None:
                watching.discard(subscription)
                if not watching:
                    del self.watchers[condition_id]

    def _at_hand(self, condition_id: str, limit_s: float, now_s: float) -> _Answer:
        """Returns what can be said at once, or the flight to wait for."""
        entry = self.memory.used(condition_id)
        if entry is None:
            if self._absent.holds(condition_id, now_s):
                return None
            may_ask = not self._undecided.holds(condition_id, now_s) and self._may_ask_new(condition_id, now_s)
            flight = self.queue.book(condition_id, now_s, self._freshness.shared_s(limit_s)) if may_ask else None
            return _UNDECIDED if flight is None else flight
        quote = entry.quote
        if self._freshness.serves(quote, limit_s, now_s):
            if not quote.resolved and limit_s <= self._freshness.served_s:
                entry.asked_s = now_s
                if now_s - quote.observed_s >= self._freshness.due_s(quote) and self._may_ask(entry, now_s):
                    self.queue.book(condition_id, now_s, self._freshness.shared_s(limit_s))
            return quote
        entry.asked_s = now_s
        good_s = self._freshness.shared_s(limit_s)
        flight = self.queue.book(condition_id, now_s, good_s) if self._may_ask(entry, now_s) else None
        return _stale(quote) if flight is None else flight

    def _may_ask_new(self, wanted: str, now_s: float) -> bool:
        """Whoever makes ids up must not spend the calls that everybody's prices need."""
        return self.queue.has_room_for(wanted) or self._new_flights.take(now_s)

    def _may_ask(self, entry: Entry, now_s: float) -> bool:
        return entry.retry_s <= now_s and self.desk.blocked_until_s(now_s) <= now_s

    def _brought(self, condition_id: str, flight: Flight) -> Quote | _Undecided | None:
        quote = flight.quotes.get(condition_id)
        if quote is not None:
            return quote
        if condition_id in flight.absent:
            return None
        entry = self.memory.get(condition_id)
        return _UNDECIDED if entry is None else _stale(entry.quote)

    def _count(self, answers: dict[str, Quote | None], waits: dict[str, Flight], asked: int) -> None:
        results, now_s = self.results, trio.current_time()
        for condition_id, quote in answers.items():
            if quote is None:
                results["missing"] += 1
                continue
            results["stale" if quote.stale else "wait" if condition_id in waits else "hit"] += 1
            if self.ages is not None and not quote.resolved and quote.as_of_ms is not None:
                self.ages.observe(max(0.0, now_s - quote.observed_s))
        if asked > len(answers):
            results["unavailable"] += asked - len(answers)

    async def _fly(self, flight: Flight) -> None:
        try:
            await self._pilot.fly(flight)
        finally:
            self._in_air -= 1
            self.queue.land(flight)

    async def _until_departure(self) -> None:
        """Waits until there is a flight that should go now."""
        while True:
            now_s = trio.current_time()
            self.queue.wake = trio.Event()
            wait_until_s = self._pilot.book_watched(now_s)
            flight = self.queue.first()
            if flight is not None and self._in_air < FLIGHTS_MAX:
                departs_s = flight.opened_s + self.config.batch_window_ms / 1000
                if departs_s <= now_s:
                    return
                wait_until_s = min(wait_until_s, departs_s)
            with trio.move_on_at(wait_until_s):
                await self.queue.wake.wait()


def _stale(quote: Quote) -> Quote:
    return quote if quote.resolved else attrs.evolve(quote, stale=True)


async def _landing(flights: Collection[Flight]) -> None:
    with trio.move_on_after(ANSWER_S):
        for flight in dict.fromkeys(flights):
            await flight.landed.wait()
