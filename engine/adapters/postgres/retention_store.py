"""Deletes trades, decisions and logs in PostgreSQL: one short transaction a batch, fenced by the lease of the job."""

from typing import Any

import asyncpg
import attrs

from engine.adapters.postgres.database import RunsWork
from engine.adapters.postgres.leases import MINE
from protocols.errors import FencedError
from protocols.housekeeping import Batch
from protocols.jobs import JobLease
from protocols.timestamps import utc_datetime
from protocols.trades import Lane

MARKETS_PER_BATCH = 1_000
# The lease's row is locked, so nobody takes the job over in the middle. Lane and time stand in the DELETE once more: a row
# that another transaction has just made a target's is looked at again before it goes. Through an array the planner counts
# on few rows and looks each up; joined, it would rather read the whole table.
DELETE_OLD = f"""
WITH fence AS MATERIALIZED (
    SELECT 1 FROM engine_leases WHERE {MINE} FOR SHARE
), gone AS (
    DELETE FROM trades_public WHERE trade_id = ANY (ARRAY (
        SELECT due.trade_id FROM fence CROSS JOIN LATERAL (
            SELECT trade_id FROM trades_public
            WHERE lane = $4 AND trade_timestamp < least($5::timestamptz, now()) - $6 * interval '24 hours'
            ORDER BY trade_timestamp LIMIT $7
        ) AS due
    )) AND lane = $4 AND trade_timestamp < least($5::timestamptz, now()) - $6 * interval '24 hours'
    RETURNING 1
)
SELECT (SELECT count(*) FROM fence) AS fences, (SELECT count(*) FROM gone) AS deleted
"""  # noqa: S608 - constants only
DELETE_RESOLVED = f"""
WITH fence AS MATERIALIZED (
    SELECT 1 FROM engine_leases WHERE {MINE} FOR SHARE
), looked_at AS MATERIALIZED (
    SELECT condition_id FROM markets WHERE is_resolved AND condition_id > $6 ORDER BY condition_id LIMIT $7
), gone AS (
    DELETE FROM trades_public WHERE trade_id = ANY (ARRAY (
        SELECT due.trade_id FROM fence CROSS JOIN looked_at CROSS JOIN LATERAL (
            SELECT trade_id FROM trades_public
            WHERE condition_id = looked_at.condition_id AND lane > 0
                AND trade_timestamp < least($4::timestamptz, now()) - $5 * interval '24 hours'
            ORDER BY trade_timestamp LIMIT $8
        ) AS due LIMIT $8
    )) AND lane > 0 AND trade_timestamp < least($4::timestamptz, now()) - $5 * interval '24 hours'
    RETURNING 1
)
SELECT (SELECT count(*) FROM fence) AS fences, (SELECT count(*) FROM gone) AS deleted,
    (SELECT count(*) FROM looked_at) AS markets, (SELECT max(condition_id) FROM looked_at) AS last_market
"""  # noqa: S608 - constants only
# A day goes when its last moment is too old. The fence comes first: without it nothing is dropped.
DROP_DECISIONS = f"""
WITH fence AS MATERIALIZED (
    SELECT 1 FROM engine_leases WHERE {MINE} FOR SHARE
)
SELECT count(*) AS fences, coalesce(sum(drop_decisions_before(
    ((least($4::timestamptz, now()) - $5 * interval '24 hours') AT TIME ZONE 'UTC')::date
)), 0) AS deleted FROM fence
"""  # noqa: S608 - constants only
DELETE_DECISIONS = f"""
WITH fence AS MATERIALIZED (
    SELECT ((least($4::timestamptz, now()) - $5 * interval '24 hours') AT TIME ZONE 'UTC')::date AS cutoff
    FROM engine_leases WHERE {MINE} FOR SHARE
), members AS (
    DELETE FROM decision_members WHERE (trade_id, part) IN (
        SELECT due.trade_id, due.part FROM fence CROSS JOIN LATERAL (
            SELECT trade_id, part FROM decision_members WHERE trade_day < fence.cutoff ORDER BY trade_day LIMIT $6
        ) AS due
    ) RETURNING 1
), others AS (
    DELETE FROM decisions_other WHERE (trade_day, trade_id, part) IN (
        SELECT due.trade_day, due.trade_id, due.part FROM fence CROSS JOIN LATERAL (
            SELECT trade_day, trade_id, part FROM decisions_other WHERE trade_day < fence.cutoff
            ORDER BY trade_day LIMIT $6
        ) AS due
    ) RETURNING 1
)
SELECT (SELECT count(*) FROM fence) AS fences,
    greatest((SELECT count(*) FROM members), (SELECT count(*) FROM others)) AS deleted
"""  # noqa: S608 - constants only
DROP_LOGS = f"""
WITH fence AS MATERIALIZED (
    SELECT ((least($4::timestamptz, now()) - $5 * interval '24 hours') AT TIME ZONE 'UTC')::date AS cutoff
    FROM engine_leases WHERE {MINE} FOR SHARE
), others AS (
    DELETE FROM lt_execute_logs_other WHERE (log_day, id) IN (
        SELECT due.log_day, due.id FROM fence CROSS JOIN LATERAL (
            SELECT log_day, id FROM lt_execute_logs_other WHERE log_day < fence.cutoff ORDER BY log_day LIMIT $6
        ) AS due
    ) RETURNING 1
)
SELECT count(*) AS fences, coalesce(sum(drop_lt_logs_before(cutoff)), 0) + (SELECT count(*) FROM others) AS deleted FROM fence
"""  # noqa: S608 - constants only
# Whoever reads decisions meanwhile makes it wait, and everybody else behind it: rather try again another time.
DROP_PATIENCE = "SET LOCAL lock_timeout = '1s'"


