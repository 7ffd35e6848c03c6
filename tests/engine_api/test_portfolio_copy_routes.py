"""Copies that were made elsewhere, over HTTP: recorded, closed, forgotten, and what is looked up for them."""

from decimal import Decimal

import pytest
from engine_adapters.live_worlds import bought, hash_of
from engine_api.api_server import error_of
from engine_api.portfolio_server import portfolio_server, quote, read
from engine_postgres.portfolio_world import MARKET, NOW_MS, OTHER_TRADER, TRADER

D = Decimal
COPY = {"conditionId": MARKET, "outcome": "yes", "side": "BUY", "price": 0.4, "shares": 10, "trader": TRADER}
SNAPSHOT = """
INSERT INTO wallet_poll_state (wallet_address, last_position_check_at) VALUES ($1, to_timestamp($2 / 1000.0))
ON CONFLICT (wallet_address) DO UPDATE SET last_position_check_at = excluded.last_position_check_at
"""
HOLDS = """
INSERT INTO positions_current (wallet_address, token_id, condition_id, size, opened_at, opened_snapshot, last_seen_at)
VALUES ($1, '70', 'm', 33, now(), 1, now())
"""
HELD = """
INSERT INTO positions_closed (wallet_address, token_id, condition_id, closed_reason, size, opened_at, opened_snapshot,
    last_seen_at, closed_at)
VALUES ($1, '70', 'm', 'manual_close', 5, now(), 1, now(), '2026-11-18T07:00:00Z')
"""
NOTED = "SELECT trader_still_has_position, trader_position_size, trader_closed_at FROM orders ORDER BY order_id"


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


async def post(api, path, body=None, token=None, method="POST"):
    options = {} if token is None else {"token": token}
    return await api.ask(method, f"/api/portfolio/{path}", json=body, **options)


async def test_a_copy_is_recorded_once_for_its_id(api, world):
    await world.market()
    made = (await post(api, "orders", {**COPY, "orderId": "my-copy-1"})).json()
    assert made == {"orderId": "my-copy-1", "isNew": True}
    again = await post(api, "orders", {**COPY, "orderId": "my-copy-1", "outcome": None, "tokenId": "70"})
    assert again.json() == {"orderId": "my-copy-1", "isNew": False}
    for changes in ({"price": 0.5}, {"outcome": "no"}, {"side": "SELL"}):
        refused = await post(api, "orders", {**COPY, "orderId": "my-copy-1", **changes})
        assert error_of(refused) == (409, "copy_conflict", "orderId")
    assert error_of(await post(api, "orders", {**COPY, "orderId": "my-copy-1"}, "bob"))[0] == 409
    assert (await post(api, "orders", COPY)).json()["isNew"] is True
    [position] = (await read(api, "positions"))["positions"]
    assert (position["shares"], position["costUsd"], position["outcome"], position["marketTitle"]) == (
        20,
        8,
        "Yes",
        "Will it?",
    )


async def test_what_this_engine_bought_is_not_recorded_beside_it(api, world):
    await world.market()
    await world.live.strategy()
    await bought(world.live, 1)
    refused = await post(api, "orders", {**COPY, "orderId": hash_of(1)})
    assert error_of(refused) == (409, "copy_conflict", "orderId")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"price": 1.01}, "price"),
        ({"price": -0.1}, "price"),
        ({"shares": 0}, "shares"),
        ({"shares": "1.0000001"}, "shares"),
        ({"shares": "1e12"}, "shares"),
        ({"feeUsd": -1}, "feeUsd"),
        ({"outcome": None}, "tokenId"),
        ({"tokenId": "70"}, "tokenId"),
        ({"at": "yesterday"}, "at"),
        ({"at": "2027-01-01T00:00:00Z"}, "at"),
        ({"trader": "0xshort"}, "trader"),
        ({"orderId": "a b c d e"}, "orderId"),
        ({"userId": "x"}, None),
    ],
)
async def test_what_cannot_be_is_named(api, world, changes, field):
    await world.market()
    status, _, named = error_of(await post(api, "orders", {**COPY, **changes}))
    assert status == 400
    assert field is None or named == field
    assert await world.run("SELECT 1 FROM orders") == []


@pytest.mark.parametrize(
    "changes", [{"conditionId": "0x" + "ab" * 32}, {"outcome": "Draw"}, {"outcome": None, "tokenId": "9"}]
)
async def test_outcomes_are_never_guessed(api, world, changes):
    await world.market()
    assert error_of(await post(api, "orders", {**COPY, **changes}))[:2] == (404, "unknown_outcome")


