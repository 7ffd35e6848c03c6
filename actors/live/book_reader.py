"""Books and terms for those who price orders: as fresh as they must be, and one call however many want one."""

from collections import Counter, OrderedDict, deque
from collections.abc import Iterable

import attrs
import trio

from protocols.errors import TransientError
from protocols.live.market import MarketTerms, OrderBook, OrderBooks

TOKENS_PER_CALL_MAX = 500
"""Of `POST /books` (venue.md §4.8)."""
PATIENCE_S = 2.0
TERMS_AGE_S = 60.0
ABSENT_AGE_S = 5.0
KEPT_MAX = 2_000


@attrs.define(eq=False)
class _BookFlight:
    """Filled until it departs; `landed` is set however it ends."""

    tokens: dict[str, None] = attrs.field(factory=dict)
    sent_s: float | None = None
    books: dict[str, OrderBook] | None = None
    landed: trio.Event = attrs.field(factory=trio.Event)


@attrs.define(eq=False)
class _TermsFlight:
    condition_id: str
    found: bool = False
    terms: MarketTerms | None = None
    landed: trio.Event = attrs.field(factory=trio.Event)


@attrs.frozen
class _KnownTerms:
    terms: MarketTerms | None
    asked_s: float

    def is_good(self, now_s: float) -> bool:
        return now_s - self.asked_s < (ABSENT_AGE_S if self.terms is None else TERMS_AGE_S)


