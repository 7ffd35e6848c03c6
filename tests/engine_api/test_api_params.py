import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.api.errors import ApiError
from engine.api.params import TEXT_MAX, choice, condition_id, parsed, pattern, wallet, whole
from engine.api.request import query_values

NUMBER = whole("number", "a number", at_least=-5, at_most=500, default=7)
WORD = choice("word", "a word", "one", "two", default="two")
MARKETS = condition_id(many=3)
WHOSE = wallet(required=True)
ALL = (NUMBER, WORD, MARKETS, WHOSE)
SOME_WALLET = "0x" + "Ab" * 20
texts = st.text(max_size=70) | st.sampled_from(
    ["one", "7", "-5", "501", "٣", SOME_WALLET, "0x" + "a" * 64, "7\n", " 7"]
)


@given(st.dictionaries(st.sampled_from([param.name for param in ALL]) | st.text(), st.lists(texts, max_size=5)))
def test_a_value_is_of_its_type_or_the_field_is_named(given_values):
    try:
        values = parsed(ALL, given_values)
    except ApiError as error:
        assert error.status == 400
        assert error.field in {param.name for param in ALL} | {name[:TEXT_MAX] for name in given_values}
        return
    assert set(values) == {param.name for param in ALL}
    assert isinstance(values["number"], int)
    assert -5 <= values["number"] <= 500
    assert values["word"] in ("one", "two")
    assert len(values["conditionId"]) <= 3
    assert all(re.fullmatch("0x[0-9a-f]{62,64}", one) for one in values["conditionId"])
    assert re.fullmatch("0x[0-9a-f]{40}", values["wallet"])


@given(
    st.integers(-5, 500),
    st.sampled_from(["one", "two"]),
    st.lists(st.sampled_from("abcdefABCDEF0123456789"), min_size=64, max_size=64),
)
def test_what_is_right_is_taken_as_it_was_meant(number, word, digits):
    market = "0x" + "".join(digits)
    given_values = {"number": [str(number)], "word": [word], "conditionId": [market], "wallet": [SOME_WALLET]}
    assert parsed(ALL, given_values) == {
        "number": number,
        "word": word,
        "conditionId": [market.lower()],
        "wallet": SOME_WALLET.lower(),
    }


@pytest.mark.parametrize("text", ["", " 7", "7 ", "+7", "7.0", "1e1", "٣", "0x7", "7\n", "9" * 19, "-6", "501", "NaN"])
def test_what_is_no_number_of_the_range(text):
    with pytest.raises(ApiError, match="number: must be a whole number from -5 to 500"):
        parsed([NUMBER], {"number": [text]})


def test_a_pattern_holds_for_the_whole_text():
    name = pattern("name", "a name", "[a-z]+", allowed="letters")
    for text in ("a1", "a\n", "\na", ""):
        with pytest.raises(ApiError, match="name: must be letters"):
            parsed([name], {"name": [text]})


field_names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=10)


@given(st.lists(st.tuples(field_names, st.text(st.characters(codec="utf-8"), max_size=20)), max_size=20))
def test_a_query_comes_back_as_it_was_written(pairs):
    import urllib.parse

    expected = {}
    for name, value in pairs:
        expected.setdefault(name, []).append(value)
    assert query_values(urllib.parse.urlencode(pairs).encode()) == expected


@given(st.binary(max_size=200))
def test_any_query_is_read_or_refused(query):
    try:
        values = query_values(query)
    except ApiError as error:
        assert error.status == 400
    else:
        assert all(isinstance(text, str) and text.encode() is not None for texts in values.values() for text in texts)
