"""Strategies over HTTP: made, changed, put away, by whom they belong to."""

from decimal import Decimal

import attrs
import pytest
import trio
from engine_api.api_server import TOKEN, USER_ID, error_of, gate_of, principal, serving_routes

from config.strategy_settings import document_of, settings_from
from config.strategy_template import templates
from engine.adapters.postgres.pool import open_pool
from engine.adapters.postgres.strategy_store import StrategyStore
from engine.api.bot_routes import bot_routes
from protocols.strategies import StrategySettings
from protocols.users import Scope

OTHER_ID = "00000000-0000-4000-8000-000000000002"
PATH = "/api/ft/wallets"
USERS = "INSERT INTO profiles (id, user_name) VALUES ($1::text::uuid, 'ann'), ($2::text::uuid, 'bob')"
BEARERS = {
    TOKEN: principal(Scope.READ, Scope.TRADE),
    "reader": principal(Scope.READ, token_id="t2"),
    "bob": attrs.evolve(principal(Scope.READ, Scope.TRADE, token_id="t3"), user_id=OTHER_ID, user_name="bob"),
    "admin": attrs.evolve(principal(*Scope, token_id="t4"), user_id=OTHER_ID, user_name="bob"),
}


@pytest.fixture
async def store(database, aio):
    async with open_pool(database, "test", 4) as pool:
        await pool.run(lambda raw: raw.execute(USERS, USER_ID, OTHER_ID))
        yield StrategyStore(pool)


@pytest.fixture
async def api(store):
    async with serving_routes(*bot_routes(store), gate=gate_of(BEARERS)) as client:
        yield client


async def make(api, name="BOT", token=TOKEN, **settings):
    made = await api.ask("POST", PATH, token=token, json={"walletId": name, "settings": settings})
    assert made.status_code == 200, made.text
    [strategy] = made.json()["strategies"]
    return strategy


async def patch(api, settings, name="BOT", token=TOKEN, **more):
    return await api.ask("PATCH", f"{PATH}/{name}/settings", token=token, json={"settings": settings, **more})


async def test_a_strategy_is_made_as_asked_for_the_rest_is_at_the_defaults(api, store):
    made = await make(api, bet_size="2.50", target_mode="everyone", price_min=0)
    wanted = settings_from({"bet_size": "2.5", "target_mode": "everyone", "price_min": "0"})
    assert (made["walletId"], made["ownerId"], made["version"]) == ("BOT", USER_ID, 1)
    assert made["settings"] == document_of(wanted)
    assert ["everyone" in warning for warning in made["warnings"]] == [True]
    assert (await store.get("BOT")).settings == wanted


@pytest.mark.parametrize("number", [b"0.1", b'"0.1"', b"1e-1", b"0.100"])
async def test_a_tenth_stays_a_tenth(api, store, number):
    body = b'{"walletId": "BOT", "settings": {"kelly_fraction": %b, "min_trader_resolved_count": 7.0}}' % number
    made = await api.ask("POST", PATH, content=body, headers={"Content-Type": "application/json"})
    assert made.status_code == 200, made.text
    kept = (await store.get("BOT")).settings
    assert (kept.kelly_fraction, kept.min_trader_resolved_count) == (Decimal("0.1"), 7)
    # A double is 0.299999999999999988897…; as such it would have too many decimals.
    exact = await api.ask(
        "PATCH", PATH + "/BOT/settings", content=b'{"settings": {"kelly_fraction": 0.3}, "version": 1.0}',
        headers={"Content-Type": "application/json"},
    )  # fmt: skip
    assert exact.json()["settings"]["kelly_fraction"] == "0.3"


async def test_settings_that_cannot_be_are_all_named_and_nothing_is_made(api, store):
    wrong = {"bet_size": -1, "price_min": "0.9", "price_max": 0.1, "nonsense": 1, "min_edge": True, "use_model": True}
    fields = {f"settings.{name}" for name in ("bet_size", "price_min", "nonsense", "min_edge", "model_threshold")}
    for body in ({"walletId": "BOT", "settings": wrong}, {"template": "favourites", "settings": wrong}):
        refused = await api.ask("POST", PATH, json=body)
        problems = refused.json()["error"]["problems"]
        assert error_of(refused)[:2] == (400, "bad_request")
        assert {one["field"] for one in problems} == fields
        assert all(set(one) == {"field", "message"} and one["message"] for one in problems)
        assert all(one["field"] in refused.json()["error"]["message"] for one in problems)
    assert await store.all() == []
    await make(api)
    assert {one["field"] for one in (await patch(api, wrong)).json()["error"]["problems"]} == fields
    assert (await store.get("BOT")).version == 1


