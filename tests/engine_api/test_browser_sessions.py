import logging

import pytest
import trio
from engine_api.api_server import error_of, route
from engine_api.login_server import ADDRESS, BOOTSTRAP, PASSWORD, login_server
from engine_postgres.server_fixtures import fetch

from engine.api.browser import CSRF_HEADER, HTTP_COOKIE, HTTPS_COOKIE
from engine.api.feed_stream import EventStream
from protocols.sessions import LoginRefusal, SetSession, csrf_token

NEW = "another phrase entirely"
TOKEN_BODY = {"name": "x", "scopes": ["read"]}


@pytest.fixture
async def server(database, aio):
    async with login_server(database) as one:
        await one.add_user()
        yield one


async def test_a_session_reads_and_trades_and_that_of_an_administrator_rules(server):
    made = await server.log_in()
    me = (await server.ask(made, "GET", "/api/me")).json()
    assert (me["userName"], me["scopes"]) == ("ann", ["read", "trade"])
    assert (await server.ask(made, "GET", "/api/admin/users")).status_code == 403
    await server.add_user("root", is_admin=True)
    root = await server.log_in("root")
    assert (await server.ask(root, "GET", "/api/me")).json()["scopes"] == ["read", "trade", "admin"]
    assert (await server.ask(root, "GET", "/api/admin/users")).status_code == 200


@pytest.mark.parametrize(
    "cookie",
    ["", "{name}=", "{name}={secret}x", "{name}={half}", "other={secret}", "{name}={secret}; {name}=" + "a" * 43,
     "{https}={secret}", "{name}=" + "a" * 43, '{name}="{secret}"', "{name}=é", ";;=;{name}"],
)  # fmt: skip
async def test_every_wrong_cookie_gets_the_answer_of_no_credentials(server, cookie):
    secret = (await server.log_in()).secret
    text = cookie.format(name=HTTP_COOKIE, https=HTTPS_COOKIE, secret=secret, half=secret[:20])
    nothing = await server.client.get("/api/me", token=None)
    wrong = await server.client.get("/api/me", token=None, headers={"Cookie": text.encode("latin-1")})
    assert error_of(nothing) == (401, "unauthorized", None)
    assert (wrong.status_code, wrong.content, wrong.headers) == (401, nothing.content, nothing.headers)
    assert (await server.ask(secret, "GET", "/api/me")).status_code == 200


async def test_a_bearer_beside_the_cookie_is_what_counts(server):
    made = await server.log_in()
    with_token = {"Authorization": f"Bearer {BOOTSTRAP}"}
    assert (await server.ask(made, "GET", "/api/me", headers=with_token)).json()["userName"] == "admin"
    # A program needs no CSRF token, whatever its cookies say.
    from_elsewhere = {**with_token, "Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    asked = await server.ask(made, "POST", "/api/tokens", csrf=False, headers=from_elsewhere, json=TOKEN_BODY)
    assert asked.status_code == 200
    wrong = {"Authorization": "Bearer pcy_wrong"}
    assert (await server.ask(made, "GET", "/api/me", headers=wrong)).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [{CSRF_HEADER: None}, {CSRF_HEADER: ""}, {CSRF_HEADER: "0" * 64}, {"Origin": "https://evil.example"}, {"Origin": "null"},
     {"Origin": "http://127.0.0.1"}, {"Origin": "http://127.0.0.1:1"}, {"Origin": ""}, {"Sec-Fetch-Site": "same-site"},
     {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "none"}, {"Sec-Fetch-Site": ""}],
)  # fmt: skip
async def test_a_change_that_no_page_of_ours_asked_for_is_refused(server, headers):
    made = await server.log_in()
    refused = await server.ask(made, "POST", "/api/tokens", headers=headers, json=TOKEN_BODY)
    assert error_of(refused) == (403, "csrf", None)
    assert (await server.ask(made, "POST", "/api/tokens", json=TOKEN_BODY)).status_code == 200


async def test_the_token_of_another_session_is_none_and_a_token_twice_neither(server):
    made, other = await server.log_in(), await server.log_in()
    foreign = {CSRF_HEADER: csrf_token(other.secret)}
    assert error_of(await server.ask(made, "POST", "/api/tokens", headers=foreign, json=TOKEN_BODY))[1] == "csrf"
    pair = [(CSRF_HEADER, csrf_token(made.secret))] * 2
    lines = [("Cookie", f"{HTTP_COOKIE}={made.secret}"), *pair]
    asked = await server.client.http.post("/api/tokens", headers=lines, json=TOKEN_BODY)
    assert error_of(asked)[1] == "csrf"


