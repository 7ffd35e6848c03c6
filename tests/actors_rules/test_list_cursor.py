import base64
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from property.examples import QUICK

from actors.rules.list_cursor import KeyPart, cursor_of, key_in

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
VALUES = {
    KeyPart.FIGURE: st.one_of(
        st.none(), st.decimals(-(10**20), 10**20, places=6), st.just(Decimal("1E+3")), st.just(Decimal("-0.5"))
    ),
    KeyPart.COUNT: st.integers(0, 10**18),
    KeyPart.MOMENT: st.integers(0, 4 * 10**15).map(lambda us: EPOCH + timedelta(microseconds=us)),
    KeyPart.DAY: st.dates(date(1, 1, 1), date(9999, 12, 31)),
    KeyPart.ID: st.text(st.characters(min_codepoint=33, max_codepoint=0x24F), min_size=1, max_size=40).filter(
        str.isprintable
    ),
}


@QUICK
@given(data=st.data(), parts=st.lists(st.sampled_from(KeyPart), min_size=1, max_size=4))
def test_a_place_comes_back_as_it_was(data, parts):
    key = tuple(data.draw(VALUES[part]) for part in parts)
    text = cursor_of("a list", *key)
    assert key_in(text, "a list", *parts) == key
    assert text.isascii()
    assert not set(text) & set("+/=&?# ")
    for name, wanted in (("another", parts), ("a list", [*parts, KeyPart.ID])):
        with pytest.raises(ValueError, match="another list"):
            key_in(text, name, *wanted)


def written(*document):
    return base64.urlsafe_b64encode(json.dumps(document, separators=(",", ":")).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    ("part", "value"),
    [
        (KeyPart.FIGURE, "1e5"), (KeyPart.FIGURE, "NaN"), (KeyPart.FIGURE, ""), (KeyPart.FIGURE, 5), (KeyPart.FIGURE, "1" * 31),
        (KeyPart.FIGURE, "٣"), (KeyPart.COUNT, -1), (KeyPart.COUNT, "1"), (KeyPart.COUNT, 10**18 + 1), (KeyPart.COUNT, None),
        (KeyPart.MOMENT, -1), (KeyPart.MOMENT, 10**17), (KeyPart.MOMENT, "2026-01-01"), (KeyPart.DAY, "2026-02-30"),
        (KeyPart.DAY, "2026-1-1"), (KeyPart.DAY, 20260101), (KeyPart.ID, ""), (KeyPart.ID, "a\x00b"), (KeyPart.ID, "\n"),
        (KeyPart.ID, "x" * 301), (KeyPart.ID, None), (KeyPart.ID, 7),
    ],
)  # fmt: skip
def test_what_no_list_ever_said_is_refused(part, value):
    with pytest.raises(ValueError):  # noqa: PT011
        key_in(written(1, "l", [value]), "l", part)


@pytest.mark.parametrize(
    "text",
    ["", "!", "AAAA", "x" * 901, "ü", written(2, "l", ["a"]), written(1, "l", ["a"]) + "=", written(1, "l", ["a"])[:-2],
     written("1", "l", ["a"]), written(1, "l", "a"), written(1, "l", [["a"]]), written(1, "l", [True]),
     base64.urlsafe_b64encode(b'[1, "l", ["a"]]').decode().rstrip("=")],
)  # fmt: skip
def test_what_is_no_cursor_is_refused(text):
    with pytest.raises(ValueError, match="cursor"):
        key_in(text, "l", KeyPart.ID)
