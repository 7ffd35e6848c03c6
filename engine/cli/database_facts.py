"""What a database says about trades, follows, leases and migrations, for `status` and `top`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import asyncpg
import attrs

from engine.adapters.postgres.coverage_store import PostgresCoverageStore
from engine.adapters.postgres.database import DatabaseOptions, open_connection
from engine.adapters.postgres.migrate import Migration, migration_status
from engine.adapters.system_clock import SystemClock
from protocols.coverage import CoverageSummary
from protocols.trades import Lane

COUNTED_MAX = 1_000_000
COVERAGE_MIGRATION = 12
DAY_MS = 86_400_000
# Counting stops at a bound; beyond it the planner's estimate is exact enough for people.
COUNTS = """
SELECT
    (SELECT count(*) FROM (SELECT FROM trades_public LIMIT $1 + 1) AS bounded) AS trades,
    (SELECT reltuples::bigint FROM pg_class WHERE oid = 'trades_public'::regclass) AS trades_estimated,
    (SELECT count(*) FROM markets) AS markets,
    (SELECT count(DISTINCT trader_wallet) FROM follows WHERE active) AS followed,
    (SELECT count(DISTINCT trader_wallet) FROM follows WHERE active AND is_target) AS targets
"""
LAST_TRADE = "SELECT trade_timestamp, ingested_at FROM trades_public ORDER BY ingest_seq DESC LIMIT 1"
LEASES = """
SELECT name, holder, epoch, extract(epoch FROM expires_at - now())::float8 AS left_s FROM engine_leases ORDER BY name
"""
LAST_TRADES = """
SELECT trade_timestamp, lane, trader_wallet, trader_name, side, size, price, outcome, market_title
FROM trades_public ORDER BY ingest_seq DESC LIMIT $1
"""


@attrs.frozen(kw_only=True)
class Lease:
    """Who may do what."""

    name: str
    holder: str
    epoch: int
    left_s: float
    """Seconds until it runs out; not above 0 when nobody holds it."""


@attrs.frozen(kw_only=True)
class DatabaseFacts:
    """A summary. Everything from `trades` on is None while the first migration is pending."""

    server_version: int
    applied: tuple[int, ...]
    pending: tuple[Migration, ...]
    trades: int | None = None
    trades_exact: bool = True
    markets: int | None = None
    followed: int | None = None
    targets: int | None = None
    last_trade: datetime | None = None
    last_written: datetime | None = None
    leases: tuple[Lease, ...] = ()
    coverage: Mapping[Lane, CoverageSummary] = attrs.field(factory=dict)
    """Of 24 hours; empty until an audit has ended."""


async def database_facts(options: DatabaseOptions) -> DatabaseFacts:
    """Returns the summary. Raises `TransientError` and `MigrationError`."""
    status = await migration_status(options)
    facts = DatabaseFacts(server_version=status.server_version, applied=status.applied, pending=status.pending)
    if not status.applied:
        return facts

    async def work(raw: asyncpg.Connection) -> tuple[asyncpg.Record, asyncpg.Record | None, list[asyncpg.Record]]:
        # COUNTS is one row by construction.
        counts = await raw.fetch(COUNTS, COUNTED_MAX)
        return counts[0], await raw.fetchrow(LAST_TRADE), await raw.fetch(LEASES)

    coverage: Mapping[Lane, CoverageSummary] = {}
    async with open_connection(options, "status") as connection:
        counts, last, leases = await connection.run(work)
        if COVERAGE_MIGRATION in status.applied:
            since_ms = SystemClock().now_ms() - DAY_MS
            coverage = await PostgresCoverageStore(connection).summary(since_ms=since_ms)
    exact = counts["trades"] <= COUNTED_MAX
    return attrs.evolve(
        facts,
        trades=counts["trades"] if exact else max(counts["trades"], counts["trades_estimated"]),
        trades_exact=exact,
        markets=counts["markets"],
        followed=counts["followed"],
        targets=counts["targets"],
        last_trade=last["trade_timestamp"] if last else None,
        last_written=last["ingested_at"] if last else None,
        coverage=coverage,
        leases=tuple(Lease(**dict(row)) for row in leases),
    )


async def last_trades(raw: asyncpg.Connection, rows: int) -> list[dict[str, Any]]:
    """Returns the trades committed last, newest first."""
    return [dict(row) for row in await raw.fetch(LAST_TRADES, rows)]
