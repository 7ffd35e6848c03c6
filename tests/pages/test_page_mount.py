"""The frame around every page: who gets in, what headers it has, and how it says that something failed."""

from collections.abc import Mapping
from decimal import Decimal

import attrs
import httpx
import pytest
from engine_api.api_server import gate_of, principal, route

from engine.adapters.system_clock import SystemClock
from engine.api.browser import HTTP_COOKIE, BrowserDoor
from engine.api.errors import ApiError
from engine.api.params import Param, wallet, whole
from engine.api.route import Struct
from engine.pages.mount import LiveBanner, PageMount
from engine.pages.page import Page, Unavailable
from engine.pages.rendering import Renderer
from engine.pages.static_files import StaticFiles
from protocols.errors import TransientError
from protocols.sessions import csrf_token, secret_digest
from protocols.users import Principal, Scope

SECRET = "s" * 43

HOSTILE = "<script>alert(1)</script>“‮x"


class Thing(Struct):
    """An answer."""

    amount_usd: Decimal | None
    name: str


@attrs.define
class Site:
    """A mount with one page, asked in process with the session's cookie."""

    mount: PageMount
    sessions: dict[bytes, Principal]

    async def get(self, path: str, method: str = "GET", **headers: str) -> httpx.Response:
        transport = httpx.ASGITransport(app=self.mount)
        cookie = "; ".join([f"{HTTP_COOKIE}={SECRET}", *filter(None, [headers.pop("cookie", "")])])
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.request(method, path, headers={"cookie": cookie, **headers})


def site(load, *, scopes=(Scope.READ,), routes=(), live=lambda: None, **fields):
    static = StaticFiles.read()
    mount = PageMount(renderer=Renderer(static, SystemClock()), static=static, live=live)
    made = Site(mount, {secret_digest(SECRET): principal(*scopes)})
    page = Page(
        **{"path": "/thing/{name}", "template": "error.html", "title": "Thing", "nav": "feed", "load": load} | fields
    )
    mount.install(
        lambda: [page], list(routes), gate_of({}, door=BrowserDoor(find=lambda digest: made.sessions.get(digest)))
    )
    return made


async def nothing(_visit) -> Mapping[str, object]:
    return {"error": ApiError(200, "fine", HOSTILE)}


async def test_a_page_is_drawn_in_its_frame_with_everything_escaped():
    answer = await site(nothing).get("/thing/x")
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;alert(1)" in answer.text
    assert f'<meta name="csrf-token" content="{csrf_token(SECRET)}">' in answer.text
    assert 'aria-current="page">Feed' in answer.text


async def test_headers_forbid_what_is_not_ours():
    answer = await site(nothing).get("/thing/x")
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_without_a_session_the_way_leads_over_the_login_and_back():
    made = site(nothing)
    made.sessions.clear()
    answer = await made.get("/thing/x?a=1&next=//evil.example")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=%2Fthing%2Fx%3Fa%3D1%26next%3D%2F%2Fevil.example"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_a_page_changes_nothing(method):
    async def load(_visit):
        raise AssertionError("a page was loaded by a request that is no reading")

    answer = await site(load).get("/thing/x", method)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"


async def test_what_a_visitor_may_not_see_is_said_and_not_in_his_navigation():
    made = site(nothing, scope=Scope.ADMIN)
    answer = await made.get("/thing/x")
    assert answer.status_code == 403
    assert "which you do not have" in answer.text
    assert 'href="/engine"' not in answer.text
    made.sessions[secret_digest(SECRET)] = principal(*Scope)
    assert 'href="/engine"' in (await made.get("/thing/x")).text


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (ApiError(404, "not_found", "there is no such thing"), 404, "There is no such thing."),
        (ApiError(429, "too_many", "wait", None, 7.2), 429, 'data-retry="7"'),
        (TransientError("password of the database"), 503, "The database does not answer just now."),
        (ExceptionGroup("", [TransientError("x")]), 503, "The database does not answer just now."),
        (RuntimeError("a secret of ours"), 500, "the log of the engine says why"),
    ],
)
async def test_failures_are_pages_that_tell_no_secrets(error, status, text):
    async def load(_visit):
        raise error

    answer = await site(load).get("/thing/x")
    assert answer.status_code == status
    assert text in answer.text or text[0].upper() + text[1:] in answer.text
    assert "secret" not in answer.text
    assert "password" not in answer.text
    if status == 429:
        assert answer.headers["retry-after"] == "7"


