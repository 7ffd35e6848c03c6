"""Switching auto-close on and off over HTTP, and with an order: one's own accounts only."""

import json

import attrs
import pytest
from engine_api.api_server import TOKEN, USER_ID, error_of, gate_of, principal, serving_routes
from engine_api.test_manual_order_routes import WANTED, Desk

from engine.adapters.postgres.auto_close_store import AutoCloseStore
from engine.adapters.postgres.pool import open_pool
from engine.api.auto_close_routes import auto_close_routes
from engine.api.manual_order_routes import manual_order_routes
from engine.api.openapi import openapi_document
from protocols.users import Scope

PATH = "/api/polymarket/orders"
TRADER = "0x" + "1" * 40
ADMIN = attrs.evolve(principal(*Scope, token_id="t2"), user_name="boss")
BEARERS = {TOKEN: principal(Scope.READ, Scope.TRADE), "reader": principal(Scope.READ, token_id="t3"), "admin": ADMIN}
SWITCH = {"account": "main", "copiedTrader": TRADER, "tokenId": "77", "enabled": True}


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
async def api(database, aio, desk):
    accounts = {"main": "ann", "bobs": "bob"}
    async with open_pool(database, "test", 2) as pool:
        await pool.run(lambda raw: raw.execute("INSERT INTO profiles (id, user_name) VALUES ($1, 'ann')", USER_ID))
        routes = [*auto_close_routes(AutoCloseStore(pool), accounts), *manual_order_routes(lambda: desk, accounts)]
        described = json.loads(openapi_document(routes))["paths"]
        assert sum(len(methods) for methods in described.values()) == len(routes)
        async with serving_routes(*routes, gate=gate_of(BEARERS)) as client:
            yield client


async def listed(api):
    return [
        (one["account"], one["copiedTrader"], one["tokenId"], one["slippagePct"])
        for one in (await api.get(PATH + "/auto-close")).json()["autoCloses"]
    ]


async def test_it_is_switched_on_changed_and_off(api):
    switch = lambda **changes: api.ask("POST", PATH + "/auto-close", json={**SWITCH, **changes})  # noqa: E731
    assert (await switch()).json() == {"changed": True}
    assert await listed(api) == [("main", TRADER, "77", 2)]
    await switch(slippagePct=3.5)
    assert await listed(api) == [("main", TRADER, "77", 3.5)]
    assert [(await switch(enabled=False)).json()["changed"] for _ in range(2)] == [True, False]
    assert await listed(api) == []


@pytest.mark.parametrize(
    ("changes", "token", "refusal"),
    [
        ({"account": "bobs"}, TOKEN, (404, "unknown_account", "account")),
        ({}, "admin", (404, "unknown_account", "account")),
        ({}, "reader", (403, "forbidden", None)),
        ({"slippagePct": 101}, TOKEN, (400, "bad_request", "slippagePct")),
        ({"slippagePct": -1}, TOKEN, (400, "bad_request", "slippagePct")),
        ({"slippagePct": 1.23456}, TOKEN, (400, "bad_request", "slippagePct")),
        ({"copiedTrader": "0x1"}, TOKEN, (400, "bad_request", "copiedTrader")),
    ],
)
async def test_what_is_not_ones_own_or_makes_no_sense_is_refused(api, changes, token, refusal):
    assert error_of(await api.ask("POST", PATH + "/auto-close", json={**SWITCH, **changes}, token=token)) == refusal
    assert await listed(api) == []


async def test_an_order_that_copies_takes_it_along(api, desk):
    for number, more in enumerate(({}, {"autoClose": True}, {"autoClose": True, "autoCloseSlippagePct": 4})):
        body = {**WANTED, "orderIntentId": f"intent-{number:04}", "copiedTrader": TRADER, **more}
        assert (await api.ask("POST", PATH + "/place", json=body)).status_code == 200
    assert [order.auto_close_pct for order, _ in desk.by_key.values()] == [None, 2, 4]


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"autoClose": True}, "autoClose"),
        ({"autoClose": True, "copiedTrader": TRADER, "side": "SELL"}, "autoClose"),
        ({"autoCloseSlippagePct": 200, "copiedTrader": TRADER}, "autoCloseSlippagePct"),
    ],
)
async def test_an_order_that_copies_nobody_cannot(api, desk, more, field):
    assert error_of(await api.ask("POST", PATH + "/place", json={**WANTED, **more})) == (400, "bad_request", field)
    assert desk.by_key == {}
