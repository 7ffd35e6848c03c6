from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st
from property.examples import QUICK

from actors.rules.paper.fees import FEE_QUANTUM, taker_fee

D = Decimal
prices = st.integers(0, 10**6).map(lambda micro: D(micro).scaleb(-6))
amounts = st.integers(1, 10**12).map(lambda micro: D(micro).scaleb(-6))
rates = st.integers(1, 10**6).map(lambda micro: D(micro).scaleb(-6))
exponents = st.sampled_from([1, 2])


def exact_fee(shares, price, rate, exponent):
    """Without rounding; the longest product of the numbers above has 36 digits."""
    with localcontext(prec=60):
        return shares * rate * (price * (1 - price)) ** exponent


@pytest.mark.parametrize(
    ("shares", "price", "rate", "exponent", "fee"),
    [
        ("100", "0.50", "0.07", 1, "1.75000"),  # 100 x 0.07 x 0.25
        ("100", "0.40", "0.05", 1, "1.20000"),  # 100 x 0.05 x 0.24
        ("100", "0.40", "0.05", 2, "0.28800"),  # 100 x 0.05 x 0.24 x 0.24 = 0.05 x 5.76
        ("24.634146", "0.41", "0.05", 1, "0.29795"),  # 1.2317073 x 0.2419 = 0.29794999587
        ("1", "0.01", "0.05", 1, "0.00050"),  # 0.05 x 0.0099 = 0.000495, the middle goes up
        ("0.000001", "0.50", "0.05", 1, "0.00001"),  # 0.0000000125: the least that is charged
        ("100", "0", "0.05", 1, "0"),
        ("100", "1", "0.05", 1, "0"),
        ("100", "0.50", "0", 1, "0"),
        ("0", "0.50", "0.05", 1, "0"),
    ],
)
def test_golden_fees(shares, price, rate, exponent, fee):
    assert taker_fee(D(shares), D(price), D(rate), exponent) == D(fee)


def test_a_market_that_says_nothing_charges_nothing():
    assert taker_fee(D(100), D("0.50"), None, 1) == 0


@QUICK
@given(amounts, prices, rates, exponents)
def test_a_fee_is_the_exact_one_to_five_decimals_and_never_nothing_where_one_is_due(shares, price, rate, exponent):
    fee, exact = taker_fee(shares, price, rate, exponent), exact_fee(shares, price, rate, exponent)
    assert fee % FEE_QUANTUM == 0
    assert (fee > 0) == (exact > 0)
    assert abs(fee - exact) <= FEE_QUANTUM / 2 or (fee == FEE_QUANTUM and exact < FEE_QUANTUM)
    assert fee < shares * rate / 4 + FEE_QUANTUM


@QUICK
@given(amounts, amounts, prices, rates, exponents)
def test_more_shares_or_a_higher_rate_never_cost_less_and_both_sides_cost_the_same(one, other, price, rate, exponent):
    less, more = sorted((one, other))
    assert taker_fee(less, price, rate, exponent) <= taker_fee(more, price, rate, exponent)
    assert taker_fee(less, price, rate / 2, exponent) <= taker_fee(less, price, rate, exponent)
    assert taker_fee(less, price, rate, exponent) == taker_fee(less, 1 - price, rate, exponent)


@QUICK
@given(st.lists(amounts, min_size=1, max_size=5), prices, rates)
def test_fees_level_by_level_differ_from_one_for_all_by_rounding_alone(parts, price, rate):
    by_level = sum(taker_fee(part, price, rate, 1) for part in parts)
    whole = taker_fee(sum(parts), price, rate, 1)
    # Each is at most a quantum off: half of it by rounding, or less than all of it by the least that is charged.
    assert abs(by_level - whole) <= (len(parts) + 1) * FEE_QUANTUM
