import random

import attrs
import pytest

from engine.api.browser import BrowserDoor
from engine.api.form_tokens import HTTP_COOKIE, HTTPS_COOKIE, VALID_S, FormTokens
from engine.api.peer import networks_of


@attrs.define
class SetClock:
    at_ms: int = 1_900_000_000_000

    def now_ms(self):
        return self.at_ms


@pytest.fixture
def clock():
    return SetClock()


def forms_of(clock, trusted=""):
    door = BrowserDoor(find=lambda digest: None, trusted_proxies=networks_of(trusted))
    return FormTokens(door=door, clock=clock, secret_rng=random.SystemRandom())


def request(method="POST", **headers):
    lines = [(name.replace("_", "-").encode(), value.encode()) for name, value in {"host": "h:1", **headers}.items()]
    return {"method": method, "scheme": "http", "client": ("127.0.0.1", 5), "headers": lines}


def cookie_of(form):
    name, value = form.set_cookie
    assert name == b"set-cookie"
    return value.decode().partition(";")[0]


def test_a_form_checks_in_the_browser_that_got_it(clock):
    forms = forms_of(clock)
    form = forms.form_token(request("GET"))
    assert forms.checks(request(cookie=cookie_of(form)), form.token)
    assert forms.checks(request(cookie=cookie_of(form), origin="http://h:1", sec_fetch_site="same-origin"), form.token)
    assert form.set_cookie[1].decode().partition("; ")[2] == f"Path=/; Max-Age={VALID_S}; HttpOnly; SameSite=Lax"
    assert form.token not in repr(form)
    assert cookie_of(form) not in repr(form)


def test_another_tab_keeps_the_cookie_so_both_forms_hold(clock):
    forms = forms_of(clock)
    first = forms.form_token(request("GET"))
    second = forms.form_token(request("GET", cookie=cookie_of(first)))
    assert cookie_of(first) == cookie_of(second)
    for form in (first, second):
        assert forms.checks(request(cookie=cookie_of(second)), form.token)
    strange = forms.form_token(request("GET", cookie=f"{HTTP_COOKIE}=set by somebody"))
    assert "somebody" not in cookie_of(strange)


def test_what_is_not_ours_does_not_check(clock):
    forms = forms_of(clock)
    form, other = forms.form_token(request("GET")), forms.form_token(request("GET"))
    cookie = cookie_of(form)
    ends, _, signature = form.token.partition(".")
    for token in (
        "",
        "x",
        other.token,
        f"{int(ends) + 1}.{signature}",
        f"{ends}.{'0' * 64}",
        f"{form.token}0",
        f"٣.{signature}",
    ):
        assert not forms.checks(request(cookie=cookie), token)
    for one in (
        {},
        {"cookie": cookie_of(other)},
        {"cookie": f"{HTTP_COOKIE}="},
        {"cookie": f"{cookie}; {cookie_of(other)}"},
    ):
        assert not forms.checks(request(**one), form.token)
    for headers in ({"origin": "https://evil.example"}, {"origin": "null"}, {"sec_fetch_site": "cross-site"}):
        assert not forms.checks(request(cookie=cookie, **headers), form.token)
    # Of another process: its key is its own.
    assert not forms_of(clock).checks(request(cookie=cookie), form.token)
    clock.at_ms += VALID_S * 1000 + 1000
    assert not forms.checks(request(cookie=cookie), form.token)


def test_behind_a_trusted_proxy_with_tls_the_cookie_is_of_https_alone(clock):
    forms = forms_of(clock, trusted="127.0.0.1")
    form = forms.form_token(request("GET", x_forwarded_proto="https"))
    assert cookie_of(form).startswith(f"{HTTPS_COOKIE}=")
    assert form.set_cookie[1].endswith(b"; Secure")
    assert forms.checks(request(cookie=cookie_of(form), x_forwarded_proto="https", origin="https://h:1"), form.token)
    assert not forms.checks(request(cookie=cookie_of(form), x_forwarded_proto="https", origin="http://h:1"), form.token)
    assert not forms.checks(request(cookie=cookie_of(form)), form.token)
