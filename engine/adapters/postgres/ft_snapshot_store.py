"""Snapshots of strategies in PostgreSQL: from the running balance and open positions; settled orders are never read."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import asyncpg
import attrs

from engine.adapters.postgres.database import RunsWork
from engine.adapters.postgres.job_fence import fenced
from protocols.ft_statistics import OpenToken, Snapshot, SnapshotBatch
from protocols.jobs import JobLease
from protocols.timestamps import utc_datetime

# Open positions of a strategy named `strategy`: what they would be worth, and how many have a price. $2 and $3 are prices by
# token, $4 whether stored ones count too. The price is the payout once there is one.
MARKED = """
CROSS JOIN LATERAL (
    SELECT count(*) AS positions, count(priced.price) AS marked,
        sum(open.shares_open * priced.price - open.cost_open) AS unrealized
    FROM ft_orders AS open
    LEFT JOIN LATERAL (
        SELECT coalesce(
            tokens.payout, given.price,
            CASE WHEN $4 THEN outcome_price(markets.outcome_prices, tokens.outcome_index) END
        ) AS price
        FROM (SELECT 1) AS one
        LEFT JOIN market_tokens AS tokens ON tokens.token_id = open.token_id AND tokens.condition_id = open.condition_id
        LEFT JOIN markets ON markets.condition_id = tokens.condition_id
        LEFT JOIN unnest($2::text[], $3::numeric[]) AS given (token_id, price) ON given.token_id = open.token_id
    ) AS priced ON true
    WHERE open.wallet_id = strategy.wallet_id AND open.outcome = 'OPEN'
) AS marks
"""
# $1 the moment.
INSERT = f"""
INSERT INTO ft_performance_snapshots (
    wallet_id, snapshot_at, starting_balance, cash, realized_pnl, unrealized_pnl, total_pnl, return_pct, open_exposure,
    total_trades, open_positions, unmarked_positions
)
SELECT wallet_id, $1::timestamptz, starting, cash, realized_pnl, unrealized, realized_pnl + unrealized,
    round(100 * (realized_pnl + unrealized) / starting, 4), open_cost, orders, positions, positions - marked
FROM (
    SELECT balance.*, marks.positions, marks.marked,
        CASE WHEN marks.positions = 0 THEN 0 ELSE round(marks.unrealized, 6) END AS unrealized
    FROM ft_wallets AS strategy JOIN ft_balances AS balance USING (wallet_id)
    {MARKED}
    WHERE strategy.wallet_id = ANY ($5::text[])
) AS standing
ON CONFLICT (wallet_id, snapshot_at) DO
"""  # noqa: S608 - constants only
OF_HOUR = INSERT + "NOTHING RETURNING wallet_id"
NEXT_WALLETS = """
SELECT wallet_id FROM ft_wallets WHERE archived_at IS NULL AND wallet_id > $1 ORDER BY wallet_id LIMIT $2
"""
COLUMNS = """snapshot_at, starting_balance, cash, realized_pnl, unrealized_pnl, total_pnl, return_pct, open_exposure,
    total_trades, open_positions, unmarked_positions"""
OF_NOW = f"""{INSERT} UPDATE SET
    cash = excluded.cash, realized_pnl = excluded.realized_pnl, unrealized_pnl = excluded.unrealized_pnl,
    total_pnl = excluded.total_pnl, return_pct = excluded.return_pct, open_exposure = excluded.open_exposure,
    total_trades = excluded.total_trades, open_positions = excluded.open_positions,
    unmarked_positions = excluded.unmarked_positions
RETURNING {COLUMNS}
"""
PAGE = f"""
SELECT {COLUMNS} FROM ft_performance_snapshots
WHERE wallet_id = $1 AND snapshot_at >= $2 AND snapshot_at <= $3
    AND snapshot_at > timestamptz 'epoch' + $4::bigint * interval '1 microsecond'
ORDER BY snapshot_at LIMIT $5
"""  # noqa: S608 - constants only
OPEN_TOKENS = """
SELECT DISTINCT open.condition_id, open.token_id, tokens.outcome_index
FROM ft_orders AS open
LEFT JOIN market_tokens AS tokens ON tokens.token_id = open.token_id AND tokens.condition_id = open.condition_id
WHERE open.wallet_id = $1 AND open.outcome = 'OPEN'
"""


@attrs.define(eq=False)
class PostgresSnapshotStore:
    """`SnapshotStore` for the job, `SnapshotReports` for users; each over a connection of its own."""

    connection: RunsWork

    async def write_hour(self, lease: JobLease, *, hour_ms: int, wallet_after: str, wallets_max: int) -> SnapshotBatch:
        """Writes the snapshots of some strategies with stored prices. Raises `TransientError` or `FencedError`."""

        async def work(raw: asyncpg.Connection) -> SnapshotBatch:
            async with fenced(raw, lease):
                wallets = [row["wallet_id"] for row in await raw.fetch(NEXT_WALLETS, wallet_after, wallets_max)]
                written = await raw.fetch(OF_HOUR, utc_datetime(hour_ms), [], [], True, wallets)
            more = len(wallets) == wallets_max
            return SnapshotBatch(written=len(written), wallet_after=wallets[-1] if more else None)

        return await self.connection.run(work)

    async def open_tokens(self, wallet_id: str) -> Sequence[OpenToken]:
        """Returns the tokens of open positions. Raises `TransientError`."""
        rows = await self.connection.run(lambda raw: raw.fetch(OPEN_TOKENS, wallet_id))
        return [OpenToken(**row) for row in rows]

    async def write_now(self, wallet_id: str, *, now_ms: int, prices: Mapping[str, Decimal]) -> Snapshot | None:
        """Writes a snapshot with the prices given and no stored ones, except payouts. Raises `TransientError`."""
        values = (utc_datetime(now_ms), list(prices), list(prices.values()), False, [wallet_id])
        row = await self.connection.run(lambda raw: raw.fetchrow(OF_NOW, *values))
        return None if row is None else Snapshot(**row)

    async def page(self, wallet_id: str, *, from_ms: int, to_ms: int, after_us: int, rows_max: int) -> list[Snapshot]:
        """Returns snapshots between two moments, both included, from the oldest on. Raises `TransientError`."""
        values = (wallet_id, utc_datetime(from_ms), utc_datetime(to_ms), after_us, rows_max)
        return [Snapshot(**row) for row in await self.connection.run(lambda raw: raw.fetch(PAGE, *values))]
