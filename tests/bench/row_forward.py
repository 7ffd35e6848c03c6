"""What forward testing costs: 200 strategies on every target trade, and 1,000 strategies on trades that none of them copies."""

import json
import sys
from decimal import Decimal

import attrs
import trio

from engine.adapters.postgres.database import open_connection
from engine.adapters.postgres.strategy_store import StrategyStore
from protocols.strategies import AllocationMethod, StrategySettings

from .bench import Bench
from .databases import BenchDatabase
from .figures import Figure, median, quantile
from .frames import LEGS, TARGET, wallets
from .processes import ROOT
from .row_latency import RATE, observed

STRATEGIES = 200
MARKETS = """
INSERT INTO markets (condition_id, title, outcomes, active, closed, accepting_orders)
SELECT id, 'Will it?', '["Yes", "No"]', true, false, true FROM unnest($1::text[]) AS new (id)
"""
TOKENS = """
INSERT INTO market_tokens (condition_id, token_id, outcome, outcome_index)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::int[])
"""


async def measure(bench: Bench) -> list[Figure]:
    """Runs with and without strategies in turn, so that a slow minute of the machine slows both."""
    seconds = bench.either(15, 40)
    plain_ms, busy_ms = list[float](), list[float]()
    transactions, orders, added_cpu_ms = list[tuple[float, float]](), list[float](), list[float]()
    for _ in range(2):
        plain = await observed(bench, await _database(bench), seconds)
        database = await _database(bench)
        await _make(database)
        busy = await observed(bench, database, seconds)
        plain_ms += plain.waits_ms
        busy_ms += busy.waits_ms
        transactions.append((plain.transactions, busy.transactions))
        added_cpu_ms.append(busy.cpu_ms - plain.cpu_ms)
        orders.append(await database.value("SELECT count(*) FROM ft_orders") / len(busy.waits_ms))
        if orders[-1] < 1 or not await database.value("SELECT count(*) FROM ft_closes"):
            raise RuntimeError("the strategies did not trade")
        bench.say(
            f"  p99 {quantile(plain.waits_ms, 0.99):.2f} → {quantile(busy.waits_ms, 0.99):.2f} ms, "
            f"{orders[-1]:.1f} orders a trade, {busy.transactions:.2f} commits a trade"
        )
    idle = await _idle_us(bench)
    before_ms, after_ms = quantile(plain_ms, 0.99), quantile(busy_ms, 0.99)
    return [
        Figure(
            row="forward",
            what=f"p99 of trade → committed row with {STRATEGIES} strategies, {RATE}/s, less p99 without",
            value=after_ms - before_ms,
            unit="ms",
            target=5.0,
            reference=before_ms,
            reference_text=f"p99 {before_ms:.1f} ms without strategies, this run",
            note=f"p99 {after_ms:.1f} ms, p50 {quantile(plain_ms, 0.5):.1f} → {quantile(busy_ms, 0.5):.1f} ms, "
            f"{median(orders):.0f} orders and {median(added_cpu_ms):.1f} ms CPU more a trade",
        ),
        Figure(
            row="forward",
            what="  database transactions more a trade",
            value=median([busy - plain for plain, busy in transactions]),
            target=1.0,
            note=f"{median([busy for _, busy in transactions]):.2f} in all; a query for each strategy would be {STRATEGIES}",
        ),
        Figure(
            row="forward",
            what="  CPU a trade that none of 1,000 strategies copies, 10,000 wallets",
            value=idle,
            unit="µs",
            target=150.0,
            note="from the channel of the filter to that of the writer",
        ),
    ]


async def _database(bench: Bench) -> BenchDatabase:
    database = await bench.database()
    await database.follow(wallets(TARGET, 20))
    await database.fetch(MARKETS, sorted({leg.condition_id for leg in LEGS}))
    columns = zip(*((leg.condition_id, leg.token_id, leg.outcome, leg.outcome_index) for leg in LEGS), strict=True)
    await database.fetch(TOKENS, *map(list, columns))
    return database


async def _make(database: BenchDatabase) -> None:
    """Strategies of four methods on slices of the price, so that a tenth of them takes a purchase, with money without end."""
    open_to_all = StrategySettings(
        min_edge=None, min_trader_resolved_count=0, starting_balance=Decimal(1_000_000), bet_size=Decimal(1)
    )
    methods = [
        AllocationMethod.FIXED,
        AllocationMethod.TIERED,
        AllocationMethod.CONVICTION,
        AllocationMethod.PROPORTIONAL,
    ]
    made = []
    for number in range(STRATEGIES):
        low = Decimal(number % 20) / 20
        settings = attrs.evolve(
            open_to_all,
            allocation_method=methods[number % len(methods)],
            price_min=low,
            price_max=min(Decimal(1), low + Decimal("0.1")),
        )
        made.append((f"BOT{number}", settings))
    async with open_connection(database.options, "bench bots") as connection:
        store = StrategyStore(connection)
        owner_id = await store.user_id("admin")
        assert owner_id is not None
        await store.create(made, owner_id, by="bench")


async def _idle_us(bench: Bench) -> float:
    costs = []
    for _ in range(int(bench.either(3, 5))):
        with trio.fail_after(120):
            done = await trio.run_process(
                [sys.executable, "-m", "tests.bench.forward_cost"], cwd=ROOT, capture_stdout=True
            )
        costs.append(float(json.loads(done.stdout)["cpu_us"]))
    return median(costs)