@attrs.define(eq=False, kw_only=True)
class BookReader:
    """wanted tokens → books at most `max_age_s` old. What is wanted within one round of the loop goes in one call.

    Calls are made by tasks of `run`, so that an asker who gives up takes nothing from the others.
    """

    upstream: OrderBooks
    max_age_s: float = 1.0
    """Counted from the moment at which a book was asked for."""
    results: Counter[str] = attrs.field(init=False, factory=Counter)
    """Books wanted, by `hit`, `asked`, `missing` and `unavailable`."""
    calls: int = attrs.field(init=False, default=0)
    _books: OrderedDict[str, OrderBook] = attrs.field(init=False, factory=OrderedDict)
    _terms: OrderedDict[str, _KnownTerms] = attrs.field(init=False, factory=OrderedDict)
    _waiting: deque[_BookFlight] = attrs.field(init=False, factory=deque)
    """Flights that have not departed."""
    _in_air: dict[str, _BookFlight] = attrs.field(init=False, factory=dict)
    _terms_wanted: dict[str, _TermsFlight] = attrs.field(init=False, factory=dict)
    _terms_in_air: dict[str, _TermsFlight] = attrs.field(init=False, factory=dict)
    _wake: trio.Event = attrs.field(init=False, factory=trio.Event)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Makes calls until cancelled."""
        task_status.started()
        # What was wanted of a run that crashed.
        self._wake.set()
        async with trio.open_nursery() as nursery:
            while True:
                await self._wake.wait()
                self._wake = trio.Event()
                # Everybody who runs in this round may still come along.
                await trio.lowlevel.checkpoint()
                while self._waiting:
                    flight = self._waiting.popleft()
                    flight.sent_s = trio.current_time()
                    self._in_air |= dict.fromkeys(flight.tokens, flight)
                    nursery.start_soon(self._fetch_books, flight)
                for condition_id in list(self._terms_wanted):
                    asked = self._terms_in_air[condition_id] = self._terms_wanted.pop(condition_id)
                    nursery.start_soon(self._fetch_terms, asked)

    async def book(self, token_id: str) -> OrderBook | None:
        """Returns a token's book, or None when it has none. Raises `TransientError` when the venue does not answer in 2 s."""
        return (await self.books([token_id])).get(token_id)

    async def books(self, token_ids: Iterable[str]) -> dict[str, OrderBook]:
        """Returns the books of tokens that have one. Raises `TransientError` when one of them cannot be had."""
        found, flights = dict[str, OrderBook](), dict[str, _BookFlight]()
        for token_id in token_ids:
            known = self.at_hand(token_id)
            if known is not None:
                self.results["hit"] += 1
                found[token_id] = known
            else:
                flights[token_id] = self._board(token_id)
        with trio.move_on_after(PATIENCE_S):
            for flight in flights.values():
                await flight.landed.wait()
        for token_id, flight in flights.items():
            if flight.books is None:
                self.results["unavailable"] += 1
                raise TransientError("the venue does not say how a book stands")
            book = flight.books.get(token_id)
            self.results["missing" if book is None else "asked"] += 1
            if book is not None:
                found[token_id] = book
        await trio.lowlevel.checkpoint()
        return found

    def at_hand(self, token_id: str) -> OrderBook | None:
        """Returns a book that is fresh enough; never waits."""
        known = self._books.get(token_id)
        return known if known is not None and trio.current_time() - known.observed_s <= self.max_age_s else None

    def terms_at_hand(self, condition_id: str) -> MarketTerms | None:
        """Returns the terms of a market that are fresh enough; never waits."""
        known = self._terms.get(condition_id)
        return known.terms if known is not None and known.is_good(trio.current_time()) else None

    async def terms(self, condition_id: str) -> MarketTerms | None:
        """Returns the terms of a market at most a minute old, or None when the venue does not know it.

        Raises `TransientError` when nothing is known and the venue does not answer in 2 s.
        """
        known = self._terms.get(condition_id)
        if known is None or not known.is_good(trio.current_time()):
            flight = self._want_terms(condition_id)
            with trio.move_on_after(PATIENCE_S):
                await flight.landed.wait()
            if flight.found:
                return flight.terms
            # Yesterday's terms would price a fee wrongly; those of some minutes ago are better than no exit.
            if known is None or known.terms is None:
                raise TransientError("the venue does not say what the terms of a market are")
        await trio.lowlevel.checkpoint()
        return known.terms

    def warm(self, token_id: str, condition_id: str | None = None) -> None:
        """Has a book, and the terms of its market, fetched for somebody who will want them soon; never waits."""
        if self.at_hand(token_id) is None:
            self._board(token_id)
        if condition_id is not None:
            known = self._terms.get(condition_id)
            if known is None or not known.is_good(trio.current_time()):
                self._want_terms(condition_id)

    def _board(self, token_id: str) -> _BookFlight:
        """Returns the flight that brings a book: one that has departed too, if it did so lately enough."""
        flying = self._in_air.get(token_id)
        if flying is not None and flying.sent_s is not None and trio.current_time() - flying.sent_s <= self.max_age_s:
            return flying
        waiting = next((flight for flight in self._waiting if token_id in flight.tokens), None)
        if waiting is not None:
            return waiting
        if not self._waiting or len(self._waiting[-1].tokens) >= TOKENS_PER_CALL_MAX:
            self._waiting.append(_BookFlight())
        self._waiting[-1].tokens[token_id] = None
        self._wake.set()
        return self._waiting[-1]

    def _want_terms(self, condition_id: str) -> _TermsFlight:
        flight = self._terms_in_air.get(condition_id) or self._terms_wanted.get(condition_id)
        if flight is None:
            flight = self._terms_wanted[condition_id] = _TermsFlight(condition_id)
            self._wake.set()
        return flight

    async def _fetch_books(self, flight: _BookFlight) -> None:
        self.calls += 1
        try:
            with trio.fail_after(PATIENCE_S):
                books = await self.upstream.books(tuple(flight.tokens))
            flight.books = books
            for token_id, book in books.items():
                self._books[token_id] = book
                self._books.move_to_end(token_id)
            while len(self._books) > KEPT_MAX:
                self._books.popitem(last=False)
        except (TransientError, trio.TooSlowError):
            pass
        finally:
            for token_id in flight.tokens:
                if self._in_air.get(token_id) is flight:
                    del self._in_air[token_id]
            flight.landed.set()

    async def _fetch_terms(self, flight: _TermsFlight) -> None:
        self.calls += 1
        sent_s = trio.current_time()
        try:
            with trio.fail_after(PATIENCE_S):
                flight.terms = await self.upstream.terms(flight.condition_id)
            flight.found = True
            self._terms[flight.condition_id] = _KnownTerms(flight.terms, sent_s)
            self._terms.move_to_end(flight.condition_id)
            if len(self._terms) > KEPT_MAX:
                self._terms.popitem(last=False)
        except (TransientError, trio.TooSlowError):
            pass
        finally:
            self._terms_in_air.pop(flight.condition_id, None)
            flight.landed.set()
