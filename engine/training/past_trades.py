"""Stored trades as rows to learn from: features as they were, and what came of each."""

from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import date, timedelta

import attrs

from actors.rules.backtest.record_book import RecordBook
from actors.rules.score.features import UnfitError, feature_vector
from actors.rules.score.past import EndedMarket, ended_market, label_of, past_inputs
from engine.adapters.postgres.training_store import PastBuy, PostgresTrainingStore
from protocols.backtest import BacktestStore
from protocols.errors import RejectedError
from protocols.timestamps import utc_datetime

DAY_MS = 86_400_000
MARKETS_MAX = 50_000
"""Kept at hand; the same market comes again with the next trader."""
Report = Callable[[int], None]


@attrs.frozen
class PastRow:
    """One trade to learn from."""

    features: list[float]
    won: bool
    trade_ms: int
    ended_ms: int
    wallet: str
    condition_id: str

    @property
    def event(self) -> tuple[str, str]:
        """Returns trader and market: however often he bought there, it is one event."""
        return (self.wallet, self.condition_id)


@attrs.define(eq=False, kw_only=True)
class PastTrades:
    """Reads in bounded memory: one page of trades, the days of a page of traders, markets up to `MARKETS_MAX`."""

    trades: PostgresTrainingStore
    backtests: BacktestStore
    left_out: Counter[str] = attrs.field(init=False, factory=Counter)
    read: int = attrs.field(init=False, default=0)
    _markets: OrderedDict[str, EndedMarket | str] = attrs.field(init=False, factory=OrderedDict)

    async def since_ms(self, *, days: int, until_ms: int, rows_max: int) -> int:
        """Returns the beginning of the oldest day from which on there are no more than `rows_max` trades.

        Raises `TransientError`, and `RejectedError` when the newest day alone has more.
        """
        counts = await self.trades.day_counts(until_ms - days * DAY_MS, until_ms)
        first: date | None = None
        total = 0
        for day in sorted(counts, reverse=True):
            total += counts[day]
            if total > rows_max:
                break
            first = day
        if first is None:
            if counts:
                raise RejectedError(f"one day alone has more than {rows_max} trades")
            return until_ms
        return max(until_ms - days * DAY_MS, day_ms(first))

    async def pages(self, since_ms: int, until_ms: int) -> AsyncIterator[list[PastRow]]:
        """Yields the rows of trades whose market has ended, in pages; the others are counted. Raises `TransientError`."""
        after_last = utc_datetime(until_ms).date() + timedelta(days=1)
        async for wallets in self.trades.batches(since_ms, until_ms):
            book = RecordBook.of(await self.backtests.day_rows(wallets, before=after_last))
            async for page in self.trades.buys(wallets, since_ms, until_ms):
                await self._learn({one.condition_id for one in page})
                self.read += len(page)
                yield [row for one in page if (row := self._row(one, book)) is not None]

    def _row(self, buy: PastBuy, book: RecordBook) -> PastRow | None:
        found = self._markets[buy.condition_id]
        won = found if isinstance(found, str) else label_of(found, buy.token_id, buy.trade_ms)
        if isinstance(found, str) or isinstance(won, str):
            self.left_out[str(won)] += 1
            return None
        inputs = past_inputs(
            trade_id=buy.trade_id,
            wallet=buy.wallet,
            token_id=buy.token_id,
            price=buy.price,
            size_micro=buy.size_micro,
            trade_ms=buy.trade_ms,
            outcome=buy.outcome,
            market=found.market,
            trader=book.as_of(buy.wallet, utc_datetime(buy.trade_ms).date()),
        )
        try:
            features = feature_vector(inputs)
        except UnfitError as error:
            self.left_out[str(error)] += 1
            return None
        return PastRow(features, won, buy.trade_ms, found.ended_ms, buy.wallet, buy.condition_id)

    async def _learn(self, condition_ids: set[str]) -> None:
        """Has the markets of a page at hand."""
        for known in condition_ids & self._markets.keys():
            self._markets.move_to_end(known)
        unknown = sorted(condition_ids - self._markets.keys())
        found = await self.backtests.markets(unknown) if unknown else {}
        for condition_id in unknown:
            self._markets[condition_id] = ended_market(found.get(condition_id))
        while len(self._markets) > max(MARKETS_MAX, len(condition_ids)):
            self._markets.popitem(last=False)


def day_ms(day: date) -> int:
    """Returns when a UTC day begins, epoch ms."""
    return (day - date(1970, 1, 1)).days * DAY_MS


def ended_days(rows: Sequence[PastRow]) -> list[int]:
    """Returns the day on which each one's market ended, as days since 1970."""
    return [row.ended_ms // DAY_MS for row in rows]
