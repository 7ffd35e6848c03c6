"""The book of every market that anybody has asked for: accounts' orders beside the house, and who is told of changes."""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal

from engine.simulator.book import BookView
from engine.simulator.exchange.events import BookChanged, ExchangeEvent, LevelChange, TickSizeChanged
from engine.simulator.exchange.house import House
from engine.simulator.exchange.matching import MatchingBook
from engine.simulator.market import ONE, Market, MarketState
from engine.simulator.wire_numbers import EXACT

_BOOKS_MAX = 5_000
_Levels = tuple[dict[Decimal, int], dict[Decimal, int]]


class VenueBook:
    """One market's book and what it last looked like to its listeners."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.matching = MatchingBook(market)
        self.house = House(self.matching)
        self.tick_size = market.tick_size
        """As listeners know it."""
        self._told: _Levels = ({}, {})

    @property
    def has_orders(self) -> bool:
        """Returns whether an account's order rests here."""
        return any(True for bids in (True, False) for _ in self.matching.orders(bids=bids))

    def view(self, outcome_index: int, now_ms: int) -> BookView:
        """Returns the book as the holders of one token see it."""
        bids, asks = self._side(bids=True), self._side(bids=False)
        if outcome_index == 1:
            bids, asks = _mirrored(asks), _mirrored(bids)
        return BookView(
            market=self.market,
            outcome_index=outcome_index,
            timestamp_ms=now_ms,
            bids=tuple(sorted(bids.items())),
            asks=tuple(sorted(asks.items(), reverse=True)),
        )

    def changes(self) -> tuple[LevelChange, ...]:
        """Returns what is different since the last call, for both tokens."""
        now = self.matching.levels(bids=False), self.matching.levels(bids=True)
        changes: list[LevelChange] = []
        for is_bid in (True, False):
            before, after = self._told[is_bid], now[is_bid]
            for price in sorted(before.keys() | after.keys()):
                size = after.get(price, 0)
                if size != before.get(price, 0):
                    changes.append(LevelChange(0, "BUY" if is_bid else "SELL", price, size))
                    changes.append(LevelChange(1, "SELL" if is_bid else "BUY", ONE - price, size))
        self._told = now
        return tuple(changes)

    def _side(self, *, bids: bool) -> dict[Decimal, Decimal]:
        levels = self.matching.levels(bids=bids)
        return {price: Decimal(micro).scaleb(-6, EXACT) for price, micro in levels.items()}


class VenueBooks:
    """All books; those that nobody has orders in are forgotten, the oldest first, beyond some thousands."""

    def __init__(self, tell: Callable[[ExchangeEvent], None]) -> None:
        self._tell = tell
        self._books: dict[str, VenueBook] = {}
        self._place = 0

    def __iter__(self) -> Iterator[VenueBook]:
        return iter(list(self._books.values()))

    def of(self, market: Market) -> VenueBook:
        """Returns the book of a market, made when it is first asked for."""
        book = self._books.get(market.condition_id)
        if book is None:
            book = self._books[market.condition_id] = VenueBook(market)
            book.house.follow(self.next_place())
            book.changes()
            self._forget_oldest()
        return book

    def next_place(self) -> int:
        """Returns a priority behind all that there are."""
        self._place += 1
        return self._place

    def set_levels(self, market: Market, bids: Mapping[Decimal, Decimal], asks: Mapping[Decimal, Decimal]) -> VenueBook:
        """Returns the book whose house levels now are fixed: shares by price of the first outcome."""
        book = self.of(market)
        book.house.set_levels(bids, asks, self.next_place())
        return book

    def tell_changes(self, book: VenueBook, now_ms: int) -> None:
        """Tells listeners what is different about a book since they were last told."""
        market = book.market
        if market.tick_size != book.tick_size:
            old, book.tick_size = book.tick_size, market.tick_size
            self._tell(TickSizeChanged(market=market, old=old, new=market.tick_size, at_ms=now_ms))
        changes = book.changes()
        if changes:
            self._tell(BookChanged(market=market, changes=changes, at_ms=now_ms))

    def _forget_oldest(self) -> None:
        if len(self._books) <= _BOOKS_MAX:
            return
        for condition_id, book in self._books.items():
            if not book.has_orders and (book.market.state is not MarketState.OPEN or not book.house.fixed):
                del self._books[condition_id]
                return


def _mirrored(levels: Mapping[Decimal, Decimal]) -> dict[Decimal, Decimal]:
    return {ONE - price: size for price, size in levels.items()}
