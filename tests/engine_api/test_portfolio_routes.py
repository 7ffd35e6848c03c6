"""The portfolio over HTTP: figures, pages, whose it is, and prices that say their age."""

from decimal import Decimal

import pytest
from engine_adapters.live_worlds import bought, owed, sold
from engine_api.api_server import TOKEN, USER_ID, error_of
from engine_api.portfolio_server import ACCOUNTS, portfolio_server, quote, read
from engine_postgres.portfolio_world import NOW_MS, OTHER_TRADER, SAY, TRADER, WALLET
from engine_postgres.test_portfolio_store import MANY

from engine.api.openapi import openapi_document
from engine.api.portfolio_routes import portfolio_routes

D = Decimal
PATHS = ["stats", "positions", "trades", "realized-pnl", "top-traders"]


@pytest.fixture
async def served(database, aio):
    async with portfolio_server(database) as (world, client):
        yield world, client


@pytest.fixture
def world(served):
    return served[0]


@pytest.fixture
def api(served):
    return served[1]


async def walk(api, path, key):
    """Every row of a list, over all its pages."""
    rows, cursor = [], ""
    while cursor is not None:
        page = await read(api, f"{path}{cursor}")
        rows += page[key]
        cursor = page["nextCursor"] and f"&cursor={page['nextCursor']}"
        assert len(rows) < 9_000, "it never ends"
    return rows


async def test_the_figures_of_the_reference(api, world):
    await world.market()
    await world.copy()
    await world.copy(user_exit_price=D("0.9"))
    await world.copy("SELL", "4", "0.6")
    await world.copy("SELL", "1", "0.5", copied_trader_wallet=OTHER_TRADER)
    quote(world, "0.5", "0.5")
    stats = await read(api, "stats")
    # The sale takes 4 of the first purchase; 6 at 0.5 are left.
    assert (stats["realizedPnl"], stats["unrealizedPnl"], stats["totalPnl"]) == (5.8, 0.6, 6.4)
    assert (stats["totalVolume"], stats["roi"], stats["winRate"]) == (8, 80, None)
    assert (stats["totalTrades"], stats["totalBuyTrades"], stats["totalSellTrades"]) == (4, 2, 2)
    assert (stats["openTrades"], stats["closedTrades"], stats["unmatchedSells"], stats["unmatchedUsd"]) == (
        1,
        1,
        1,
        0.5,
    )
    assert stats["freshness"] == {"quote": 1, "currentPrice": 0, "market": 0, "unmarked": 0, "oldestAgeMs": 1500}
    assert (stats["cached"], stats["asOf"]) == (False, "2026-11-18T11:08:20Z")
    assert stats["official"]["tokens"] == 0


async def test_prices_fall_back_step_by_step_and_each_says_its_age(api, world):
    await world.copy()
    assert (await read(api, "stats"))["freshness"]["unmarked"] == 1
    assert (await read(api, "stats"))["unrealizedPnl"] is None
    await world.market(prices='["0.3", "0.7"]')
    world.quotes.down = True

    async def seen():
        [one] = (await read(api, "positions"))["positions"]
        return one["price"], one["priceSource"], one["priceAgeMs"], one["unrealizedPnl"]

    assert await seen() == (0.3, "market", 10_000, -1)
    await world.refresh()
    world.clock.ms += 60_000
    await world.run('UPDATE markets SET outcome_prices = \'["0.35", "0.65"]\', last_price_updated_at = now()')
    assert await seen() == (0.3, "current_price", 70_000, -1)
    world.clock.ms = NOW_MS
    world.quotes.down = False
    quote(world, "0.6", "0.4", stale=True)
    assert (await seen())[1] == "current_price"
    quote(world, "0.6", "0.4")
    assert await seen() == (0.4, "quote", 1_500, 0)


async def test_positions_are_walked_whole_and_filtered(api, world):
    await world.run(MANY, USER_ID, 1_501)
    rows = await walk(api, "positions?limit=400", "positions")
    assert len({(row["scope"], row["tokenId"]) for row in rows}) == len(rows) > 900
    assert [row["lastAt"] for row in rows] == sorted((row["lastAt"] for row in rows), reverse=True)
    opened = await walk(api, "positions?limit=500&state=open", "positions")
    closed = await walk(api, "positions?limit=500&state=closed", "positions")
    assert len(opened) + len(closed) == len(rows)
    assert {row["state"] for row in opened} == {"open"}


async def test_orders_are_walked_whole_with_what_became_of_each(api, world):
    await world.run(MANY, USER_ID, 1_203)
    rows = await walk(api, "trades?pageSize=100", "trades")
    assert len({row["orderId"] for row in rows}) == len(rows) == 1_203
    await world.run("DELETE FROM orders")
    await world.market()
    first = await world.copy()
    second = await world.copy(trader_still_has_position=False)
    sale = await world.copy("SELL", "15", "0.6")
    quote(world, "0.5", "0.5")
    page = await read(api, "trades?pageSize=10")
    by_id = {row["orderId"]: row for row in page["trades"]}
    assert [row["orderId"] for row in page["trades"]] == [sale, second, first]
    assert (by_id[first]["realizedPnl"], by_id[first]["sharesOpen"], by_id[first]["pnlPct"]) == (2, 0, 50)
    assert (by_id[second]["realizedPnl"], by_id[second]["unrealizedPnl"], by_id[second]["sharesOpen"]) == (1, 0.5, 5)
    assert (by_id[second]["currentPrice"], by_id[second]["traderStillHasPosition"]) == (0.5, False)
    assert (by_id[sale]["realizedPnl"], by_id[sale]["investedUsd"], by_id[sale]["currentPrice"]) == (3, 9, None)


