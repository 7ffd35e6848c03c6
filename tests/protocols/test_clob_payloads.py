"""What the venue says of orders and accounts, as recorded and as nobody would think of it."""

import json
from contextlib import suppress
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from property.examples import MANY

from protocols.errors import MalformedError
from protocols.venue.clob_account import (
    OwnWallet,
    VenueFill,
    epoch_ms_of,
    read_balance,
    read_order,
    read_page,
    read_trade,
)
from protocols.venue.clob_orders import encode_post, error_text, read_cancel_answer, read_order_answer
from protocols.venue.clob_user import OrderUpdate, read_user_frame
from protocols.venue.order_typed_data import Order

D = Decimal
NOBODY = OwnWallet("no-such-key", "0x" + "00" * 20)


def payloads(recorded, name: str) -> Any:
    return json.loads((recorded / "payloads" / name).read_text())


def objects(value: Any) -> list[dict[str, Any]]:
    """Every object in a document, however deep."""
    if isinstance(value, dict):
        return [value, *(one for inner in value.values() for one in objects(inner))]
    return [one for inner in value for one in objects(inner)] if isinstance(value, list) else []


def test_the_body_of_an_order_is_the_recorded_one(recorded):
    document = payloads(recorded, "clob-rest.post-order-request.computed.json")
    [wanted] = [one for one in objects(document) if "orderType" in one]
    fields = wanted["order"]
    order = Order(
        salt=fields["salt"], maker=fields["maker"], signer=fields["signer"], token_id=int(fields["tokenId"]),
        maker_amount=int(fields["makerAmount"]), taker_amount=int(fields["takerAmount"]), side=fields["side"],
        signature_type=fields["signatureType"], timestamp_ms=int(fields["timestamp"]), metadata=fields["metadata"],
        builder=fields["builder"],
    )  # fmt: skip
    body = encode_post(
        order, fields["signature"], owner=wanted["owner"], order_type=wanted["orderType"],
        post_only=wanted.get("postOnly", False), expiration_s=int(fields["expiration"]),
    )  # fmt: skip
    assert json.loads(body) == wanted
    assert b" " not in body.replace(b'" "', b"")


def test_recorded_answers_to_orders_are_read(recorded):
    answers = [one for one in objects(payloads(recorded, "clob-rest.post-order-responses.json")) if "orderID" in one]
    assert len(answers) >= 3
    for answer in answers:
        found = read_order_answer(json.dumps(answer).encode())
        assert found.order_hash == answer["orderID"].lower()
        assert found.status == (answer.get("status") or "").lower()
        for mine, theirs in ((found.making, "makingAmount"), (found.taking, "takingAmount")):
            assert mine == (None if answer.get(theirs) in (None, "") else D(answer[theirs]))


def test_recorded_cancels_and_modes_are_read(recorded):
    found = [one for one in objects(payloads(recorded, "clob-rest.cancel-response.json")) if "canceled" in one]
    assert found
    for one in found:
        assert read_cancel_answer(json.dumps(one).encode()).canceled == tuple(id_.lower() for id_ in one["canceled"])
    errors = [one for one in objects(payloads(recorded, "clob-rest.restricted-modes.docs.json")) if "error" in one]
    assert errors
    assert all(error_text(json.dumps(one).encode()) == one["error"] for one in errors)


def test_a_recorded_open_order_is_read(recorded):
    [fields] = [one for one in objects(payloads(recorded, "clob-rest.open-order.json")) if "size_matched" in one][:1]
    order = read_order(fields)
    assert (order.order_hash, order.original_shares) == (fields["id"].lower(), D(fields["original_size"]))
    assert not order.status.startswith("ORDER_STATUS_")


def makers_of(trade: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in trade.get("maker_orders") or [] if one.get("owner")]


USER_FILES = (
    "clob-ws.user-trade-maker-confirmed.2025-11.redacted.json", "clob-ws.user-trade-maker-mined-multi.real.2024-09.json",
    "clob-ws.user-trade-taker-matched.real.2024-09.json", "clob-ws.user-trade.docs.json", "clob-rest.trade.json",
)  # fmt: skip


