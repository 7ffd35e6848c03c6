from urllib.parse import quote, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.api.safe_next import HOME, safe_next

OURS = ["/", "/feed", "/traders/0xabc", "/lt/logs?stage=risk&traceId=a%20b", "/bots/7#equity", "/feed?q=caf%C3%A9",
        "/discover?sort=pnl&next=/feed", "/feed?url=https://elsewhere.example"]  # fmt: skip
THEIRS = [
    None, "", "feed", "//evil", "//evil.example/feed", "///evil", "/\\evil", "\\\\evil", "\\/evil",
    "/\\/evil", "/feed\\..\\evil",
    "https://evil.example", "https:evil.example", "https:/evil.example", "HTTPS://evil",
    "javascript:alert(1)", "data:text/html,x",
    " /feed", "/ /evil", "\t//evil", "/\t/evil", "/\n/evil", "/\r\nSet-Cookie: a=b",
    "/feed\x00", "/feed\x7f", "/\u2028/evil",
    "/%2F/evil", "/%2f%2fevil", "/%5Cevil", "/%5c%5cevil", "/%09/evil", "/%0d%0aSet-Cookie:a=b", "/%252F%252Fevil",
    "/%25252Fevil%00",
    "/..//evil", "/feed/../../evil", "/%2e%2e/evil", "/./feed", "@evil.example", "/feed é", "/fe\u202eed", "/login",
    "/login?next=/feed",
    "/login/once?key=x", "/logout", "/%6cogin", "/api/tokens", "/" + "a" * 2_000, "?next=//evil", "#//evil",
]  # fmt: skip


@pytest.mark.parametrize("path", OURS)
def test_a_page_of_ours_is_where_it_leads(path):
    assert safe_next(path) == path


@pytest.mark.parametrize("path", THEIRS)
def test_everything_else_leads_home(path):
    assert safe_next(path) == HOME


pieces = st.lists(
    st.sampled_from(["/", "\\", "//", ":", "@", "%2f", "%5C", "%25", "http:", "evil.example",
                     "\t", "\n", "..", ".", "?", "#", "a"]),
    max_size=8,
)  # fmt: skip


@given(parts=pieces, times=st.integers(0, 2))
def test_whatever_it_returns_stays_on_this_host(parts, times):
    text = "".join(parts)
    for _ in range(times):
        text = quote(text, safe="")
    answer = safe_next(text)
    assert answer in (text, HOME)
    for base in ("http://127.0.0.1:8087/login", "https://polycopy.example/a/b"):
        assert urlsplit(urljoin(base, answer))[:2] == urlsplit(base)[:2]
    # What browsers do besides: tabs and line breaks vanish, a backslash is a slash.
    as_browser = answer.replace("\\", "/").replace("\t", "").replace("\n", "").replace("\r", "")
    assert as_browser.startswith("/")
    assert not as_browser.startswith("//")
