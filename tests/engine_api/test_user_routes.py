import logging
import random
from contextlib import asynccontextmanager

import pytest
import trio
from engine_api.api_server import PLENTY, app_of, error_of, serving
from engine_postgres.server_fixtures import fetch

from actors.token_registry import TokenRegistry
from config.secrets import Secret
from engine.adapters.postgres.database import DatabaseOptions
from engine.adapters.postgres.pool import open_pool
from engine.adapters.postgres.user_store import UserStore
from engine.adapters.system_clock import SystemClock
from engine.api.gate import Gate
from engine.api.user_routes import user_routes
from protocols.users import Scope, token_digest

BOOTSTRAP = "bootstrap-token-of-the-operator"
ALL = ["read", "trade", "admin"]


@asynccontextmanager
async def engine_process(database: DatabaseOptions, *, poll_s: float = 60.0):
    """The API as one engine serves it; yields its client. It finds changes by others only after `poll_s`."""
    async with open_pool(database, "test", 2) as pool, trio.open_nursery() as nursery:
        store = UserStore(pool)
        live = TokenRegistry(
            store=store, clock=SystemClock(), rng=random.Random(1), bootstrap=Secret(BOOTSTRAP), poll_s=poll_s
        )
        await nursery.start(live.run)
        routes = user_routes(store, live, SystemClock(), random.SystemRandom())
        async with serving(app_of(routes, Gate(live.find, PLENTY))) as client:
            yield client
        nursery.cancel_scope.cancel()


@pytest.fixture
async def api(database, aio):
    async with engine_process(database) as client:
        yield client


async def made_token(api, *scopes, by=BOOTSTRAP, **fields):
    body = {"name": "test", "scopes": list(scopes), **fields}
    made = await api.ask("POST", "/api/tokens", token=by, json=body)
    assert made.status_code == 200, made.text
    return made.json()["token"], made.json()["details"]["tokenId"]


async def add_user(api, name):
    added = await api.ask("POST", "/api/admin/users", token=BOOTSTRAP, json={"userName": name})
    assert added.status_code == 200, added.text
    return added.json()


async def test_the_bootstrap_token_is_the_user_admin_with_every_scope(api):
    me = (await api.get("/api/me", token=BOOTSTRAP)).json()
    assert (me["userName"], me["tokenId"], me["scopes"]) == ("admin", "bootstrap", ALL)
    assert (await api.get("/api/me", token=BOOTSTRAP[:-1])).status_code == 401


@pytest.mark.parametrize("scope", ALL)
async def test_a_made_token_holds_at_once_and_allows_what_it_says(api, scope):
    text, token_id = await made_token(api, scope)
    me = await api.get("/api/me", token=text)
    assert me.json()["tokenId"] == token_id
    assert me.json()["scopes"] == [scope]
    users = await api.get("/api/admin/users", token=text)
    assert users.status_code == (200 if scope == "admin" else 403)


async def test_a_token_never_gives_what_its_maker_lacks(api):
    await add_user(api, "ann")
    reader, _ = await made_token(api, "read", userName="ann")
    for scopes in (["trade"], ["read", "admin"]):
        refused = await api.ask("POST", "/api/tokens", token=reader, json={"name": "x", "scopes": scopes})
        assert error_of(refused)[:2] == (403, "forbidden")
    # The scope admin includes no other one.
    administrator, _ = await made_token(api, "admin")
    refused = await api.ask("POST", "/api/tokens", token=administrator, json={"name": "x", "scopes": ["read"]})
    assert refused.status_code == 403
    for_another = {"name": "x", "scopes": ["read"], "userName": "admin"}
    assert (await api.ask("POST", "/api/tokens", token=reader, json=for_another)).status_code == 403
    again, _ = await made_token(api, "read", by=reader)
    assert (await api.get("/api/me", token=again)).json()["userName"] == "ann"


async def test_a_token_never_outlives_its_maker(api):
    short, _ = await made_token(api, "read", expiresInDays=2)
    refused = await api.ask(
        "POST", "/api/tokens", token=short, json={"name": "x", "scopes": ["read"], "expiresInDays": 3}
    )
    assert error_of(refused) == (400, "bad_request", "expiresInDays")
    child, _ = await made_token(api, "read", by=short)
    ends = {row["expiresAt"] for row in (await api.get("/api/tokens", token=child)).json()["tokens"]}
    assert len(ends) == 1
    assert None not in ends


async def test_tokens_are_listed_and_revoked_by_their_owner_and_by_administrators(api, database):
    await add_user(api, "ann")
    mine, mine_id = await made_token(api, "read", userName="ann")
    other, other_id = await made_token(api, "read")
    listed = await api.get("/api/tokens", token=mine)
    assert [row["tokenId"] for row in listed.json()["tokens"]] == [mine_id]
    assert mine not in listed.text
    assert (await api.get("/api/tokens?user=admin", token=mine)).status_code == 403
    assert (await api.get("/api/tokens?user=ann", token=mine)).status_code == 200
    assert (await api.get("/api/tokens?user=ann", token=BOOTSTRAP)).json() == listed.json()
    assert error_of(await api.get("/api/tokens?user=nobody", token=BOOTSTRAP)) == (404, "unknown_user", None)
    # Another user's token is not there for her.
    assert error_of(await api.ask("DELETE", f"/api/tokens/{other_id}", token=mine)) == (404, "unknown_token", None)
    assert (await api.get("/api/me", token=other)).status_code == 200
    gone = await api.ask("DELETE", f"/api/tokens/{mine_id.upper()}", token=BOOTSTRAP)
    assert gone.json() == {"tokenId": mine_id}
    assert (await api.get("/api/me", token=mine)).status_code == 401
    assert (await api.ask("DELETE", f"/api/tokens/{mine_id}", token=BOOTSTRAP)).status_code == 404
    assert (await api.ask("DELETE", "/api/tokens/bootstrap", token=BOOTSTRAP)).status_code == 400
    assert (await api.ask("DELETE", f"/api/tokens/{other_id}", token=other)).status_code == 200
    assert (await api.get("/api/me", token=other)).status_code == 401


