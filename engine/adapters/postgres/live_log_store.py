"""Lines of live execution in PostgreSQL, by day."""

from collections.abc import Sequence
from datetime import date

import asyncpg
import attrs
import msgspec

from engine.adapters.postgres.database import RunsWork
from engine.adapters.postgres.live_order_rows import columns, time_or_none
from protocols.live.ports import LogLine
from protocols.timestamps import utc_datetime

APPEND = """
INSERT INTO lt_execute_logs (
    log_day, created_at, level, message, stage, trace_id, execution_id, strategy_id, ft_wallet_id, lt_order_id, order_id,
    elapsed_ms, source_trade_id, extra
)
SELECT new.at::date, new.at, new.level, new.message, new.stage, new.trace_id, new.execution_id, new.strategy_id,
    (SELECT ft_wallet_id FROM lt_strategies WHERE lt_strategies.strategy_id = new.strategy_id), new.lt_order_id::uuid,
    new.order_id, new.elapsed_ms, new.source_trade_id, new.extra::jsonb
FROM unnest(
    $1::timestamptz[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
    $10::double precision[], $11::text[], $12::text[]
) AS new (
    at, level, message, stage, trace_id, execution_id, strategy_id, lt_order_id, order_id, elapsed_ms, source_trade_id, extra
)
"""
ENSURE_PARTITIONS = """
SELECT ensure_lt_logs_partition(day) FROM unnest($1::date[]) AS day
WHERE day BETWEEN (now() AT TIME ZONE 'UTC')::date - 7 AND (now() AT TIME ZONE 'UTC')::date + 1
"""
_encode = msgspec.json.Encoder().encode


@attrs.define(eq=False)
class PostgresLiveLogStore:
    """`LogStore`."""

    connection: RunsWork
    _days: set[date] = attrs.field(init=False, factory=set)
    """Days whose partition was asked for."""

    async def append(self, lines: Sequence[LogLine]) -> None:
        """Keeps lines. Raises `TransientError` and `RejectedError`."""
        days = {utc_datetime(line.at_ms).date() for line in lines} - self._days
        rows = [
            (
                time_or_none(line.at_ms), line.level, line.message, line.stage, line.trace_id, line.execution_id,
                line.strategy_id, line.order_id, line.order_hash, line.elapsed_ms, line.source_trade_id,
                _encode(line.extra).decode(),
            )
            for line in lines
        ]  # fmt: skip

        async def work(raw: asyncpg.Connection) -> None:
            if days:
                async with raw.transaction():
                    await raw.execute("SET LOCAL lock_timeout = '250ms'")
                    await raw.execute(ENSURE_PARTITIONS, sorted(days))
            await raw.execute(APPEND, *columns(rows, 12))

        await self.connection.run(work)
        self._days |= days
