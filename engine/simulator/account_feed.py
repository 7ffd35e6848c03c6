"""The visible part of what accounts did: their positions, and trades and everything else in one order."""

from collections.abc import Collection, Iterable, Iterator
from heapq import merge
from operator import attrgetter

from engine.simulator.account_events import AccountEvent, AccountEvents, EventKind
from engine.simulator.ledger import Fill
from engine.simulator.positions import Position, positions_of
from engine.simulator.series import Series
from engine.simulator.trade_query import TradeFeed, TradeQuery, Visibility

TRADE = "TRADE"
ACTIVITY_TYPES = (TRADE, *EventKind)
DEPOSITS_WITHDRAWALS = frozenset({EventKind.DEPOSIT, EventKind.WITHDRAWAL})
_by_key = attrgetter("key")
Deed = Fill | AccountEvent


class AccountFeed:
    """Accounts as the Data API sees them."""

    def __init__(self, trades: TradeFeed, events: AccountEvents, visibility: Visibility) -> None:
        self._trades = trades
        self._events = events
        self._visibility = visibility

    def wallets(self) -> list[str]:
        """Returns every wallet that ever traded."""
        return self._trades.wallets()

    def positions(self, wallet: str) -> list[Position]:
        """Returns what a wallet holds and held."""
        return positions_of(self._trades.of_wallet(wallet), self.events(wallet))

    def positions_in(self, condition_id: str) -> list[Position]:
        """Returns what everybody holds and held in a market."""
        events = self._visible(self._events.of_condition(condition_id).oldest_first())
        return positions_of(self._trades.of_condition(condition_id), events)

    def fills(self, wallet: str) -> Iterator[Fill]:
        """Yields a wallet's fills, oldest first."""
        return self._trades.of_wallet(wallet)

    def events(self, wallet: str) -> list[AccountEvent]:
        """Returns what else a wallet did, oldest first."""
        return list(self._visible(self._events.of_wallet(wallet).oldest_first()))

    def activity(
        self, query: TradeQuery, kinds: Collection[str], *, ascending: bool = False, from_key: int | None = None
    ) -> Iterator[Deed]:
        """Yields what a wallet did of some kinds, beyond `from_key`, in the order of time or against it."""
        if query.wallet is None:
            raise ValueError("activity is that of a wallet")
        events = self._wanted(
            self._events.of_wallet(query.wallet), query, kinds, ascending=ascending, from_key=from_key
        )
        fills: Iterator[Fill] = iter(())
        if TRADE in kinds:
            ask = self._trades.oldest_first if ascending else self._trades.newest_first
            fills = ask(query, from_key)
        return merge(fills, events, key=_by_key, reverse=not ascending)

    def _wanted(
        self,
        series: Series[AccountEvent],
        query: TradeQuery,
        kinds: Collection[str],
        *,
        ascending: bool,
        from_key: int | None,
    ) -> Iterator[AccountEvent]:
        # A side is a trade's; rows of other kinds have none.
        if query.side is not None:
            return
        newest_first = series.newest_first(from_key if not ascending else None)
        for event in self._visible(series.oldest_first() if ascending else newest_first):
            condition_id = event.market.condition_id if event.market is not None else ""
            if (
                event.kind in kinds
                and (not query.condition_ids or condition_id in query.condition_ids)
                and (query.since_s is None or event.block_s >= query.since_s)
                and (query.until_s is None or event.block_s <= query.until_s)
                and (not ascending or from_key is None or event.key > from_key)
            ):
                yield event

    def _visible(self, events: Iterable[AccountEvent]) -> Iterator[AccountEvent]:
        horizon_ms = self._visibility.horizon_ms()
        return (event for event in events if event.published_ms <= horizon_ms)
