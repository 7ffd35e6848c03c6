"""Sessions of browsers in the real engine: a process of its own, with passwords and disabling from the command line."""

import json
import random

import pytest
import trio
from engine_cli.cli_process import polycopy
from simulation.api_world import ADMIN, QUIET, api_engine
from simulation.ingest_world import ingest_world

from actors.login_urls import LoginUrls
from actors.session_registry import SessionRegistry
from actors.web_login import WebLogin
from engine.adapters.password_hashing import Argon2Hasher
from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.session_store import PostgresPasswords, PostgresSessions
from engine.adapters.system_clock import SystemClock
from engine.api.browser import HTTP_COOKIE
from protocols.sessions import LoginRefusal, SetSession, csrf_token

PASSWORD = "four plain words here"
WITHIN_S = 2


def login_over(connection):
    """What another engine's login page would call, on the same database."""
    sessions, clock, rng = PostgresSessions(connection), SystemClock(), random.SystemRandom()
    return WebLogin(
        sessions=sessions,
        passwords=PostgresPasswords(connection),
        registry=SessionRegistry(store=sessions, clock=clock, rng=rng, is_money_real=False),
        hasher=Argon2Hasher(),
        urls=LoginUrls(is_allowed=False, secret_rng=rng, now_s=trio.current_time),
        clock=clock,
        secret_rng=rng,
    )


async def commanded(database, *arguments, stdin=""):
    env = {"POLYCOPY_DATABASE__URL": database.dsn}
    done = await trio.to_thread.run_sync(lambda: polycopy(*arguments, env=env, stdin=stdin))
    assert done.returncode == 0, done.stderr
    return done.stdout


async def until(engine, status, headers):
    with trio.fail_after(WITHIN_S):
        while not await engine.answers("/api/me", status, token=None, headers=headers):
            await trio.sleep(0.02)


async def test_a_login_of_one_engine_holds_in_another_until_the_user_is_disabled(database, tmp_path):
    async with ingest_world(database, tmp_path / "spill", **QUIET) as world, api_engine(world, tmp_path) as engine:
        await engine.user("ann")
        await commanded(database, "users", "password", "ann", "--stdin", stdin=f"{PASSWORD}\n")
        connection = Connection(database, "login")
        login = login_over(connection)
        assert isinstance(await login.log_in("ann", PASSWORD + "!", "203.0.113.7"), LoginRefusal)
        made = await login.log_in("ann", PASSWORD, "203.0.113.7", "Firefox")
        assert isinstance(made, SetSession)
        headers = {"Cookie": f"{HTTP_COOKIE}={made.secret}"}
        await until(engine, 200, headers)
        me = (await engine.get("/api/me", token=None, headers=headers)).json()
        assert (me["userName"], me["scopes"]) == ("ann", ["read", "trade"])
        body = {"name": "x", "scopes": ["read"]}
        refused = await engine.ask("POST", "/api/tokens", token=None, headers=headers, json=body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "csrf")
        with_token = {**headers, "X-CSRF-Token": csrf_token(made.secret)}
        assert (await engine.ask("POST", "/api/tokens", token=None, headers=with_token, json=body)).status_code == 200

        await commanded(database, "users", "admin", "ann", "--on")
        with trio.fail_after(WITHIN_S):
            while "admin" not in (await engine.get("/api/me", token=None, headers=headers)).json()["scopes"]:
                await trio.sleep(0.02)
        await commanded(database, "users", "password", "ann", "--stdin", stdin="another phrase entirely\n")
        await until(engine, 401, headers)

        again = await login.log_in("ann", "another phrase entirely", "203.0.113.7")
        headers = {"Cookie": f"{HTTP_COOKIE}={again.secret}"}
        await until(engine, 200, headers)
        await commanded(database, "users", "disable", "ann")
        await until(engine, 401, headers)
        await connection.aclose()
        text = (await engine.http.get("/metrics")).text
        assert 'polycopy_logins_total{result="wrong"} 0.0' in text
        secrets = (made.secret, csrf_token(made.secret), PASSWORD, again.secret)
        assert not any(secret in text + engine.process.log_text() for secret in secrets)


@pytest.mark.parametrize(
    ("settings", "status"),
    [({}, 200), ({"http.login_url": "false"}, 409), ({"live.enabled": "true"}, 409)],
)
async def test_login_urls_come_from_a_quiet_engine_on_loopback_only(database, tmp_path, settings, status):
    async with (
        ingest_world(database, tmp_path / "spill", **QUIET) as world,
        api_engine(world, tmp_path, **settings) as engine,
    ):
        made = await engine.ask("POST", "/api/admin/login-url", json={})
        assert made.status_code == status, made.text
        assert (await engine.ask("POST", "/api/admin/login-url", token=None, json={})).status_code == 401
        if status == 200:
            token_file = tmp_path / "token"
            token_file.write_text(ADMIN)
            port = engine.http.base_url.port
            shown = await commanded(
                database, "--set", f"http.port={port}", "login-url", "--json", "--token-file", token_file
            )
            url = json.loads(shown)["url"]
            assert url.startswith(f"http://127.0.0.1:{port}/login/once?key=")
            assert url.partition("key=")[2] not in engine.process.log_text()
