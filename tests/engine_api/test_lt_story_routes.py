"""Traces, execution quality and settings of live trading over HTTP, and lists of obligations in pages."""

import json

import pytest
from engine_api.api_server import USER_ID, error_of, gate_of, serving_routes
from engine_api.live_server import BEARERS, LOG, ORDER, OTHER_ID, PATH, USERS, Passes, make, routes_of

from config.live_settings import FIELDS, live_document_of
from engine.adapters.postgres.live_report_store import LiveReportStore
from engine.adapters.postgres.live_story_store import LiveStoryStore
from engine.adapters.postgres.pool import open_pool
from engine.adapters.postgres.strategy_store import StrategyStore
from engine.adapters.system_clock import SystemClock
from engine.api.lt_story_routes import lt_story_routes
from engine.api.lt_strategy_routes import RISK_FIELDS
from engine.api.openapi import openapi_document
from protocols.live.settings import LiveSettings
from protocols.strategies import StrategySettings

EXITS = """
INSERT INTO lt_exits (exit_id, strategy_id, cause, kind, condition_id, token_id, share, signal_price, signal_at, deadline_at,
    next_try_at, created_at, status)
SELECT gen_random_uuid(), 'LT_BOT', 'sale ' || n, 'trader_sell', 'c', 't', 1, 0.5, now(), now(), now(),
    '2026-01-01T00:00:00Z'::timestamptz + n / 3 * interval '1 microsecond', CASE WHEN n % 2 = 0 THEN 'OPEN' ELSE 'DONE' END
FROM generate_series(1, $1::integer) AS n
"""


@pytest.fixture
async def pool(database, aio):
    async with open_pool(database, "test", 4) as made:
        await made.run(lambda raw: raw.execute(USERS, USER_ID, OTHER_ID))
        await StrategyStore(made).create([("BOT", StrategySettings())], USER_ID, "test")
        yield made


def story_routes(pool):
    return lt_story_routes(LiveStoryStore(pool), LiveReportStore(pool), SystemClock())


@pytest.fixture
async def api(pool):
    routes = [*routes_of(pool, Passes()), *story_routes(pool)]
    async with serving_routes(*routes, gate=gate_of(BEARERS)) as client:
        yield client


async def test_a_trace_is_told_to_its_owner_and_to_administrators(api, pool):
    await make(api)
    await pool.run(lambda raw: raw.execute(ORDER, "LT_BOT", 2))
    await pool.run(lambda raw: raw.execute(LOG, "LT_BOT"))
    [first, _] = [one["orderId"] for one in reversed((await api.get("/api/lt/orders")).json()["orders"])]
    for token in (None, "admin"):
        options = {"token": token} if token else {}
        found = (await api.get(f"/api/lt/trace/{first}", **options)).json()
        assert [one["orderId"] for one in found["orders"]] == [first]
        assert (found["orders"][0]["signalAt"] is None, found["orders"][0]["placedAt"]) == (False, None)
    assert error_of(await api.get(f"/api/lt/trace/{first}", token="bob")) == (404, "unknown_trace", None)
    assert error_of(await api.get("/api/lt/trace/nothing"))[:2] == (404, "unknown_trace")
    assert error_of(await api.get("/api/lt/trace/no%20spaces"))[::2] == (400, "traceId")


async def test_performance_is_ones_own(api):
    await make(api)
    found = (await api.get(f"{PATH}/LT_BOT/performance")).json()
    assert (found["days"], found["quality"]["entries"], found["quality"]["filledShare"]) == ([], 0, None)
    assert error_of(await api.get(f"{PATH}/LT_BOT/performance", token="bob"))[:2] == (404, "unknown_strategy")
    assert error_of(await api.get(f"{PATH}/LT_NONE/performance"))[:2] == (404, "unknown_strategy")


async def test_every_setting_is_described_with_its_range(api):
    found = (await api.get("/api/lt/settings", token="reader")).json()
    rows = {row["name"]: row for row in found["settings"]}
    assert {name: row["default"] for name, row in rows.items()} == live_document_of(LiveSettings())
    assert found["riskRules"] == list(RISK_FIELDS)
    for name, field in FIELDS.items():
        row, rule = rows[name], field.metadata
        assert row["atLeast"] == rule.get("low")
        assert row["atMost"] == rule.get("high")
        assert row["mayBeOff"] is rule.get("optional", False)
    assert sorted(rows["order_type"]["options"]) == ["FAK", "FOK", "GTC", "GTD"]


async def test_obligations_are_walked_whole(api, pool):
    await make(api)
    await pool.run(lambda raw: raw.execute(EXITS, 20))
    for which, count in (("all", 20), ("open", 10)):
        found, cursor = [], ""
        while cursor is not None:
            page = (await api.get(f"/api/lt/exits?which={which}&limit=3{cursor}")).json()
            found += [one["exitId"] for one in page["exits"]]
            cursor = page["nextCursor"] and f"&cursor={page['nextCursor']}"
        assert len(found) == len(set(found)) == count
    assert error_of(await api.get("/api/lt/exits?cursor=x"))[::2] == (400, "cursor")


async def test_every_route_is_in_the_document(pool):
    document = json.loads(openapi_document(story_routes(pool)))
    assert set(document["paths"]) == {route.path for route in story_routes(pool)}
    pytest.importorskip("openapi_spec_validator").validate(document)
