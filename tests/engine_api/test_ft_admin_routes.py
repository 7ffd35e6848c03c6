"""Whom strategies copy, and how much came, over HTTP."""

import attrs
import pytest
from engine_adapters.paper_worlds import StillClock
from engine_api.api_server import TOKEN, USER_ID, error_of, gate_of, principal, serving_routes
from engine_postgres.ft_world import ft_world

from engine.adapters.postgres.decision_market_store import PostgresDecisionMarkets
from engine.adapters.postgres.ft_report_store import PostgresFtReports
from engine.adapters.postgres.trader_record_store import PostgresTraderRecords
from engine.adapters.postgres.why_store import PostgresWhyStore
from engine.api.ft_admin_routes import ft_admin_routes
from protocols.strategies import TargetMode
from protocols.users import Scope

OTHER_ID = "00000000-0000-4000-8000-000000000002"
USERS = "INSERT INTO profiles (id, user_name) VALUES ($1::text::uuid, 'ann'), ($2::text::uuid, 'bob')"
BEARERS = {
    TOKEN: principal(Scope.READ),
    "bob": attrs.evolve(principal(Scope.READ, token_id="t2"), user_id=OTHER_ID, user_name="bob"),
    "admin": attrs.evolve(principal(*Scope, token_id="t3"), user_id=OTHER_ID, user_name="bob"),
}
PATH = "/api/ft/target-traders"


def wallets(*numbers):
    return tuple(f"0x{number:040x}" for number in numbers)


@pytest.fixture
async def world(database, aio):
    async with ft_world(database) as made:
        await made.run(USERS, USER_ID, OTHER_ID)
        yield made


@pytest.fixture
async def api(world):
    raw = world.connection
    routes = ft_admin_routes(
        reports=PostgresFtReports(connection=raw, clock=StillClock()), facts=PostgresWhyStore(raw),
        markets=PostgresDecisionMarkets(raw), records=PostgresTraderRecords(raw), settle_now=lambda: None,
        clock=StillClock(),
    )  # fmt: skip
    async with serving_routes(*routes, gate=gate_of(BEARERS)) as client:
        yield client


async def walked(api, token=TOKEN, limit=500):
    found, cursor = [], ""
    while cursor is not None:
        page = await api.get(f"{PATH}?limit={limit}{cursor}", token=token)
        assert page.status_code == 200, page.text
        found += page.json()["traders"]
        cursor = page.json()["nextCursor"] and f"&cursor={page.json()['nextCursor']}"
    return tuple(found)


async def test_everybody_sees_whom_his_own_strategies_copy(api, world):
    listed = {"target_mode": TargetMode.LIST}
    await world.strategy("MINE", USER_ID, **listed, target_traders=wallets(3, 1))
    await world.strategy("TOO", USER_ID, **listed, target_traders=wallets(1, 2))
    await world.strategy("THEIRS", OTHER_ID, **listed, target_traders=wallets(2, 9))
    assert await walked(api) == wallets(1, 2, 3)
    assert await walked(api, "bob") == wallets(2, 9)
    assert await walked(api, "admin", limit=1) == wallets(1, 2, 3, 9)


async def test_more_than_a_thousand_wallets_are_walked(api, world):
    everyone = wallets(*range(1, 2_502))
    await world.strategy("MINE", USER_ID, target_mode=TargetMode.LIST, target_traders=everyone)
    assert await walked(api) == everyone
    assert (await api.get(PATH)).json()["count"] == len(everyone)
    assert error_of(await api.get(PATH + "?cursor=x"))[::2] == (400, "cursor")


async def test_how_much_came_is_for_administrators(api, world):
    for method, path in (("GET", "/api/ft/stream-status"), ("POST", "/api/ft/resolve")):
        assert error_of(await api.ask(method, path))[:2] == (403, "forbidden")
    await world.strategy("MINE", USER_ID, target_mode=TargetMode.LIST, target_traders=wallets(1, 2))
    await world.buy("MINE")
    status = (await api.get("/api/ft/stream-status", token="admin")).json()
    assert (status["targetTraders"], status["openFtOrders"], status["decisionsLast24H"]) == (2, 1, 1)
    assert status["lastDecisionAt"] is not None
