"""Messages: every kind has its words, whatever strangers write stays text, and the settings are linked."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from property.examples import MANY

from actors.rules.notices.plain_text import one_line
from actors.rules.notices.rendering import SHOWN_MAX, TITLE_MAX, message_of
from actors.rules.notices.wording import words_of
from protocols.notifications import Notice, NoticeKind

LINK = "https://copies.example.org/settings?user=ann&tab=1"
NAMES = (
    "market", "condition_id", "outcome", "winner", "trader", "trader_name", "strategy", "reason", "detail", "by", "user",
    "day", "side", "status", "why", "shares", "usd", "pnl", "sold", "target", "attempts", "limit", "drift", "account",
)  # fmt: skip
values = st.one_of(
    st.text(max_size=60), st.none(), st.integers(), st.floats(), st.lists(st.text(max_size=9), max_size=2)
)
payloads = st.dictionaries(st.sampled_from(NAMES), values)
lists = st.fixed_dictionaries({}, optional={
    "outcomes": st.lists(st.text(max_size=20), max_size=3),
    "strategies": st.lists(st.text(max_size=20), max_size=3),
})  # fmt: skip


def notice(number=1, kind=NoticeKind.ORDER_FILLED, **payload):
    return Notice(notification_id=number, kind=kind, payload=payload, happened_ms=1_795_000_000_000)


def rendered(*notices, address="ann@example.org", link=LINK):
    return message_of(notices, number=0, channel="mail", address=address, user_name="ann", settings_url=link)


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.links = set(), []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name in ("href", "src")]
        assert not [name for name, _ in attrs if name.startswith("on")]


@MANY
@given(
    kind=st.sampled_from([kind for kind in NoticeKind if kind is not NoticeKind.DAILY_SUMMARY]),
    payload=payloads,
    more=lists,
)
def test_whatever_strangers_write_stays_text(kind, payload, more):
    message = rendered(notice(kind=kind, **payload, **more))
    assert len(message.title) <= TITLE_MAX
    assert message.title.isprintable() or any(c in message.title for c in "\u200b\u200c\u200d\u00a0")
    assert not re.search(r"[\x00-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069]", message.title)
    page = Tags()
    page.feed(message.html)
    assert page.tags <= {"html", "head", "meta", "body", "h3", "p", "table", "tr", "td", "a"}
    assert page.links == [LINK]
    for text in (message.text, message.html):
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", text)
    assert LINK in message.text
    assert "@everyone" not in message.text
    assert "@" not in message.text.replace("@\u200b", "").replace(LINK, "")


@pytest.mark.parametrize("kind", list(NoticeKind))
def test_every_kind_has_words_without_any_payload(kind):
    words = words_of(notice(kind=kind))
    assert words.headline
    assert all(label and value for label, value in words.details)


@pytest.mark.parametrize(
    ("kind", "payload", "headline", "detail"),
    [
        (NoticeKind.MARKET_RESOLVED, {"market": "Rain?", "winner": "Yes", "pnl": "14.5", "copies": 2, "outcomes": ["Yes"]},
         "Market resolved, Yes won: Rain?", ("Profit or loss", "+14.50 USD")),
        (NoticeKind.TRADER_CLOSED, {"market": "Rain?", "trader": "0x1", "trader_name": "Bo", "shares": "20.5"},
         "Copied trader closed a position: Rain?", ("Trader", "Bo (0x1)")),
        (NoticeKind.AUTO_CLOSE_EXECUTED, {"market": "Rain?", "why": "stop_loss", "sold": "1000"},
         "Position closed: Rain?", ("Why", "stop loss")),
        (NoticeKind.AUTO_CLOSE_FAILED, {"market": "Rain?", "sold": "0", "target": "10", "detail": "nobody bids"},
         "Position not closed in time: Rain?", ("What it waits for", "nobody bids")),
        (NoticeKind.ORDER_FILLED, {"market": "Rain?", "side": "SELL", "status": "FILLED"}, "Sold: Rain?", ("Order", "SELL")),
        (NoticeKind.ORDER_FILLED, {"market": "Rain?", "side": "BUY", "status": "PARTIAL", "usd": "1234.5"},
         "Bought in part: Rain?", ("For", "1,234.50 USD")),
        (NoticeKind.ORDER_REJECTED, {"condition_id": "0xc0", "reason": "min_size", "detail": "too small"},
         "Order refused by the venue: 0xc0", ("Reason", "min_size too small")),
        (NoticeKind.STRATEGY_HALTED, {"strategy": "LT_A", "reason": "5 losses", "by": "its breaker"},
         "Strategy halted: LT_A", ("Reason", "5 losses")),
        (NoticeKind.STRATEGY_HALTED, {"reason": "maintenance", "by": "carl"}, "All live trading halted", ("By", "carl")),
        (NoticeKind.DRIFT, {"strategy": "LT_A", "drift": "3.2"},
         "The ledger of a strategy does not agree with the venue: LT_A", ("Drift", "3.20 USD")),
        (NoticeKind.DAILY_SUMMARY, {"day": "2026-11-18", "pnl": "-3", "strategies": [{"strategy": "LT_A", "pnl": "-3",
         "spent": "10"}]}, "Your copies on 2026-11-18 (UTC)", ("LT_A", "-3.00 USD, spent 10.00 USD")),
        (NoticeKind.WELCOME, {"user": "ann"}, "Welcome to Polycopy, ann", None),
    ],
)  # fmt: skip
def test_what_is_said(kind, payload, headline, detail):
    words = words_of(notice(kind=kind, **payload))
    assert words.headline == headline
    assert detail is None or detail in words.details


def test_a_long_digest_counts_its_rest():
    many = rendered(*(notice(n, market=f"market {n:03}", side="BUY", status="FILLED") for n in range(SHOWN_MAX + 5)))
    assert many.title == f"[Polycopy] {SHOWN_MAX + 5} notices: Bought: market 000"
    for text in (many.text, many.html):
        assert f"market {SHOWN_MAX - 1:03}" in text
        assert f"market {SHOWN_MAX:03}" not in text
        assert "And 5 more" in text


def test_a_chat_is_told_whose_notice_it_is_and_without_a_page_what_else_to_do():
    message = rendered(notice(market="Rain?", side="BUY", status="FILLED"), address=None, link="")
    assert message.title == "[Polycopy] ann: Bought: Rain?"
    assert "polycopy notify preferences" in message.text
    assert "polycopy notify preferences" in message.html
    assert "href" not in message.html


def test_lines_are_cut_and_cleaned():
    assert one_line(" a\r\n\tb\u2028c \x00\u202ed ") == "a b c d"
    assert one_line("👩\u200d🚀 هل ستمطر") == "👩\u200d🚀 هل ستمطر"
    assert one_line("x" * 500, 20) == "x" * 19 + "…"
    assert one_line(None) == "None"