async def test_live_orders_stand_beside_recorded_ones(api, world):
    await world.live.strategy()
    await bought(world.live, 1)
    one = owed(2)
    await world.live.store.open_exits([one])
    await sold(world.live, 2, one, "8")
    await world.copy()
    kinds = {(row["kind"], row["side"], row["strategyId"]) for row in (await read(api, "trades"))["trades"]}
    assert kinds == {("live", "BUY", "LT_A"), ("live", "SELL", "LT_A"), ("recorded", "BUY", None)}
    only = await read(api, "trades?strategyId=LT_A")
    assert {row["kind"] for row in only["trades"]} == {"live"}
    assert len((await read(api, "positions?account=main"))["positions"]) == 1
    assert (await read(api, "stats?strategyId=LT_A"))["official"] is None


async def test_days_and_traders(api, world):
    await world.run("INSERT INTO traders (wallet_address, display_name) VALUES ($1, 'Ada')", TRADER)
    await world.copy()
    await world.copy("SELL", "10", "0.7")
    await world.copy(copied_trader_wallet=None)
    await world.copy(copied_trader_wallet=OTHER_TRADER, copied_trader_username="grace", price="0.5")
    realized = await read(api, "realized-pnl")
    assert realized["daily"] == [{"date": "2026-11-18", "realizedPnl": 3, "pnlToDate": 3, "volume": 13}]
    assert list(realized["summaries"]) == ["1D", "7D", "30D", "90D", "1Y", "ALL"]
    assert realized["summaries"]["1D"] == {"realizedPnl": 3, "volume": 13}
    traders = (await read(api, "top-traders"))["traders"]
    assert [(one["wallet"], one["name"], one["copyCount"], one["pnl"], one["winRate"]) for one in traders] == [
        (TRADER, "Ada", 1, 3, 1),
        (None, None, 1, 0, None),
        (OTHER_TRADER, "grace", 1, 0, None),
    ]


async def test_nobody_is_left_out_after_five_hundred(api, world):
    await world.run(MANY, USER_ID, 2_100)
    assert len((await read(api, "top-traders"))["traders"]) == 700


async def test_the_venue_stands_beside_ours_with_reasons_once_a_token(api, world):
    await world.market()
    await world.copy(fee_usd=D("0.5"))
    await world.copy(copied_trader_wallet=OTHER_TRADER)
    await world.resolve()
    await world.run(SAY, WALLET, "70", D("9"), D(20))
    official = (await read(api, "stats"))["official"]
    assert (official["tokens"], official["officialRealizedPnl"], official["ourRealizedPnl"]) == (1, 9, 11.5)
    assert (official["difference"], official["differingTokens"]) == (2.5, 1)
    assert official["reasons"] == {"fees": 1, "not synced since": 1}
    first, second = (await read(api, "positions"))["positions"]
    assert first["official"] == second["official"]
    assert (first["official"]["positions"], first["realizedPnl"] + second["realizedPnl"]) == (2, 11.5)


@pytest.mark.parametrize("path", PATHS)
async def test_whose_it_is(api, world, path):
    await world.copy()
    mine, his, also_his = (
        await read(api, path),
        await read(api, path, "bob"),
        await read(api, f"{path}?user=bob", "bob"),
    )
    assert drop_time(his) == drop_time(also_his) != drop_time(mine)
    assert drop_time(await read(api, f"{path}?user=ann", "admin")) == drop_time(mine)
    for token in ("bob", TOKEN):
        other = "ann" if token == "bob" else "bob"
        assert error_of(await api.get(f"/api/portfolio/{path}?user={other}", token=token)) == (
            404,
            "unknown_user",
            "user",
        )
    assert error_of(await api.get(f"/api/portfolio/{path}?user=nobody", token="admin"))[:2] == (404, "unknown_user")
    assert error_of(await api.get(f"/api/portfolio/{path}", token="trader"))[0] == 403


def drop_time(document):
    return {name: value for name, value in document.items() if name not in ("asOf", "lastAt")}


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("positions?state=half", "state"),
        ("positions?limit=501", "limit"),
        ("positions?cursor=x", "cursor"),
        ("positions?cursor=WzEsMl0", "cursor"),
        ("trades?pageSize=9", "pageSize"),
        ("trades?pageSize=101", "pageSize"),
        ("trades?cursor=bm8", "cursor"),
        ("stats?strategyId=a%20b", "strategyId"),
        ("stats?nonsense=1", "nonsense"),
    ],
)
async def test_what_is_wrong_is_named(api, path, field):
    assert error_of(await api.get(f"/api/portfolio/{path}"))[::2] == (400, field)


def test_every_route_is_described():
    document = openapi_document(portfolio_routes(None, None, None, None, accounts_of=ACCOUNTS.__getitem__))
    assert document.count(b'"/api/portfolio/') == 10
