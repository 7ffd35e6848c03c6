"""Profiles of traders over HTTP, from rows in PostgreSQL."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from engine_api.api_server import TOKEN, USER_ID, error_of, gate_of, principal, serving_routes
from engine_postgres.profile_world import (
    NOW,
    TODAY,
    ProfileWorld,
    StillClock,
    condition,
    day_pnl,
    held,
    ranking,
    seen_closed,
    stats,
    told_closed,
    trade,
    wallet,
)

from engine.adapters.postgres.live_strategy_store import LiveStrategyStore
from engine.adapters.postgres.pool import open_pool
from engine.adapters.postgres.strategy_store import StrategyStore
from engine.adapters.postgres.trader_profile_store import PostgresTraderReports
from engine.api.openapi import openapi_document
from engine.api.trader_routes import trader_routes
from protocols.live.settings import LiveSettings
from protocols.strategies import StrategySettings, TargetMode
from protocols.users import Scope

ANN = wallet(0xABC)
PATH = f"/api/traders/{ANN}"
WINDOWS = ["1D", "7D", "30D", "3M", "6M", "ALL"]
BEARERS = {TOKEN: principal(Scope.READ), "trader": principal(Scope.TRADE, token_id="t2")}


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
    routes = trader_routes(PostgresTraderReports(connection=pool, clock=StillClock()))
    described = json.loads(openapi_document(routes))["paths"]
    assert len(described) == len(routes) == 6
    async with serving_routes(*routes, gate=gate_of(BEARERS)) as client:
        yield client


async def body(api, path):
    response = await api.get(path)
    assert response.status_code == 200, response.text
    return response.json()


async def test_nobody_knows_a_wallet(api, world):
    for path in ("", "/positions", "/positions?state=closed", "/trades", "/pnl", "/markets", "/activity"):
        refused = await api.get(PATH + path)
        assert error_of(refused) == (404, "unknown_trader", None)
        assert "/api/follows" in refused.json()["error"]["message"]
    assert error_of(await api.get("/api/traders/0x12"))[0::2] == (400, "wallet")
    assert error_of(await api.get(PATH, token="trader"))[:2] == (403, "forbidden")


async def test_of_somebody_who_is_only_followed_nothing_is_known_and_nothing_is_zero(api, world):
    await world.put("follows", [{"user_id": USER_ID, "trader_wallet": ANN, "is_target": True}])
    found = await body(api, PATH.upper().replace("/API/TRADERS/", "/api/traders/"))
    assert (found["wallet"], found["followers"], found["isFollowed"], found["isTarget"]) == (ANN, 1, True, True)
    absent = ("name", "image", "leaderboard", "rankings", "closed", "records", "marketsTraded", "lastTradeAt")
    assert {name: found[name] for name in absent} == dict.fromkeys(absent)
    assert [one["window"] for one in found["windows"]] == WINDOWS
    assert {value for one in found["windows"] for name, value in one.items() if name != "window"} == {None}
    assert set(found["asOf"].values()) == {None}
    assert found["open"] == {
        "count": 0, "unpriced": 0, "value": 0, "unrealizedPnl": 0, "positions": [], "nextCursor": None
    }  # fmt: skip
    assert (found["trades"], found["daily"], found["activeDays"]) == ({"trades": [], "nextCursor": None}, [], 0)
    for path, name in (("/positions", "open"), ("/trades", "trades"), ("/pnl", "days"), ("/markets", "markets")):
        assert await body(api, PATH + path) | {"state": 0} == {name: [], "nextCursor": None, "state": 0}


async def test_everything_that_is_known_stands_in_the_profile(api, world):
    leader = {
        "wallet_address": ANN, "display_name": "Ann", "profile_image": "a.png", "pnl": "12.5", "volume": "1000",
        "roi": "0.0125", "win_rate": "0.6", "total_trades": 7, "rank": 3, "rank_volume": 9, "markets_traded": 41,
        "leaderboard_at": NOW,
    }  # fmt: skip
    await world.put("traders", [leader])
    await world.put(
        "wallet_realized_pnl_rankings",
        [ranking("1D", ANN, "5", 2), ranking("1D_PREV", ANN, "-3", 40), ranking("ALL", ANN, "80.25", 1)],
    )
    await world.put(
        "wallet_rankings_state",
        [{"anchor_date": TODAY, "wallets": 100, "wallets_failed": 2, "wallets_waiting": 0, "read_since": NOW}],
    )
    await world.put("trader_global_stats", [stats(ANN, d30_win_rate="0.55", d30_resolved_count=20, d30_count=31,
                                                  d30_total_roi_pct="12.5", l_count=90)])  # fmt: skip
    await world.put("wallet_realized_pnl_daily", [day_pnl(ANN, TODAY - timedelta(days=n), str(n)) for n in range(3)])
    await world.put("positions_current", [held(ANN, "t", size="10", current_price="0.7", cost_usd="4")])
    await world.put("trades_public", [trade("x", ANN, trader_name="Ann of the trade")])
    await world.put("wallet_poll_state", [
        {"wallet_address": ANN, "last_position_check_at": NOW, "last_trade_time_seen": NOW - timedelta(hours=1)},
    ])  # fmt: skip
    found = await body(api, PATH)
    assert (found["name"], found["image"], found["marketsTraded"]) == ("Ann", "a.png", 41)
    assert found["leaderboard"] == {"rank": 3, "rankVolume": 9, "pnl": 12.5, "volume": 1000, "roi": 0.0125,
                                    "winRate": 0.6, "totalTrades": 7}  # fmt: skip
    day, *_, everything = found["windows"]
    assert (day["pnl"], day["rank"], day["totalTraders"], day["previousPnl"], day["previousRank"]) == (
        5,
        2,
        100,
        -3,
        40,
    )
    assert (everything["pnl"], everything["rank"], everything["previousPnl"]) == (80.25, 1, None)
    assert found["windows"][1] == {"window": "7D", "pnl": None, "rank": None, "totalTraders": None, "firstDay": None,
                                   "lastDay": None, "previousPnl": None, "previousRank": None}  # fmt: skip
    assert found["rankings"] == {"anchorDate": "2026-06-01", "wallets": 100, "walletsFailed": 2, "isComplete": False}
    assert found["records"]["d30"] == {"winRate": 0.55, "resolvedCount": 20, "tradeCount": 31, "avgTradeUsd": None,
                                       "roi": 0.125}  # fmt: skip
    assert found["records"]["d7"]["winRate"] is None
    assert found["closed"] == {"closed": 6, "won": 3, "winRate": 0.5}
    assert [one["date"] for one in found["daily"]] == ["2026-05-30", "2026-05-31", "2026-06-01"]
    assert (found["activeDays"], found["lastTradeAt"]) == (3, "2026-06-01T12:00:00Z")
    [position] = found["open"]["positions"]
    assert (position["value"], position["cost"], position["unrealizedPnl"], position["ageS"]) == (7, 4, 3, 90)
    assert (found["open"]["value"], found["open"]["unrealizedPnl"], found["open"]["unpriced"]) == (7, 3, 0)
    assert [one["tradeId"] for one in found["trades"]["trades"]] == ["x"]
    known = {name for name, at in found["asOf"].items() if at is not None}
    assert known == {"leaderboard", "rankings", "records", "positions", "trades", "daily"}
    assert found["asOf"]["trades"] == "2026-06-01T11:00:00Z"


async def test_positions_without_a_price_are_not_worth_nothing(api, world):
    await world.put(
        "positions_current",
        [held(ANN, "a"), held(ANN, "b", value_usd="0", cost_usd="5"), held(ANN, "c", value_usd="9")],
    )
    found = (await body(api, PATH))["open"]
    assert (found["count"], found["unpriced"], found["value"], found["unrealizedPnl"]) == (3, 1, 9, -5)
    assert [(one["tokenId"], one["value"], one["unrealizedPnl"]) for one in found["positions"]] == [
        ("c", 9, None), ("b", 0, -5), ("a", None, None)
    ]  # fmt: skip
    await world.run("DELETE FROM positions_current WHERE token_id <> 'a'")
    assert (await body(api, PATH))["open"]["value"] is None


async def test_a_loss_that_was_never_redeemed_stands_among_the_closed_ones_only(api, world):
    await world.put("positions_current", [held(ANN, "lost", value_usd="0"), held(ANN, "kept", value_usd="1")])
    await world.put("wallet_closed_positions", [told_closed(ANN, "lost", realized_pnl="-4", is_unredeemed_loss=True)])
    assert [one["tokenId"] for one in (await body(api, PATH + "/positions"))["open"]] == ["kept"]
    assert (await body(api, PATH))["open"]["count"] == 1
    [lost] = (await body(api, PATH + "/positions?state=closed"))["closed"]
    assert (lost["tokenId"], lost["isUnredeemedLoss"], lost["realizedPnl"], lost["reason"]) == ("lost", True, -4, None)


async def test_a_closed_position_is_told_once_with_how_it_ended(api, world):
    hours = [NOW - timedelta(hours=n) for n in range(10)]
    await world.put(
        "wallet_closed_positions",
        [told_closed(ANN, "both", closed_at=hours[4]), told_closed(ANN, "told", closed_at=hours[6])],
    )
    await world.put(
        "positions_closed",
        [
            seen_closed(ANN, "both", opened_at=hours[9], closed_at=hours[8], closed_reason="market_closed"),
            seen_closed(ANN, "both", opened_at=hours[7], closed_at=hours[4], closed_reason="redeemed", size="3"),
            seen_closed(ANN, "seen", opened_at=hours[9], closed_at=hours[8]),
            seen_closed(ANN, "seen", opened_at=hours[7], closed_at=hours[5], realized_pnl="2"),
        ],
    )
    rows = (await body(api, PATH + "/positions?state=closed"))["closed"]
    assert [(one["tokenId"], one["source"], one["reason"], one["lastSize"], one["boughtShares"]) for one in rows] == [
        ("both", "venue", "redeemed", 3, 10), ("seen", "observed", "manual_close", 10, None), ("told", "venue", None, None, 10)
    ]  # fmt: skip
    assert rows[1]["realizedPnl"] == 2


async def test_by_market_it_is_added_up_and_nothing_counts_twice(api, world):
    await world.put("markets", [{"condition_id": condition(1), "title": "Rain?"}])
    await world.put(
        "wallet_closed_positions",
        [told_closed(ANN, "a", avg_price="0.5", realized_pnl="3"), told_closed(ANN, "b", avg_price="0.25", realized_pnl="-1"),
         told_closed(ANN, "c", condition_id=condition(2))],
    )  # fmt: skip
    await world.put("positions_closed", [seen_closed(ANN, "b"), seen_closed(ANN, "d", condition_id=condition(2))])
    await world.put("positions_current", [held(ANN, "a", cost_usd="2", value_usd="5", realized_pnl="3"),
                                          held(ANN, "e", condition_id=condition(3), realized_pnl="0.5")])  # fmt: skip
    await world.put("trader_open_buys", [{"wallet_address": ANN, "token_id": "f", "bracket": "LOW", "trades": 4, "shares": 9,
                                          "usd": "2.5", "condition_id": condition(4)}])  # fmt: skip
    found = {one["conditionId"]: one for one in (await body(api, PATH + "/markets"))["markets"]}
    one, two, three, four = (found[condition(number)] for number in range(1, 5))
    assert (one["title"], one["closedPositions"], one["wonPositions"], one["bought"]) == ("Rain?", 2, 1, 7.5)
    assert (one["realizedPnl"], one["openPositions"], one["openCost"], one["openValue"]) == (2, 1, 2, 5)
    assert one["unrealizedPnl"] == 3
    assert (two["closedPositions"], two["bought"], two["realizedPnl"]) == (2, None, 1)
    assert (three["bought"], three["realizedPnl"], three["openValue"], three["lastAt"]) == (
        None,
        0.5,
        None,
        "2026-05-31T12:00:00Z",
    )
    assert (four["pendingBuys"], four["pendingBuyUsd"], four["realizedPnl"], four["lastAt"]) == (4, 2.5, None, None)
    by_profit = (await body(api, PATH + "/markets?sort=realized"))["markets"]
    assert [row["realizedPnl"] for row in by_profit] == [2, 1, 0.5, None]


async def test_activity_is_told_by_utc_day_with_everything_that_happened(api, world):
    await world.put("trades_public", [trade("a", ANN), trade("b", ANN, age_s=43_200), trade("c", ANN, age_s=43_201)])
    counted = {"wallet_address": ANN, "niche": "NBA", "structure": "YES_NO", "trades": 2, "usd": "7.5"}
    days = [(TODAY, "LOW"), (TODAY, "MID"), (TODAY - timedelta(days=200), "LOW")]
    await world.put("trader_stats_daily", [counted | {"day": day, "bracket": bracket} for day, bracket in days])
    await world.put("wallet_realized_pnl_daily", [day_pnl(ANN, TODAY - timedelta(days=3), "-2")])
    rows = (await body(api, PATH + "/activity"))["days"]
    assert [(one["day"], one["trades"], one["buys"], one["closed"], one["realizedPnl"]) for one in rows] == [
        ("2026-06-01", 2, 4, 0, None), ("2026-05-31", 1, 0, 0, None), ("2026-05-29", 0, 0, 2, -2), ("2025-11-13", 0, 2, 0, None)
    ]  # fmt: skip
    assert rows[0]["buyUsd"] == 15
    assert (await body(api, PATH))["activeDays"] == 4
    first = await body(api, PATH + "/activity?limit=1")
    assert [one["day"] for one in (await body(api, PATH + f"/activity?cursor={first['nextCursor']}"))["days"]] == [
        one["day"] for one in rows[1:]
    ]


@pytest.mark.parametrize("name", ["🦄 unicorn", "عربي ‮txt", "<script>alert(1)</script>", "a\"b'c\\d", "名前", " "])
async def test_whatever_a_trader_calls_himself_comes_through_unchanged(api, world, name):
    await world.put("trades_public", [trade("x", ANN, trader_name=name, market_title=name)])
    found = await body(api, PATH)
    assert found["name"] == name
    assert found["trades"]["trades"][0]["title"] == name
    response = await api.get(PATH)
    assert response.headers["content-type"] == "application/json"


async def test_the_caller_sees_which_of_his_running_strategies_copy(api, world, pool):
    bob = await world.user("bob")
    other = wallet(5)
    store = StrategyStore(pool)
    listed = {"target_mode": TargetMode.LIST, "target_traders": (ANN,)}
    await store.create(
        [
            ("LIST", StrategySettings(**listed)),
            ("OTHERS", StrategySettings(target_mode=TargetMode.LIST, target_traders=(other,))),
            ("PAUSED", StrategySettings(**listed, is_active=False)),
            ("FOLLOWED", StrategySettings(target_mode=TargetMode.FOLLOWED)),
            ("LEADERS", StrategySettings(target_mode=TargetMode.LEADERBOARD)),
            ("ALL", StrategySettings(target_mode=TargetMode.EVERYONE)),
            ("NOT_HIM", StrategySettings(target_mode=TargetMode.EVERYONE, excluded_traders=(ANN,))),
        ],
        USER_ID,
        "test",
    )
    await store.create([("BOBS", StrategySettings(**listed))], bob, "test")
    await world.put("trades_public", [trade("x", ANN)])
    found = await body(api, PATH)
    assert [one["walletId"] for one in found["copiedBy"]] == ["ALL", "LIST"]
    await world.put("follows", [{"user_id": USER_ID, "trader_wallet": ANN}, {"user_id": bob, "trader_wallet": ANN}])
    await world.put("traders", [{"wallet_address": ANN}])
    found = await body(api, PATH)
    assert {one["walletId"]: one["targetMode"] for one in found["copiedBy"]} == {
        "ALL": "everyone", "FOLLOWED": "followed", "LEADERS": "leaderboard", "LIST": "list"
    }  # fmt: skip
    assert (found["copiedByCount"], found["followers"]) == (4, 2)
    live, mirror = (
        LiveStrategyStore(pool),
        {"user_id": USER_ID, "account": "main", "capital_usd": Decimal(5), "by": "test"},
    )
    for name in ("ALL", "LIST"):
        await live.create(f"LT_{name}", ft_wallet_id=name, settings=LiveSettings(), **mirror)
    await live.set_paused("LT_LIST", False, by="test")
    assert [one["walletId"] for one in (await body(api, PATH))["copiedBy"] if one["isLive"]] == ["LIST"]
    await store.archive("LIST")
    assert "LIST" not in {one["walletId"] for one in (await body(api, PATH))["copiedBy"]}
