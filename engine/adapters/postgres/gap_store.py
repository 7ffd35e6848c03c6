"""What a start has to know of the runs before: the last trade, and the gaps that nobody has read yet."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg
import attrs

from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.leases import MINE, LeaseHold
from protocols.errors import FencedError
from protocols.ingest import GapReason, GapRequest
from protocols.timestamps import utc_datetime

# A trade time in the future is somebody's broken clock; it must not hide a gap.
LAST_TRADE = """
SELECT least(
    (SELECT max(trade_timestamp) FROM trades_public),
    (SELECT ingested_at FROM trades_public ORDER BY ingest_seq DESC LIMIT 1)
) AS at
"""
UNREAD_GAPS = "SELECT reason, since_at, until_at FROM ingest_gaps ORDER BY until_at, since_at"
# One statement, so that a crash leaves either the old list or the new one.
KEEP_UNREAD_GAPS = f"""
WITH fence AS MATERIALIZED (
    SELECT 1 FROM engine_leases WHERE {MINE} FOR UPDATE
), wanted AS (
    SELECT reason, since_at, until_at FROM fence CROSS JOIN unnest($4::text[], $5::timestamptz[], $6::timestamptz[])
        AS gap (reason, since_at, until_at)
), gone AS (
    DELETE FROM ingest_gaps AS old USING fence
    WHERE (old.reason, old.since_at, old.until_at) NOT IN (SELECT reason, since_at, until_at FROM wanted)
), added AS (
    INSERT INTO ingest_gaps (reason, since_at, until_at) SELECT reason, since_at, until_at FROM wanted
    ON CONFLICT DO NOTHING
)
SELECT count(*) FROM fence
"""  # noqa: S608 - constants only


@attrs.define(eq=False)
class PostgresGapStore:
    """`GapStore` over one long-lived connection."""

    connection: Connection
    lease: LeaseHold

    async def last_trade_ms(self) -> int | None:
        """Returns the time of the newest committed trade, at most its commit time. Raises `TransientError`."""

        async def work(raw: asyncpg.Connection) -> Any:
            return await raw.fetchval(LAST_TRADE)

        moment = await self.connection.run(work)
        return None if moment is None else _epoch_ms(moment)

    async def unread_gaps(self) -> list[GapRequest]:
        """Returns the gaps that were kept last, earliest end first. Raises `TransientError`."""

        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            return await raw.fetch(UNREAD_GAPS)

        return [
            GapRequest(
                reason=GapReason(row["reason"]),
                since_ms=_epoch_ms(row["since_at"]),
                until_ms=_epoch_ms(row["until_at"]),
            )
            for row in await self.connection.run(work)
        ]

    async def keep_unread_gaps(self, gaps: Sequence[GapRequest]) -> None:
        """Keeps these gaps instead of those that were kept before. Raises `TransientError` or `FencedError`."""
        lease = self.lease
        closed = [(gap.reason.value, gap.since_ms, gap.until_ms) for gap in gaps if gap.since_ms is not None]
        columns = [
            [reason for reason, _, _ in closed],
            [utc_datetime(since_ms) for _, since_ms, _ in closed],
            [utc_datetime(until_ms) for _, _, until_ms in closed],
        ]

        async def work(raw: asyncpg.Connection) -> Any:
            return await raw.fetchval(KEEP_UNREAD_GAPS, lease.name, lease.owner, lease.epoch, *columns)

        if not await self.connection.run(work):
            raise FencedError(f"the lease {lease.name} of epoch {lease.epoch} is not ours any more")


def _epoch_ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
