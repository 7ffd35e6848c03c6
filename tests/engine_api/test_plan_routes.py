"""Replays of a change over HTTP: by whom, how many at once, and what is told of them. The process is a real one."""

import random
import time
from contextlib import asynccontextmanager
from decimal import Decimal

import attrs
import pytest
import trio
from engine_api.api_server import TOKEN, USER_ID, error_of, gate_of, principal, serving_routes
from engine_plan.plan_tapes import BEGAN_S, WALLETS, resolved, tape_row
from engine_plan.stored_trades import resolve, store_trades

from config.sources import ConfigInputs
from config.strategy_settings import settings_from
from engine import plan_desk
from engine.adapters.postgres.pool import open_pool
from engine.adapters.postgres.strategy_store import StrategyStore
from engine.api.plan_routes import plan_routes
from engine.plan.document import decode
from engine.plan_desk import PlanDesk
from engine.side_process import SideDesk
from protocols.users import Scope

OTHER_ID = "00000000-0000-4000-8000-000000000002"
USERS = "INSERT INTO profiles (id, user_name) VALUES ($1::text::uuid, 'ann'), ($2::text::uuid, 'bob')"
BOB = attrs.evolve(principal(Scope.READ, Scope.TRADE, token_id="t3"), user_id=OTHER_ID, user_name="bob")
BEARERS = {
    TOKEN: principal(Scope.READ, Scope.TRADE),
    "reader": principal(Scope.READ, token_id="t2"),
    "bob": BOB,
    "admin": attrs.evolve(BOB, token_id="t4", scopes=frozenset(Scope)),
}
SETTINGS = {
    "min_edge": None, "min_trader_resolved_count": 0, "target_mode": "list", "target_traders": [WALLETS[0]],
    "bet_size": "4", "price_max": "0.5",
}  # fmt: skip


@attrs.frozen
class World:
    api: object
    desk: PlanDesk

    async def begin(self, settings=None, name="B", token=TOKEN, **more):
        body = {"settings": {"price_max": "0.65"} if settings is None else settings, **more}
        return await self.api.ask("POST", f"/api/ft/wallets/{name}/plan", token=token, json=body)

    async def look(self, plan_id, token=TOKEN):
        return await self.api.get(f"/api/ft/plans/{plan_id}", token=token)

    async def until_ended(self, plan_id):
        with trio.fail_after(60):
            while (told := (await self.look(plan_id)).json())["state"] == "running":
                await trio.sleep(0.05)
        return told


@pytest.fixture
async def world(database, aio, monkeypatch):
    async with open_pool(database, "test", 4) as pool:
        await pool.run(lambda raw: raw.execute(USERS, USER_ID, OTHER_ID))
        store = StrategyStore(pool)
        for name, owner in (("B", USER_ID), ("OF_BOB", OTHER_ID)):
            await store.create([(name, settings_from(SETTINGS))], owner, "test")
        shift = int(time.time()) // 3600 * 3600 - 86_400 - BEGAN_S
        rows = [tape_row(n, shift + 60 * n, market=n, price=Decimal(f"0.{4 + 2 * n}")) for n in range(2)]
        await store_trades(pool, rows)
        await resolve(pool, [resolved(n, 0, shift + 3_600) for n in range(2)])
        config = ConfigInputs.of(environ={}, overrides={"database.url": database.dsn})
        desk = PlanDesk(side=SideDesk(config=config), rng=random.Random(1))
        async with trio.open_nursery() as nursery:
            await nursery.start(desk.run)
            async with serving_routes(*plan_routes(store, desk), gate=gate_of(BEARERS)) as client:
                yield World(client, desk)
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def hanging(monkeypatch):
    """Plans that do not end: the command says that it has begun, and waits."""
    with monkeypatch.context() as patch:
        patch.setattr(plan_desk, "arguments", lambda _days: ("simulator",))
        yield


async def test_a_change_is_replayed_and_nothing_is_saved(world):
    begun = (await world.begin(days=3, version=1)).json()
    assert (begun["state"], begun["walletId"], begun["days"], begun["plan"]) == ("running", "B", 3, None)
    told = await world.until_ended(begun["planId"])
    assert (told["state"], told["error"], told["played"], told["total"]) == ("done", None, 2, 2)
    [bot] = told["plan"]["bots"]
    [row] = bot["trades"]
    assert (row["kind"], row["refusal"]["reason"], row["after"]["result"]) == ("added", "price_out_of_range", "WON")
    assert bot["changes"] == [{"name": "price_max", "old": "0.5", "new": "0.65"}]
    raw = (await world.look(begun["planId"])).content
    assert decode(raw[raw.index(b'"plan":') + 7 : -1]).bots[0].wallet_id == "B"
    assert (await world.begin(version=1)).status_code == 200


