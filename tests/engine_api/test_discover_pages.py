"""Pages of the lists of discovery, put together, are one sort of everything: ties and missing figures included."""

from collections import Counter
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal

import pytest
import trio
from engine_api.api_server import USER_ID, serving_routes
from engine_api.route_walk import walked
from engine_postgres.profile_world import NOW_MS, TODAY, ProfileWorld, StillClock, day_pnl, ranking, trade, wallet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.adapters.postgres.database import Connection, database_loop
from engine.adapters.postgres.discover_store import PostgresDiscoverLists
from engine.adapters.postgres.strategy_store import StrategyStore
from engine.api.discover_routes import discover_routes
from protocols.strategies import StrategySettings, TargetMode

CLEAR = """
TRUNCATE trades_public, traders, wallet_realized_pnl_daily, wallet_realized_pnl_rankings, trader_profile_stats,
    trader_global_stats, follows
"""
NAMED = StrategySettings(target_mode=TargetMode.LIST, target_traders=tuple(wallet(n) for n in range(4)))
numbers = st.integers(0, 9)
figures = st.sampled_from([None, "-1.5", "0", "2", "2.000001"])
worlds = st.fixed_dictionaries(
    {
        "leaders": st.dictionaries(numbers, st.tuples(figures, figures, st.sampled_from([None, 1, 9])), max_size=8),
        "niches": st.sets(numbers, max_size=8),
        "ranks": st.dictionaries(numbers, st.integers(-1, 3), max_size=8),
        "days": st.dictionaries(st.tuples(numbers, st.integers(0, 31)), st.integers(-2, 2), max_size=30),
        "trades": st.lists(st.tuples(numbers, st.integers(0, 3), st.integers(8, 14)), max_size=25),
        "fans": st.sets(numbers, max_size=8),
    }
)


async def fill(world, made):
    await world.put("traders", [
        {"wallet_address": wallet(n), "pnl": pnl, "roi": roi, "total_trades": trades}
        for n, (pnl, roi, trades) in made["leaders"].items()
    ])  # fmt: skip
    await world.put("trader_profile_stats", [
        {"wallet_address": wallet(n), "final_niche": "NBA", "structure": "s", "bracket": "LOW", "win_rate": 1,
         "resolved_count": 1} for n in made["niches"]
    ])  # fmt: skip
    await world.put("wallet_realized_pnl_rankings", [
        ranking("7D", wallet(n), str(pnl), 5 - pnl) for n, pnl in made["ranks"].items()
    ])  # fmt: skip
    await world.put("wallet_realized_pnl_daily", [
        day_pnl(wallet(n), TODAY - timedelta(days=ago), str(pnl)) for (n, ago), pnl in made["days"].items()
    ])  # fmt: skip
    await world.put("trades_public", [
        trade(f"{place:03}", wallet(n), age_s=quarter * 1_500, size=str(shares), price="0.9")
        for place, (n, quarter, shares) in enumerate(made["trades"])
    ])  # fmt: skip
    await world.put("follows", [{"user_id": USER_ID, "trader_wallet": wallet(n)} for n in made["fans"]])


def leaders(made, column, allowed):
    rows = [(Decimal(row[column]), n) for n, row in made["leaders"].items() if row[column] is not None and allowed(n)]
    return [n for _, n in sorted(rows, reverse=True)]


def winners(made, allowed):
    return [n for _, n in sorted((5 - pnl, n) for n, pnl in made["ranks"].items() if pnl > 0 and allowed(n))]


def active(made, least):
    counts = Counter(n for n, *_ in made["trades"])
    return [n for count, n in sorted(((count, n) for n, count in counts.items()), reverse=True) if count >= least]


def consistent(made, least):
    by_trader = {}
    for (n, ago), pnl in made["days"].items():
        if ago < 30:
            by_trader.setdefault(n, []).append(pnl)
    rows = [
        ((Decimal(sum(pnl > 0 for pnl in days)) / len(days)).quantize(Decimal("0.000001"), ROUND_HALF_UP), len(days), n)
        for n, days in by_trader.items()
        if len(days) >= least and sum(days) > 0
    ]
    return [n for *_, n in sorted(rows, reverse=True)]


