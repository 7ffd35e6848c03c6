import hashlib
import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from property.examples import MANY
from property.made_trades import decided, laned

from protocols.edge_codec import BODY_BYTES_MAX, CommittedNotice, LanedTradeCodec, committed_codec, intent_codec, sealed
from protocols.errors import MalformedError
from protocols.live.orders import LiveIntent
from protocols.trades import Lane, LanedTrade, Trade

HERE = LanedTradeCodec(wall_less_monotonic_s=1_700_000_000.0)
THERE = LanedTradeCodec(wall_less_monotonic_s=1_700_000_900.0)
# Whoever changes what travels raises the version in protocols/edge_codec.py and writes the new digest down here.
FIELDS_OF_VERSION = {("laned_trade", 1): "4467", ("committed", 1): "6e58", ("live_intent", 1): "5830"}


def digest(shape):
    fields = [(field.encode_name, str(field.type)) for field in msgspec.structs.fields(shape)]
    return hashlib.sha256(repr(fields).encode()).hexdigest()[:4]


def test_each_version_has_the_fields_that_it_always_had():
    shapes = {("laned_trade", 1): Trade, ("committed", 1): CommittedNotice, ("live_intent", 1): LiveIntent}
    assert {key: digest(shape) for key, shape in shapes.items()} == FIELDS_OF_VERSION


@pytest.mark.parametrize("lane", Lane)
def test_a_trade_arrives_as_it_left_on_the_clock_of_the_other_process(lane):
    trade = laned(7, lane)
    sent = LanedTrade(msgspec.structs.replace(trade.trade, seen_s=1_000.0), lane)
    got = THERE.decode(HERE.encode(sent))
    assert got.lane is lane
    assert got.trade.seen_s == pytest.approx(100.0)
    assert msgspec.structs.replace(got.trade, seen_s=1_000.0) == sent.trade


def test_an_arrival_that_nobody_knows_stays_unknown():
    sent = LanedTrade(msgspec.structs.replace(laned(1).trade, seen_s=math.nan), Lane.KNOWN)
    assert math.isnan(THERE.decode(HERE.encode(sent)).trade.seen_s)


def test_decisions_do_not_leave_the_transaction_that_they_belong_into():
    with pytest.raises(MalformedError, match="decisions"):
        HERE.encode(decided(laned(1, Lane.TARGET), "now"))


def envelope(**changes):
    message = {"lane": 1, "seen_ms": None, "trade": msgspec.to_builtins(laned(1).trade)}
    return {"version": 1, "kind": "laned_trade", "message": message | changes}


def packed(version, kind, message):
    return msgspec.msgpack.encode((version, kind, message))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (packed(2, "laned_trade", {}), "version"),
        (packed(1, "committed", {}), "kind"),
        (packed(1, "laned_trade", {**envelope()["message"], "extra": 1}), "field"),
        (packed(1, "laned_trade", {"lane": 1}), "message"),
        (packed(1, "laned_trade", {**envelope()["message"], "lane": 9}), "lane"),
        (msgspec.msgpack.encode([1, "laned_trade", {}, "more"]), "envelope"),
        (b"", "envelope"),
        (b"\xc1", "envelope"),
        (b"x" * (BODY_BYTES_MAX + 1), "size"),
    ],
)
def test_what_is_not_known_is_refused_with_a_reason(body, reason):
    with pytest.raises(MalformedError) as refused:
        HERE.decode(body)
    assert refused.value.reason == reason


def test_a_field_too_many_inside_of_the_trade_is_refused_too():
    message = envelope()["message"]
    message["trade"]["future"] = True
    with pytest.raises(MalformedError, match="field"):
        HERE.decode(packed(1, "laned_trade", message))


def test_a_message_above_the_bound_does_not_leave():
    with pytest.raises(MalformedError, match="size"):
        sealed("committed", 1, "x" * BODY_BYTES_MAX)


@MANY
@given(
    body=st.one_of(
        st.binary(max_size=200),
        st.recursive(st.integers(-(2**63), 2**64 - 1) | st.text(), st.lists).map(msgspec.msgpack.encode),
    )
)
def test_no_bytes_do_anything_else_than_be_understood_or_refused(body):
    for codec in (HERE, committed_codec(), intent_codec()):
        try:
            codec.decode(body)
        except MalformedError as error:
            assert error.reason in {"envelope", "kind", "version", "field", "message", "lane", "size"}


def test_a_notice_of_a_commit_comes_back():
    codec, notice = committed_codec(), CommittedNotice(rows=3, committed_ms=5)
    assert codec.decode(codec.encode(notice)) == notice