async def test_reading_needs_no_token_but_no_page_of_another_origin_either(server):
    made = await server.log_in()
    assert (await server.ask(made, "GET", "/api/me", csrf=False)).status_code == 200
    typed = {"Sec-Fetch-Site": "none"}
    assert (await server.ask(made, "GET", "/api/me", csrf=False, headers=typed)).status_code == 200
    for site in ("same-site", "cross-site"):
        asked = await server.ask(made, "GET", "/api/me", csrf=False, headers={"Sec-Fetch-Site": site})
        assert error_of(asked)[:2] == (403, "csrf")


async def test_a_login_is_a_new_session_and_logout_ends_it_at_once(server):
    first, second = await server.log_in(), await server.log_in()
    assert first.secret != second.secret
    await server.login.log_out(first.session.session_id, first.session.user_id)
    assert (await server.ask(first, "GET", "/api/me")).status_code == 401
    listed = (await server.ask(second, "GET", "/api/sessions")).json()["sessions"]
    assert [(row["isThis"], row["userAgent"], row["address"], row["kind"]) for row in listed] == [
        (True, "Firefox", ADDRESS, "password")
    ]
    third = await server.log_in()
    other_id = third.session.session_id
    ended = await server.ask(second, "DELETE", f"/api/sessions/{other_id.upper()}")
    assert ended.json() == {"ended": 1}
    assert (await server.ask(third, "GET", "/api/me")).status_code == 401
    again = await server.ask(second, "DELETE", f"/api/sessions/{other_id}")
    assert error_of(again) == (404, "unknown_session", None)
    await server.log_in()
    await server.log_in()
    assert (await server.ask(second, "DELETE", "/api/sessions")).json() == {"ended": 2}
    assert (await server.ask(second, "GET", "/api/me")).status_code == 200


async def test_nobody_ends_or_sees_the_sessions_of_others(server):
    await server.add_user("bob")
    ann, bob = await server.log_in(), await server.log_in("bob")
    asked = await server.ask(bob, "DELETE", f"/api/sessions/{ann.session.session_id}")
    assert error_of(asked)[0] == 404
    assert len((await server.ask(bob, "GET", "/api/sessions")).json()["sessions"]) == 1
    assert (await server.ask(ann, "GET", "/api/me")).status_code == 200


async def test_a_disabled_user_is_out_at_once_here_and_within_two_seconds_elsewhere(server, database):
    async with login_server(database, poll_s=1.0) as there:
        made = await there.log_in()
        await server.login.registry.refresh()
        assert (await server.ask(made, "GET", "/api/me")).status_code == 200
        await server.client.ask("POST", "/api/admin/users/ann/disable", token=BOOTSTRAP)
        assert (await server.ask(made, "GET", "/api/me")).status_code == 401
        began = trio.current_time()
        while (await there.ask(made, "GET", "/api/me")).status_code != 401:
            await trio.sleep(0.02)
            assert trio.current_time() < began + 2
    assert isinstance(await server.login.log_in("ann", PASSWORD, ADDRESS), LoginRefusal)


async def test_a_changed_password_ends_the_other_sessions_everywhere(server, database):
    made, other = await server.log_in(), await server.log_in()
    wrong = {"oldPassword": "not the one at all", "newPassword": NEW}
    refused = await server.ask(made, "POST", "/api/me/password", json=wrong)
    assert error_of(refused) == (403, "wrong_password", "oldPassword")
    for unfit in ("short", "ann ann ann", "password123"):
        refused = await server.ask(
            made, "POST", "/api/me/password", json={"oldPassword": PASSWORD, "newPassword": unfit}
        )
        assert error_of(refused) == (400, "bad_request", "newPassword")
        assert unfit not in refused.text
    assert (await server.ask(other, "GET", "/api/me")).status_code == 200
    async with login_server(database, poll_s=1.0) as there:
        changed = await server.ask(made, "POST", "/api/me/password", json={"oldPassword": PASSWORD, "newPassword": NEW})
        assert changed.json() == {"userName": "ann"}
        assert (await server.ask(other, "GET", "/api/me")).status_code == 401
        assert (await server.ask(made, "GET", "/api/me")).status_code == 200
        began = trio.current_time()
        while (await there.ask(other, "GET", "/api/me")).status_code != 401:
            await trio.sleep(0.02)
            assert trio.current_time() < began + 2
        assert (await there.ask(made, "GET", "/api/me")).status_code == 200
    assert isinstance(await server.login.log_in("ann", PASSWORD, ADDRESS), LoginRefusal)
    await server.log_in(password=NEW)