async def test_a_template_that_fails_is_an_error_page():
    async def load(_visit):
        return {}

    answer = await site(load).get("/thing/x")
    assert answer.status_code == 500


async def test_the_banner_says_what_the_executor_says():
    banners = [None, LiveBanner(accounts=("main",), halt=f"{HOSTILE} (ann)")]
    made = site(nothing, live=lambda: banners[-1])
    answer = await made.get("/thing/x")
    assert "Real money is on (main)" in answer.text
    assert "Entries are halted: &lt;script&gt;" in answer.text
    banners[-1] = LiveBanner(accounts=("main",), halt=None, is_simulated=True)
    answer = await made.get("/thing/x")
    assert "Orders are sent to a simulator on this machine (main)" in answer.text
    assert "Real money" not in answer.text
    banners.pop()
    assert "data-live-banner" not in (await made.get("/thing/x")).text


async def test_before_the_database_and_after_it_pages_say_so_and_styles_are_there():
    made = site(nothing)
    made.mount.remove()
    answer = await made.get("/thing/x")
    assert answer.status_code == 503
    assert "has not reached its database yet" in answer.text
    assert (await made.get(made.mount.static.url("app.css"))).status_code == 200


async def test_an_address_that_does_not_exist_is_a_page_too():
    answer = await site(nothing).get("/nowhere")
    assert answer.status_code == 404
    assert "There is no page at this address." in answer.text


@pytest.mark.parametrize(
    ("cookie", "theme"), [("polycopy_theme=dark", "dark"), ("polycopy_theme=<x>", ""), ("a=b", "")]
)
async def test_the_theme_is_what_was_chosen(cookie, theme):
    answer = await site(nothing).get("/thing/x", cookie=cookie)
    assert (f'data-theme="{theme}"' in answer.text) == bool(theme)
    assert "<x>" not in answer.text


async def test_a_page_asks_the_api_as_its_visitor_and_gets_exact_numbers():
    seen = []

    async def thing(call):
        seen.append((call.principal.user_name, dict(call.params)))
        return Thing(amount_usd=Decimal("0.100000000000000001"), name=HOSTILE)

    async def load(visit):
        answer = await visit.ask("/api/thing/0x" + "AB" * 20, limit=3, side=None)
        assert answer == {"amountUsd": Decimal("0.100000000000000001"), "name": HOSTILE}
        parts = [
            await visit.part("/api/nothing"),
            await visit.part("/api/thing/0x" + "ab" * 20, limit=1_000),
            await visit.part("/api/admin-thing"),
        ]
        assert [part.code for part in parts] == ["not_found", "bad_request", "forbidden"]
        assert not any(parts)
        return {"error": ApiError(200, "fine", answer["name"])}

    limit = whole("limit", "rows", at_least=1, at_most=9, default=2)
    routes = [
        route(thing, "/api/thing/{wallet}", params=(in_path(wallet("wallet")), limit), answer=Thing),
        route(thing, "/api/admin-thing", scope=Scope.ADMIN),
    ]
    answer = await site(load, routes=routes).get("/thing/x")
    assert answer.status_code == 200, answer.text
    assert seen == [("ann", {"wallet": "0x" + "ab" * 20, "limit": 3})]


async def test_a_part_that_fails_for_the_moment_is_unavailable():
    async def thing(_call):
        raise TransientError("password of the database")

    async def load(visit):
        part = await visit.part("/api/thing")
        assert part == Unavailable("this cannot be told for the moment")
        return {"error": ApiError(200, "fine", "fine")}

    assert (await site(load, routes=[route(thing)]).get("/thing/x")).status_code == 200


def in_path(param: Param) -> Param:
    return attrs.evolve(param, in_path=True, required=True)
