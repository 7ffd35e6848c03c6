"""What happens on a flight: rows, then Gamma with whoever rides along, then the CLOB, and what became of each market."""

from collections.abc import Awaitable, Callable, Sequence

import attrs
import trio

from actors.price_desk import Gathered, PriceDesk
from actors.price_flight import VALUES_MAX, Flight, FlightQueue, fitting
from actors.price_memory import Entry, Forgetful, PriceMemory
from actors.price_subscription import PriceSubscription
from actors.price_writes import PriceWrites
from actors.rules.price_freshness import CLOSED_SERVED_S, Freshness
from actors.rules.price_hot_set import AGE_MIN, Candidate, riders
from actors.rules.price_wire import quote_of
from protocols.clock import WallClock
from protocols.errors import TransientError
from protocols.prices import MarketFacts, MarketKey, MarketName, PriceSource, PriceStore, Quote, StoredMarket

STORE_PATIENCE_S = 0.25
"""A database that takes longer must not keep prices waiting."""
STORE_PAUSE_S = 5.0
WATCH_PAUSE_S = 1.0


@attrs.define(eq=False, kw_only=True)
class PricePilot:
    """Works on what belongs to the cache."""

    desk: PriceDesk
    store: PriceStore
    memory: PriceMemory
    writes: PriceWrites
    queue: FlightQueue
    watchers: dict[str, set[PriceSubscription]]
    absent: Forgetful[str | MarketName]
    undecided: Forgetful[str | MarketName]
    freshness: Freshness
    clock: WallClock
    share: Callable[[Flight], Awaitable[None]] | None = None
    """Brings what a flight wants together with other replicas; None: there are none."""
    store_failures: int = attrs.field(init=False, default=0)
    _store_rests_until_s: float = attrs.field(init=False, default=float("-inf"))
    told_stale: set[str] = attrs.field(init=False, factory=set)
    """Watched markets whose streams were told that no upstream answers."""

    async def fly(self, flight: Flight) -> None:
        """Learns what a flight wants to know, and whatever else is due."""
        await self._look_up(flight)
        # Once more: the rows may have taken their time.
        self.board(flight)
        await (self.fetch_all(flight) if self.share is None else self.share(flight))

    async def fetch_all(self, flight: Flight) -> None:
        """Asks the venue for whatever a flight has not brought yet."""
        now_s = trio.current_time()
        asked = [id_ for id_ in flight.condition_ids if id_ not in flight.quotes and id_ not in flight.absent]
        await self.fetch(flight, asked, () if self.desk.gamma.blocked(now_s) else self.hidden_riders(flight, now_s))

    async def fetch(self, flight: Flight, asked: Sequence[str], along: Sequence[str]) -> None:
        """Asks the venue for some markets; `along` in a call for hidden ones, if there is one anyway."""
        sent_s, sent_ms = trio.current_time(), self.clock.now_ms()
        for condition_id in asked:
            if (entry := self.memory.get(condition_id)) is not None:
                entry.tried_s = sent_s
        gathered = Gathered()
        answered = await self._ask_gamma(flight, asked, gathered, along)
        self._settle(flight, gathered, PriceSource.GAMMA, sent_s, sent_ms)
        left = list(gathered.vanished) if answered else asked
        # Read now: meanwhile somebody may have begun to wait for one that only rode along.
        left = [id_ for id_ in left if id_ not in flight.riders]
        if left:
            sent_s, sent_ms = trio.current_time(), self.clock.now_ms()
            second = Gathered(vanished=gathered.vanished)
            known = {id_: self._facts(id_) for id_ in left}
            await self.desk.clob_finds(second, known)
            self._settle(flight, second, PriceSource.CLOB, sent_s, sent_ms)
        self._give_up(flight, asked, gathered.vanished)

    def board(self, flight: Flight) -> None:
        """Fills the seats of a flight, as it departs: who was asked for meanwhile must not take one of his own.

        A flight that is only for hidden markets costs no look at the others: their own flight comes soon.
        """
        now_s = trio.current_time()
        entries = [self.memory.get(id_) for id_ in flight.condition_ids]
        if self.desk.gamma.blocked(now_s) or (
            not flight.market_names and all(entry is not None and entry.hidden for entry in entries)
        ):
            return
        shown = [one for one in self._free(now_s) if not one.hidden]
        ttl_s = self.freshness.ttl_s
        self.queue.ride(flight, riders(shown, VALUES_MAX - flight.values, now_s, ttl_s), AGE_MIN * ttl_s)

    def renew_early(self) -> bool:
        """Books what was renewed longest ago and is wanted, before it is due; returns whether there is such a market."""
        now_s = trio.current_time()
        if self.desk.gamma.blocked(now_s):
            return False
        shown = [one for one in self._free(now_s) if not one.hidden]
        return any(self.queue.book(one, now_s) is not None for one in riders(shown, 1, now_s, self.freshness.ttl_s))

    async def row(self, condition_id: str) -> Quote | None:
        """Returns a market's row as a quote. Raises `TransientError`."""
        rows, _ = await self.store.find([condition_id], [])
        return next((self._row_quote(row) for row in rows if row.facts.condition_id == condition_id), None)

    async def row_named(self, name: MarketName) -> str | None:
        """Returns the condition id of a slug or token that a row has. Raises `TransientError`."""
        _, names = await self.store.find([], [name])
        return names.get(name)

    def book_watched(self, now_s: float) -> float:
        """Books what streams show and is due; returns when to look again."""
        blocked_s = self.desk.blocked_until_s(now_s)
        next_s = float("inf")
        for condition_id in self.watchers:
            entry = self.memory.get(condition_id)
            if entry is None:
                due_s = now_s + WATCH_PAUSE_S if self._is_hopeless(condition_id, now_s) else now_s
            elif entry.quote.resolved:
                continue
            else:
                due_s = max(entry.tried_s, entry.quote.observed_s) + self.freshness.due_s(entry.quote)
                due_s = max(due_s, entry.retry_s)
            due_s = max(due_s, blocked_s)
            if self.queue.is_booked(condition_id):
                continue
            if due_s <= now_s:
                if self.queue.book(condition_id, now_s, self.freshness.shared_s(0)) is None:
                    next_s = min(next_s, now_s + WATCH_PAUSE_S)
            else:
                next_s = min(next_s, due_s)
        return next_s

    def _is_hopeless(self, condition_id: str, now_s: float) -> bool:
        return self.undecided.holds(condition_id, now_s) or self.absent.holds(condition_id, now_s)

    def hidden_riders(self, flight: Flight, now_s: float) -> Sequence[str]:
        """Returns hidden markets that ask along if a flight has to look for such ones anyway."""
        hidden = [one for one in self._free(now_s) if one.hidden]
        return fitting(riders(hidden, VALUES_MAX, now_s, CLOSED_SERVED_S), VALUES_MAX - flight.values)

    def _free(self, now_s: float) -> list[Candidate]:
        return [one for one in self.memory.candidates(now_s) if not self.queue.is_booked(one.condition_id)]

    async def _look_up(self, flight: Flight) -> None:
        """Reads the rows of what memory does not know: a resolved market is answered by its row."""
        unknown = [id_ for id_ in flight.condition_ids if self.memory.get(id_) is None]
        names = flight.market_names
        if not (unknown or names) or trio.current_time() < self._store_rests_until_s:
            return
        try:
            with trio.fail_after(STORE_PATIENCE_S):
                rows, flight_names = await self.store.find(unknown, names)
        except (TransientError, trio.TooSlowError):
            self.store_failures += 1
            self._store_rests_until_s = trio.current_time() + STORE_PAUSE_S
            return
        for row in rows:
            quote = self._row_quote(row)
            self.memory.put(quote)
            self.writes.note_row(row.facts)
            if quote.resolved:
                flight.quotes[row.facts.condition_id] = quote
        for name, condition_id in flight_names.items():
            self._name(flight, name, condition_id)

    async def _ask_gamma(self, flight: Flight, asked: Sequence[str], gathered: Gathered, along: Sequence[str]) -> bool:
        entries = {id_: entry for id_ in asked if (entry := self.memory.get(id_)) is not None}
        hidden = frozenset(id_ for id_, entry in entries.items() if entry.hidden)
        answered = True
        if asked:
            known = frozenset(entries)
            answered = await self.desk.gamma_finds(
                gathered, MarketKey.CONDITION, asked, known=known, hidden=hidden, along=along
            )
            flight.absent |= gathered.absent
        names = [name for name in flight.market_names if name not in flight.names]
        for key in (MarketKey.SLUG, MarketKey.TOKEN):
            wanted = {name.text: name for name in names if name.key is key}
            if wanted:
                found = Gathered()
                await self.desk.gamma_finds(found, key, list(wanted), known=frozenset(), hidden=frozenset())
                gathered.markets |= found.markets
                gathered.hidden |= found.hidden
                flight.absent |= {wanted[text] for text in found.absent}
        return answered

    def _settle(self, flight: Flight, gathered: Gathered, source: PriceSource, sent_s: float, sent_ms: int) -> None:
        """Takes what came to memory, to those who wait, to streams and to the database."""
        for condition_id, facts in gathered.markets.items():
            last = self.last(condition_id)
            quote = quote_of(facts, source, as_of_ms=sent_ms, observed_s=sent_s, last=last)
            hidden = condition_id in gathered.hidden if source is PriceSource.GAMMA else None
            entry = self.remember(quote, last, hidden=hidden)
            entry.tried_s = sent_s
            flight.quotes[condition_id] = quote
            if entry.quote is quote:
                asked_s = max(entry.asked_s, flight.opened_s if condition_id in flight.wanted else float("-inf"))
                is_watched = condition_id in self.watchers
                requested_ms = sent_ms if is_watched else sent_ms - round(min(sent_s - asked_s, 600.0) * 1000)
                self.writes.note(facts, observed_ms=sent_ms, requested_ms=requested_ms)
        for name in flight.market_names:
            for facts in gathered.markets.values():
                if name not in flight.names and name.names(facts):
                    self._name(flight, name, facts.condition_id)

    def remember(self, quote: Quote, last: Quote | None, *, hidden: bool | None) -> Entry:
        """Takes a quote to memory and to streams. `hidden` None: its source does not tell."""
        condition_id = quote.facts.condition_id
        entry = self.memory.put(quote)
        if hidden is not None:
            entry.hidden = hidden
        self.absent.discard(condition_id)
        is_news = last is None or last.document is not quote.document or condition_id in self.told_stale
        if is_news and entry.quote is quote:
            self.told_stale.discard(condition_id)
            for subscription in self.watchers.get(condition_id, ()):
                subscription.offer(quote)
        return entry

    def _give_up(self, flight: Flight, asked: Sequence[str], vanished: set[str]) -> None:
        """Says of everything that did not come why it did not."""
        now_s = trio.current_time()
        for absent in flight.absent:
            self.absent.add(absent, now_s)
        for name in flight.market_names:
            if name not in flight.names and name not in flight.absent:
                self.undecided.add(name, now_s)
        for condition_id in asked:
            if condition_id in flight.quotes or condition_id in flight.absent:
                continue
            entry = self.memory.get(condition_id)
            if entry is None:
                self.undecided.add(condition_id, now_s)
                continue
            if condition_id in vanished:
                entry.hidden = False
                entry.not_seen(now_s)
            if condition_id in self.watchers and condition_id not in self.told_stale:
                self.told_stale.add(condition_id)
                for subscription in self.watchers[condition_id]:
                    subscription.offer(attrs.evolve(entry.quote, stale=True))
        if len(self.told_stale) > len(self.watchers):
            self.told_stale.intersection_update(self.watchers)

    def _name(self, flight: Flight, name: MarketName, condition_id: str) -> None:
        self.memory.name(name, condition_id)
        flight.names[name] = condition_id

    def last(self, condition_id: str) -> Quote | None:
        """Returns what memory has of a market."""
        entry = self.memory.get(condition_id)
        return None if entry is None else entry.quote

    def _facts(self, condition_id: str) -> MarketFacts | None:
        last = self.last(condition_id)
        return None if last is None else last.facts

    def _row_quote(self, row: StoredMarket) -> Quote:
        now_s = trio.current_time()
        age_s = float("inf") if row.as_of_ms is None else max(0.0, (self.clock.now_ms() - row.as_of_ms) / 1000)
        return quote_of(row.facts, PriceSource.DATABASE, as_of_ms=row.as_of_ms, observed_s=now_s - age_s)
