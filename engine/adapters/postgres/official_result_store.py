"""What the venue says of our own accounts, in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import asyncpg
import attrs

from engine.adapters.postgres.database import RunsWork, row_count
from engine.adapters.postgres.job_fence import fenced
from engine.adapters.postgres.wallet_result_store import ERROR_CHARS_MAX, milliseconds
from protocols.jobs import JobLease
from protocols.timestamps import utc_datetime
from protocols.wallet_results import DueAccount, OfficialResult

# A transaction that is under way now carries an earlier time than the one at which it will be seen.
UNDER_WAY_S = 120.0
# Orders change with each fill and with their resolution; a trade that was not made here is in the platform's stream.
DUE = """
SELECT now() - $3 * interval '1 second' AS seen_at, newest_close_at
FROM (SELECT 1) AS one LEFT JOIN official_sync_state ON account = $1 AND wallet_address = $2
WHERE synced_at IS NULL
    OR EXISTS (SELECT 1 FROM lt_orders WHERE lt_orders.account = $1 AND lt_orders.updated_at > synced_at)
    OR EXISTS (SELECT 1 FROM trades_public WHERE trader_wallet = $2 AND ingested_at > synced_at)
"""
WRITE = """
INSERT INTO official_position_results AS known (
    wallet_address, token_id, condition_id, realized_pnl, avg_price, bought_shares, is_held, synced_at
)
SELECT $1, *, now() FROM unnest($2::text[], $3::text[], $4::numeric[], $5::numeric[], $6::numeric[], $7::boolean[])
ON CONFLICT (wallet_address, token_id) DO UPDATE SET
    condition_id = excluded.condition_id, realized_pnl = excluded.realized_pnl, avg_price = excluded.avg_price,
    bought_shares = excluded.bought_shares, is_held = excluded.is_held, synced_at = now()
WHERE (known.condition_id, known.realized_pnl, known.avg_price, known.bought_shares, known.is_held) IS DISTINCT FROM
    (excluded.condition_id, excluded.realized_pnl, excluded.avg_price, excluded.bought_shares, excluded.is_held)
"""
DONE = """
INSERT INTO official_sync_state (account, wallet_address, synced_at, newest_close_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (account) DO UPDATE SET
    wallet_address = excluded.wallet_address, synced_at = excluded.synced_at, newest_close_at = excluded.newest_close_at,
    last_error = NULL, updated_at = now()
"""
# Another wallet of the same account begins anew.
FAIL = """
INSERT INTO official_sync_state AS known (account, wallet_address, last_error) VALUES ($1, $2, $3)
ON CONFLICT (account) DO UPDATE SET
    synced_at = CASE WHEN known.wallet_address = excluded.wallet_address THEN known.synced_at END,
    newest_close_at = CASE WHEN known.wallet_address = excluded.wallet_address THEN known.newest_close_at END,
    wallet_address = excluded.wallet_address, last_error = excluded.last_error, updated_at = now()
"""


@attrs.define(eq=False)
class PostgresOfficialResultStore:
    """`OfficialResultStore`."""

    connection: RunsWork
    under_way_s: float = UNDER_WAY_S

    async def due(self, account: str, wallet: str) -> DueAccount | None:
        """Returns an account with news, or None. Raises `TransientError`."""

        async def work(raw: asyncpg.Connection) -> asyncpg.Record | None:
            return await raw.fetchrow(DUE, account, wallet, self.under_way_s)

        row = await self.connection.run(work)
        if row is None:
            return None
        return DueAccount(newest_close_ms=milliseconds(row["newest_close_at"]), seen_at=row["seen_at"])

    async def write(self, lease: JobLease, wallet: str, results: Sequence[OfficialResult]) -> int:
        """Writes results and returns how many changed. Raises `TransientError` or `FencedError`."""
        # A token that a page shows twice: what was said last.
        rows = [
            (
                one.token_id,
                one.condition_id,
                one.realized_usd,
                one.average_price,
                None if one.bought_micro is None else Decimal(one.bought_micro).scaleb(-6),
                one.is_held,
            )
            for one in {one.token_id: one for one in results}.values()
        ]
        if not rows:
            return 0

        async def work(raw: asyncpg.Connection) -> str:
            async with fenced(raw, lease):
                return await raw.execute(WRITE, wallet, *(list(column) for column in zip(*rows, strict=True)))

        return row_count(await self.connection.run(work))

    async def done(
        self, lease: JobLease, account: str, wallet: str, *, seen_at: datetime, newest_close_ms: int | None
    ) -> None:
        """Says that an account has been read. Raises `TransientError` or `FencedError`."""
        newest_at = None if newest_close_ms is None else utc_datetime(newest_close_ms)

        async def work(raw: asyncpg.Connection) -> None:
            async with fenced(raw, lease):
                await raw.execute(DONE, account, wallet, seen_at, newest_at)

        await self.connection.run(work)

    async def fail(self, lease: JobLease, account: str, wallet: str, error: str) -> None:
        """Says that an account could not be read. Raises `TransientError` or `FencedError`."""

        async def work(raw: asyncpg.Connection) -> None:
            async with fenced(raw, lease):
                await raw.execute(FAIL, account, wallet, error[:ERROR_CHARS_MAX])

        await self.connection.run(work)