async def test_users_are_made_listed_in_pages_and_disabled(api):
    for name in ("ann", "bob", "cy@example.org"):
        await add_user(api, name)
    again = await api.ask("POST", "/api/admin/users", token=BOOTSTRAP, json={"userName": "ann"})
    assert error_of(again) == (409, "user_exists", "userName")
    names, after = [], ""
    while after is not None:
        page = (await api.get(f"/api/admin/users?limit=2{after}", token=BOOTSTRAP)).json()
        names += [row["userName"] for row in page["users"]]
        after = page["nextAfter"] and f"&after={page['nextAfter']}"
    assert names == ["admin", "ann", "bob", "cy@example.org"]
    text, _ = await made_token(api, "read", userName="bob")
    disabled = await api.ask("POST", "/api/admin/users/bob/disable", token=BOOTSTRAP)
    assert disabled.json()["disabledAt"] is not None
    assert (await api.get("/api/me", token=text)).status_code == 401
    for_him = {"name": "x", "scopes": ["read"], "userName": "bob"}
    assert (await api.ask("POST", "/api/tokens", token=BOOTSTRAP, json=for_him)).status_code == 404
    assert (await api.ask("POST", "/api/admin/users/nobody/disable", token=BOOTSTRAP)).status_code == 404
    assert (await api.ask("POST", "/api/admin/users/admin/disable", token=BOOTSTRAP)).status_code == 409


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/api/admin/users", {"userName": "a b"}, "userName"),
        ("/api/admin/users", {"userName": "ann\n"}, "userName"),
        ("/api/admin/users", {"userName": "a" * 65}, "userName"),
        ("/api/admin/users", {}, "userName"),
        ("/api/admin/users", {"userName": "ann", "isAdmin": 1}, "isAdmin"),
        ("/api/tokens", {"name": "", "scopes": ["read"]}, "name"),
        ("/api/tokens", {"name": "a\x00", "scopes": ["read"]}, "name"),
        ("/api/tokens", {"name": "a" * 81, "scopes": ["read"]}, "name"),
        ("/api/tokens", {"name": "a", "scopes": []}, "scopes"),
        ("/api/tokens", {"name": "a", "scopes": ["root"]}, "scopes[0]"),
        ("/api/tokens", {"name": "a", "scopes": ["read"], "expiresInDays": 0}, "expiresInDays"),
        ("/api/tokens", {"name": "a", "scopes": ["read"], "userId": "x"}, "userId"),
    ],
)
async def test_a_wrong_field_is_named(api, path, body, field):
    assert error_of(await api.ask("POST", path, token=BOOTSTRAP, json=body)) == (400, "bad_request", field)


async def test_a_revocation_by_another_process_holds_within_two_seconds(database, aio):
    async with engine_process(database) as here, engine_process(database, poll_s=1.0) as there:
        text, token_id = await made_token(here, "read")
        began = trio.current_time()
        with trio.fail_after(10):
            while (await there.get("/api/me", token=text)).status_code != 200:
                await trio.sleep(0.02)
        await here.ask("DELETE", f"/api/tokens/{token_id}", token=BOOTSTRAP)
        assert (await here.get("/api/me", token=text)).status_code == 401
        began = trio.current_time()
        while (await there.get("/api/me", token=text)).status_code != 401:
            await trio.sleep(0.02)
            assert trio.current_time() < began + 2


async def test_an_expired_token_is_like_no_token(api, database):
    text, token_id = await made_token(api, "read", expiresInDays=1)
    ended = "UPDATE api_tokens SET expires_at = now() - interval '1 second' WHERE id = $1::text::uuid RETURNING 1"
    await trio.to_thread.run_sync(fetch, database.dsn, ended, token_id)
    assert (await api.get("/api/me", token=text)).status_code == 200  # the table is as it was read
    await made_token(api, "read")  # read again
    refused = await api.get("/api/me", token=text)
    assert (refused.status_code, refused.content) == (401, (await api.get("/api/me", token="x")).content)


async def test_no_token_is_logged_or_stored(api, database, caplog):
    caplog.set_level(logging.DEBUG)
    text, _ = await made_token(api, *ALL)
    await api.get("/api/me", token=text)
    await api.get(f"/api/me?{text}", token=text)
    ours = [record for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    assert not any(secret in str(vars(record)) for record in ours for secret in (text, BOOTSTRAP))
    query = "SELECT token_digest FROM api_tokens"
    assert (await trio.to_thread.run_sync(fetch, database.dsn, query))[0][0] == token_digest(text.encode())
    assert set(Scope) == {Scope(scope) for scope in ALL}
