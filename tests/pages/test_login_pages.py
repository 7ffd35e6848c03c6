"""Getting in and out with a browser: forms, cookies, where it leads, and what is refused."""

import re
from contextlib import asynccontextmanager

import attrs
import httpx
import pytest
from engine_api.login_server import PASSWORD, LoginServer, login_server

from engine.adapters.system_clock import SystemClock, secret_random
from engine.api.browser import HTTP_COOKIE
from engine.api.entrance import Entrance
from engine.api.form_tokens import FormTokens
from engine.pages.login_pages import login_pages
from engine.pages.mount import PageMount
from engine.pages.rendering import Renderer
from engine.pages.settings_pages import settings_pages
from engine.pages.static_files import StaticFiles

SAME = {"Sec-Fetch-Site": "same-origin", "Origin": "http://127.0.0.1"}


@attrs.define
class Browser:
    """Keeps cookies, follows nothing by itself."""

    http: httpx.AsyncClient
    server: LoginServer

    async def form(self, path: str = "/login") -> str:
        answer = await self.http.get(path)
        found = re.search(r'name="csrf" value="([^"]+)"', answer.text)
        assert found, answer.text
        return found[1]

    async def log_in(self, name: str = "ann", password: str = PASSWORD, **fields: str) -> httpx.Response:
        csrf = fields.pop("csrf", None) or await self.form()
        form = {"csrf": csrf, "user_name": name, "password": password, "next": "/settings/access", **fields}
        return await self.http.post("/login", data=form, headers=SAME)

    @property
    def session(self) -> str | None:
        return self.http.cookies.get(HTTP_COOKIE)


@asynccontextmanager
async def opened(database, **options):
    async with login_server(database, **options) as server:
        await server.add_user()
        static = StaticFiles.read()
        mount = PageMount(renderer=Renderer(static, SystemClock()), static=static)
        forms = FormTokens(door=server.gate.door, clock=SystemClock(), secret_rng=secret_random())
        entrance = Entrance(login=server.login, door=server.gate.door, forms=forms)
        mount.install(settings_pages, [], server.gate, login_pages(mount, entrance))
        transport = httpx.ASGITransport(app=mount)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            yield Browser(http, server)


@pytest.fixture
async def browser(database, aio):
    async with opened(database) as one:
        yield one


async def test_a_password_lets_in_and_leads_where_one_wanted(browser):
    answer = await browser.log_in()
    assert (answer.status_code, answer.headers["location"]) == (303, "/settings/access")
    cookie = next(line for line in answer.headers.get_list("set-cookie") if line.startswith(HTTP_COOKIE))
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    # Who is in needs no form.
    assert (await browser.http.get("/login?next=/portfolio")).headers["location"] == "/portfolio"
    assert (await browser.http.get("/")).headers["location"] == "/v2/feed"


@pytest.mark.parametrize("wanted", ["//evil.example", "https://evil.example", "/\\evil.example", "/login?next=/x", ""])
async def test_nobody_is_led_elsewhere(browser, wanted):
    assert (await browser.log_in(next=wanted)).headers["location"] == "/"


@pytest.mark.parametrize(("name", "password"), [("ann", "wrong"), ("nobody", PASSWORD), ("", ""), ("<b>x</b>", "x")])
async def test_a_refusal_says_nothing_of_who_exists_and_keeps_the_name(browser, name, password):
    answer = await browser.log_in(name, password)
    assert answer.status_code == 401
    assert "User name and password do not fit together." in answer.text
    assert "<b>x" not in answer.text
    assert password == "" or f'value="{password}"' not in answer.text
    assert browser.session is None


async def test_who_guesses_has_to_wait(browser):
    answers = [(await browser.log_in(password="wrong")) for _ in range(9)]
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "null"},
    ],
)
async def test_a_form_of_another_site_is_refused(browser, headers):
    form = {"csrf": await browser.form(), "user_name": "ann", "password": PASSWORD, "next": "/"}
    answer = await browser.http.post("/login", data=form, headers={**SAME, **headers})
    assert answer.status_code == 403
    assert browser.session is None


async def test_a_form_without_its_cookie_or_token_is_refused_and_shown_again(browser):
    assert (await browser.log_in(csrf="0.0")).status_code == 403
    csrf = await browser.form()
    browser.http.cookies.clear()
    answer = await browser.log_in(csrf=csrf)
    assert answer.status_code == 403
    assert "This form is too old" in answer.text


@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [(b"{}", "application/json", 415), (b"x" * 9_000, "application/x-www-form-urlencoded", 413),
     (b"a=%ff", "application/x-www-form-urlencoded", 400), (b"\xff", "application/x-www-form-urlencoded", 400),
     (b"&".join(b"a%d=1" % number for number in range(99)), "application/x-www-form-urlencoded", 400)],
)  # fmt: skip
async def test_what_is_no_form_is_refused(browser, content, media_type, status):
    answer = await browser.http.post("/login", content=content, headers={**SAME, "Content-Type": media_type})
    assert answer.status_code == status


async def test_logging_out_needs_the_token_and_ends_the_session(browser):
    await browser.log_in()
    secret = browser.session
    assert (await browser.http.post("/logout", data={"csrf": "x"}, headers=SAME)).status_code == 403
    page = await browser.http.get("/settings/access")
    csrf = re.search(r'action="/logout">\s*<input type="hidden" name="csrf" value="([^"]+)"', page.text)[1]
    elsewhere = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert (await browser.http.post("/logout", data={"csrf": csrf}, headers=elsewhere)).status_code == 403
    answer = await browser.http.post("/logout", data={"csrf": csrf}, headers=SAME)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert browser.session is None
    browser.http.cookies.set(HTTP_COOKIE, secret)
    assert (await browser.http.get("/settings")).headers["location"] == "/login?next=%2Fsettings"


async def test_a_login_url_works_once(browser):
    key = browser.server.urls.make("ann")
    assert (await browser.http.get(f"/login/once?key={key}")).status_code == 303
    assert browser.session is not None
    browser.http.cookies.clear()
    answer = await browser.http.get(f"/login/once?key={key}")
    assert answer.status_code == 401
    assert "used already" in answer.text


@pytest.mark.parametrize(
    ("path", "allow"), [("/", "GET"), ("/login", "GET, POST"), ("/login/once", "GET"), ("/logout", "POST")]
)
async def test_other_methods_are_refused(browser, path, allow):
    answer = await browser.http.request("DELETE", path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allow)


async def test_behind_a_trusted_proxy_with_tls_the_cookie_is_secure(database, aio):
    async with opened(database, trusted="127.0.0.1/32") as browser:
        proxied = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}
        page = await browser.http.get("/login", headers=proxied)
        csrf = re.search(r'name="csrf" value="([^"]+)"', page.text)[1]
        held = page.headers["set-cookie"].partition(";")[0]
        form = {"csrf": csrf, "user_name": "ann", "password": PASSWORD, "next": "/"}
        own = {"Origin": "https://127.0.0.1", "Sec-Fetch-Site": "same-origin", "Cookie": held}
        answer = await browser.http.post("/login", data=form, headers={**proxied, **own})
        assert answer.status_code == 303, answer.text
        assert answer.headers["set-cookie"].startswith("__Host-polycopy=")
        assert "Secure" in answer.headers["set-cookie"]
