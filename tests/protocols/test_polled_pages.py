"""Pages of pollers as bytes: what arrives is what was read, and nothing else is understood."""

import zlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from property.examples import MANY

from protocols.edge_codec import sealed
from protocols.errors import MalformedError
from protocols.polled import PolledPage, PolledPageCodec
from protocols.venue.data_api import decode_trades_v1

CODEC = PolledPageCodec()
ROW = {
    "proxyWallet": "0x" + "ab" * 20, "side": "BUY", "asset": "12", "conditionId": "0x" + "1" * 64, "size": 5.25, "price": 0.5,
    "timestamp": 1_788_887_014, "transactionHash": "0x" + "2" * 64,
}  # fmt: skip
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def page(*rows, source="hot"):
    return PolledPage(source=source, rows=decode_trades_v1(msgspec.json.encode([ROW | row for row in rows])).rows)


@given(
    st.lists(st.fixed_dictionaries({}, optional={"title": TEXTS, "name": TEXTS, "type": st.just("TRADE")}), max_size=9),
    TEXTS,
)
@MANY
def test_a_page_arrives_as_it_left(rows, source):
    sent = page(*rows, source=source)
    assert len(sent.rows) == len(rows)
    assert CODEC.decode(CODEC.encode(sent)) == sent


def test_a_whole_response_is_one_small_message():
    sent = page(*[{"title": f"Will it rain on day {number}?", "size": number} for number in range(1, 501)])
    body = CODEC.encode(sent)
    assert CODEC.decode(body) == sent
    assert len(body) < sum(len(row.text) for row in sent.rows) / 4


@given(st.binary(max_size=200))
@MANY
def test_other_bytes_are_refused(body):
    for text in (body, sealed("polled_page", 1, body), sealed("polled_page", 1, zlib.compress(body))):
        with pytest.raises(MalformedError):
            CODEC.decode(text)


def packed(message, version=1):
    return sealed("polled_page", version, zlib.compress(msgspec.msgpack.encode(message)))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (packed({"source": "hot", "texts": []}, version=2), "version"),
        (packed({"source": "hot", "texts": [], "more": 1}), "message"),
        (packed({"source": "hot", "texts": [b'{"payload":{}}']}), None),
        (packed({"source": "hot", "texts": [b"[]"]}), "envelope"),
        (sealed("polled_page", 1, zlib.compress(b"0" * (65 << 20))), "message"),
        (sealed("polled_page", 1, zlib.compress(b"1") + b"2"), "message"),
    ],
)
def test_a_page_that_nobody_wrote_is_refused(body, reason):
    with pytest.raises(MalformedError) as caught:
        CODEC.decode(body)
    assert reason in (None, caught.value.reason)


def test_what_is_too_much_for_a_message_says_so():
    with pytest.raises(MalformedError, match="size"):
        CODEC.encode(page(*[{"title": "x" * (1 << 20), "size": number} for number in range(1, 66)]))