async def test_wrong_settings_are_all_told_and_other_versions_are_refused(world):
    wrong = await world.begin({"price_max": "7", "bet_sise": 1})
    assert error_of(wrong)[:2] == (400, "bad_request")
    assert {one["field"] for one in wrong.json()["error"]["problems"]} == {"settings.price_max", "settings.bet_sise"}
    assert error_of(await world.begin(version=2)) == (409, "version_conflict", "version")
    assert error_of(await world.begin({"bet_size": 4})) == (400, "bad_request", "settings")
    for days in (0, 31, "7"):
        assert error_of(await world.begin(days=days))[0] == 400
    assert error_of(await world.begin(name="NONE"))[:2] == (404, "unknown_strategy")


async def test_a_plan_needs_the_scope_and_is_only_told_to_whoever_asked(world):
    assert (await world.begin(token="reader")).status_code == 403
    assert error_of(await world.begin(name="OF_BOB"))[:2] == (404, "unknown_strategy")
    begun = (await world.begin(token="admin")).json()
    assert (await world.look(begun["planId"], token="bob")).status_code == 200  # the same user by another token
    assert error_of(await world.look(begun["planId"]))[:2] == (404, "unknown_plan")
    delete = await world.api.ask("DELETE", f"/api/ft/plans/{begun['planId']}")
    assert error_of(delete)[:2] == (404, "unknown_plan")
    assert error_of(await world.look("0" * 16))[:2] == (404, "unknown_plan")
    assert (await world.look("../x")).status_code in (400, 404)


async def test_one_at_a_time_for_a_user_two_in_all_and_ended_when_asked(world, monkeypatch):
    async with hanging(monkeypatch):
        own = (await world.begin()).json()
        assert error_of(await world.begin())[:2] == (409, "plan_running")
        other = (await world.begin(name="OF_BOB", token="bob")).json()
        with pytest.raises(plan_desk.PlanBusyError):
            world.desk.begin("third", "C", settings_from(SETTINGS), 7)
        assert (await world.look(own["planId"])).json()["state"] == "running"
        ended = await world.api.ask("DELETE", f"/api/ft/plans/{own['planId']}")
        assert ended.json() == {"planId": own["planId"]}
        assert (await world.look(own["planId"])).status_code == 404
        with trio.fail_after(20):
            while len(world.desk.side.running) > 1:
                await trio.sleep(0.01)
    again = (await world.begin()).json()
    assert (await world.until_ended(again["planId"]))["state"] == "done"
    assert (await world.look(other["planId"], token="bob")).json()["state"] == "running"


async def test_when_training_and_a_search_run_nobody_plans(world):
    world.desk.side.together_max = 0
    busy = await world.begin()
    assert error_of(busy)[:2] == (429, "busy")
    assert int(busy.headers["retry-after"]) == 10


async def test_why_a_plan_was_not_made_is_told(world):
    begun = (await world.begin({"target_traders": [WALLETS[4]], "is_active": False, "price_max": "0.1"})).json()
    assert (await world.until_ended(begun["planId"]))["state"] == "done"
    monkey = plan_desk.TIMEOUT_S
    try:
        plan_desk.TIMEOUT_S = 0.05
        begun = (await world.begin()).json()
        told = await world.until_ended(begun["planId"])
    finally:
        plan_desk.TIMEOUT_S = monkey
    assert (told["state"], told["error"]) == ("failed", "it took longer than 0.05 s and was ended")


async def test_of_each_user_the_last_plan_is_kept_and_few_in_all(world):
    desk = world.desk
    first = (await world.begin()).json()["planId"]
    await world.until_ended(first)
    second = (await world.begin()).json()["planId"]
    await world.until_ended(second)
    assert desk.find(first, USER_ID) is None
    job = desk.find(second, USER_ID)
    job.changed_s -= plan_desk.KEPT_S + 1
    assert desk.find(second, USER_ID) is None