@pytest.mark.parametrize(
    "number",
    [
        b"NaN",
        b"1e999",
        b"1e99999999999999999999",
        b"9" * 5_000,
        b"-" + b"9" * 400,
        b"0." + b"1" * 5_000,
        b"[]",
        b"true",
    ],
)
async def test_a_number_that_is_none_is_a_bad_request(api, store, number):
    body = b'{"walletId": "BOT", "settings": {"bet_size": %b}}' % number
    refused = await api.ask("POST", PATH, content=body, headers={"Content-Type": "application/json"})
    assert error_of(refused)[:2] == (400, "bad_request")
    assert await store.all() == []


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 400, "walletId"),
        ({"walletId": "a b"}, 400, "walletId"),
        ({"walletId": "BOT\n"}, 400, "walletId"),
        ({"walletId": "a" * 65}, 400, "walletId"),
        ({"walletId": "BOT", "template": "favourites"}, 400, "template"),
        ({"template": "favourites", "prefix": "no name "}, 400, "prefix"),
        ({"template": "favourites", "prefix": "x" * 64}, 400, "prefix"),
        ({"template": "none of them"}, 404, "template"),
        ({"walletId": "BOT", "settings": []}, 400, "settings"),
        ({"walletId": "BOT", "wallet_id": "BOT"}, 400, "wallet_id"),
        ({"walletId": "BOT", "settings": {"description": "\0"}}, 400, "settings.description"),
    ],
)
async def test_what_does_not_name_strategies_is_refused(api, store, body, status, field):
    refused = error_of(await api.ask("POST", PATH, json=body))
    assert (refused[0], refused[2]) == (status, field)
    assert await store.all() == []


async def test_a_template_is_made_as_a_whole_or_not_at_all(api, store):
    [family] = [one for one in templates() if one.name == "favourites"]
    body = {"template": "favourites", "prefix": "MY_", "settings": {"bet_size": 3}}
    made = (await api.ask("POST", PATH, json=body)).json()["strategies"]
    assert [one["walletId"] for one in made] == ["MY_" + name for name, _ in family.bots]
    for (_, settings), one in zip(family.bots, made, strict=True):
        assert one["settings"] == document_of(attrs.evolve(settings, bet_size=Decimal(3)))
    last = family.bots[-1][0]
    await make(api, name=last)
    refused = await api.ask("POST", PATH, json={"template": "favourites"})
    assert error_of(refused)[:2] == (409, "strategy_exists")
    assert len(await store.all()) == len(family.bots) + 1


async def test_a_change_makes_a_version_and_leaves_the_rest(api, store):
    await make(api, bet_size=2, min_edge=None, display_name="Bot")
    changed = (await patch(api, {"bet_size": 3, "target_mode": "list"}, version=1)).json()
    assert (changed["version"], changed["settings"]["bet_size"], changed["settings"]["min_edge"]) == (2, "3", None)
    assert changed["settings"]["display_name"] == "Bot"
    assert len(changed["warnings"]) == 1
    assert (await patch(api, {"bet_size": "3.00"})).json()["version"] == 2
    stale = await patch(api, {"bet_size": 4}, version=1)
    assert error_of(stale) == (409, "version_conflict", "version")
    assert (await store.get("BOT")).settings.bet_size == 3
    assert (await patch(api, {"starting_balance": 500})).json()["version"] == 3
    await store.connection.run(
        lambda raw: raw.execute("UPDATE ft_balances SET orders = 1, open_orders = 1, cash = 499, open_cost = 1")
    )
    assert error_of(await patch(api, {"starting_balance": 600}))[:2] == (409, "strategy_conflict")


async def test_changes_at_once_that_name_no_version_all_happen(api, store):
    await make(api)
    answers = []

    async def change(document):
        answers.append((await patch(api, document)).status_code)

    async with trio.open_nursery() as nursery:
        for document in ({"bet_size": 3}, {"max_bet": 30}, {"min_bet": 2}):
            nursery.start_soon(change, document)
    strategy = await store.get("BOT")
    assert (answers, strategy.version) == ([200] * 3, 4)
    assert strategy.settings == settings_from({"bet_size": 3, "max_bet": 30, "min_bet": 2})


