from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.rules.reference_markets import map_market
from actors.rules.reference_rows import TradeMapper, map_follow, map_profile, map_trader, wallet_of
from protocols.errors import MalformedError
from protocols.trades import Lane

WALLET = "0x" + "ab" * 20
TRADE = {"trade_id": "x", "trader_wallet": WALLET.upper().replace("0X", "0x"), "transaction_hash": "0x" + "1" * 64,
         "asset": "7", "side": "buy", "size": Decimal("1.5"), "price": "0.5", "condition_id": "0x" + "2" * 64,
         "trade_timestamp": "2026-03-01T12:00:00.25+00:00", "outcome": None, "raw": None}  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals() | st.text(max_size=70) | st.sampled_from([WALLET, "NaN"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
MAPPERS = [map_profile, map_follow, map_trader, map_market, TradeMapper({WALLET: Lane.FOLLOWED}).map]
NAMES = [*TRADE, "id", "user_id", "user_name", "email", "wallet_address", "pnl", "win_rate", "rank", "outcomes",
         "outcome_prices", "tokens", "raw_gamma", "created_at", "end_time", "total_trades"]  # fmt: skip


def mapped(**changes):
    return TradeMapper({WALLET: Lane.FOLLOWED}).map({**TRADE, **changes})


@given(row=st.dictionaries(st.sampled_from(NAMES), VALUES), keep=st.booleans())
def test_any_row_is_mapped_or_refused_by_a_reason(row, keep):
    if keep:
        row = {**TRADE, "id": "00000001-0000-4000-8000-000000000001", "wallet_address": WALLET, **row}
    for mapper in MAPPERS:
        try:
            mapper(row)
        except MalformedError as error:
            assert 0 < len(error.reason) <= 40


def test_a_trade_has_our_identity_and_exact_values():
    laned = mapped()
    assert laned.lane is Lane.FOLLOWED
    trade = laned.trade
    assert (trade.wallet, trade.side, trade.size_micro, trade.price) == (WALLET, "BUY", 1_500_000, Decimal("0.5"))
    assert trade.trade_ms == 1_772_366_400_250
    assert mapped(price="0.7", outcome="NO", trade_id="y", size="1.50").trade.trade_id == trade.trade_id
    assert mapped(side="SELL").trade.trade_id != trade.trade_id


def test_equal_fills_are_counted():
    mapper = TradeMapper({WALLET: Lane.FOLLOWED})
    ids = [mapper.map(TRADE).trade.trade_id for _ in range(3)]
    assert [trade_id.rpartition("-")[2] for trade_id in ids] == ["0", "1", "2"]
    # A refused row is not counted.
    with pytest.raises(MalformedError, match="price"):
        mapper.map({**TRADE, "size": "9", "price": "55"})
    assert mapper.map({**TRADE, "size": "9"}).trade.trade_id.endswith("-0")


@pytest.mark.parametrize("value", [None, "", "0x12", 7, "0x" + "g" * 40, WALLET + "0"])
def test_a_wallet_is_forty_hex_digits(value):
    with pytest.raises(MalformedError, match="wallet"):
        wallet_of(value)


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ({"user_name": "ann"}, "ann"),
        ({"user_name": "ann@example.org"}, "ann@example.org"),
        ({"user_name": "Ann Doe"}, "Ann-Doe-00000001"),
        ({"email": "bob@example.org"}, "bob-00000001"),
        ({"user_name": "\u4e2d"}, "user-00000001"),
        ({}, "user-00000001"),
    ],
)
def test_every_user_gets_a_name_that_commands_take(row, name):
    assert map_profile({"id": "00000001-0000-4000-8000-000000000001", **row}).values["user_name"] == name


@pytest.mark.parametrize(
    ("prices", "stored"),
    [
        (["0.25", 0.75], None),  # a float would not be exact; JSON is read without any
        (["0.25", Decimal("0.75")], '["0.25", "0.75"]'),
        ({"outcomes": ["Yes", "No"], "outcomePrices": ["1", "0"]}, '["1", "0"]'),
        ({"outcomes": ["No", "Yes"], "outcomePrices": ["1", "0"]}, '["0", "1"]'),
        ({"No": "0.3", "Yes": "0.7"}, '["0.7", "0.3"]'),
        ('["0.1", "0.9"]', '["0.1", "0.9"]'),
        ({"outcomes": ["Up", "Down"], "outcomePrices": ["1", "0"]}, None),
        ([55, 45], None),
        (["NaN", "1"], None),
        (["1"], None),
        ({}, None),
    ],
)
def test_prices_of_every_shape_go_by_name(prices, stored):
    mapped = map_market({"condition_id": "0x1", "outcomes": ["Yes", "No"], "outcome_prices": prices})
    assert mapped.values["outcome_prices"] == stored
    assert ("outcome_prices" in mapped.notes) == (stored is None)


def test_what_the_reference_calls_resolved_resolves_nothing():
    row = {"condition_id": "0x1", "status": "resolved", "resolved_outcome": "resolved", "closed": False}
    mapped = map_market(row)
    assert (mapped.values["resolution_status"], mapped.values["closed"]) == (None, False)
    assert mapped.notes == ("resolved_outcome says 'resolved'",)
