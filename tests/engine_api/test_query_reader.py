from urllib.parse import urlencode

from hypothesis import given
from hypothesis import strategies as st

from engine.api.errors import ApiError
from engine.api.params import choice, condition_id, parsed, wallet, whole
from engine.api.request import QueryReader, query_values

NUMBER = whole("number", "a number", at_least=-5, at_most=500, default=7)
WORD = choice("word", "a word", "one", "two", default="two")
MARKETS = condition_id(many=3)
WHOSE = wallet(required=True)
values = st.sampled_from(["one", "7", "501", "0x" + "Ab" * 20, "0x" + "a" * 64, ""])
queries = st.lists(st.tuples(st.sampled_from(["number", "word", "conditionId", "wallet", "wallet", "other"]), values))


@given(st.lists(st.sampled_from([NUMBER, WORD, MARKETS, WHOSE]), unique_by=lambda param: param.name), queries)
def test_a_reader_says_what_parsed_says(params, fields):
    query = urlencode(fields).encode()
    try:
        expected = parsed(tuple(params), query_values(query))
    except ApiError:
        expected = None
    try:
        assert QueryReader(tuple(params)).read(query) == expected
    except ApiError as error:
        assert expected is None
        assert error.status == 400
        assert error.field


def test_a_list_that_was_not_given_belongs_to_one_request():
    reader = QueryReader((MARKETS, NUMBER))
    reader.read(b"")["conditionId"].append("0x1")
    assert reader.read(b"number=3") == {"conditionId": [], "number": 3}
