import contextlib
import gzip
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from property.examples import MANY
from property.made_trades import JSON_VALUES, condition

from protocols.errors import MalformedError, TransientError
from protocols.trades import canonical_condition_id
from protocols.venue.gamma import condition_id_spellings, decode_markets, market_from

MARKET = {
    "id": "5308512", "conditionId": condition(1), "question": "Up or down?", "slug": "up-down", "outcomes": '["Up", "Down"]',
    "outcomePrices": '["0.505", "0.495"]', "clobTokenIds": '["11", "22"]', "active": True, "closed": False,
    "acceptingOrders": True, "negRisk": False, "orderPriceMinTickSize": 0.01, "orderMinSize": 5,
    "startDate": "2026-10-05T00:00:00Z", "endDate": "2026-10-06T00:00:00Z", "events": [{"slug": "an-event"}],
}  # fmt: skip
NAMES = st.sampled_from([*MARKET, "closedTime", "umaResolutionStatus", "positionIds", "version", "image", "category"])
VALUES = st.one_of(
    JSON_VALUES,
    JSON_VALUES.map(json.dumps),
    st.sampled_from(
        ["[", '["a"]', "[NaN]", "[1e999999999999999999999]", "[" * 3_000, '["0.5","0.5"]', "[0.5,1.5]", 10**30]
    ),
)


def decode(*markets):
    return decode_markets(json.dumps(list(markets)).encode())


def market(**changes):
    (found,), problems = decode(MARKET | changes)
    assert not problems
    return found


def test_a_market_is_read_exactly():
    found = market()
    assert found.condition_id == condition(1)
    assert found.outcomes == ("Up", "Down")
    assert found.outcome_prices == (Decimal("0.505"), Decimal("0.495"))
    assert [(t.token_id, t.outcome, t.outcome_index) for t in found.tokens] == [("11", "Up", 0), ("22", "Down", 1)]
    assert (found.tick_size, found.order_size_min) == (Decimal("0.01"), Decimal(5))
    assert (found.event_slug, found.closed, found.active) == ("an-event", False, True)
    assert found.end_ms - found.start_ms == 86_400_000


@pytest.mark.parametrize("prices", [None, "", "[]", '["0.5"]', '["a","b"]', '["2","-1"]', "[NaN,NaN]", [0.5, None]])
def test_a_missing_or_absurd_price_is_missing_never_a_half(prices):
    assert market(outcomePrices=prices).outcome_prices is None


@pytest.mark.parametrize("tokens", ['["11"]', '["11","22","33"]', [1]])
def test_tokens_that_do_not_match_the_outcomes_make_no_market(tokens):
    found, problems = decode(MARKET | {"clobTokenIds": tokens})
    assert not found
    assert problems[0].reason == "tokens"


def test_protocol_v2_tokens_are_positions_and_ids_have_two_lengths():
    short = condition(1)[:-2]
    found = market(conditionId=short, clobTokenIds=None, positionIds=["11", "22"])
    assert found.condition_id == short + "00"
    assert [token.token_id for token in found.tokens] == ["11", "22"]


@MANY
@given(digits=st.text(alphabet="0123456789abcdefABCDEF", min_size=62, max_size=64))
def test_every_spelling_of_an_id_is_asked_for_and_comes_home(digits):
    canonical = canonical_condition_id("0x" + digits)
    spellings = condition_id_spellings([canonical])
    assert spellings[0] == canonical
    assert {canonical_condition_id(spelling) for spelling in spellings} == {canonical}
    if len(digits) == 62:
        assert "0x" + digits.lower() in spellings


def test_one_broken_market_costs_no_other():
    found, problems = decode(MARKET, 7, {"id": "1"}, MARKET | {"clobTokenIds": "["}, MARKET | {"conditionId": ""})
    assert len(found) == 1
    assert len(problems) == 4


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b"null", b"[{]", b"[" * 100_000, b"\xff"])
def test_what_is_no_list_may_be_one_later(body):
    with pytest.raises(TransientError):
        decode_markets(body)


@MANY
@given(body=st.one_of(st.binary(), st.text().map(str.encode), JSON_VALUES.map(json.dumps).map(str.encode)))
def test_any_body_is_a_list_or_transient(body):
    with contextlib.suppress(TransientError):
        decode_markets(body)


@MANY
@given(changes=st.dictionaries(NAMES, VALUES, max_size=4))
def test_any_market_object_is_a_market_or_malformed(changes):
    check(changes)


def check(changes):
    try:
        found = decode(MARKET | changes)[0]
    except TransientError:
        # NaN and infinities are no JSON, and one of them makes the whole body none.
        assert "inf" in repr(changes) or "nan" in repr(changes)
        return
    for one in found:
        assert len(one.tokens) in (0, len(one.outcomes))
        assert one.outcome_prices is None or len(one.outcome_prices) == len(one.outcomes)
        one.raw.encode()
        raw = json.loads(one.raw)
        assert "\x00" not in json.dumps(raw, ensure_ascii=False)
        for text in (one.title, one.slug, one.category, one.resolution_status, *one.outcomes):
            assert text is None or "\x00" not in text
            (text or "").encode()


@pytest.mark.parametrize("tokens", [None, "", "[]", ...])
def test_a_market_that_has_no_tokens_yet_is_a_market_or_malformed(tokens):
    changed = MARKET | {"clobTokenIds": tokens}
    if tokens is ...:
        del changed["clobTokenIds"]
    found, problems = decode(changed)
    assert len(found) + len(problems) == 1


def test_an_absurd_exponent_inside_a_string_is_malformed():
    decode(MARKET | {"outcomes": "[1e999999999999999999999]"})


def test_a_lone_surrogate_in_a_title_costs_nothing():
    found, problems = decode(MARKET | {"question": "\ud800"}, MARKET)
    assert len(found) == 2
    assert not problems


def test_an_object_without_an_id_is_malformed():
    for value in (None, 5, "", " "):
        with pytest.raises(MalformedError):
            market_from(MARKET | {"conditionId": value})


def test_every_recorded_market_is_understood(recorded):
    lines = gzip.open(recorded / "data/gamma-resolved-markets-2026-06-08.jsonl.gz", "rt").read().splitlines()
    rows = [json.loads(line) for line in lines]
    found, problems = decode(*(row["raw"] for row in rows))
    assert not problems
    assert len(found) == 292
    for one, row in zip(found, rows, strict=True):
        assert one.condition_id == row["condition_id"]
        assert [token.token_id for token in one.tokens] == row["token_ids"]
        assert one.closed
        assert list(map(str, one.outcome_prices)) == row["outcome_prices"]
        assert one.resolution_status == "resolved"


@pytest.mark.parametrize("name", ["gamma.market-open.real.2026-10-05", "gamma.market-resolved.real.2026-07-24"])
def test_the_newest_recorded_markets_are_understood(recorded, name):
    raw = json.loads((recorded / f"payloads/{name}.json").read_text())
    (found,), problems = decode(raw)
    assert not problems
    assert found.closed == ("resolved" in name)
    assert len(found.tokens) == len(found.outcomes) == 2
    assert found.tick_size is not None
