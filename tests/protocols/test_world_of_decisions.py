"""Markets, resolutions and books as decisions and the settler read them."""

import gzip
import json
from decimal import Decimal

import pytest

from protocols.errors import TransientError
from protocols.venue.clob_books import book_levels
from protocols.venue.gamma import market_from
from protocols.venue.market_input import market_input
from protocols.venue.resolutions import decode_resolutions

MARKET = {"conditionId": "0x" + "1" * 64, "outcomes": '["Yes", "No"]', "clobTokenIds": '["1", "2"]', "question": "?"}


def read(**fields):
    return market_input(market_from(MARKET | fields), 7)


def test_the_recorded_open_market_is_read_with_its_fee(recorded):
    raw = json.loads(
        (recorded / "payloads" / "gamma.market-open.real.2026-10-05.json").read_text(), parse_float=Decimal
    )
    market = market_input(market_from(raw), 1_791_241_600_000)
    assert (market.fee_rate, market.fee_exponent) == (Decimal("0.07"), 1)
    assert (market.closed, market.resolved, market.game_start_ms) == (False, False, None)
    assert market.end_ms == 1_791_242_100_000
    assert market.outcome_prices == (Decimal("0.905"), Decimal("0.095"))
    assert len(market.token_ids) == 2
    assert market.observed_ms == 1_791_241_600_000


def test_recorded_resolved_markets_are_resolved(recorded):
    path = recorded / "data" / "gamma-resolved-markets-2026-06-08.jsonl.gz"
    with gzip.open(path, "rt") as lines:
        markets = [market_input(market_from(json.loads(line, parse_float=Decimal)["raw"]), 0) for line in lines]
    assert len(markets) == 292
    assert all(market.resolved and sum(market.outcome_prices) == 1 for market in markets)


@pytest.mark.parametrize(
    ("fields", "rate", "exponent"),
    [
        ({"feesEnabled": True, "feeSchedule": {"rate": Decimal("0.05"), "exponent": 2}}, Decimal("0.05"), 2),
        ({"feesEnabled": True, "feeSchedule": {"rate": "0.05"}}, Decimal("0.05"), 1),
        ({"feesEnabled": False, "feeSchedule": {"rate": Decimal("0.05")}}, None, 1),
        ({"feeSchedule": {"rate": Decimal("0.05")}}, None, 1),
        ({"feesEnabled": True}, None, 1),
        ({"feesEnabled": True, "feeSchedule": {"rate": 7}}, None, 1),
        ({"feesEnabled": True, "feeSchedule": {"rate": "x", "exponent": 1}}, None, 1),
        ({"feesEnabled": True, "feeSchedule": [1]}, None, 1),
    ],
)
def test_a_fee_counts_only_where_fees_are_enabled(fields, rate, exponent):
    market = read(**fields)
    assert (market.fee_rate, market.fee_exponent) == (rate, exponent)


@pytest.mark.parametrize(
    ("fields", "tags"),
    [
        ({"tags": [{"id": "1", "label": "Sports"}, {"label": "NBA"}]}, ("Sports", "NBA")),
        ({"tags": ["Crypto", 5, {"id": 3}]}, ("Crypto",)),
        ({"events": [{"tags": [{"label": "Politics"}]}]}, ("Politics",)),
        ({"tags": "Sports"}, ()),
        ({"events": "?"}, ()),
    ],
)
def test_tags_come_as_texts_objects_or_with_the_event(fields, tags):
    assert read(**fields).tags == tags


@pytest.mark.parametrize("text", ["2026-10-05 23:00:00+00", "2026-10-05T23:00:00Z", 1_791_241_200])
def test_the_start_of_a_game_is_read_in_every_form(text):
    assert read(gameStartTime=text).game_start_ms == 1_791_241_200_000


def test_recorded_resolutions_are_read(recorded):
    told = json.loads((recorded / "payloads" / "data-api-v2.resolutions.real.json").read_text())
    just = decode_resolutions(json.dumps(told["2026-10-05 market just resolved"]).encode())
    assert list(just.values()) == [(0, 1_000_000)]
    older = decode_resolutions(json.dumps({"data": told["2026-09-08 UMA rows"]}).encode())
    assert list(older.values()) == [None, None]


def row(**fields):
    return {"condition_id": "0x" + "1" * 64, "status": "resolved", "payouts": [1_000_000, 0]} | fields


@pytest.mark.parametrize(
    ("rows", "payouts"),
    [
        ([row()], (1_000_000, 0)),
        ([row(payouts=[500_000, 500_000])], (500_000, 500_000)),
        ([row(condition_id="0x" + "1" * 64), row(status="posed")], (1_000_000, 0)),
        ([row(), row(payouts=[0, 1_000_000])], None),
        ([row(payouts=[1.0, 0])], None),
        ([row(payouts=[-1, 1])], None),
        ([row(payouts=[True, False])], None),
        ([row(payouts=[])], None),
        ([row(payouts="1")], None),
        ([row(status="disputed")], None),
    ],
)
def test_only_whole_payouts_of_resolved_rows_count(rows, payouts):
    assert decode_resolutions(json.dumps({"data": rows}).encode()) == {"0x" + "1" * 64: payouts}


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"data": [1]}', b'{"data": [{}]}', b'{"data": "'])
def test_another_answer_than_resolutions_is_weather(body):
    with pytest.raises(TransientError):
        decode_resolutions(body)


def test_a_recorded_book_is_whole_and_best_first(recorded):
    body = (recorded / "payloads" / "clob-book.rest.real.2026-10-05.json").read_bytes()
    raw = json.loads(body)
    book = book_levels(body, raw["asset_id"], 5)
    assert (len(book.bids), len(book.asks)) == (len(raw["bids"]), len(raw["asks"]))
    assert [price for price, _ in book.bids] == sorted((price for price, _ in book.bids), reverse=True)
    assert [price for price, _ in book.asks] == sorted(price for price, _ in book.asks)
    assert book.bids[0][0] < book.asks[0][0]
    assert book_levels(body, "1", 5) is None


def test_levels_at_one_price_are_one_and_a_book_without_levels_is_none():
    bid = {"price": "0.4", "size": "10"}
    book = book_levels(json.dumps({"asset_id": "1", "bids": [bid, bid], "asks": []}).encode(), "1", 5)
    assert book.bids == ((Decimal("0.4"), Decimal(20)),)
    assert book_levels(b'{"asset_id": "1", "bids": [], "asks": []}', "1", 5) is None
    with pytest.raises(TransientError):
        book_levels(b"<html>", "1", 5)
