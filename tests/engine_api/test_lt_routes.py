"""Live strategies over HTTP: made, changed, stopped and looked at, by whom they belong to."""

import json
from datetime import UTC, datetime

import pytest
from engine_api.api_server import TOKEN, USER_ID, error_of, gate_of, serving_routes
from engine_api.live_server import ACCOUNTS, BEARERS, LOG, ORDER, OTHER_ID, PATH, USERS, Passes, make, post, routes_of

from engine.adapters.postgres.pool import open_pool
from engine.adapters.postgres.strategy_store import StrategyStore
from engine.api.openapi import openapi_document
from protocols.strategies import StrategySettings


@pytest.fixture
async def pool(database, aio):
    async with open_pool(database, "test", 4) as made:
        await made.run(lambda raw: raw.execute(USERS, USER_ID, OTHER_ID))
        await StrategyStore(made).create([("BOT", StrategySettings()), ("TOO", StrategySettings())], USER_ID, "test")
        yield made


@pytest.fixture
def passes():
    return Passes()


@pytest.fixture
async def api(pool, passes):
    async with serving_routes(*routes_of(pool, passes), gate=gate_of(BEARERS)) as client:
        yield client


async def test_a_live_strategy_begins_paused_with_its_capital_and_settings(api):
    made = (await make(api, settings={"max_position_size_usd": "7.50"})).json()
    assert made["strategy"]["strategyId"] == "LT_BOT"
    assert (made["strategy"]["isPaused"], made["strategy"]["isActive"]) == (True, True)
    assert (made["strategy"]["available"], made["strategy"]["locked"]) == (100, 0)
    assert made["settings"]["max_position_size_usd"] == "7.5"
    assert (await api.get(PATH + "/LT_BOT")).json() == made
    assert (await api.get(PATH)).json()["strategies"] == [made["strategy"]]
    assert error_of(await make(api))[:2] == (409, "strategy_exists")


async def test_nobody_trades_with_an_account_of_somebody_else_not_even_an_administrator(api):
    for token, account in (("bob", "main"), ("admin", "main"), (TOKEN, "bobs"), (TOKEN, "none")):
        assert error_of(await make(api, token=token, account=account)) == (404, "unknown_account", "account")
    assert error_of(await make(api, token="reader"))[:2] == (403, "forbidden")
    assert (await api.get(PATH, token="admin")).json() == {"strategies": []}


@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("capitalUsd", {"capitalUsd": 0}),
        ("capitalUsd", {"capitalUsd": -5}),
        ("capitalUsd", {"capitalUsd": "1.005"}),
        ("capitalUsd", {"capitalUsd": 1e12}),
        ("settings.nonsense", {"settings": {"nonsense": 1}}),
        ("settings.order_type", {"settings": {"order_type": "SOON"}}),
    ],
)
async def test_what_cannot_be_is_named_and_nothing_is_made(api, field, body):
    status, _, named = error_of(await make(api, **body))
    assert (status, named) == (400, field)
    assert (await api.get(PATH)).json() == {"strategies": []}


async def test_a_mirror_of_nothing_is_refused(api):
    assert error_of(await make(api, bot="NOBODY"))[:2] == (404, "unknown_strategy")


async def test_what_belongs_to_another_user_is_not_there_for_him_and_is_there_for_administrators(api):
    await make(api)
    calls = [("GET", ""), ("GET", "/risk"), ("GET", "/orders"), ("DELETE", ""), ("POST", "/pause"), ("POST", "/resume"),
             ("POST", "/clear-breaker")]  # fmt: skip
    calls_with_body = [("PATCH", "", {"settings": {}}), ("PATCH", "/risk", {"settings": {}}),
                       ("POST", "/capital", {"deltaUsd": 1}), ("POST", "/flatten", {"confirm": True})]  # fmt: skip
    for method, path in calls:
        assert error_of(await api.ask(method, f"{PATH}/LT_BOT{path}", token="bob"))[0] == 404
        if method != "DELETE":
            assert (await api.ask(method, f"{PATH}/LT_BOT{path}", token="admin")).status_code == 200
    for method, path, body in calls_with_body:
        assert error_of(await api.ask(method, f"{PATH}/LT_BOT{path}", token="bob", json=body))[0] == 404
        assert error_of(await api.ask(method, f"{PATH}/LT_BOT{path}", token="reader", json=body))[0] == 403
    shown = (await api.get(PATH + "/LT_BOT")).json()
    assert (shown["strategy"]["isActive"], shown["strategy"]["available"]) == (True, 100)


