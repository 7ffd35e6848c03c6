import json
import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from property.examples import MANY
from property.made_trades import JSON_VALUES

from protocols.errors import MalformedError
from protocols.venue.strict_json import DEPTH_MAX, read_object


def reason_of(text, **settings):
    with pytest.raises(MalformedError) as caught:
        read_object(text, **settings)
    assert len(str(caught.value)) < 200
    return caught.value.reason


def walk(value):
    yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(inner)


@MANY
@given(text=st.one_of(st.text(), st.binary(), st.text(alphabet='{}[]",:\\0123eE+-.truefalsn NaI')))
def test_any_text_is_an_object_or_malformed(text):
    try:
        assert isinstance(read_object(text), dict)
    except MalformedError as error:
        assert error.reason in {"too_large", "not_utf8", "nesting", "json", "not_an_object"}


@MANY
@given(value=st.dictionaries(st.text(), JSON_VALUES, max_size=5))
def test_an_object_reads_as_the_standard_library_reads_it_but_without_floats(value):
    text = json.dumps(value)
    if any(isinstance(inner, float) and not math.isfinite(inner) for inner in walk(value)):
        assert reason_of(text) == "json"
        return
    assert read_object(text) == json.loads(text, parse_float=Decimal) == read_object(text.encode())


@MANY
@given(value=st.dictionaries(st.text(max_size=3), JSON_VALUES, max_size=5))
def test_no_float_and_no_nan_ever_comes_out(value):
    try:
        found = read_object(json.dumps(value))
    except MalformedError:
        return
    for inner in walk(found):
        assert not isinstance(inner, float)
        assert not isinstance(inner, Decimal) or inner.is_finite()


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":['])
@pytest.mark.parametrize("depth", [DEPTH_MAX + 1, 1_000, 100_000])
def test_deep_nesting_is_seen_before_it_is_parsed(opening, depth):
    assert reason_of('{"x":' + opening * depth) == "nesting"


def test_brackets_in_text_are_no_nesting():
    text = json.dumps({"title": "[{" * 500 + '\\"' + "[" * 500})
    assert read_object(text)["title"].count("[") == 1_000
    assert read_object('{"a":"\\\\"' + ',"b":[[]]' + "}")["b"] == [[]]


def test_as_deep_as_allowed_is_fine():
    assert read_object('{"x":' + "[" * (DEPTH_MAX - 1) + "]" * (DEPTH_MAX - 1) + "}")


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "1e99999999999999999999", "9" * 5_000, "01", "1e", "+1"]
)
def test_numbers_that_are_none(number):
    assert reason_of('{"a":' + number + "}") == "json"


def test_huge_input_is_not_read():
    assert reason_of(" " * 100, chars_max=99) == "too_large"
    assert reason_of(b" " * (1 << 21)) == "too_large"


@pytest.mark.parametrize("text", ['{"a":1}'.encode("utf-16"), b'{"a":"\xff"}', b'{"a":"\xed\xa0\x80"}'])
def test_bytes_are_utf_8_or_nothing(text):
    assert reason_of(text) in {"not_utf8", "json"}


def test_lone_surrogates_are_read_and_left_to_the_codec():
    assert read_object('{"a":"\\ud800"}') == {"a": "\ud800"}
    assert read_object('{"a":"\ud800"}') == {"a": "\ud800"}


@pytest.mark.parametrize("text", ["[]", "1", '"a"', "null", ""])
def test_anything_but_an_object_is_none(text):
    assert reason_of(text) in {"not_an_object", "json"}


def test_a_long_text_of_open_brackets_is_refused_in_no_time():
    assert reason_of('{"a":"' + '\\"[' * 300_000) == "json"
