from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from property.examples import MANY
from reference.random_inputs import trades
from reference.reference_paper import fill_of, pnl_of

from actors.rules.paper.fees import taker_fee
from actors.rules.paper.fill import fill_buy
from actors.rules.paper.settlement import settle
from protocols.decisions import Reason
from protocols.paper import OpenOrder
from protocols.strategies import EntryModel, StrategySettings

STAKES = st.integers(1, 10**8).map(lambda cents: Decimal(cents).scaleb(-2))
MODELS = st.sampled_from([EntryModel.SLIP, EntryModel.OBSERVED])
PAYOUTS = st.sampled_from([Decimal(0), Decimal("0.5"), Decimal(1)])


@MANY
@given(trades(), STAKES, MODELS, PAYOUTS)
def test_a_fill_its_fee_and_its_profit_are_those_of_the_reference(inputs, stake, model, payout):
    settings = StrategySettings(entry_model=model)
    fill = fill_buy(settings, inputs, stake)
    expected = fill_of(settings, inputs, Fraction(stake))
    if expected is None:
        assert fill in (Reason.ZERO_STAKE, Reason.PRICE_OUT_OF_RANGE)
        return
    assert not isinstance(fill, Reason)
    assert Fraction(fill.entry_price) == expected.price
    assert (Fraction(fill.shares), Fraction(fill.fee)) == (expected.shares, expected.fee)
    assert fill.stake == stake
    order = OpenOrder(
        order_id="1",
        wallet_id="BOT",
        trader=inputs.wallet,
        condition_id=inputs.condition_id,
        token_id=inputs.token_id,
        trade_ms=inputs.trade_ms,
        entry_price=fill.entry_price,
        shares=fill.shares,
        cost=fill.stake + fill.fee,
    )
    exact = pnl_of(expected, Fraction(stake), Fraction(payout))
    # Half a micro-share more or less at a payout of one half.
    assert abs(Fraction(settle(order, payout).pnl) - exact) <= Fraction(1, 2_000_000)


@pytest.mark.parametrize(
    ("shares", "price", "rate", "exponent", "fee"),
    [
        ("25", "0.64", "0.07", 1, "0.40320"),  # checked on chain (venue.md §7.1)
        ("100", "0.5", "0.05", 1, "1.25000"),
        ("0.000001", "0.5", "0.05", 1, "0.00001"),  # the least there is
        ("10", "1", "0.05", 1, "0"),
        ("0.0054", "0.5", "0.01", 1, "0.00001"),  # 0.0000135
        ("0.006", "0.5", "0.01", 1, "0.00002"),  # 0.000015: the middle goes up
        ("100", "0.5", "0.25", 2, "1.56250"),
    ],
)
def test_golden_fees(shares, price, rate, exponent, fee):
    assert taker_fee(Decimal(shares), Decimal(price), Decimal(rate), exponent) == Decimal(fee)