@pytest.mark.parametrize("name", USER_FILES)
def test_a_makers_fill_has_the_size_price_and_token_of_his_own_entry(recorded, name):
    trades = [one for one in objects(payloads(recorded, name)) if "taker_order_id" in one]
    assert trades
    for trade in trades:
        for entry in makers_of(trade):
            own = OwnWallet(entry["owner"], "0x" + "00" * 20)
            fills = read_trade({**trade, "trader_side": "MAKER"}, own)
            mine = [one for one in makers_of(trade) if one["owner"] == entry["owner"]]
            assert {fill.order_hash for fill in fills} == {one["order_id"].lower() for one in mine}
            for fill, one in zip(fills, mine, strict=True):
                assert (fill.shares, fill.price, fill.role) == (D(one["matched_amount"]), D(one["price"]), "MAKER")
                assert fill.token_id == one.get("asset_id", trade["asset_id"])


def test_who_mints_with_the_taker_buys_the_other_token(recorded):
    trades = objects(payloads(recorded, "clob-ws.user-trade-maker-mined-multi.real.2024-09.json"))
    [trade] = [one for one in trades if "taker_order_id" in one][:1]
    sides = {}
    for entry in makers_of(trade):
        entry = {name: value for name, value in entry.items() if name != "side"}
        [fill] = [
            one
            for one in read_trade(
                {**trade, "maker_orders": [entry], "trader_side": "MAKER"}, OwnWallet(entry["owner"], "")
            )
            if one.order_hash == entry["order_id"].lower()
        ]
        sides[entry["asset_id"] == trade["asset_id"]] = fill.side
    assert sides[True] != trade["side"]
    assert sides[False] == trade["side"]


MAKERS = [
    {"order_id": "0x1", "owner": "a", "matched_amount": "4", "price": "0.50", "asset_id": "yes"},
    {"order_id": "0x2", "owner": "b", "matched_amount": "6", "price": "0.45", "asset_id": "no"},
]
TAKEN = {
    "id": "t", "taker_order_id": "0xAA", "market": "0xc", "asset_id": "yes", "side": "BUY", "size": "10",
    "price": "0.60", "status": "TRADE_STATUS_CONFIRMED", "match_time": "1795132800", "trader_side": "TAKER",
    "maker_orders": MAKERS,
}  # fmt: skip


def test_a_takers_price_is_what_his_makers_sold_at():
    [fill] = read_trade(TAKEN, NOBODY)
    assert (fill.price, fill.order_hash, fill.match_ms) == (D("0.53"), "0xaa", 1_795_132_800_000)
    more = {"order_id": "0x3", "owner": "c", "matched_amount": "5", "price": "0.5", "asset_id": "yes"}
    for makers in ([], None, MAKERS[:1], [*MAKERS, more], [{**MAKERS[0], "price": "?"}, MAKERS[1]]):
        # Those who do not make up his size say nothing of his price.
        [fill] = read_trade({**TAKEN, "maker_orders": makers}, NOBODY)
        assert fill.price == D("0.60")


def test_a_trade_with_ourselves_is_two_fills():
    fills = read_trade(TAKEN, OwnWallet("b", NOBODY.address))
    assert [(one.role, one.side, one.token_id, one.shares, one.price) for one in fills] == [
        ("MAKER", "BUY", "no", D(6), D("0.45")),
        ("TAKER", "BUY", "yes", D(10), D("0.53")),
    ]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("size", "0"), ("size", "0.0000001"), ("size", "-1"), ("size", "1E13"), ("size", "NaN"), ("size", ""), ("size", None),
        ("price", "1.01"), ("price", "-0.01"), ("price", ""), ("side", "HOLD"), ("side", ""), ("status", "SETTLED"),
        ("id", 5), ("id", "\x00"), ("id", "x" * 501), ("asset_id", None), ("taker_order_id", "\ud800"), ("maker_orders", 5),
        ("maker_orders", {"a": 1}), ("match_time", "-1"), ("match_time", "99999999999999999"), ("transaction_hash", 5),
    ],
)  # fmt: skip
def test_a_trade_that_cannot_be_is_malformed(field, value):
    with pytest.raises(MalformedError):
        read_trade({**TAKEN, field: value}, NOBODY)


