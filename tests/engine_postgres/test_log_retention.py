"""How long lines of live trading are kept."""

from datetime import UTC, datetime, timedelta

import attrs
import pytest
from engine_postgres.test_retention_store import DAY, job, lease_of

from config.jobs import RetentionConfig
from engine.adapters.postgres.database import open_connection
from engine.adapters.postgres.retention_store import PostgresRetentionStore
from engine.adapters.system_clock import SystemClock
from protocols.errors import FencedError
from protocols.jobs import RunningJob

LOG = """
INSERT INTO lt_execute_logs (log_day, created_at, level, message, stage, trace_id, execution_id)
SELECT (at AT TIME ZONE 'UTC')::date, at, 'INFO', 'm', 'SELL', 't', 'e' FROM unnest($1::timestamptz[]) AS at
"""


@pytest.fixture
async def connection(database, aio):
    async with open_connection(database, "test") as one:
        yield one


async def test_logs_of_live_trading_go_by_whole_days_and_only_with_the_lease(connection):
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    times = [today - age * DAY + timedelta(seconds=1) for age in (0, 29, 30, 31, 32, 400, 401)]

    async def work(raw):
        for time in times[:5]:
            await raw.execute("SELECT ensure_lt_logs_partition($1::date)", time.date())
        await raw.execute(LOG, times)

    await connection.run(work)
    lease = await lease_of(connection)
    store, lost = PostgresRetentionStore(connection), attrs.evolve(lease, epoch=lease.epoch + 1)
    with pytest.raises(FencedError):
        await store.drop_logs(lost, now_ms=SystemClock().now_ms(), days=1, rows_max=10)
    running = RunningJob(lease=lease)
    await job(connection, config=RetentionConfig(log_days=30, batch_rows=100, batch_pause_ms=0)).run(running)
    rows = await connection.run(lambda raw: raw.fetch("SELECT created_at FROM lt_execute_logs ORDER BY 1"))
    assert [row["created_at"] for row in rows] == sorted(times[:3])
    assert running.figures["logs"] == 4
