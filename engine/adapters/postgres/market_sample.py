"""Stored trades of some of the markets, where those of all would take too long: whole markets, chosen by their ids.

A market is in or out with all its trades, so that what was bought in it is sold and settled as ever.
"""

import hashlib
from collections.abc import Sequence
from datetime import date

import asyncpg
import attrs

from engine.adapters.postgres.backtest_store import PostgresBacktestStore
from engine.adapters.postgres.database import RunsWork
from protocols.backtest import BacktestQuery, DayRow, PagePlace, StoredMarket, TradePage
from protocols.timestamps import utc_datetime

PORTIONS = 256
# As `portion_of` does it.
COUNTS = """
SELECT ('x' || substr(md5(condition_id), 1, 2))::bit(8)::integer AS portion, count(*) AS trades FROM trades_public
WHERE trade_timestamp >= $1 AND trade_timestamp < $2 AND lane <= $3
    AND ($4::text[] IS NULL OR trader_wallet = ANY ($4))
GROUP BY 1 ORDER BY 1
"""


@attrs.frozen(eq=False)
class MarketSample:
    """`BacktestStore` of the markets in the first portions."""

    store: PostgresBacktestStore
    portions: int

    @property
    def share(self) -> float:
        """Returns the share of markets that are in, about."""
        return self.portions / PORTIONS

    async def trades(self, query: BacktestQuery, after: PagePlace | None = None) -> TradePage:
        """Returns the next trades, maybe none although more follow. Raises `TransientError`."""
        page = await self.store.trades(query, after)
        kept = [trade for trade in page.trades if portion_of(trade.condition_id) < self.portions]
        return TradePage(trades=kept, after=page.after)

    async def markets(self, condition_ids: Sequence[str]) -> dict[str, StoredMarket]:
        """Returns the markets that have a row. Raises `TransientError`."""
        return await self.store.markets(condition_ids)

    async def day_rows(self, wallets: Sequence[str] | None, *, before: date) -> list[DayRow]:
        """Returns all that traders did before a day. Raises `TransientError`."""
        return await self.store.day_rows(wallets, before=before)


async def market_sample(connection: RunsWork, query: BacktestQuery, trades_max: int) -> MarketSample:
    """Returns as many markets as have at most `trades_max` trades, at least one portion. Raises `TransientError`."""
    since, until = utc_datetime(query.since_ms), utc_datetime(query.until_ms)
    wallets = None if query.wallets is None else list(query.wallets)

    async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
        return await raw.fetch(COUNTS, since, until, query.lane_max, wallets)

    trades = dict.fromkeys(range(PORTIONS), 0) | {row["portion"]: row["trades"] for row in await connection.run(work)}
    total, portions = 0, 0
    while portions < PORTIONS and total + trades[portions] <= trades_max:
        total, portions = total + trades[portions], portions + 1
    return MarketSample(PostgresBacktestStore(connection), max(1, portions))


def portion_of(condition_id: str) -> int:
    """Returns the portion of a market, 0 to 255."""
    return hashlib.md5(condition_id.encode(), usedforsecurity=False).digest()[0]
