"""What the engine asks of the world around it, for 50 and for 500 users: the rows of the seed's table of expected impact.

Each user has the feed open: ten prices in one call a second, a page of the feed every ten seconds, and his bots once a
minute. One live strategy trades, one order a minute at most. All of it, the venue's simulator and the load as well, share the
machine's cores, so times are upper bounds; calls and processor times are not affected.
"""

import attrs
import trio

from .bench import Bench
from .databases import BenchDatabase
from .figures import Figure
from .impact_world import ACTIVE_MARKETS, User, Venue, impact_engine, looked_at, mirror, populated, venue
from .processes import EngineHandle, cpu_s, resident_mb
from .row_latency import own_quantiles_ms
from .server_use import ServerUse, server_use, statements_within
from .upstream_calls import upstream_calls

SIZES = (50, 500)
MARKETS_SEEN = 50
PRICES_A_CALL = 10
PAGE_INTERVAL_S = 10
ORDER_HISTOGRAM = "polycopy_trade_to_order_seconds_bucket"
POLLERS_OFF = {"poller.hot.enabled": "false", "poller.cold.enabled": "false"}
LIVE_ON = {"live.enabled": "true", "live": "1"}
POLLERS = ("hot poller", "cold poller")
GROWTH_MAX = 1.1


@attrs.frozen(kw_only=True)
class Impact:
    """One run."""

    users: int
    minutes: float
    calls: dict[tuple[str, str], float]
    """Upstream calls a minute by API and by who asks."""
    database: ServerUse
    """What was used within the run."""
    statements_per_min: float
    engine_cpu_ratio: float
    """Share of one core."""
    memory_mb: float
    prices: dict[str, float]
    pages: dict[str, float]
    orders_per_min: float
    order_ms: tuple[float, float]

    def api(self, name: str, *without: str) -> float:
        """Returns the calls a minute of one API, by whoever asks but those named."""
        return sum(count for (api, user), count in self.calls.items() if api == name and user not in without)

    @property
    def database_cpu_ratio(self) -> float:
        """Share of one core."""
        return self.database.cpu_s / (60 * self.minutes)


async def measure(bench: Bench) -> list[Figure]:
    """Runs both sizes, then the larger one with the pollers on and without live trading."""
    async with venue(bench) as place:
        small, large = [await _run(bench, place, users, POLLERS_OFF | LIVE_ON) for users in SIZES]
        polled = await _run(bench, place, SIZES[1], {})
    return [*_upstream(small, large, polled), *_machine(small, large), *_users(small, large, polled)]


async def _run(bench: Bench, place: Venue, users: int, settings: dict[str, str]) -> Impact:
    database = await bench.database()
    people = await populated(database, place.wallets, users)
    if "live" in settings:
        await mirror(database)
    async with impact_engine(bench, place, database, settings) as engine:
        # Markets become known, prepared statements and caches fill, and the users open their pages.
        await trio.sleep(bench.either(105, 240))
        markets = [row["condition_id"] for row in await database.fetch(ACTIVE_MARKETS, MARKETS_SEEN)]
        await opened(engine, people, markets)
        impact = await _watched(bench, database, engine, people, markets)
    bench.say(f"  {users} users: {impact}")
    return impact


