"""Orders by hand in pages and what an account has, over HTTP: everything of one's own, nothing of others."""

import json
from functools import partial

import attrs
import pytest
from engine_api.api_server import TOKEN, error_of, gate_of, principal, serving_routes

from engine.adapters.postgres.live_report_store import LiveReportStore
from engine.adapters.postgres.pool import open_pool
from engine.api.manual_list_routes import manual_list_routes
from engine.api.openapi import openapi_document
from protocols.users import Scope

BOB = attrs.evolve(principal(Scope.READ, Scope.TRADE, token_id="t3"), user_name="bob")
BEARERS = {
    TOKEN: principal(Scope.READ, Scope.TRADE),
    "reader": principal(Scope.READ, token_id="t2"),
    "bob": BOB,
    "admin": attrs.evolve(BOB, token_id="t4", scopes=frozenset(Scope)),
}
# Three of them share each time, so that pages end between equals.
ORDER = """
INSERT INTO lt_orders (lt_order_id, strategy_id, account, cause, attempt, origin, part, side, condition_id, token_id,
    signal_price, signal_at, decided_at, order_hash, signed_body, size_shares, lock_usd, limit_price, status, filled_shares,
    filled_usd, shares_open, cost_open, outcome, created_at)
SELECT gen_random_uuid(), $1, 'main', 'cause ' || n, 1, 'manual', 'now', 'BUY', 'c', 't', 0.5, now(), now(),
    '0x' || lpad(to_hex(n), 64, '0'), 'x', 10, 5, 0.5, 'PARTIAL', 4, 2, 4, 2, 'OPEN',
    '2026-01-01T00:00:00Z'::timestamptz + n / 3 * interval '1 microsecond'
FROM generate_series($2::integer, $3::integer) AS n
"""


async def insert(strategy_id, first, last, raw):
    return await raw.execute(ORDER, strategy_id, first, last)


@pytest.fixture
async def pool(database, aio):
    async with open_pool(database, "test", 2) as made:
        yield made


@pytest.fixture
async def api(pool):
    routes = manual_list_routes(LiveReportStore(pool), lambda: None, {"main": "ann", "bobs": "bob"})
    described = json.loads(openapi_document(routes))["paths"]
    assert sum(len(methods) for methods in described.values()) == len(routes)
    async with serving_routes(*routes, gate=gate_of(BEARERS)) as client:
        yield client


async def test_orders_by_hand_are_walked_whole_apart_from_those_of_strategies(api, pool):
    for strategy_id, first, last in (("LT_BOT", 1, 1), ("manual:main", 2, 8), ("manual:bobs", 9, 9)):
        await pool.run(partial(insert, strategy_id, first, last))
    all_of, found, cursor = "/api/polymarket/orders/all?account=main", [], ""
    while cursor is not None:
        page = (await api.get(f"{all_of}&limit=3{cursor}")).json()
        found += [(order["orderId"], order["strategyId"]) for order in page["orders"]]
        cursor = page["nextCursor"] and f"&cursor={page['nextCursor']}"
    assert len(found) == len(set(found)) == 7
    assert {strategy_id for _, strategy_id in found} == {"manual:main"}
    assert (await api.get(f"{all_of}&status=LOST")).json()["orders"] == []
    for token in ("bob", "admin"):
        assert error_of(await api.get(all_of, token=token)) == (404, "unknown_account", "account")
    assert error_of(await api.get(all_of, token="reader"))[:2] == (403, "forbidden")


async def test_a_balance_is_what_the_venue_said_last_and_nobody_elses(api, pool):
    path = "/api/polymarket/orders/balance?account=main"
    nothing = {"account": "main", "collateralUsd": None, "at": None, "spendableUsd": None}
    assert (await api.get(path)).json() == nothing
    report = "INSERT INTO lt_reconciliations (account, at, collateral_usd, report) VALUES ('main', now(), 5.25, '{}')"
    await pool.run(lambda raw: raw.execute(report))
    found = (await api.get(path)).json()
    assert (found["collateralUsd"], found["spendableUsd"]) == (5.25, None)
    assert found["at"] is not None
    assert error_of(await api.get(path, token="admin"))[:2] == (404, "unknown_account")