async def test_a_change_that_was_thought_out_for_another_version_is_refused(api):
    version = (await make(api)).json()["strategy"]["version"]
    body = {"settings": {"daily_budget_usd": "9"}, "version": version}
    changed = (await api.ask("PATCH", PATH + "/LT_BOT", json=body)).json()
    assert (changed["settings"]["daily_budget_usd"], changed["strategy"]["version"]) == ("9", version + 1)
    assert error_of(await api.ask("PATCH", PATH + "/LT_BOT", json=body)) == (409, "version_conflict", "version")


async def test_risk_rules_are_changed_alone_and_null_turns_one_off(api):
    await make(api)
    risk = PATH + "/LT_BOT/risk"
    changed = (
        await api.ask("PATCH", risk, json={"settings": {"daily_budget_usd": 0, "max_price_rise_pct": None}})
    ).json()
    assert "rules" in changed, changed
    assert (changed["rules"]["daily_budget_usd"], changed["rules"]["max_price_rise_pct"]) == ("0", None)
    assert (await api.get(risk)).json() == changed
    refused = await api.ask("PATCH", risk, json={"settings": {"copy_sells": False}})
    assert error_of(refused)[::2] == (400, "settings.copy_sells")
    assert (await api.get(PATH + "/LT_BOT")).json()["settings"]["copy_sells"] is True


async def test_pause_resume_and_archive_say_whether_something_is_different(api):
    await make(api)
    one = PATH + "/LT_BOT"
    assert (await post(api, one + "/pause")).json() == {"changed": False}
    assert (await post(api, one + "/resume")).json() == {"changed": True}
    assert (await api.get(one)).json()["strategy"]["isPaused"] is False
    assert (await post(api, one + "/pause")).json() == {"changed": True}
    assert [(await api.ask("DELETE", one)).json()["changed"] for _ in range(2)] == [True, False]
    assert error_of(await post(api, one + "/resume"))[:2] == (409, "archived")


async def test_only_what_is_available_can_be_taken(api):
    await make(api)
    one = PATH + "/LT_BOT/capital"
    given = (await post(api, one, json={"deltaUsd": "20.50", "reason": "more"})).json()["strategy"]
    assert (given["available"], given["initial"]) == (120.5, 120.5)
    assert error_of(await post(api, one, json={"deltaUsd": -120.51}))[:2] == (409, "capital_conflict")
    assert (await post(api, one, json={"deltaUsd": -120.5})).json()["strategy"]["available"] == 0


async def test_flattening_needs_a_yes_and_pauses(api, pool):
    await make(api)
    one = PATH + "/LT_BOT"
    await post(api, one + "/resume")
    await pool.run(lambda raw: raw.execute(ORDER, "LT_BOT", 2))
    assert error_of(await post(api, one + "/flatten", json={"confirm": False}))[::2] == (400, "confirm")
    assert (await api.get(one)).json()["strategy"]["isPaused"] is False
    assert (await post(api, one + "/flatten", json={"confirm": True})).json() == {"exits": 1}
    assert (await api.get(one)).json()["strategy"]["isPaused"] is True
    [exit_] = (await api.get("/api/lt/exits?strategyId=LT_BOT")).json()["exits"]
    assert (exit_["kind"], exit_["status"], exit_["overdue"]) == ("flatten", "OPEN", False)
    assert (await api.get("/api/lt/exits", token="bob")).json()["exits"] == []


async def test_orders_are_walked_whole_and_only_by_whom_they_belong_to(api, pool):
    await make(api)
    await pool.run(lambda raw: raw.execute(ORDER, "LT_BOT", 8))
    found, cursor = [], ""
    while cursor is not None:
        page = (await api.get(f"/api/lt/orders?limit=3{cursor}")).json()
        found += [order["orderId"] for order in page["orders"]]
        cursor = page["nextCursor"] and f"&cursor={page['nextCursor']}"
    assert len(found) == len(set(found)) == 8
    of_one = (await api.get(PATH + "/LT_BOT/orders?status=PARTIAL&limit=8")).json()
    assert [order["orderId"] for order in of_one["orders"]] == found
    assert of_one["nextCursor"] is None
    assert (await api.get("/api/lt/orders?status=LOST")).json()["orders"] == []
    assert len((await api.get("/api/lt/orders?state=working")).json()["orders"]) == 8
    assert (await api.get("/api/lt/orders?state=ended")).json()["orders"] == []
    assert (await api.get("/api/lt/orders", token="bob")).json()["orders"] == []
    assert len((await api.get("/api/lt/orders", token="admin")).json()["orders"]) == 8
    assert error_of(await api.get("/api/lt/orders?cursor=x"))[::2] == (400, "cursor")
    [position] = (await api.get("/api/lt/positions")).json()["positions"]
    assert (position["shares"], position["costUsd"], position["lots"]) == (32, 16, 8)


