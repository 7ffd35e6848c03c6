"""Pages of the feed over ten million trades: first and deep ones, of active, dormant and very many follows."""

import random
import shutil
import time
from datetime import timedelta

import asyncpg
import attrs

from engine.adapters.postgres.database import Connection, DatabaseOptions, once
from engine.adapters.postgres.feed_store import FEED_PAGE, PostgresFeedStore
from protocols.feed import FeedPosition, FeedQuery
from protocols.timestamps import utc_datetime

from .bench import Bench
from .feed_trades import DAYS, DORMANT, WALLETS, FeedTrades, filled
from .figures import Figure, quantile

BYTES_A_ROW = 2_000
DAY_MS = 86_400_000
PAGE = 50
PREPARE = "PREPARE feed_page (uuid, bigint, timestamptz, timestamptz, text, text, text[]) AS " + FEED_PAGE
EXPLAIN = "EXPLAIN (ANALYZE, BUFFERS) EXECUTE feed_page ('{user}', 51, '{since}', '2100-01-01', '', NULL, NULL)"


@attrs.frozen(kw_only=True)
class Case:
    """A kind of user and of page."""

    what: str
    user: str
    window_days: int
    target_ms: float | None
    depth_days: float = 0.0
    """Pages begin at a random position up to so old."""


CASES = (
    Case(what="500 active follows, first page", user="active", window_days=7, target_ms=30),
    Case(what="500 active follows, pages of the last day", user="active", window_days=7, target_ms=30, depth_days=1),
    Case(what="500 active follows, deep pages of 30 days", user="active", window_days=DAYS, target_ms=None, depth_days=29),
    Case(what="500 dormant follows, 7 days: empty", user="dormant", window_days=7, target_ms=150),
    Case(what="500 dormant follows, retention", user="dormant", window_days=180, target_ms=150),
    Case(what="500 dormant follows, deep pages", user="dormant", window_days=180, target_ms=150, depth_days=29),
    Case(what="500 busiest traders, first page", user="busiest", window_days=7, target_ms=30),
    Case(what="10,000 follows, first page", user="many", window_days=7, target_ms=None),
    Case(what="10,000 follows, only sells, deep", user="many", window_days=DAYS, target_ms=None, depth_days=29),
    Case(what="1 follow, first page", user="one", window_days=7, target_ms=30),
)  # fmt: skip


async def measure(bench: Bench) -> list[Figure]:
    """Fills a database on disk, reads pages by the store itself, and deletes it again."""
    rows = int(bench.either(1_000_000, 10_000_000))
    free = shutil.disk_usage(bench.scratch).free
    if free < rows * BYTES_A_ROW:
        raise RuntimeError(f"{rows * BYTES_A_ROW / 1e9:.0f} GB of disk are needed, {free / 1e9:.0f} are free")
    database = await bench.database()
    try:
        trades = await filled(database, rows, bench.say)
        users = await _users(trades)
        figures = []
        for case in CASES:
            figures.append(await _figure(bench, trades, users[case.user], case))
        figures.append(await _statements(trades, users["active"]))
        for name in ("active", "dormant", "many"):
            await _say_plan(bench, trades, name, users[name])
    finally:
        admin = DatabaseOptions(dsn=bench.server.server.dsn, statement_timeout_s=120)
        await once(admin, "bench", lambda raw: raw.execute(f"DROP DATABASE {database.name} WITH (FORCE)"))
    return figures


async def _users(trades: FeedTrades) -> dict[str, str]:
    rng = random.Random(7)
    active = range(DORMANT, WALLETS)
    return {
        "active": await trades.user("active", rng.sample(active, 500)),
        "dormant": await trades.user("dormant", list(range(DORMANT))),
        "busiest": await trades.user("busiest", list(active[:500])),
        "many": await trades.user("many", rng.sample(active, 10_000)),
        "one": await trades.user("one", [active[100]]),
    }


async def _figure(bench: Bench, trades: FeedTrades, user_id: str, case: Case) -> Figure:
    rng = random.Random(11)
    times_ms, lengths = [], []
    connection = Connection(trades.database.options, "bench feed")
    try:
        store = PostgresFeedStore(connection)
        for number in range(int(bench.either(100, 300)) + 3):
            query = _query(trades, user_id, case, rng)
            began_s = time.perf_counter()
            page = await store.page(query)
            if number >= 3:  # the first ones connect and prepare
                times_ms.append((time.perf_counter() - began_s) * 1000)
                lengths.append(len(page.rows))
    finally:
        await connection.aclose()
    note = f"p50 {quantile(times_ms, 0.5):.1f} ms, highest {max(times_ms):.1f} ms, {min(lengths)}..{max(lengths)} rows"
    bench.say(f"  {case.what}: p99 {quantile(times_ms, 0.99):.1f} ms, {note}")
    return Figure(
        row="feed",
        what=f"{case.what}, {trades.rows // 1_000_000} M trades, p99",
        value=quantile(times_ms, 0.99),
        unit="ms",
        target=case.target_ms,
        reference=500 if case.target_ms else None,
        reference_text="< 500 ms (seed)" if case.target_ms else "",
        note=note,
    )


def _query(trades: FeedTrades, user_id: str, case: Case, rng: random.Random) -> FeedQuery:
    before = None
    if case.depth_days:
        age_us = int(rng.random() * case.depth_days * DAY_MS * 1000)
        before = FeedPosition(trade_us=trades.end_ms * 1000 - age_us, trade_id="8")
    return FeedQuery(
        user_id=user_id,
        limit=PAGE,
        since_ms=trades.end_ms - case.window_days * DAY_MS,
        before=before,
        side="SELL" if "sells" in case.what else None,
    )


async def _statements(trades: FeedTrades, user_id: str) -> Figure:
    """Counts what the driver sends for ten pages, each after the one before."""
    connection = Connection(trades.database.options, "bench count")
    store = PostgresFeedStore(connection)
    sent: list[str] = []
    query = FeedQuery(user_id=user_id, limit=PAGE, since_ms=trades.end_ms - 7 * DAY_MS)
    page = await store.page(query)

    async def listen(raw: asyncpg.Connection) -> None:
        raw.add_query_logger(lambda logged: sent.append(logged.query))

    await connection.run(listen)
    for _ in range(10):
        page = await store.page(attrs.evolve(query, before=page.next))
    await connection.aclose()
    return Figure(
        row="feed", what="SQL statements a page", value=len(sent) / 10, target=1, note="counted in the driver"
    )


async def _say_plan(bench: Bench, trades: FeedTrades, name: str, user_id: str) -> None:
    """The generic plan, as the store's connections use it."""
    since = utc_datetime(trades.end_ms) - timedelta(days=7 if name != "dormant" else 180)

    async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
        await raw.execute(PREPARE)
        return await raw.fetch(EXPLAIN.format(user=user_id, since=since.isoformat()))

    plan = await once(trades.database.options, "bench plan", work)
    bench.say("\n".join([f"plan for {name}:", *(f"    {line[0]}" for line in plan)]))