async def test_the_largest_lists_are_taken_and_more_names_than_there_are_is_refused(api, store):
    wallets = [f"0x{number:040x}" for number in range(20_000)]
    await make(api, target_traders=wallets)
    assert (await patch(api, {"excluded_traders": wallets})).status_code == 200
    kept = (await store.get("BOT")).settings
    assert kept.target_traders == kept.excluded_traders == tuple(wallets)
    refused = await patch(api, {f"no_setting_{number}": 1 for number in range(199)})
    assert len(refused.json()["error"]["problems"]) == 199
    assert len(refused.json()["error"]["message"]) < 1_000
    refused = await patch(api, {f"no_setting_{number}": 1 for number in range(201)})
    assert error_of(refused) == (400, "bad_request", "settings")


async def test_versions_come_in_pages_newest_first(api):
    await make(api, bet_size=1)
    for size in (2, 3, 4, 5):
        await patch(api, {"bet_size": size})
    seen, before = [], ""
    while before is not None:
        page = (await api.get(f"{PATH}/BOT/versions?limit=2{before}")).json()
        seen += [(one["version"], one["settings"]["bet_size"], one["changedBy"]) for one in page["versions"]]
        before = page["nextBefore"] and f"&before={page['nextBefore']}"
    assert seen == [(number, str(number), "ann") for number in (5, 4, 3, 2, 1)]


async def test_only_the_owner_and_administrators_change_a_strategy(api, store):
    await make(api)
    change = {"settings": {"bet_size": 3}}
    asked = [
        ("PATCH", f"{PATH}/BOT/settings", change),
        ("DELETE", f"{PATH}/BOT", None),
        ("POST", PATH, {"walletId": "B"}),
    ]
    for method, path, body in asked:
        options = {} if body is None else {"json": body}
        assert error_of(await api.ask(method, path, token="reader", **options))[:2] == (403, "forbidden")
    for method, path, body in asked[:2]:
        options = {} if body is None else {"json": body}
        assert error_of(await api.ask(method, path, token="bob", **options))[:2] == (403, "forbidden")
        unknown = await api.ask(method, path.replace("BOT", "NONE"), token="bob", **options)
        assert error_of(unknown)[:2] == (404, "unknown_strategy")
    assert error_of(await api.get(f"{PATH}/BOT/versions", token="bob"))[:2] == (403, "forbidden")
    for_ann = {"walletId": "FOR_ANN", "userName": "ann"}
    assert error_of(await api.ask("POST", PATH, token="bob", json=for_ann))[:2] == (403, "forbidden")
    assert (await api.ask("POST", PATH, token="admin", json=for_ann)).json()["strategies"][0]["ownerId"] == USER_ID
    nobody = {"walletId": "FOR_NOBODY", "userName": "nobody"}
    assert error_of(await api.ask("POST", PATH, token="admin", json=nobody))[:2] == (404, "unknown_user")
    assert (await patch(api, {"bet_size": 3}, token="admin")).json()["version"] == 2
    assert [one.changed_by for one in await store.versions("BOT")] == ["bob", "ann"]


async def test_an_archived_strategy_is_gone_and_its_name_stays_taken(api, store):
    await make(api)
    assert (await api.ask("DELETE", f"{PATH}/BOT")).json() == {"walletId": "BOT", "version": 1}
    for answer in (await api.ask("DELETE", f"{PATH}/BOT"), await patch(api, {"bet_size": 3})):
        assert error_of(answer)[:2] == (404, "unknown_strategy")
    again = await api.ask("POST", PATH, json={"walletId": "BOT"})
    assert error_of(again)[:2] == (409, "strategy_exists")


async def test_templates_and_settings_are_explained(api):
    found = (await api.get("/api/ft/templates", token="reader")).json()["templates"]
    assert [one["name"] for one in found] == [one.name for one in templates()]
    for one, family in zip(found, templates(), strict=True):
        assert [(bot["walletId"], settings_from(bot["settings"])) for bot in one["bots"]] == list(family.bots)
    rows = (await api.get("/api/ft/settings", token="reader")).json()["settings"]
    assert {row["name"]: row["default"] for row in rows} == document_of(StrategySettings())
    assert all(row["allowed"] and row["meaning"] and row["kind"] for row in rows)