async def test_lines_of_logs_are_filtered_and_paged(api, pool):
    await make(api)
    await pool.run(lambda raw: raw.execute(LOG, "LT_BOT"))
    page = (await api.get("/api/lt/logs?limit=4")).json()
    rest = (await api.get(f"/api/lt/logs?limit=4&before={page['nextBefore']}")).json()
    assert [line["traceId"] for line in page["lines"] + rest["lines"]] == [f"trace {n}" for n in range(6, 0, -1)]
    assert rest["nextBefore"] is None
    assert len((await api.get("/api/lt/logs?prefix=SELL")).json()["lines"]) == 2
    assert len((await api.get("/api/lt/logs?level=warn&stage=RISK_CHECK")).json()["lines"]) == 3
    assert [one["traceId"] for one in (await api.get("/api/lt/logs?text=ell%20I")).json()["lines"]] == [
        "trace 2",
        "trace 1",
    ]
    assert (await api.get("/api/lt/logs?text=%25")).json()["lines"] == []
    assert error_of(await api.get("/api/lt/logs?text="))[::2] == (400, "text")
    order_id = "00000000-0000-4000-8000-00000000000a"
    await pool.run(
        lambda raw: raw.execute("UPDATE lt_execute_logs SET lt_order_id = $1 WHERE trace_id = 'trace 2'", order_id)
    )
    of_order = (await api.get(f"/api/lt/logs?orderId={order_id}")).json()["lines"]
    assert [line["traceId"] for line in of_order] == ["trace 2"]
    assert error_of(await api.get("/api/lt/logs?orderId=x"))[::2] == (400, "orderId")
    later = datetime.now(UTC).timestamp() + 600
    assert (await api.get(f"/api/lt/logs?since={later:.0f}")).json()["lines"] == []
    assert (await api.get("/api/lt/logs", token="bob")).json()["lines"] == []


async def test_a_halt_is_for_administrators_and_says_who_and_why(api):
    assert error_of(await post(api, "/api/lt/halt", json={"reason": "odd"}))[:2] == (403, "forbidden")
    status = (await api.get("/api/lt/status")).json()
    assert (status["isTrading"], status["halt"], status["ownAccounts"]) == (True, None, ["main"])
    assert status["switches"] == {"enabled": True, "started": False}
    assert (await post(api, "/api/lt/halt", "admin", json={"reason": "odd fills"})).json() == {"changed": True}
    assert (await post(api, "/api/lt/halt", "admin", json={"reason": "again"})).json() == {"changed": False}
    halt = (await api.get("/api/lt/status")).json()["halt"]
    assert (halt["haltedBy"], halt["haltedReason"]) == ("bob", "odd fills")
    assert error_of(await post(api, "/api/lt/unhalt", "admin", json={"confirm": False}))[::2] == (400, "confirm")
    assert (await post(api, "/api/lt/unhalt", "admin", json={"confirm": True})).json() == {"changed": True}
    assert (await api.get("/api/lt/status")).json()["halt"] is None


async def test_accounts_of_others_are_not_shown(api, pool):
    report = "INSERT INTO lt_reconciliations (account, at, collateral_usd, report) VALUES ($1, now(), 5, '{}')"
    for account in ACCOUNTS:
        await pool.run(lambda raw, account=account: raw.execute(report, account))
    assert [one["account"] for one in (await api.get("/api/lt/status")).json()["accounts"]] == ["main"]
    everything = (await api.get("/api/lt/status", token="admin")).json()["accounts"]
    assert [one["account"] for one in everything] == ["bobs", "main"]


async def test_passes_are_made_now_by_an_engine_that_trades_and_refused_by_another(api, passes):
    for path in ("/api/lt/sync-order-status", "/api/lt/resolve", "/api/lt/execute"):
        assert error_of(await post(api, path))[:2] == (403, "forbidden")
        assert (await post(api, path, "admin")).json() == {"changed": True}
    assert passes.done == ["compare", "settle", "look"]
    passes.running = False
    assert error_of(await post(api, "/api/lt/execute", "admin"))[:2] == (503, "unavailable")
    assert error_of(await post(api, "/api/lt/resolve", "admin"))[:2] == (503, "unavailable")
    assert (await api.get("/api/lt/status")).json()["isTrading"] is False


async def test_every_route_is_in_the_document(pool, passes):
    routes = routes_of(pool, passes)
    document = json.loads(openapi_document(routes))
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert described == {(route.method, route.path) for route in routes}
    pytest.importorskip("openapi_spec_validator").validate(document)
