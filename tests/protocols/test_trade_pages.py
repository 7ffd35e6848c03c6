import contextlib
import gzip
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from property.examples import MANY
from property.made_trades import JSON_VALUES, WALLET, fields
from test_rtds_frames import FIELD_NAMES, RAW_VALUES

from protocols.errors import MalformedError, TransientError
from protocols.trade_identity import fill_key
from protocols.venue.data_api import decode_trades_v1, decode_trades_v2
from protocols.venue.rtds import payload_json

SNAKE = {
    "proxyWallet": "proxy_wallet", "asset": "token_id", "conditionId": "condition_id", "outcomeIndex": "outcome_index",
    "transactionHash": "transaction_hash", "eventSlug": "event_slug", "profileImage": "profile_image",
}  # fmt: skip


def snake(row):
    return {SNAKE.get(name, name): value for name, value in row.items()}


def v2(rows, **pagination):
    envelope = {"data": rows} | ({"pagination": pagination} if pagination else {})
    return decode_trades_v2(json.dumps(envelope).encode())


def v1(rows):
    return decode_trades_v1(json.dumps(rows).encode())


def keys(page):
    return [fill_key(item.row, item.row.proxy_wallet.lower()) for item in page.rows]


def test_both_versions_say_the_same_of_one_fill():
    row = fields(price="0.26000", size=2.7027)
    old, new = v1([row, row | {"type": "TRADE"}]), v2([snake(row), snake(row) | {"type": "TRADE"}])
    assert len(set(keys(old) + keys(new))) == 1
    assert old.rows[0].row.title == new.rows[0].row.title == "A title"
    assert old.rows[0].row.profile_image == new.rows[0].row.profile_image


def test_a_row_becomes_a_raw_trade_that_keeps_its_json():
    page = v2([snake(fields(name="Zoë\u0000"))])
    (raw,) = page.raw_trades("gap:1", 5.0)
    assert (raw.scope, raw.seen_s) == ("gap:1", 5.0)
    kept = json.loads(payload_json(raw))
    assert kept["proxy_wallet"] == WALLET
    assert kept["name"] == "Zoë\ufffd"


@pytest.mark.parametrize(
    ("pagination", "cursor"),
    [
        ({}, None),
        ({"has_more": True, "next_cursor": "abc"}, "abc"),
        ({"has_more": False, "next_cursor": "abc"}, None),
        ({"next_cursor": "abc"}, "abc"),
        ({"has_more": True, "next_cursor": ""}, None),
        ({"has_more": True, "next_cursor": None}, None),
    ],
)
def test_the_cursor_goes_on_only_while_there_is_more(pagination, cursor):
    assert v2([], **pagination).next_cursor == cursor


def test_rewards_and_broken_rows_are_counted_and_cost_no_other_row():
    rows = [
        fields(), fields(side="", asset="", type="REDEEM"), fields(type="REWARD"), fields(price=None), fields(size="x"),
        fields(proxyWallet=5), 7, None, "x", [], fields(timestamp=[1]), fields(transactionHash=transaction_2()),
    ]  # fmt: skip
    for page in (v1(rows), v2([snake(row) if isinstance(row, dict) else row for row in rows])):
        assert len(page.rows) == 2
        assert page.rows_sent == len(rows)
        assert page.malformed == {
            "not_a_trade": 2, "price": 1, "size": 1, "proxy_wallet": 1, "not_an_object": 4, "timestamp": 1,
        }  # fmt: skip


def transaction_2():
    return "0x" + "2" * 64


@pytest.mark.parametrize(
    "body", [b"", b"<html>502</html>", b'{"error":"x"}', b"null", b'[{"a":1}', b"\xff", b"[" * 100_000, b'{"data":7}']
)
@pytest.mark.parametrize("decode", [decode_trades_v1, decode_trades_v2])
def test_what_is_no_page_may_be_one_later(decode, body):
    with pytest.raises(TransientError):
        decode(body)


