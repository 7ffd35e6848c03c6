"""A database with audits in it, for tests of what is kept and shown."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from engine.adapters.postgres.coverage_store import PostgresCoverageStore
from engine.adapters.postgres.database import DatabaseOptions, open_connection
from engine.adapters.postgres.job_store import PostgresJobStore
from protocols.coverage import AuditedWindow, CoverageCounts, Miss
from protocols.jobs import JobLease
from protocols.trades import Lane

NOW_S = 1_795_000_000
ADD_TRADE = """
INSERT INTO trades_public (trade_id, lane, trader_wallet, transaction_hash, asset, condition_id, side, size, price,
    trade_timestamp, raw, source)
VALUES ($1, 0, $2, '0x2', '3', '0x4', 'BUY', 1, 0.5, to_timestamp($3), '{}', $4)
"""


def wallet(number: int) -> str:
    return f"0x{number:040x}"


def miss(number: int, source: str = "trades", owner: str = wallet(1)) -> Miss:
    return Miss(trade_id=f"{number:032x}-0", wallet=owner, source=source, trade_ms=NOW_S * 1000 + number)


def window(
    owner: str = wallet(1),
    lane: Lane = Lane.TARGET,
    *,
    since_s: int = NOW_S + 1,
    until_s: int = NOW_S + 60,
    **counts: int,
) -> AuditedWindow:
    counted = {"expected": 10, "by_stream": 8, "by_gap": 1, "missed": 1} | counts
    return AuditedWindow(
        wallet=owner, lane=lane, since_s=since_s, until_s=until_s, counts=CoverageCounts(**counted), skipped_s=3
    )


@asynccontextmanager
async def audits(options: DatabaseOptions) -> AsyncIterator[tuple[PostgresCoverageStore, JobLease]]:
    """The store, and the lease of a run."""
    async with open_connection(options, "coverage") as connection:
        jobs = PostgresJobStore(connection)
        await jobs.request("coverage-audit", "test")
        lease = await jobs.claim("coverage-audit", slot_ms=None, owner="me", holder="here", ttl_s=60)
        assert isinstance(lease, JobLease)
        yield PostgresCoverageStore(connection), lease


async def add_trade(store: PostgresCoverageStore, trade_id: str, owner: str, second: int, source: str | None) -> None:
    await store.connection.run(lambda raw: raw.execute(ADD_TRADE, trade_id, owner, second, source))