@pytest.mark.parametrize(
    "name",
    [
        "clob-ws.user-order-cancellation.real.2024-09.json", "clob-ws.user-order-placement.real.2024-09.json",
        "clob-ws.user-order-fok-killed.2026-08.redacted.json", "clob-ws.user-order-venue-cancel.2026-03.redacted.json",
    ],
)  # fmt: skip
def test_recorded_events_of_orders_are_read(recorded, name):
    events = [one for one in objects(payloads(recorded, name)) if one.get("type") in ("PLACEMENT", "CANCELLATION")]
    assert events
    for event in events:
        [update] = read_user_frame(json.dumps(event), NOBODY)
        assert isinstance(update, OrderUpdate)
        assert (update.order_hash, update.kind) == (event["id"].lower(), event["type"])
        if update.kind == "CANCELLATION":
            assert update.status.startswith("CANCEL")


@pytest.mark.parametrize(
    ("value", "ms"),
    [("1725842520", 1_725_842_520_000), ("1725842520990", 1_725_842_520_990), (1725842520, 1_725_842_520_000),
     ("2024-09-09T00:42:00Z", 1_725_842_520_000), ("2024-09-09T00:42:00", 1_725_842_520_000)],
)  # fmt: skip
def test_times_come_as_seconds_milliseconds_or_text(value, ms):
    assert epoch_ms_of(value) == ms


def test_an_allowance_without_limit_is_a_number():
    body = json.dumps({"balance": "5000000", "allowances": {"0xAB": str(2**256 - 1)}}).encode()
    assert read_balance(body).allowances_micro == {"0xab": 2**256 - 1}
    with pytest.raises(MalformedError):
        read_balance(b'{"balance": "-1", "allowances": {}}')


def test_a_page_ends_with_its_cursor():
    assert read_page(b'{"data": [], "next_cursor": "LTE="}').next_cursor is None
    assert read_page(b'{"data": [{}], "next_cursor": "MTAw"}').next_cursor == "MTAw"


NASTY = [
    "", "PONG", "pong", "{", "[" * 500, '{"event_type":"trade"}', '{"event_type":"order","id":5}', "[1]", "null", "NaN",
    '{"event_type":"order","id":"0x1","type":"UPDATE","size_matched":1e999}', '[{"event_type":"trade","id":"\\ud800"}]',
    '{"event_type":"order","id":"0x1","type":"UPDATE","timestamp":-5}',
]  # fmt: skip


@pytest.mark.parametrize("text", NASTY)
def test_nonsense_on_the_socket_is_malformed_and_nothing_else(text):
    with suppress(MalformedError):
        read_user_frame(text, NOBODY)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FRAME = st.dictionaries(
    st.sampled_from(["event_type", "id", "type", "status", "size", "price", "side", "market", "asset_id", "maker_orders",
                     "taker_order_id", "size_matched", "timestamp", "trader_side", "associate_trades", "match_time"]),
    st.sampled_from(["order", "trade", "UPDATE", "CANCELLATION", "MATCHED", "MAKER", "0x1", "5", ""]) | JSON,
)  # fmt: skip


@given(FRAME)
@MANY
def test_a_frame_of_any_shape_is_read_or_malformed(frame):
    try:
        text = json.dumps(frame)
        events = read_user_frame(text, OwnWallet("0x1", "5"))
    except (MalformedError, ValueError):
        return
    assert all(isinstance(event, VenueFill | OrderUpdate) for event in events)
    msgspec.json.encode([str(event) for event in events])
