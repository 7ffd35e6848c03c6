"""Lists of discovery over HTTP, from rows in PostgreSQL."""

import json
from datetime import timedelta

import pytest
from engine_api.api_server import TOKEN, USER_ID, error_of, gate_of, principal, serving_routes
from engine_postgres.profile_world import (
    NOW,
    TODAY,
    ProfileWorld,
    StillClock,
    day_pnl,
    ranking,
    stats,
    trade,
    wallet,
)

from engine.adapters.postgres.discover_store import PostgresDiscoverLists
from engine.adapters.postgres.pool import open_pool
from engine.adapters.postgres.strategy_store import StrategyStore
from engine.api.discover_routes import discover_routes
from engine.api.openapi import openapi_document
from protocols.strategies import StrategySettings, TargetMode
from protocols.users import Scope

BEARERS = {TOKEN: principal(Scope.READ), "trader": principal(Scope.TRADE, token_id="t2")}
LISTS = (
    "leaderboard",
    "biggest-winners",
    "most-active",
    "most-consistent",
    "most-copied",
    "most-copyable",
    "big-trades",
)


@pytest.fixture
async def pool(database, aio):
    async with open_pool(database, "test", 2) as made:
        yield made


@pytest.fixture
async def world(pool):
    made = ProfileWorld(pool)
    await made.user("ann", USER_ID)
    return made


@pytest.fixture
async def api(pool):
    routes = discover_routes(PostgresDiscoverLists(connection=pool, clock=StillClock()), StillClock())
    assert len(json.loads(openapi_document(routes))["paths"]) == len(routes) == 1 + len(LISTS)
    async with serving_routes(*routes, gate=gate_of(BEARERS)) as client:
        yield client


async def rows(api, path, name="traders"):
    response = await api.get(f"/api/discover/{path}")
    assert response.status_code == 200, response.text
    return response.json()[name]


async def wallets(api, path):
    return [int(row["wallet"], 16) for row in await rows(api, path)]


def leader(number, **changes):
    made = {"wallet_address": wallet(number), "display_name": None, "pnl": None, "volume": None, "roi": None, "win_rate": None,
            "total_trades": None, "is_active": True}  # fmt: skip
    return made | changes


def niche(number, name, count=3):
    return {"wallet_address": wallet(number), "final_niche": name, "structure": "YES_NO", "bracket": "LOW", "win_rate": "0.5",
            "resolved_count": count}  # fmt: skip


async def test_nothing_is_in_any_list_of_an_empty_database(api, world):
    for path in LISTS:
        assert await rows(api, path, "trades" if path == "big-trades" else "traders") == []
        assert error_of(await api.get(f"/api/discover/{path}", token="trader"))[:2] == (403, "forbidden")
        assert error_of(await api.get(f"/api/discover/{path}?limit=0"))[0::2] == (400, "limit")
        for cursor in ("", "x", "AAAA", "é", "a" * 901):
            assert error_of(await api.get(f"/api/discover/{path}?cursor={cursor}"))[0::2] == (400, "cursor")
    top = (await api.get("/api/discover")).json()
    assert [len(one.get("traders", one.get("trades"))) for one in top.values()] == [0] * 7
    assert error_of(await api.get("/api/discover/big-trades?minTrades=3"))[0::2] == (400, "minTrades")


async def test_the_leaderboard_leaves_out_who_lacks_the_figure(api, world):
    await world.put(
        "traders",
        [
            leader(1, pnl="5", volume="10", roi="0.5", win_rate="0.9"),
            leader(2, pnl="-3", volume="30"),
            leader(3, roi="0.1", win_rate="0.95"),
            leader(4, pnl="99", is_active=False),
            leader(5, pnl="5", display_name="Eve"),
        ],
    )
    assert await wallets(api, "leaderboard") == [5, 1, 2]
    assert await wallets(api, "leaderboard?sort=volume") == [2, 1]
    assert await wallets(api, "leaderboard?sort=roi") == [1, 3]
    assert await wallets(api, "leaderboard?sort=winRate") == [3, 1]
    first = (await api.get("/api/discover/leaderboard?limit=1")).json()
    assert first["traders"][0]["name"] == "Eve"
    wrong = f"/api/discover/leaderboard?sort=roi&cursor={first['nextCursor']}"
    assert error_of(await api.get(wrong))[0::2] == (400, "cursor")


