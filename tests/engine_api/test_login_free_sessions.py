"""What somebody may do who came by a login URL, with and without real money."""

import pytest
from engine_api.api_server import error_of, route
from engine_api.login_server import BOOTSTRAP, login_server

from engine.api.session_routes import session_routes
from protocols.sessions import LoginRefusal, SessionKind
from protocols.users import Scope

NEW = "another phrase entirely"


async def trade(call):
    return {"done": 1}


@pytest.fixture
async def server(database, aio):
    async with login_server(database) as one:
        yield one


async def came_by_url(server, name="admin"):
    return await server.login.log_in_once(server.urls.make(name), "127.0.0.1", "Firefox")


async def test_without_real_money_the_session_of_a_login_url_is_one_like_others(server):
    made = await came_by_url(server)
    assert (await server.ask(made, "GET", "/api/me")).json()["scopes"] == ["read", "trade", "admin"]
    listed = (await server.ask(made, "GET", "/api/sessions")).json()["sessions"]
    assert [(row["kind"], row["isThis"]) for row in listed] == [("login_url", True)]


async def test_it_makes_no_token_that_could_trade_when_money_is_real_one_day(server):
    made = await came_by_url(server)
    for scopes in (["trade"], ["admin"], ["read", "trade"]):
        refused = await server.ask(made, "POST", "/api/tokens", json={"name": "x", "scopes": scopes})
        assert error_of(refused)[:2] == (403, "forbidden")
    token = await server.ask(made, "POST", "/api/tokens", json={"name": "x", "scopes": ["read"]})
    # It ends with the session.
    assert token.json()["details"]["expiresAt"] is not None
    longer = {"name": "x", "scopes": ["read"], "expiresInDays": 2}
    assert error_of(await server.ask(made, "POST", "/api/tokens", json=longer))[2] == "expiresInDays"


async def test_with_real_money_it_only_reads_also_when_it_began_before(server, database):
    made = await came_by_url(server)
    routes = [
        route(trade, "/api/trade", method="POST", scope=Scope.TRADE),
        route(trade, "/api/rule", method="POST", scope=Scope.ADMIN),
        route(trade, "/api/read", scope=Scope.READ),
    ]
    async with login_server(database, is_money_real=True, routes=routes) as live:
        assert (await live.ask(made, "GET", "/api/read")).status_code == 200
        for path in ("/api/trade", "/api/rule"):
            assert error_of(await live.ask(made, "POST", path))[:2] == (403, "forbidden")
        await live.add_user("ann", is_admin=True)
        by_password = await live.log_in("ann")
        for path in ("/api/trade", "/api/rule"):
            assert (await live.ask(by_password, "POST", path)).status_code == 200
        # No new ones there, whatever is asked.
        assert live.urls.make("admin") is None
        refusal = await live.login.log_in_once("x" * 43, "127.0.0.1")
        assert isinstance(refusal, LoginRefusal)


async def test_with_real_money_it_cannot_give_itself_a_password(server, database):
    made = await came_by_url(server)
    async with login_server(database, is_money_real=True) as live:
        refused = await live.ask(made, "POST", "/api/me/password", json={"newPassword": NEW})
        assert error_of(refused) == (400, "bad_request", "oldPassword")
        assert isinstance(await live.login.log_in("admin", NEW, "127.0.0.1"), LoginRefusal)


async def test_a_login_url_is_made_by_administrators_for_users_there_are(server):
    made = await server.client.ask("POST", "/api/admin/login-url", token=BOOTSTRAP, json={})
    path, _, key = made.json()["path"].partition("?key=")
    assert (path, made.json()["validS"]) == ("/login/once", 900)
    session = (await server.login.log_in_once(key, "127.0.0.1")).session
    assert (session.user_name, session.kind) == ("admin", SessionKind.LOGIN_URL)
    await server.add_user("ann")
    ann = await server.log_in()
    assert (await server.ask(ann, "POST", "/api/admin/login-url", json={})).status_code == 403
    wrong = await server.client.ask("POST", "/api/admin/login-url", token=BOOTSTRAP, json={"userName": "a b"})
    assert error_of(wrong)[2] == "userName"
    unknown = await server.client.ask("POST", "/api/admin/login-url", token=BOOTSTRAP, json={"userName": "nobody"})
    assert error_of(unknown) == (404, "unknown_user", None)
    # One of a user who is disabled meanwhile is worth nothing.
    key = server.urls.make("ann")
    await server.users.disable_user("ann")
    assert isinstance(await server.login.log_in_once(key, "127.0.0.1"), LoginRefusal)


def test_the_path_of_every_route_of_sessions_is_documented():
    from pathlib import Path

    text = (Path(__file__).parents[2] / "engine" / "api" / "README.md").read_text()
    for one in session_routes(None, None):
        assert f"`{one.path}`" in text or f"{one.method} {one.path}`" in text or f"{one.path}`" in text, one.path