@MANY
@given(body=st.one_of(st.binary(), st.text().map(str.encode), JSON_VALUES.map(json.dumps).map(str.encode)))
def test_any_body_is_a_page_or_transient(body):
    for decode in (decode_trades_v1, decode_trades_v2):
        try:
            page = decode(body)
        except TransientError:
            continue
        assert len(page.rows) + sum(page.malformed.values()) == page.rows_sent


@MANY
@given(
    names=st.lists(FIELD_NAMES, max_size=3),
    values=st.lists(RAW_VALUES, max_size=3),
    kind=st.sampled_from(["", ',"type":"TRADE"']),
)
def test_one_damaged_row_never_costs_the_page(names, values, kind):
    members = {name: json.dumps(value) for name, value in fields().items()} | dict(zip(names, values, strict=False))
    row = ",".join(f"{json.dumps(name)}:{text}" for name, text in members.items())
    body = f"[{{{row}{kind}}},{json.dumps(fields())}]".encode("utf-8", "surrogatepass")
    try:
        page = decode_trades_v1(body)
    except TransientError:
        # One row that is no JSON makes the body no JSON. (A lone surrogate should not: see below.)
        if b"\\ud800" not in body:
            with pytest.raises((ValueError, RecursionError)):
                json.loads(body.decode(), parse_constant=int)
        return
    assert page.rows_sent == 2
    assert 1 <= len(page.rows) == 2 - sum(page.malformed.values())
    for raw in page.raw_trades("gap:1", 0.0):
        json.loads(payload_json(raw), parse_int=str)  # a number of any length is JSON; int() is not made for all
        with contextlib.suppress(MalformedError):
            fill_key(raw.row, "w")


@pytest.mark.parametrize("wire", ["v1", "v2"])
@pytest.mark.parametrize("value", ["\ud800", "😀"[:1] + "\udfff"], ids=["high surrogate", "low surrogate"])
def test_a_lone_surrogate_in_a_name_costs_nothing(wire, value):
    rows = [fields(name=value), fields(transactionHash=transaction_2())]
    page = v1(rows) if wire == "v1" else v2([snake(row) for row in rows], next_cursor="c")
    assert len(page.rows) == 2
    assert page.next_cursor == ("c" if wire == "v2" else None)


@pytest.mark.parametrize("name", ["trades", "activity", "activity_all"])
def test_recorded_v1_pages(recorded, name):
    body = (recorded / f"data/data-api-2026-07/{name}.json").read_bytes()
    rows, page = json.loads(body), decode_trades_v1(body)
    trades = [row for row in rows if row.get("type", "TRADE") == "TRADE" and row.get("side") and row.get("asset")]
    assert [item.row.transaction_hash for item in page.rows] == [row["transactionHash"] for row in trades]
    assert page.malformed["not_a_trade"] == len(rows) - len(trades) == sum(page.malformed.values())
    assert len(keys(page)) == len(trades)


@pytest.mark.parametrize(
    "name", ["data-api-v2.trades.real.2026-09-08", "data-api-v2.trades-envelope.real.2026-10-05.wallets-redacted"]
)
def test_recorded_v2_pages(recorded, name):
    body = (recorded / f"payloads/{name}.json").read_bytes()
    rows, page = json.loads(body)["data"], decode_trades_v2(body)
    assert len(page.rows) == len(rows) > 0
    for item, row in zip(page.rows, rows, strict=True):
        assert (item.row.asset, item.row.condition_id) == (row["token_id"], row["condition_id"])
        assert item.row.price == Decimal(str(row["price"]))
    assert keys(page)


def test_every_recorded_platform_row_has_an_identity(recorded):
    for window in [
        *sorted((recorded / "data").glob("platform-trades-*.jsonl.gz")),
        recorded / "data/market-trades-2025-10-10.jsonl.gz",
    ]:
        lines = gzip.open(window, "rb").read().splitlines()
        page = decode_trades_v1(b"[" + b",".join(lines) + b"]")
        assert len(page.rows) == len(lines)
        assert len(keys(page)) == len(lines)
