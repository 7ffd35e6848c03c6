"""What profiles and lists of traders cost: `python -m tests.bench.profile_cost [TRADES]`, one JSON object.

A trader with 100,000 trades, 20,000 closed positions and 1,000 open ones among TRADES (5,000,000) of others. Each figure is
the time of one call in ms, beside a bare SELECT 1 that was sent just before it over the same connection.
"""

import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import trio

from engine.adapters.postgres.database import Connection, open_connection
from engine.adapters.postgres.discover_store import PostgresDiscoverLists
from engine.adapters.postgres.trader_profile_store import PostgresTraderReports
from engine.adapters.system_clock import SystemClock
from engine.api.trader_bodies import PROFILE_SIZES
from engine.api.trader_routes import trader_routes
from protocols.discover import ACTIVE_TRADES_MIN, ListQuery
from protocols.timestamps import utc_datetime
from tests.engine_api.api_server import serving_routes

from .big_trader import WALLET, Sizes, add_big_trader
from .databases import bench_server
from .feed_trades import filled

TRADES = 5_000_000
TIMES = 200
NOBODY = "00000000-0000-0000-0000-000000000000"
Call = Callable[[], Awaitable[Any]]


def calls_of(connection: Connection) -> dict[str, Call]:
    """Returns what is measured, by name."""
    clock = SystemClock()
    reports = PostgresTraderReports(connection=connection, clock=clock)
    lists = PostgresDiscoverLists(connection=connection, clock=clock)
    asked = ListQuery(user_id=NOBODY, rows_max=51)
    busy = ListQuery(user_id=NOBODY, rows_max=51, min_trades=ACTIVE_TRADES_MIN)
    now = utc_datetime(clock.now_ms())
    return {
        "profile": lambda: reports.profile(NOBODY, WALLET, PROFILE_SIZES),
        "positions open": lambda: reports.open(WALLET, "value", None, 101),
        "positions closed": lambda: reports.closed(WALLET, None, 101),
        "trades": lambda: reports.trades(WALLET, None, 100),
        "pnl": lambda: reports.days(WALLET, date(2019, 1, 1), None, 401),
        "markets": lambda: reports.markets(WALLET, "recent", None, 101),
        "activity": lambda: reports.activity(WALLET, None, 31),
        "leaderboard": lambda: lists.leaderboard(asked, "pnl", None),
        "biggest winners": lambda: lists.winners(asked, "1D", None),
        "most active": lambda: lists.active(busy, now, None),
        "most consistent": lambda: lists.consistent(asked, 5, None),
        "most copied": lambda: lists.copied(asked, "followers", None),
        "big trades": lambda: lists.big_trades(asked, now, None),
        "fire candidates": lambda: lists.fire_candidates(now - timedelta(days=7), None, 250),
    }


async def measured(connection: Connection, call: Call, times: int = TIMES) -> dict[str, float]:
    """Returns p50 and p99 of a call and of SELECT 1, in turn."""
    took: dict[str, list[float]] = {"call": [], "select1": []}

    async def select_1() -> Any:
        return await connection.run(lambda raw: raw.fetchval("SELECT 1"))

    for way in (call, select_1):
        await way()
    for _ in range(times):
        for name, way in (("select1", select_1), ("call", call)):
            began_s = time.perf_counter()
            await way()
            took[name].append((time.perf_counter() - began_s) * 1000)
    return {f"{name}_{label}_ms": at(values, part) for name, values in took.items() for label, part in PARTS}


PARTS = (("p50", 0.5), ("p99", 0.99))


def at(values: list[float], part: float) -> float:
    """Returns a quantile, rounded to hundredths."""
    return round(sorted(values)[min(len(values) - 1, int(part * len(values)))], 2)


async def main(trades: int) -> dict[str, dict[str, float]]:
    """Fills a database and measures."""
    with tempfile.TemporaryDirectory() as home:
        Path(home).chmod(0o711)
        async with bench_server(Path(home) / "postgres") as server:
            database = await server.database()
            await filled(database, trades, lambda line: print(line, file=sys.stderr))
            await add_big_trader(database.fetch, Sizes())
            async with open_connection(database.options, "bench") as connection:
                found = {name: await measured(connection, call) for name, call in calls_of(connection).items()}
                reports = PostgresTraderReports(connection=connection, clock=SystemClock())
                async with serving_routes(*trader_routes(reports)) as api:
                    found["profile over HTTP"] = await measured(connection, lambda: api.get(f"/api/traders/{WALLET}"))
                return found


if __name__ == "__main__":
    print(json.dumps(trio.run(main, int(sys.argv[1]) if len(sys.argv) > 1 else TRADES), indent=1))
