import json
from contextlib import suppress
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import MalformedError, TransientError
from protocols.venue.clob_markets import book_top, clob_facts
from protocols.venue.gamma import market_from, split_markets
from protocols.venue.gamma_quotes import facts_in, facts_of, prices_of

ID = "0x" + "a" * 64


def gamma(**fields):
    given_fields = {
        "conditionId": ID,
        "outcomes": '["Yes", "No"]',
        "outcomePrices": '["0.905", "0.095"]',
        "clobTokenIds": '["1", "2"]',
    }
    return msgspec.Raw(json.dumps(given_fields | fields).encode())


def clob(*tokens, **fields):
    listed = [dict(zip(("token_id", "outcome", "price", "winner"), token, strict=True)) for token in tokens]
    return json.dumps({"condition_id": ID, "closed": False, "tokens": listed} | fields).encode()


OPEN = (("1", "Yes", 0.3, False), ("2", "No", 0.7, False))


@pytest.mark.parametrize(
    "name", ["gamma.market-open.real.2026-10-05.json", "gamma.market-resolved.real.2026-07-24.json"]
)
def test_recorded_markets_say_the_same_as_in_full(name, recorded):
    body = (recorded / "payloads" / name).read_bytes()
    facts, market = facts_in(msgspec.Raw(body)), market_from(json.loads(body, parse_float=Decimal))
    assert facts.condition_id == market.condition_id
    assert facts.question == market.title
    assert (facts.outcomes, facts.outcome_prices) == (market.outcomes, market.outcome_prices)
    assert facts.token_ids == tuple(token.token_id for token in market.tokens)
    assert (facts.closed, facts.resolution_status) == (market.closed, market.resolution_status)
    assert (facts.tick_size, facts.order_size_min) == (market.tick_size, market.order_size_min)
    assert (facts.slug, facts.accepting_orders, facts.negative_risk) == (
        market.slug,
        market.accepting_orders,
        market.negative_risk,
    )
    assert facts == facts_of(json.loads(body, parse_float=Decimal))


@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        ('["1", "0"]', (Decimal(1), Decimal(0))),
        ([0.25, 0.75], (Decimal("0.25"), Decimal("0.75"))),
        ("[0.25, 0.75]", (Decimal("0.25"), Decimal("0.75"))),
        ('["0", "0"]', None),
        ('["45", "55"]', None),
        ('["0.5"]', None),
        ('["0.5", null]', None),
        ('["NaN", "0.5"]', None),
        ("", None),
        (None, None),
        (7, None),
    ],
)
def test_prices_are_exact_or_missing_and_never_made_up(prices, expected):
    assert facts_in(gamma(outcomePrices=prices)).outcome_prices == expected


def test_both_lists_of_gamma_are_read():
    one = bytes(gamma())
    assert [facts_in(item).condition_id for item in split_markets(b"[" + one + b"]")] == [ID]
    assert [facts_in(item).condition_id for item in split_markets(b'{"markets":[' + one + b'],"next_cursor":"x"}')] == [
        ID
    ]


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b'[{"conditionId"', b"{}", b"null", b'{"markets":3}', b'{"markets":[']
)
def test_anything_else_is_weather(body):
    with pytest.raises(TransientError):
        split_markets(body)


def test_one_object_that_makes_no_sense_is_only_that():
    for item in (gamma(conditionId=None), gamma(clobTokenIds='["1"]'), msgspec.Raw(b"3"), gamma(outcomes="[")):
        with pytest.raises(MalformedError):
            facts_in(item)
    assert facts_in(gamma(question=4, events=[], tags=[{"label": "Sport"}, 3])).tags == ("Sport",)
    assert (
        facts_in(msgspec.Raw(bytes(gamma(question="x")).replace(b'"x"', b'"\\ud800"'))).question
        == "\N{REPLACEMENT CHARACTER}"
    )


def test_a_v2_market_is_told_by_its_long_id():
    facts = facts_in(gamma(conditionId="0x" + "B" * 62, clobTokenIds=None, positionIds=["7", "8"]))
    assert facts.condition_id == "0x" + "b" * 62 + "00"
    assert facts.token_ids == ("7", "8")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)
    )
)
def test_no_value_of_a_field_raises_anything_but_malformed(value):
    for name in (
        "outcomes",
        "outcomePrices",
        "events",
        "question",
        "tags",
        "cryptoMarketConfig",
        "umaResolutionStatus",
    ):
        with suppress(MalformedError):
            facts_in(gamma(**{name: value}))


def test_clob_numbers_and_strings_are_the_same():
    strings = tuple((token, outcome, str(price), won) for token, outcome, price, won in OPEN)
    assert clob_facts(clob(*OPEN), ID) == clob_facts(clob(*strings), ID)
    assert clob_facts(clob(*OPEN), ID).outcome_prices == (Decimal("0.3"), Decimal("0.7"))


def test_a_closed_market_of_the_clob_pays_its_winner():
    facts = clob_facts(clob(("1", "Yes", 0.98, True), ("2", "No", 0.02, False), closed=True), ID)
    assert facts.outcome_prices == (Decimal(1), Decimal(0))
    assert facts.resolution_status == "resolved"
    undecided = clob_facts(clob(*OPEN, closed=True), ID)
    assert (undecided.resolution_status, undecided.outcome_prices[0]) == (None, Decimal("0.3"))
    in_play = clob_facts(clob(("1", "Yes", 0.98, True), ("2", "No", 0.02, False)), ID)
    assert (in_play.resolution_status, in_play.outcome_prices[0]) == (None, Decimal("0.98"))


def test_another_market_or_one_without_tokens_is_none():
    assert clob_facts(clob(*OPEN, condition_id="0x" + "c" * 64), ID) is None
    assert clob_facts(clob(*OPEN, condition_id=None), ID) is None
    assert clob_facts(clob(), ID) is None
    assert clob_facts(clob(("", "Yes", 0.3, False), ("", "No", 0.7, False)), ID) is None
    assert clob_facts(clob(("1", "Yes", None, False), ("2", "No", 0.7, False)), ID).outcome_prices is None
    with pytest.raises(TransientError):
        clob_facts(b"<html>", ID)


def test_the_top_of_a_recorded_book(recorded):
    body = (recorded / "payloads" / "clob-book.rest.real.2026-10-05.json").read_bytes()
    book = json.loads(body)
    top = book_top(body, book["asset_id"])
    assert top.best_bid == max(Decimal(level["price"]) for level in book["bids"])
    assert top.best_ask == min(Decimal(level["price"]) for level in book["asks"])
    assert top.best_bid < top.best_ask
    assert (top.tick_size, top.order_size_min) == (Decimal(book["tick_size"]), Decimal(book["min_order_size"]))
    assert top.book_time_ms == int(book["timestamp"])
    assert book_top(body, "1") is None
    with pytest.raises(TransientError):
        book_top(body[:100], book["asset_id"])


def test_an_empty_side_has_no_price():
    body = json.dumps({"asset_id": "1", "market": ID, "bids": [], "asks": [{"price": "0.4", "size": "0"}, 3]}).encode()
    top = book_top(body, "1")
    assert (top.best_bid, top.best_ask, top.best_ask_size) == (None, None, None)


def test_half_a_set_of_prices_is_none():
    assert prices_of([Decimal("0.5")], 2) is None
    assert prices_of([], 0) is None