@attrs.define(eq=False)
class PostgresRetentionStore:
    """`RetentionStore`. Not over the connection that extends the leases of jobs."""

    connection: RunsWork
    markets_per_batch: int = MARKETS_PER_BATCH

    async def delete_old(self, lease: JobLease, lane: Lane, *, now_ms: int, days: int, rows_max: int) -> Batch:
        """Deletes the oldest trades of a lane. Raises `TransientError` or `FencedError`."""
        row = await self._delete(DELETE_OLD, lease, lane.value, utc_datetime(now_ms), days, rows_max)
        return Batch(deleted=row["deleted"])

    async def delete_resolved(
        self, lease: JobLease, *, now_ms: int, days: int, market_after: str, rows_max: int
    ) -> Batch:
        """Deletes trades in some resolved markets. Raises `TransientError` or `FencedError`."""
        values = (utc_datetime(now_ms), days, market_after, self.markets_per_batch, rows_max)
        row = await self._delete(DELETE_RESOLVED, lease, *values)
        if row["deleted"] >= rows_max:
            return Batch(deleted=row["deleted"], market_after=market_after)
        more = row["markets"] == self.markets_per_batch
        return Batch(deleted=row["deleted"], market_after=row["last_market"] if more else None)

    async def drop_decisions(self, lease: JobLease, *, now_ms: int, days: int) -> Batch:
        """Drops one day of decisions at most. Raises `TransientError`, also when readers are in the way, or `FencedError`."""

        return await self._drop(DROP_DECISIONS, lease, utc_datetime(now_ms), days)

    async def delete_decisions(self, lease: JobLease, *, now_ms: int, days: int, rows_max: int) -> Batch:
        """Deletes members and decisions without a day of their own. Raises `TransientError` or `FencedError`."""
        row = await self._delete(DELETE_DECISIONS, lease, utc_datetime(now_ms), days, rows_max)
        return Batch(deleted=row["deleted"])

    async def drop_logs(self, lease: JobLease, *, now_ms: int, days: int, rows_max: int) -> Batch:
        """Drops one day of logs at most, and some lines without a day of their own. Raises as `drop_decisions`."""
        return await self._drop(DROP_LOGS, lease, utc_datetime(now_ms), days, rows_max)

    async def _drop(self, statement: str, lease: JobLease, *values: Any) -> Batch:
        async def work(raw: asyncpg.Connection) -> asyncpg.Record | None:
            async with raw.transaction():
                await raw.execute(DROP_PATIENCE)
                return await raw.fetchrow(statement, lease.name, lease.owner, lease.epoch, *values)

        return Batch(deleted=_proved(await self.connection.run(work), lease)["deleted"])

    async def _delete(self, statement: str, lease: JobLease, *values: Any) -> asyncpg.Record:
        async def work(raw: asyncpg.Connection) -> asyncpg.Record | None:
            return await raw.fetchrow(statement, lease.name, lease.owner, lease.epoch, *values)

        return _proved(await self.connection.run(work), lease)


def _proved(row: asyncpg.Record | None, lease: JobLease) -> asyncpg.Record:
    if row is None or not row["fences"]:
        raise FencedError(f"the lease {lease.name} of epoch {lease.epoch} is not ours any more")
    return row