async def test_filters_take_what_is_known_and_leave_out_what_is_not(api, world):
    await world.put(
        "traders", [leader(1, pnl="5", total_trades=10), leader(2, pnl="4"), leader(3, pnl="3", total_trades=2)]
    )
    await world.put("trader_global_stats", [stats(wallet(2), l_count=11), stats(wallet(3), l_count=99)])
    await world.put("trader_profile_stats", [niche(2, "NBA"), niche(3, "NBA", 0), niche(1, "NFL")])
    assert [row["trades"] for row in await rows(api, "leaderboard")] == [10, 11, 2]
    assert await wallets(api, "leaderboard?minTrades=10") == [1, 2]
    assert await wallets(api, "leaderboard?category=nba") == [2]
    assert await wallets(api, "leaderboard?category=NFL&minTrades=11") == []


async def test_a_sparkline_says_nothing_of_days_that_nobody_has_read(api, world):
    await world.put("traders", [leader(1, pnl="2"), leader(2, pnl="1")])
    last = TODAY - timedelta(days=1)
    await world.put(
        "wallet_rankings_state",
        [{"anchor_date": last, "wallets": 1, "wallets_failed": 0, "wallets_waiting": 0, "read_since": NOW}],
    )
    days = [last, last - timedelta(days=2), last - timedelta(days=13), last - timedelta(days=14)]
    await world.put("wallet_realized_pnl_daily", [day_pnl(wallet(1), day, f"-{n + 1}.5") for n, day in enumerate(days)])
    read_at = NOW - timedelta(days=2)
    await world.put("wallet_pnl_state", [{"wallet_address": wallet(1), "last_backfilled_at": read_at}])
    page = (await api.get("/api/discover/leaderboard")).json()
    assert page["sparklineTo"] == "2026-05-31"
    read, unread = (row["sparkline"] for row in page["traders"])
    assert read == [-3.5, *[0] * 10, -2.5, None, -1.5]
    assert unread == [None] * 14


async def test_the_biggest_winners_are_those_with_a_profit_in_the_window(api, world):
    await world.put(
        "wallet_realized_pnl_rankings",
        [ranking("1D", wallet(1), "9", 1), ranking("1D", wallet(2), "9", 1), ranking("1D", wallet(3), "0", 3),
         ranking("7D", wallet(3), "1", 1), ranking("1D_PREV", wallet(2), "-4", 77)],
    )  # fmt: skip
    await world.put("trades_public", [trade("x", wallet(1), trader_name="Named by a trade")])
    await world.put("follows", [{"user_id": USER_ID, "trader_wallet": wallet(2)}])
    one, two = await rows(api, "biggest-winners")
    assert (one["name"], one["rank"], one["pnl"], one["previousPnl"], one["isFollowed"]) == (
        "Named by a trade",
        1,
        9,
        None,
        False,
    )
    assert (two["previousPnl"], two["previousRank"], two["followers"], two["isFollowed"]) == (-4, 77, 1, True)
    assert await wallets(api, "biggest-winners?window=7D") == [3]
    assert error_of(await api.get("/api/discover/biggest-winners?window=2D"))[0::2] == (400, "window")


async def test_the_most_active_have_three_trades_within_24_hours(api, world):
    day_s = 86_400
    await world.put("trades_public", [
        *(trade(f"a{n}", wallet(1), age_s=n, size="2", price="0.25") for n in range(3)),
        *(trade(f"b{n}", wallet(2), age_s=day_s - 1, side="SELL") for n in range(4)),
        *(trade(f"c{n}", wallet(3), age_s=n * day_s / 2) for n in range(3)),
        *(trade(f"d{n}", wallet(4), age_s=-n) for n in range(3)),
    ])  # fmt: skip
    two, one = await rows(api, "most-active")
    assert (two["wallet"], two["trades"], two["buys"]) == (wallet(2), 4, 0)
    assert (one["wallet"], one["trades"], one["buys"], one["volume"], one["lastTradeAt"]) == (
        wallet(1), 3, 3, 1.5, "2026-06-01T12:00:00Z"
    )  # fmt: skip
    assert await wallets(api, "most-active?minTrades=1") == [2, 1, 3, 4]
    assert await wallets(api, "most-active?minTrades=4") == [2]


