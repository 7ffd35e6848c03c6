import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from property.examples import MANY

from protocols.text import storable, storable_or_none, storable_tree

ANY_TEXT = st.text(alphabet=st.characters(codec=None) | st.sampled_from("\x00\ud800\udfff\ud83d\ude00é"))


def can_be_stored(text):
    return "\x00" not in text and text.encode("utf-8").decode("utf-8") == text


@MANY
@given(text=ANY_TEXT)
def test_every_text_becomes_storable_and_good_ones_stay(text):
    clean = storable(text)
    assert can_be_stored(clean)
    assert len(clean) == len(text)
    assert storable(clean) == clean
    bad = {"\x00", *map(chr, range(0xD800, 0xE000))}
    assert all(kept == char or (char in bad and kept == "\ufffd") for kept, char in zip(clean, text, strict=True))


@MANY
@given(
    value=st.one_of(ANY_TEXT, st.none(), st.integers(), st.binary(), st.lists(st.text())), chars_max=st.integers(1, 20)
)
def test_a_descriptive_field_is_text_or_nothing(value, chars_max):
    clean = storable_or_none(value, chars_max)
    if isinstance(value, str) and value:
        assert can_be_stored(clean)
        assert len(clean) == min(len(value), chars_max)
    else:
        assert clean is None


TREES = st.recursive(
    st.one_of(ANY_TEXT, st.none(), st.booleans(), st.integers()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(ANY_TEXT, inner, max_size=4)),
    max_leaves=10,
)


@MANY
@given(tree=TREES)
def test_every_text_of_a_tree_becomes_storable(tree):
    clean = storable_tree(tree)
    assert can_be_stored(json.dumps(clean, ensure_ascii=False))
    assert storable_tree(clean) == clean


@pytest.mark.parametrize("text", ["", "plain", "emoji 😀", "Ünï", "\u200b", "\U0010ffff"])
def test_ordinary_text_is_left_alone(text):
    assert storable(text) is text or storable(text) == text
