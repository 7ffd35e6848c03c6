"""The fire feed over HTTP, from rows in PostgreSQL."""

import pytest
from engine_api.api_server import error_of, serving_routes
from engine_postgres.profile_world import ProfileWorld, StillClock, stats, trade, wallet

from actors.rules import fire as rule
from engine.adapters.postgres import discover_statements as sql
from engine.adapters.postgres.discover_store import PostgresDiscoverLists
from engine.adapters.postgres.pool import open_pool
from engine.api import fire_routes as fire

DAY_S = 86_400


@pytest.fixture
async def pool(database, aio):
    async with open_pool(database, "test", 2) as made:
        yield made


@pytest.fixture
async def world(pool):
    return ProfileWorld(pool)


@pytest.fixture
async def api(pool):
    clock = StillClock()
    async with serving_routes(*fire.fire_routes(PostgresDiscoverLists(connection=pool, clock=clock), clock)) as client:
        yield client


def hot(number, win_rate="0.6", count=10, **changes):
    return stats(wallet(number), d30_win_rate=win_rate, d30_resolved_count=count, **changes)


async def ids(api, query=""):
    response = await api.get(f"/api/fire-feed{query}")
    assert response.status_code == 200, response.text
    return [row["tradeId"] for row in response.json()["trades"]]


async def test_a_trader_without_a_record_is_not_fire(api, world):
    await world.put("trades_public", [trade(name, wallet(number), price="0.3") for number, name in enumerate("abcd")])
    assert await ids(api) == []
    await world.put("trader_global_stats", [stats(wallet(0), l_win_rate="0.9", l_resolved_count=500), hot(1, "0.519999"),
                                            hot(2, count=9), hot(3)])  # fmt: skip
    assert await ids(api) == ["d"]


async def test_what_makes_it_fire_stands_beside_the_trade(api, world):
    await world.put("trades_public", [trade("x", wallet(1), price="0.3", size="100", market_title="Rain?"),
                                      trade("sold", wallet(1), price="0.3", side="SELL"),
                                      trade("old", wallet(1), price="0.3", age_s=7 * DAY_S + 1)])  # fmt: skip
    record = hot(1, "0.53", 10, d30_total_roi_pct="20", l_total_roi_pct="-5", l_avg_trade_size_usd="10")
    await world.put("trader_global_stats", [record])
    [row] = (await api.get("/api/fire-feed")).json()["trades"]
    assert (row["tradeId"], row["title"], row["reasons"]) == ("x", "Rain?", ["roi", "conviction"])
    assert (row["winRate"], row["resolvedCount"], row["roi"], row["conviction"], row["notional"]) == (
        0.53,
        10,
        0.2,
        3,
        30,
    )
    assert row["signal"]["recommendation"] == "STRONG_BUY"
    await world.run("UPDATE trader_global_stats SET d30_total_roi_pct = NULL, l_avg_trade_size_usd = NULL")
    assert await ids(api) == []
    await world.run("UPDATE trader_global_stats SET d30_win_rate = 0.55")
    [row] = (await api.get("/api/fire-feed")).json()["trades"]
    assert (row["reasons"], row["roi"], row["conviction"]) == (["winRate"], -0.05, None)


async def test_a_hundred_traders_with_ten_trades_each_in_pages(api, world, monkeypatch):
    """Of 101 traders the one with the lowest win rate is left out, and of 12 trades the two oldest."""
    await world.put("trader_global_stats", [hot(n, f"0.{600_000 - n}") for n in range(101)])
    made = [(f"{n:03}-{age:02}", n, age) for n in range(101) for age in range(12)]
    await world.put("trades_public", [trade(name, wallet(n), price="0.3", age_s=age) for name, n, age in made])
    expected = sorted((-age, name) for name, n, age in made if n < 100 and age < 10)[::-1]
    found, cursor = [], ""
    while cursor is not None:
        page = (await api.get(f"/api/fire-feed?limit=199{cursor}")).json()
        found += [row["tradeId"] for row in page["trades"]]
        cursor = page["nextCursor"] and f"&cursor={page['nextCursor']}"
    assert found == [name for _, name in expected]
    assert len(found) == 1_000
    monkeypatch.setattr(fire, "CANDIDATES_AT_ONCE", 7)
    assert await ids(api, "?limit=20") == found[:20]
    assert error_of(await api.get("/api/fire-feed?limit=201"))[0::2] == (400, "limit")


def test_the_statement_has_the_limits_of_the_rule():
    assert (
        f"d30_win_rate >= {rule.TRADER_WIN_RATE_MIN} AND d30_resolved_count >= {rule.TRADER_RESOLVED_MIN}" in sql.FIRE
    )
    assert f"LIMIT {rule.TRADERS_MAX}\n" in sql.FIRE
    assert f"LIMIT {rule.TRADES_PER_TRADER}\n" in sql.FIRE