async def test_the_most_consistent_won_on_most_of_their_days(api, world):
    def days(number, *profits, ago=0):
        return [day_pnl(wallet(number), TODAY - timedelta(days=ago + n), profit) for n, profit in enumerate(profits)]

    await world.put(
        "wallet_realized_pnl_daily",
        [
            *days(1, "1", "1", "1", "1", "-3.5"),
            *days(2, "1", "1", "1", "1"),
            *days(3, "1", "1", "1", "1", "-5"),
            *days(4, "0", "2", "2", "2", "2", "2", ago=20),
            *days(5, *["1"] * 6, ago=29),
        ],
    )
    four, one = await rows(api, "most-consistent")
    assert (four["wallet"], four["winningDays"], four["days"], four["share"], four["pnl"]) == (
        wallet(4),
        5,
        6,
        0.833333,
        10,
    )
    assert (one["wallet"], one["share"], one["pnl"]) == (wallet(1), 0.8, 0.5)
    assert await wallets(api, "most-consistent?minDays=1") == [2, 5, 4, 1]


async def test_the_most_copied_are_followed_or_named(api, world, pool):
    bob = await world.user("bob")
    followed = [(USER_ID, 1), (bob, 1), (USER_ID, 2)]
    await world.put("follows", [{"user_id": user, "trader_wallet": wallet(number)} for user, number in followed])
    store = StrategyStore(pool)
    await store.create([("B", StrategySettings(target_mode=TargetMode.FOLLOWED))], bob, "test")
    listed = StrategySettings(target_mode=TargetMode.LIST, target_traders=(wallet(2), wallet(3)))
    excluding = StrategySettings(
        target_mode=TargetMode.LIST, target_traders=(wallet(3),), excluded_traders=(wallet(3),)
    )
    everyone = StrategySettings(target_mode=TargetMode.EVERYONE)
    await store.create([("L", listed), ("M", listed), ("X", excluding), ("E", everyone)], USER_ID, "test")
    assert [(row["followers"], row["strategies"]) for row in await rows(api, "most-copied")] == [(2, 1), (1, 2)]
    assert await wallets(api, "most-copied?sort=strategies") == [2, 3, 1]
    assert error_of(await api.get("/api/discover/most-copied?sort=fame"))[0::2] == (400, "sort")


async def test_big_trades_are_large_and_not_too_dear(api, world):
    await world.put("trades_public", [
        trade("large", wallet(1), size="100", price="0.94"),
        trade("dear", wallet(1), size="100", price="0.941"),
        trade("exact", wallet(2), size="20", price="0.5", age_s=3_599),
        trade("small", wallet(2), size="19.999999", price="0.5"),
        trade("old", wallet(2), size="900", price="0.5", age_s=3_600),
        trade("sold", wallet(2), size="50", price="0.5", side="SELL"),
    ])  # fmt: skip
    found = await rows(api, "big-trades", "trades")
    assert [(row["tradeId"], row["notional"]) for row in found] == [("large", 94), ("sold", 25), ("exact", 10)]
    await world.put("trader_profile_stats", [niche(2, "NBA")])
    assert [row["tradeId"] for row in await rows(api, "big-trades?category=NBA", "trades")] == ["sold", "exact"]
    top = (await api.get("/api/discover?limit=1")).json()
    assert [row["tradeId"] for row in top["bigTrades"]["trades"]] == ["large"]
    rest = await rows(api, f"big-trades?cursor={top['bigTrades']['nextCursor']}", "trades")
    assert [row["tradeId"] for row in rest] == ["sold", "exact"]
