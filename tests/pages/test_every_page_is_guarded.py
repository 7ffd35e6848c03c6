"""Every page that there is, as the router has it: who gets in, what it may be asked, and what it never says."""

import re
from functools import partial

import attrs
import httpx
import pytest
import trio
from engine_api.login_server import PASSWORD
from engine_simulator.loopback_http import NO_TLS
from pages.page_world import page_world

from config.schema import EngineConfig
from config.secrets import Secret
from engine.api.browser import HTTP_COOKIE
from engine.pages.login_pages import LOGIN, LOGOUT
from engine.pages.mount import HEADERS, THEME_COOKIE
from engine.pages.site import all_pages
from engine.web.asgi_server import ServerLimits, serve_asgi
from protocols.sessions import csrf_token, secret_digest
from protocols.users import Scope

PAGES = all_pages()
METHODS = ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")
HUSH = "hush-hush-this-is-a-secret-"
OPEN = ("/", LOGIN, "/login/once")
"""Those that need no session."""


def address(path: str) -> str:
    return re.sub(r"{\w+}", "anything-1", path)


@pytest.fixture
async def world(database, aio):
    async with page_world(database) as one:
        yield one


async def test_who_is_not_in_is_led_to_the_login_whatever_he_wants_to_see(world):
    for page in PAGES:
        drawn = await world.get(address(page.path), None)
        assert drawn.status == 303, page.path
        assert drawn.headers["location"].startswith("/login?next=%2F"), page.path
        assert drawn.html == "", page.path
        for cookie in (f"{HTTP_COOKIE}={'a' * 43}", f"{HTTP_COOKIE}=; {THEME_COOKIE}=dark", f"{HTTP_COOKIE}=x" * 2):
            answer = await world.ask("GET", address(page.path), None, headers={"cookie": cookie})
            assert (answer.status_code, answer.text) == (303, ""), (page.path, cookie)


async def test_a_page_of_others_is_not_shown_to_whoever_only_reads(world):
    reader = await world.visitor("reader", Scope.READ)
    for page in PAGES:
        drawn = await world.get(address(page.path), reader)
        if page.scope is Scope.READ:
            assert drawn.status != 403, page.path
        else:
            assert drawn.status == 403, page.path
            assert "which you do not have" in drawn.text


async def test_every_answer_has_every_header_that_guards_it(world):
    root = await world.visitor("root", *Scope)
    asked = [(address(page.path), who) for page in PAGES for who in (root, None)]
    for path, who in [*asked, *((path, None) for path in OPEN), ("/nowhere", root), ("/nowhere", None)]:
        drawn = await world.get(path, who)
        for name, value in HEADERS.items():
            assert drawn.headers.get(name) == value, (path, name)
        assert "frame-ancestors 'none'" in drawn.headers["content-security-policy"]
        assert "unsafe" not in drawn.headers["content-security-policy"]
        assert "access-control-allow-origin" not in drawn.headers, path
        for cookie in drawn.headers.get_list("set-cookie"):
            assert "HttpOnly" in cookie, (path, cookie)
            assert "SameSite=Lax" in cookie, (path, cookie)


async def test_a_page_can_only_be_read(world):
    root = await world.visitor("root", *Scope)
    for page in PAGES:
        for method in METHODS:
            answer = await world.ask(method, address(page.path), root, content=b"")
            assert answer.status_code == 405, (page.path, method)
            assert answer.headers["allow"] == "GET, HEAD", (page.path, method)


async def test_the_forms_that_go_past_the_api_need_their_token(world):
    root = await world.visitor("root", *Scope)
    await world.get("/settings", root)  # knows the session from now on
    form = {"user_name": "root", "password": PASSWORD, "csrf": "x", "next": "/"}
    for path in (LOGIN, LOGOUT):
        for who in (None, root):
            answer = await world.ask("POST", path, who, data=form)
            assert answer.status_code == (303 if path == LOGOUT and who is None else 403), (path, who)
        for other in ("https://evil.example", "null", "http://127.0.0.1:1"):
            answer = await world.ask("POST", path, root, data=form, headers={"origin": other})
            assert answer.status_code == 403, (path, other)
    assert (await world.get("/settings", root)).status == 200


def with_secrets(config: EngineConfig) -> EngineConfig:
    """The configuration with something in every key that is a secret."""
    changed = {}
    for section in attrs.fields(EngineConfig):
        part = getattr(config, section.name)
        names = (
            [one.name for one in attrs.fields(type(part)) if "Secret" in str(one.type)] if attrs.has(type(part)) else []
        )
        if names:
            changed[section.name] = attrs.evolve(part, **{name: Secret(HUSH + name) for name in names})
    assert len(changed) >= 2
    return attrs.evolve(config, **changed)


async def test_no_page_says_a_secret(database, aio):
    async with page_world(database, config=with_secrets(EngineConfig())) as world:
        root = await world.visitor("root", *Scope)
        secret = f"{root.user_name:s<43}"
        made = await world.ask("POST", "/api/tokens", root, json={"name": "ci", "scopes": ["read"], "expiresInDays": 1})
        assert made.status_code == 200, made.text
        hidden = (secret, secret_digest(secret).hex(), made.json()["token"], "$argon2id$", HUSH, database.dsn)
        for page in PAGES:
            drawn = await world.get(address(page.path), root)
            assert [one for one in hidden if one in drawn.html] == [], page.path
            # The token against forged requests stands in the head and in the form that logs out, and nowhere else.
            assert drawn.html.count(csrf_token(secret)) in (0, 2), page.path


async def test_the_server_refuses_other_hosts_before_any_page(world):
    """What a page of another site makes of its own name by pointing it at 127.0.0.1 (DNS rebinding)."""
    limits = ServerLimits(allowed_hosts=frozenset({"localhost", "127.0.0.1"}))
    async with trio.open_nursery() as nursery, httpx.AsyncClient(verify=NO_TLS, trust_env=False) as client:
        port = await nursery.start(partial(serve_asgi, world.app, host="127.0.0.1", port=0, limits=limits))
        own = f"http://127.0.0.1:{port}"
        for path in [*OPEN, *(address(page.path) for page in PAGES), "/api/me", "/static/app.css", "/nowhere"]:
            for host in ("evil.example", "127.0.0.1.evil.example", "evil.example:80", "localhost.", "[::1]"):
                answer = await client.get(own + path, headers={"host": host})
                assert answer.status_code in (400, 421), (path, host)
                assert "polycopy" not in answer.text.lower()
        assert (await client.get(own + LOGIN)).status_code == 200
        nursery.cancel_scope.cancel()