async def test_a_copy_is_closed_once_at_a_price(api, world):
    await world.market()
    order = (await post(api, "orders", {**COPY, "at": "2026-11-01T00:00:00Z"})).json()["orderId"]
    path = f"orders/{order}/close"
    assert error_of(await post(api, path, {"price": 0.9}, "bob"))[:2] == (404, "unknown_copy")
    assert error_of(await post(api, path, {"price": 2}))[::2] == (400, "price")
    assert (await post(api, path, {"price": 0.9, "at": "2026-11-02T10:00:00Z"})).json() == {
        "exitPrice": 0.9,
        "changed": True,
    }
    assert (await post(api, path, {"price": 0.9})).json() == {"exitPrice": 0.9, "changed": False}
    assert error_of(await post(api, path, {"price": 0.8})) == (409, "already_closed", "price")
    stats = await read(api, "stats")
    assert (stats["realizedPnl"], stats["closedPositions"], stats["winRate"]) == (5, 1, 1)
    assert (await read(api, "realized-pnl"))["daily"][-1]["date"] == "2026-11-02"
    [trade] = (await read(api, "trades"))["trades"]
    assert (trade["exitPrice"], trade["realizedPnl"], trade["pnlPct"]) == (0.9, 5, 125)


async def test_a_sale_is_not_closed_and_what_is_not_there_is_not_forgotten(api, world):
    await world.market()
    sale = (await post(api, "orders", {**COPY, "side": "SELL"})).json()["orderId"]
    assert error_of(await post(api, f"orders/{sale}/close", {"price": 0.9}))[:2] == (404, "unknown_copy")
    assert error_of(await post(api, f"orders/{sale}", token="bob", method="DELETE"))[:2] == (404, "unknown_copy")
    assert (await post(api, f"orders/{sale}", method="DELETE")).json() == {"changed": True}
    assert error_of(await post(api, f"orders/{sale}", method="DELETE"))[:2] == (404, "unknown_copy")


async def test_prices_are_refreshed_from_quotes_and_kept(api, world):
    await world.market()
    await world.copy()
    assert (await post(api, "refresh-prices")).json() == {"openTokens": 1, "quoted": 0, "changed": 0}
    quote(world, "0.45", "0.55")
    assert (await post(api, "refresh-prices")).json() == {"openTokens": 1, "quoted": 1, "changed": 1}
    assert (await post(api, "refresh-prices")).json() == {"openTokens": 1, "quoted": 1, "changed": 0}
    world.quotes.down = True
    [position] = (await read(api, "positions"))["positions"]
    assert (position["price"], position["priceSource"], position["priceAgeMs"]) == (0.55, "current_price", 1_500)
    [row] = await world.run("SELECT current_price FROM orders")
    assert row["current_price"] == D("0.55")


async def test_whether_traders_still_hold_is_told_by_their_last_snapshot(api, world):
    await world.copy()
    await world.copy(copied_trader_wallet=OTHER_TRADER)

    async def held():
        rows = (await post(api, "check-positions")).json()["positions"]
        return {row["trader"]: (row["stillHolds"], row["shares"], row["closedReason"]) for row in rows}

    assert await held() == {TRADER: (None, None, None), OTHER_TRADER: (None, None, None)}
    await world.run(HOLDS, TRADER)
    # Older than the copy: it says nothing.
    await world.run(SNAPSHOT, OTHER_TRADER, NOW_MS - 90_000)
    assert await held() == {TRADER: (True, 33, None), OTHER_TRADER: (None, None, None)}
    await world.run(SNAPSHOT, OTHER_TRADER, NOW_MS)
    await world.run(HELD, OTHER_TRADER)
    assert await held() == {TRADER: (True, 33, None), OTHER_TRADER: (False, None, "manual_close")}
    noted = [tuple(row)[:2] for row in await world.run(NOTED)]
    assert noted == [(True, 33), (False, 0)]
    assert world.quotes.asked == []


async def test_administrators_change_nothing_of_others(api, world):
    await world.market()
    order = (await post(api, "orders", COPY)).json()["orderId"]
    assert error_of(await post(api, f"orders/{order}/close", {"price": 1}, "admin"))[0] == 404
    assert error_of(await post(api, f"orders/{order}", token="admin", method="DELETE"))[0] == 404
    assert (await post(api, "check-positions?user=ann", token="admin")).json()["positions"][0]["trader"] == TRADER
