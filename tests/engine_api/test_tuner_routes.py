"""Proposals of the tuner over HTTP: seen and decided by whom they concern, once."""

import attrs
import pytest
from engine_api.api_server import TOKEN, USER_ID, error_of, gate_of, principal, serving_routes
from engine_postgres.tuner_world import TunerWorld

from config.strategy_settings import settings_from
from engine.adapters.postgres.pool import open_pool
from engine.api.tuner_routes import tuner_routes
from protocols.users import Scope

OTHER_ID = "00000000-0000-4000-8000-000000000002"
PATH = "/api/tuner/proposals"
USERS = "INSERT INTO profiles (id, user_name) VALUES ($1::text::uuid, 'ann'), ($2::text::uuid, 'bob')"
BOB = attrs.evolve(principal(Scope.READ, Scope.TRADE, token_id="t3"), user_id=OTHER_ID, user_name="bob")
BEARERS = {
    TOKEN: principal(Scope.READ, Scope.TRADE),
    "reader": principal(Scope.READ, token_id="t2"),
    "bob": BOB,
    "admin": attrs.evolve(BOB, scopes=frozenset(Scope), token_id="t4"),
}


@pytest.fixture
async def world(database, aio):
    async with open_pool(database, "test", 4) as pool:
        await pool.run(lambda raw: raw.execute(USERS, USER_ID, OTHER_ID))
        yield TunerWorld(pool)


@pytest.fixture
async def api(world):
    async with serving_routes(*tuner_routes(world.reports, world.store), gate=gate_of(BEARERS)) as client:
        yield client


async def proposed(world, name="A", owner=USER_ID):
    settings = settings_from({"agent_managed": True, "price_min": "0.1"})
    await world.strategies.create([(name, settings)], owner, "ann")
    world.search.findings[name] = {"price_min": "0.3"}
    await world.run()
    return (await world.proposals(wallet_id=name))[0].proposal_id


async def test_a_proposal_is_answered_with_its_evidence(api, world):
    number = await proposed(world)
    [one] = (await api.get(PATH, params={"state": "waiting"})).json()["proposals"]
    assert one == (await api.get(f"{PATH}/{number}")).json()
    assert (one["walletId"], one["status"], one["kind"], one["owner"]) == ("A", "WAITING", "change", "ann")
    assert (one["before"], one["after"]) == ({"price_min": "0.1"}, {"price_min": "0.3"})
    evidence = one["evidence"]
    assert (evidence["tries"], evidence["seed"], evidence["validation"]["before"]["orders"]) == (90, 1, 100)
    assert (one["evaluation"], one["mirrored"], one["appliesItself"]) == (None, False, False)
    assert (await api.get(PATH, params={"state": "decided"})).json() == {"proposals": [], "nextCursor": None}


async def test_only_its_owner_and_administrators_see_and_decide_it(api, world):
    number = await proposed(world, owner=OTHER_ID)
    assert (await api.get(PATH)).json()["proposals"] == []
    assert (await api.get("/api/tuner/notes")).json()["notes"] == []
    for method, path in (("GET", ""), ("POST", "/approve"), ("POST", "/reject")):
        options = {"json": {}} if path == "/reject" else {}
        refused = await api.ask(method, f"{PATH}/{number}{path}", **options)
        assert error_of(refused)[:2] == (404, "unknown_proposal")
    assert len((await api.get(PATH, token="bob")).json()["proposals"]) == 1
    assert len((await api.get(PATH, token="admin")).json()["proposals"]) == 1
    assert (await api.ask("POST", f"{PATH}/{number}/approve", token="admin")).json()["decidedBy"] == "bob"


async def test_deciding_needs_the_scope_trade(api, world):
    number = await proposed(world)
    for path, options in (("approve", {}), ("reject", {"json": {}})):
        assert (await api.ask("POST", f"{PATH}/{number}/{path}", token="reader", **options)).status_code == 403
    assert (await api.get(f"{PATH}/{number}", token="reader")).json()["status"] == "WAITING"


async def test_it_is_approved_once_and_makes_a_version(api, world):
    number = await proposed(world)
    done = (await api.ask("POST", f"{PATH}/{number}/approve")).json()
    assert (done["status"], done["appliedVersion"], done["decidedBy"]) == ("APPLIED", 2, "ann")
    assert (await world.settings("A"))["price_min"] == "0.3"
    assert error_of(await api.ask("POST", f"{PATH}/{number}/approve"))[:2] == (409, "decided_already")
    assert error_of(await api.ask("POST", f"{PATH}/{number}/reject", json={}))[:2] == (409, "decided_already")
    [note] = [one for one in (await api.get("/api/tuner/notes")).json()["notes"] if one["kind"] == "hypothesis"]
    assert (note["outcome"], note["proposalId"]) == ("APPLIED", number)


async def test_what_no_longer_fits_is_refused_with_the_reason(api, world):
    number = await proposed(world)
    await world.change("A", bet_size=3)
    refused = await api.ask("POST", f"{PATH}/{number}/approve")
    assert error_of(refused)[:2] == (409, "proposal_refused")
    assert "bet_size" in refused.text
    assert (await api.get(f"{PATH}/{number}")).json()["status"] == "REFUSED"


async def test_a_reason_goes_with_a_rejection(api, world):
    number = await proposed(world)
    assert (await api.ask("POST", f"{PATH}/{number}/reject", json={"reason": "x" * 501})).status_code == 400
    done = (await api.ask("POST", f"{PATH}/{number}/reject", json={"reason": "not now"})).json()
    assert (done["status"], done["reason"]) == ("REJECTED", "not now")


async def test_lists_go_on_where_they_ended(api, world):
    for name in ("A", "B", "C"):
        await proposed(world, name)
    first = (await api.get(PATH, params={"limit": 2})).json()
    assert [one["walletId"] for one in first["proposals"]] == ["C", "B"]
    rest = (await api.get(PATH, params={"limit": 2, "cursor": first["nextCursor"]})).json()
    assert ([one["walletId"] for one in rest["proposals"]], rest["nextCursor"]) == (["A"], None)
    notes = (await api.get("/api/tuner/notes", params={"limit": 4})).json()
    assert len((await api.get("/api/tuner/notes", params={"cursor": notes["nextCursor"]})).json()["notes"]) == 2
    assert len((await api.get(PATH, params={"walletId": "B"})).json()["proposals"]) == 1


async def test_an_unknown_proposal_is_not_found(api):
    assert error_of(await api.get(f"{PATH}/7"))[:2] == (404, "unknown_proposal")
    assert (await api.get(f"{PATH}/x")).status_code == 400
