import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from property.examples import MANY, SLOW
from property.made_trades import JSON_VALUES, fields, row
from test_rtds_frames import SCRIPTED, assembled

from protocols.errors import MalformedError
from protocols.trades import RawTrade
from protocols.venue.rtds import RAW_CHARS_MAX, TradeFrame, decode_frame, payload_json

# numeric of PostgreSQL: so many digits before and after the point, and jsonb keeps numbers as numeric.
NUMERIC_DIGITS_BEFORE = 131_072
NUMERIC_DIGITS_AFTER = 16_383


def walk(value):
    yield value
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner)


def refuse(name):
    raise AssertionError(f"{name} is not JSON")


def number(text):
    """Python reads no integer of more than 4,300 digits and no exponent of 20; what the database refuses costs only `raw`."""
    try:
        return Decimal(text)
    except ArithmeticError:
        return None


def check_storable(text):
    """What PostgreSQL's jsonb takes (checked against a server), without asking one."""
    text.encode("utf-8")
    value = json.loads(text, parse_float=number, parse_int=number, parse_constant=refuse)
    assert isinstance(value, dict)
    for inner in walk(value):
        if isinstance(inner, str):
            assert "\x00" not in inner
            assert not any("\ud800" <= char <= "\udfff" for char in inner)
    return value


def check_numbers(value):
    for inner in walk(value):
        if isinstance(inner, Decimal) and inner:
            assert inner.adjusted() < NUMERIC_DIGITS_BEFORE
            assert -inner.as_tuple().exponent <= NUMERIC_DIGITS_AFTER


def stored_form(text):
    try:
        decoded = decode_frame(text)
    except MalformedError:
        return None
    if not isinstance(decoded, TradeFrame):
        return None
    return payload_json(RawTrade(row=decoded.payload, scope="s", text=text, seen_s=0.0))


def storable_always(text):
    stored = stored_form(text)
    if stored is not None:
        check_storable(stored)


NASTY = st.builds(
    lambda name, value: assembled({name: value}),
    st.sampled_from(["bio", "name", "title", "pseudonym", "fee", "\u0000", "a\ud800"]),
    st.one_of(
        JSON_VALUES.map(json.dumps),
        st.text(alphabet=st.characters(codec=None), max_size=8).map(json.dumps),
        st.text(alphabet='\\u0dd8eE"ab', max_size=8).map(lambda text: f'"{text}"'),
    ),
)


@MANY
@given(text=NASTY | SCRIPTED)
def test_what_is_kept_of_any_frame_is_json_that_can_be_stored(text):
    storable_always(text)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@SLOW
@given(text=NASTY | SCRIPTED)
def test_what_is_kept_of_any_frame_is_json_that_can_be_stored_at_length(text):
    storable_always(text)


@MANY
@given(text=st.text() | st.binary() | JSON_VALUES.map(json.dumps))
def test_a_text_without_a_payload_becomes_the_understood_fields(text):
    raw = RawTrade(row=row(name="a\x00b\ud800", outcome_index=9**40), scope="s", text=text, seen_s=0.0)
    value = check_storable(payload_json(raw))
    if "payload" not in str(text):
        assert value["proxyWallet"] == raw.row.proxy_wallet
        assert value["name"] == "a\ufffdb\ufffd"


def test_an_ordinary_row_is_kept_as_it_was_written():
    text = assembled({"price": "0.6889999998935867", "name": '"Zoë 😀"'})
    assert '"price":0.6889999998935867' in stored_form(text)
    assert '"name":"Zoë 😀"' in stored_form(text)


def test_members_that_we_do_not_know_are_kept_too():
    assert json.loads(stored_form(assembled({"fee": "0.5", "trader": '{"name":"x"}'}))) == {
        **fields(), "fee": 0.5, "trader": {"name": "x"},
    }  # fmt: skip


def test_numbers_stay_exact_when_a_row_has_to_be_rewritten():
    stored = stored_form(assembled({"price": "0.6889999998935867000", "fee": "9" * 77, "name": '"\\u0000"'}))
    assert "0.6889999998935867000" in stored
    assert "9" * 77 in stored
    assert json.loads(stored)["name"] == "\ufffd"


def test_a_payload_that_is_too_long_is_cut_down_to_the_understood_fields():
    stored = stored_form(assembled({"bio": json.dumps("x" * RAW_CHARS_MAX)}))
    assert "bio" not in json.loads(stored)
    assert json.loads(stored)["transactionHash"] == fields()["transactionHash"]


def test_what_is_kept_is_bounded():
    assert len(stored_form(assembled({"title": json.dumps("x" * 200_000)}))) <= 2 * RAW_CHARS_MAX


@pytest.mark.parametrize("number", ["1e131071", "1e-16383", "0.1", "9" * 4_000])
def test_numbers_that_the_database_holds_are_kept(number):
    stored = stored_form(assembled({"fee": number}))
    assert f'"fee":{number}' in stored
    check_numbers(check_storable(stored))