async def _watched(
    bench: Bench, database: BenchDatabase, engine: EngineHandle, people: list[User], markets: list[str]
) -> Impact:
    # A minute holds one order or two, and few calls altogether: three of them tell what a minute costs.
    seconds, pid = bench.either(180, 300), bench.server.server.pid
    found: dict[str, dict[str, float]] = {}
    began_s = trio.current_time()
    before, used, cpu = await engine.metrics(), await server_use(database, pid), cpu_s(engine.pid)

    async def look(name: str, lines: list[str], interval_s: float, connections: int) -> None:
        found[name] = await looked_at(engine, lines, connections=connections, seconds=seconds, interval_s=interval_s)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(look, "prices", price_lines(people, markets), 1.0, len(people))
        # A connection that is idle for long is closed: fewer of them ask more often.
        nursery.start_soon(look, "pages", _page_lines(people), 1.0, max(1, len(people) // PAGE_INTERVAL_S))
    after, used_after, took_s = await engine.metrics(), await server_use(database, pid), trio.current_time() - began_s
    order_ms = (
        await own_quantiles_ms(engine, before, ORDER_HISTOGRAM) if orders_of(after) > orders_of(before) else (0.0, 0.0)
    )
    cpu_ratio, memory_mb, minutes = (cpu_s(engine.pid) - cpu) / took_s, resident_mb(engine.pid), took_s / 60
    window_s = 10.0
    statements = await statements_within(database, bench.server.server.log_path, window_s)
    return Impact(
        users=len(people),
        minutes=minutes,
        calls={who: count / minutes for who, count in upstream_calls(after, before).items() if count},
        database=ServerUse(
            cpu_s=used_after.cpu_s - used.cpu_s,
            wal_bytes=used_after.wal_bytes - used.wal_bytes,
            transactions=used_after.transactions - used.transactions,
        ),
        statements_per_min=statements * 60 / window_s,
        engine_cpu_ratio=cpu_ratio,
        memory_mb=memory_mb,
        prices=found["prices"],
        pages=found["pages"],
        orders_per_min=(orders_of(after) - orders_of(before)) / minutes,
        order_ms=order_ms,
    )


async def opened(engine: EngineHandle, people: list[User], markets: list[str]) -> None:
    """The first look at each market, which happens once and not every minute."""
    await looked_at(engine, price_lines(people, markets), connections=len(people), seconds=10, interval_s=1.0)


def price_lines(people: list[User], markets: list[str]) -> list[str]:
    """Returns the questions of users for prices, for `looked_at`."""
    lines = []
    for number, user in enumerate(people):
        seen = [markets[(number * 3 + step) % len(markets)] for step in range(min(PRICES_A_CALL, len(markets)))]
        query = "&".join(f"conditionId={one}" for one in dict.fromkeys(seen))
        lines.append(f"{user.token} /api/polymarket/price?{query}")
    return lines


def _page_lines(people: list[User]) -> list[str]:
    paths = ["/api/v2/feed/trades?limit=50"] * 5 + ["/api/v2/bots"]
    return [f"{user.token} {path}" for path in paths for user in people]


def orders_of(metrics: dict[str, float]) -> float:
    """Returns how many orders an engine has sent."""
    return sum(count for name, count in metrics.items() if name.startswith(ORDER_HISTOGRAM) and 'le="+Inf"' in name)


def _upstream(small: Impact, large: Impact, polled: Impact) -> list[Figure]:
    figures = [
        _figure("CLOB calls a minute without trading", polled.api("clob"), "/min", 0, "~200/min (recorded)"),
        *_pair("CLOB calls a minute, one order a minute", small, large, lambda one: one.api("clob"), "/min", 10,
               "~200/min, grows with users"),
        *_pair("  orders a minute", small, large, lambda one: one.orders_per_min, "/min", None, ""),
        *_pair("Gamma calls a minute", small, large, lambda one: one.api("gamma"), "/min", 36, "~20/min"),
        *_pair("Data API calls a minute, pollers off", small, large, lambda one: one.api("data"), "/min", 5,
               "~100/min, grows with users"),
        _figure("Data API calls a minute, pollers on, without theirs", polled.api("data", *POLLERS), "/min", 5, ""),
        _figure("  the pollers' own", sum(polled.calls.get(("data", name), 0.0) for name in POLLERS), "/min", None, ""),
    ]  # fmt: skip
    pairs = [(small.api(name), large.api(name)) for name in ("clob", "gamma", "data")]
    growth = max((after / before for before, after in pairs if before), default=1.0)
    return [*figures, _figure("  most that any of these grows from 50 to 500 users", growth, "×", GROWTH_MAX, "")]


def _machine(small: Impact, large: Impact) -> list[Figure]:
    return [
        *_pair("database, share of one core", small, large, lambda one: one.database_cpu_ratio, "", 0.5, "0.9..1.0"),
        *_pair("write-ahead log", small, large, lambda one: one.database.wal_bytes / one.minutes / 1e6, "MB/min", None, ""),
        *_pair("statements a minute", small, large, lambda one: one.statements_per_min, "/min", None, ""),
        *_pair("transactions a minute", small, large, lambda one: one.database.transactions / one.minutes, "/min", None, ""),
        *_pair("engine, share of one core", small, large, lambda one: one.engine_cpu_ratio, "", None, ""),
        *_pair("memory of the engine, one process", small, large, lambda one: one.memory_mb, "MB", 95, "3 apps, 1.5 GB"),
    ]  # fmt: skip


def _users(small: Impact, large: Impact, polled: Impact) -> list[Figure]:
    return [
        *_pair("feed and bots, p99", small, large, lambda one: one.pages["p99_ms"], "ms", 500, "2..5 s"),
        *_pair("oldest price that a user saw", small, large, lambda one: one.prices["age_max_ms"], "ms", 3_000, "live"),
        *_pair("trade to order, own histogram, p50", small, large, lambda one: one.order_ms[0], "ms", None, "1..6 s"),
        *_pair("trade to order, own histogram, p99", small, large, lambda one: one.order_ms[1], "ms", None, "1..6 s"),
        _figure("memory of the engine, pollers on", polled.memory_mb, "MB", 95, ""),
    ]


def _pair(
    what: str, small: Impact, large: Impact, of: object, unit: str, target: float | None, reference: str
) -> list[Figure]:
    assert callable(of)
    return [
        _figure(f"{what}, {one.users} users", float(of(one)), unit, target, reference if one is small else "")
        for one in (small, large)
    ]


def _figure(what: str, value: float, unit: str, target: float | None, reference: str) -> Figure:
    return Figure(row="impact", what=what, value=value, unit=unit, target=target, reference_text=reference)