async def test_a_token_cannot_set_a_first_password(server):
    user_id = await server.add_user("bob", password=None)
    token = (
        await server.client.ask(
            "POST", "/api/tokens", token=BOOTSTRAP, json={"name": "x", "scopes": ["read", "trade"], "userName": "bob"}
        )
    ).json()["token"]
    body = {"newPassword": NEW}
    refused = await server.client.ask("POST", "/api/me/password", token=token, json=body)
    assert error_of(refused) == (400, "bad_request", "oldPassword")
    assert isinstance(await server.login.log_in("bob", NEW, ADDRESS), LoginRefusal)
    # Who came by a login URL may: otherwise he would come by one forever.
    made = await server.login.log_in_once(server.urls.make("bob"), "127.0.0.1")
    assert (await server.ask(made, "POST", "/api/me/password", json=body)).status_code == 200
    assert (await server.log_in("bob", NEW)).session.user_id == user_id


async def test_behind_a_trusted_proxy_the_cookie_belongs_to_https_alone(database, aio):
    async with login_server(database, trusted="127.0.0.0/8") as server:
        await server.add_user()
        made = await server.log_in()
        assert isinstance(made, SetSession)
        host = f"127.0.0.1:{server.client.port}"
        headers = {
            "X-Forwarded-Proto": "http, https", "X-Forwarded-For": "1.2.3.4, 198.51.100.9",
            "Origin": f"https://{host}", CSRF_HEADER: csrf_token(made.secret),
        }  # fmt: skip

        async def asked(cookie, **more):
            lines = {**headers, "Cookie": f"{cookie}={made.secret}", **more}
            return (
                await server.client.ask("POST", "/api/tokens", token=None, headers=lines, json=TOKEN_BODY)
            ).status_code

        assert await asked(HTTPS_COOKIE) == 200
        assert await asked(HTTP_COOKIE) == 401
        assert await asked(HTTPS_COOKIE, Origin=f"http://{host}") == 403
        assert await asked(HTTPS_COOKIE, **{"X-Forwarded-Proto": "http"}) == 401


async def test_a_session_has_rate_limits_of_its_own(server):
    from engine.api.gate import Gate
    from engine.api.route import Rate

    gate = Gate(server.gate.find, dict.fromkeys(Rate, 2), door=server.gate.door)
    request = {"method": "GET", "client": ("203.0.113.7", 1), "scheme": "http", "headers": []}
    one, two = await server.log_in(), await server.log_in()

    def status(made):
        try:
            gate.admit_browser(
                {**request, "headers": [(b"cookie", f"{HTTP_COOKIE}={made.secret}".encode())]}, None, Rate.READ
            )
        except Exception as error:
            return error.status
        return 200

    assert [status(one) for _ in range(3)] == [200, 200, 429]
    assert status(two) == 200


async def test_no_secret_is_logged_shown_or_stored(server, database, caplog):
    caplog.set_level(logging.DEBUG)
    made = await server.log_in()
    key = server.urls.make("ann")
    await server.login.log_in("ann", "wrong " + PASSWORD, ADDRESS)
    await server.login.log_in(PASSWORD, "typed into the wrong field", ADDRESS)
    await server.ask(made, "GET", f"/api/me?{made.secret}")
    await server.ask(made, "POST", "/api/me/password", json={"oldPassword": PASSWORD, "newPassword": NEW})
    once = await server.login.log_in_once(key, "127.0.0.1")
    secrets = (made.secret, csrf_token(made.secret), PASSWORD, NEW, key, once.secret)
    ours = [record for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    assert ours
    shown = [str(vars(record)) for record in ours] + [
        repr(one) for one in (made, once, server.login, server.urls, server.gate)
    ]
    shown += [repr(made.session), repr(server.login.registry), str(server.login.results)]
    for table in ("web_sessions", "user_passwords", "api_tokens", "profiles"):
        rows = await trio.to_thread.run_sync(fetch, database.dsn, f"SELECT row_to_json(one)::text FROM {table} AS one")
        shown += [str(rows)]
    assert not [secret for secret in secrets if any(secret in text for text in shown)]


async def test_an_event_stream_ends_with_its_session_or_token_before_another_word(database, aio):
    send, receive = trio.open_memory_channel(0)

    async def handler(call):
        return EventStream(receive.receive)

    stream = route(handler, "/api/stream", streams=True)
    async with login_server(database, routes=[stream]) as server:
        await server.add_user()
        made = await server.log_in()
        credentials = [{"Cookie": f"{HTTP_COOKIE}={made.secret}"}, {"Authorization": f"Bearer {BOOTSTRAP}"}]
        for headers in credentials:
            async with server.client.http.stream("GET", "/api/stream", headers=headers) as response:
                assert response.status_code == 200
                lines = response.aiter_bytes()
                await send.send(b"data: 1\n\n")
                assert await anext(lines) == b"data: 1\n\n"
                if "Cookie" in headers:
                    await server.login.log_out(made.session.session_id, made.session.user_id)
                else:
                    server.tokens.forget(["bootstrap"])
                await send.send(b"data: 2\n\n")
                assert [line async for line in lines] == []
