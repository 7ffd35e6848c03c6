import gzip
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from property.examples import MANY, SLOW
from property.made_trades import JSON_VALUES, NOON_S, WALLET, fields, frame

from protocols.errors import MalformedError
from protocols.venue.rtds import FRAME_CHARS_MAX, FrameKind, TradeFrame, decode_frame, subscribe_frame

FIELD_NAMES = st.sampled_from(sorted(fields())) | st.text(max_size=5)
RAW_VALUES = st.one_of(
    JSON_VALUES.map(json.dumps),
    st.sampled_from(
        [
            "1e9999999", "-1e9999999", "1e-9999999", "1e999999999999999999999", "9" * 77, "9" * 4_299, "-" + "9" * 4_299,
            "9" * 5_000, "NaN", "Infinity", '"NaN"', '"\\ud800"', '"\\u0000"', '"\x00"', '"\\x"', "01", "-", "",
            "[" * 50 + "]" * 50, "[" * 2_000, '"' + "x" * 20_000 + '"', '"\ud800"', "true", "0", '""', "1.5", '"1.5"',
        ]
    ),
)  # fmt: skip
SCRIPTED = st.builds(
    lambda names, values, kind, topic: assembled(dict(zip(names, values, strict=False)), kind, topic),
    st.lists(FIELD_NAMES, max_size=3),
    st.lists(RAW_VALUES, max_size=3),
    st.sampled_from(["trades", "orders_matched", "comments"]),
    st.sampled_from(["activity", "activity", "prices"]),
)


def assembled(changes, kind="trades", topic="activity"):
    """A frame whose payload has some members replaced by raw text, valid JSON or not."""
    members = {name: json.dumps(value) for name, value in fields().items()} | changes
    payload = ",".join(f"{json.dumps(name)}:{text}" for name, text in members.items())
    return f'{{"topic":"{topic}","type":"{kind}","timestamp":1,"payload":{{{payload}}}}}'


def decodes_or_is_malformed(text):
    try:
        frame_ = decode_frame(text)
    except MalformedError as error:
        assert 0 < len(error.reason) <= 30
        assert len(error.detail) <= 200
        return None
    assert isinstance(frame_, TradeFrame | FrameKind)
    return frame_


def anything_at_all(text):
    decodes_or_is_malformed(text)
    if isinstance(text, str):
        decodes_or_is_malformed(text.encode("utf-8", "surrogatepass"))


WILD = st.one_of(
    st.text(), st.binary(), JSON_VALUES.map(json.dumps), SCRIPTED, st.text(alphabet='{}[]",:\\u0d8eE+-.pay')
)  # fmt: skip


@MANY
@given(text=WILD)
def test_nothing_makes_it_raise_anything_else(text):
    anything_at_all(text)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@SLOW
@given(text=WILD)
def test_nothing_makes_it_raise_anything_else_at_length(text):
    anything_at_all(text)


@MANY
@given(cut=st.integers(0, 900), at=st.integers(0, 900), byte=st.binary(max_size=3))
def test_torn_and_damaged_frames_are_malformed_at_worst(cut, at, byte):
    whole = frame(name="Zoë 😀").encode()
    decodes_or_is_malformed(whole[:cut])
    decodes_or_is_malformed(whole[:at] + byte + whole[at + 1 :])


def test_a_trade_is_read_exactly():
    decoded = decode_frame(frame(price=0.6889999998935867, size="2.7027", name="Zoë"))
    assert decoded.type == "trades"
    row = decoded.payload
    assert (row.proxy_wallet, row.side, row.timestamp) == (WALLET, "BUY", NOON_S)
    assert (row.price, row.size) == (Decimal("0.6889999998935867"), Decimal("2.7027"))
    assert row.name == "Zoë"


@pytest.mark.parametrize("text", ["", "PONG", "pong", "PING", b"", b"PONG"])
def test_keep_alive_frames_are_no_data(text):
    assert decode_frame(text) is FrameKind.KEEP_ALIVE


@pytest.mark.parametrize(
    "name", ["name", "title", "slug", "eventSlug", "icon", "profileImage", "outcome", "outcomeIndex", "conditionid"]
)
@pytest.mark.parametrize("value", ["12", "null", "[1]", '{"a":1}', "true", "1e999", '"\\ud800"', "9" * 30])
def test_a_wrong_type_in_a_descriptive_field_costs_only_that_field(name, value):
    decoded = decode_frame(assembled({name: value}))
    assert isinstance(decoded, TradeFrame)
    assert decoded.payload.size == Decimal("2.7027")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"price": "null"}, "price"),
        ({"price": "[]"}, "price"),
        ({"price": "NaN"}, "json"),
        ({"size": '"many"'}, "size"),
        ({"proxyWallet": "7"}, "proxy_wallet"),
        ({"transactionHash": "null"}, "transaction_hash"),
        ({"conditionId": "null"}, "condition_id"),
        ({"timestamp": "null"}, "timestamp"),
        ({"asset": '""', "price": "null"}, "not_a_trade"),
        ({"side": '""', "price": "null"}, "not_a_trade"),
        ({"side": "7"}, "side"),
        ({"name": "[" * 100 + "]" * 100, "price": '"x"'}, "nesting"),
    ],
)
def test_malformed_says_which_field(changes, reason):
    with pytest.raises(MalformedError) as caught:
        decode_frame(assembled(changes))
    assert caught.value.reason == reason


def test_what_is_no_trade_is_told_apart():
    assert decode_frame('{"topic":"crypto_prices","type":"update","payload":{"symbol":"btcusdt"}}') is FrameKind.OTHER
    assert decode_frame('{"topic":"activity","type":"comments","payload":{}}') is FrameKind.OTHER
    refused = '{"body":{"message":"leger GetTopics error: x not found"},"statusCode":401}'
    assert decode_frame(refused) is FrameKind.REFUSED


def test_a_frame_of_two_megabytes_is_not_even_parsed():
    with pytest.raises(MalformedError) as caught:
        decode_frame(frame(name="x" * (2 << 20)))
    assert caught.value.reason == "too_large"
    assert decode_frame(frame(name="x" * (FRAME_CHARS_MAX - 2_000))).payload.side == "BUY"


def test_the_subscription_has_no_filter_and_no_spaces():
    text = subscribe_frame(["trades", "orders_matched"])
    assert json.loads(text) == {
        "action": "subscribe",
        "subscriptions": [{"topic": "activity", "type": "trades"}, {"topic": "activity", "type": "orders_matched"}],
    }
    assert " " not in text


def test_every_recorded_frame_is_a_trade(recorded):
    frames = json.loads((recorded / "data/frames-2026-09/rtds_trades.json").read_text())
    sample = json.loads((recorded / "payloads/rtds.activity-trades.real.2026-08-19.json").read_text())
    decoded = [decode_frame(json.dumps(one)) for one in _envelopes([frames, sample])]
    assert len(decoded) >= 2
    assert all(isinstance(one, TradeFrame) for one in decoded)


def test_every_row_of_the_recorded_session_is_a_trade(recorded):
    lines = gzip.open(recorded / "data/rtds-session-2026-08-19.jsonl.gz", "rt").read().splitlines()
    rows = [json.loads(line) for line in lines]
    for one in rows:
        payload = one.get("payload", one)
        assert isinstance(
            decode_frame(json.dumps({"topic": "activity", "type": "trades", "payload": payload})), TradeFrame
        )
    assert len(rows) == 120


def _envelopes(value):
    if isinstance(value, dict):
        if value.get("topic") == "activity" and isinstance(value.get("payload"), dict):
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _envelopes(inner)