def copied(made, by):
    rows = [(int(n in made["fans"]), int(n < 4), n) for n in range(10)]
    ordered = sorted(rows if by == "followers" else [(named, fan, n) for fan, named, n in rows], reverse=True)
    return [n for figure, _, n in ordered if figure]


def big(made):
    rows = [
        (shares, place)
        for place, (_, quarter, shares) in enumerate(made["trades"])
        if quarter < 3 and shares * 9 >= 100
    ]
    return [f"{place:03}" for _, place in sorted(rows, reverse=True)]


async def compared(routes, made, limit, least):
    async def found(path, **given_):
        rows = await walked(routes, f"/api/discover/{path}", "traders", limit=limit, **given_)
        return [int(row.wallet, 16) for row in rows]

    def enough(n):
        return n in made["leaders"] and (made["leaders"][n][2] or 0) >= least

    for column, sort in enumerate(("pnl", "roi")):
        assert await found("leaderboard", sort=sort) == leaders(made, column, lambda _: True)
    assert await found("leaderboard", category="nba", minTrades=least) == leaders(
        made, 0, lambda n: n in made["niches"] and enough(n)
    )
    assert await found("biggest-winners", window="7D") == winners(made, lambda _: True)
    assert await found("biggest-winners", window="7D", minTrades=least) == winners(made, enough)
    assert await found("most-active", minTrades=least) == active(made, least)
    assert await found("most-consistent", minDays=least) == consistent(made, least)
    for by in ("followers", "strategies"):
        assert await found("most-copied", sort=by) == copied(made, by)
    rows = await walked(routes, "/api/discover/big-trades", "trades", limit=limit)
    assert [row.trade_id for row in rows] == big(made)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=worlds, limit=st.integers(1, 5), least=st.integers(1, 4))
def test_every_walk_through_the_pages_is_the_sorted_list(made, limit, least, database):
    async def main():
        async with database_loop():
            connection = Connection(database, "test")
            try:
                world = ProfileWorld(connection)
                await world.run(CLEAR)
                if not await world.run("SELECT 1 FROM profiles WHERE id = $1::text::uuid", USER_ID):
                    await world.user("ann", USER_ID)
                    await StrategyStore(connection).create([("NAMED", NAMED)], USER_ID, "test")
                await fill(world, made)
                lists = PostgresDiscoverLists(connection=connection, clock=StillClock())
                await compared(discover_routes(lists, StillClock()), made, limit, least)
            finally:
                await connection.aclose()

    trio.run(main)


class WalkingClock:
    """Four hours pass whenever somebody looks."""

    def __init__(self):
        self.looks = 0

    def now_ms(self):
        self.looks += 1
        return NOW_MS + (self.looks - 1) * 4 * 3_600_000


@pytest.fixture
async def world(database, aio):
    connection = Connection(database, "test")
    made = ProfileWorld(connection)
    await made.user("ann", USER_ID)
    yield made
    await connection.aclose()


MANY = 1_201


async def test_a_thousand_and_more_rows_with_one_figure_are_all_there_however_long_it_takes(world):
    every = [wallet(n) for n in range(MANY)]
    await world.put("traders", [{"wallet_address": of, "pnl": 1, "roi": None} for of in every])
    await world.put("wallet_realized_pnl_rankings", [ranking("1D", of, "2", 1) for of in every])
    await world.put("trades_public", [trade(f"{of[-4:]}{n}", of, size="20") for of in every for n in range(3)])
    days = [TODAY - timedelta(days=n) for n in range(5)]
    await world.put("wallet_realized_pnl_daily", [day_pnl(of, day, "1") for of in every for day in days])
    await world.put("follows", [{"user_id": USER_ID, "trader_wallet": of} for of in every])
    lists = PostgresDiscoverLists(connection=world.connection, clock=StillClock())
    for path in ("leaderboard", "biggest-winners", "most-active", "most-consistent", "most-copied", "big-trades"):
        name, key, count = ("trades", "tradeId", 3 * MANY) if path == "big-trades" else ("traders", "wallet", MANY)
        found, cursor = [], ""
        async with serving_routes(*discover_routes(lists, WalkingClock())) as api:
            while cursor is not None:
                page = (await api.get(f"/api/discover/{path}?limit=150{cursor}")).json()
                found += [row[key] for row in page[name]]
                cursor = page["nextCursor"] and f"&cursor={page['nextCursor']}"
        assert len(found) == len(set(found)) == count, path
