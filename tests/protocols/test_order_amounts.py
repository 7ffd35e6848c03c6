"""Amounts of orders: vectors, the unified client as oracle, and the venue's own rules of precision (D34)."""

import json
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from polymarket._internal.actions.orders.limit import _compute_limit_order_amounts
from polymarket._internal.actions.orders.market import _compute_market_order_amounts, adjust_buy_amount_for_fees
from property.examples import MANY
from py_clob_client_v2.order_builder.builder import ROUNDING_CONFIG, OrderBuilder
from py_clob_client_v2.order_builder.helpers import round_down

from protocols.errors import RejectedError
from protocols.venue.order_amounts import (
    TICKS,
    Amounts,
    is_on_tick,
    limit_amounts,
    market_buy_amounts,
    market_sell_amounts,
    price_on_tick,
    spend_before_fee,
)

D = Decimal
TICK = st.sampled_from(sorted(TICKS))


@st.composite
def priced(draw) -> tuple[Decimal, Decimal]:
    """A tick and a price on it."""
    tick = draw(TICK)
    return tick, tick * draw(st.integers(1, int(1 / tick) - 1))


SIZES = st.integers(1, 10**9).map(lambda cents: D(cents) / 100)


def test_every_vector(recorded):
    groups = json.loads((recorded / "payloads" / "order-amount-vectors.computed.json").read_text())
    seen = 0
    for vector in groups["limit"]:
        found = limit_amounts(vector["side"], D(vector["price"]), D(vector["size"]), D(vector["tick"]))
        assert found == Amounts(int(vector["makerAmount"]), int(vector["takerAmount"])), vector
        seen += 1
    for name, group in groups.items():
        for vector in group if isinstance(group, list) and name != "limit" else ():
            amount = D(vector.get("amount") or vector.get("usd") or vector.get("size") or vector.get("shares"))
            make = market_buy_amounts if vector["side"] == "BUY" else market_sell_amounts
            found = make(amount, D(vector["price"]), D(vector["tick"]))
            assert found == Amounts(int(vector["makerAmount"]), int(vector["takerAmount"])), vector
            seen += 1
    assert seen >= 15


@given(priced(), SIZES, st.sampled_from(["BUY", "SELL"]))
@MANY
def test_orders_for_shares_are_those_of_the_unified_client_and_what_the_venue_takes(at, size, side):
    tick, price = at
    try:
        found = limit_amounts(side, price, size, tick)
    except RejectedError:
        return
    assert (found.maker, found.taker) == _compute_limit_order_amounts(price=price, size=size, side=side, tick_size=tick)
    cash, shares = (found.maker, found.taker) if side == "BUY" else (found.taker, found.maker)
    # The venue's rule: shares have two decimals, USD those of the tick, and together they are the very price (venue.md §4.3).
    assert shares % 10_000 == 0
    assert cash % 10 ** (6 - TICKS[tick].amount_places) == 0
    assert Fraction(cash, shares) == Fraction(price)


@given(priced(), SIZES, st.sampled_from(["BUY", "SELL"]), st.booleans())
@MANY
def test_amounts_are_those_of_the_older_client_but_for_its_floating_point(at, size, side, takes):
    tick, price = at
    make = market_buy_amounts if side == "BUY" else market_sell_amounts
    try:
        found = make(size, price, tick) if takes else limit_amounts(side, price, size, tick)
    except RejectedError:
        return
    places = ROUNDING_CONFIG[str(tick)]
    # To it 0.0003 is 0.0002 when it takes.
    assume(not takes or D(str(round_down(float(price), places.price))) == price)
    builder = OrderBuilder(None)
    theirs = builder.get_market_order_amounts if takes else builder.get_order_amounts
    _, maker, taker = theirs(side, float(size), float(price), places)
    given_first = takes or side == "SELL"
    (first, second), (their_first, their_second) = (
        ((found.maker, found.taker), (maker, taker)) if given_first else ((found.taker, found.maker), (taker, maker))
    )
    # It cuts what it has in binary: 0.29 may be 0.28, and then the other amount is that of 0.28.
    assert first - their_first in (0, 10_000)
    if first == their_first:
        assert abs(second - their_second) <= max(10 ** (6 - places.amount), second >> 50)


@pytest.mark.parametrize("number", ["NaN", "sNaN", "Infinity", "-Infinity", "-5", "0", "1E+70", "1E-70"])
def test_no_number_at_all_is_refused(number):
    value, half, tick = D(number), D("0.5"), D("0.01")
    for attempt in (
        lambda: limit_amounts("BUY", half, value, tick),
        lambda: limit_amounts("SELL", value, D(5), tick),
        lambda: limit_amounts("BUY", half, D(5), value),
        lambda: market_buy_amounts(value, half, tick),
        lambda: market_buy_amounts(D(5), value, tick),
        lambda: market_sell_amounts(value, half, tick),
        lambda: market_sell_amounts(D(5), value, tick),
    ):
        with pytest.raises(RejectedError):
            attempt()


@given(priced(), SIZES, st.sampled_from(["BUY", "SELL"]))
@MANY
def test_orders_that_take_are_those_of_the_unified_client_and_what_the_venue_takes(at, amount, side):
    tick, price = at
    make = market_buy_amounts if side == "BUY" else market_sell_amounts
    try:
        found = make(amount, price, tick)
    except RejectedError:
        return
    assert (found.maker, found.taker) == _compute_market_order_amounts(
        amount=amount, price=price, side=side, tick_size=tick
    )
    # The venue's rule: what is given has two decimals, what is taken those of the tick (venue.md §4.3).
    assert found.maker % 10_000 == 0
    assert found.taker % 10 ** (6 - TICKS[tick].amount_places) == 0
    implied = Fraction(found.maker, found.taker) if side == "BUY" else Fraction(found.taker, found.maker)
    exact = Fraction(price)
    # A BUY can lift an ask at its limit; a SELL asks for no more than its limit.
    assert implied >= exact if side == "BUY" else implied <= exact


@given(TICK, st.decimals("0.0001", "0.9999", places=6), st.booleans())
@MANY
def test_a_price_goes_to_the_nearest_tick_on_the_side_that_was_asked_for(tick, price, up):
    found = price_on_tick(price, tick, up=up)
    assert is_on_tick(found, tick)
    if tick <= price <= 1 - tick:
        assert abs(found - price) < tick
        assert found >= price if up else found <= price


@pytest.mark.parametrize("price", ["0", "1", "0.505", "-0.1", "1.01"])
def test_a_price_off_the_tick_is_refused(price):
    with pytest.raises(RejectedError, match="tick"):
        limit_amounts("BUY", D(price), D(5), D("0.01"))


def test_what_rounds_to_nothing_is_refused():
    with pytest.raises(RejectedError, match="no shares"):
        limit_amounts("BUY", D("0.5"), D("0.004"), D("0.01"))
    with pytest.raises(RejectedError, match="no USD"):
        market_buy_amounts(D("0.009"), D("0.5"), D("0.01"))
    with pytest.raises(RejectedError, match="unknown tick"):
        limit_amounts("BUY", D("0.5"), D(5), D("0.03"))


def test_what_may_be_spent_leaves_room_for_the_fee():
    # venue.md §4.4.
    assert round(spend_before_fee(D(100), D("0.5"), D("0.07"), 1), 10) == D("96.6183574879")


@given(priced(), st.decimals(1, 10_000, places=2), st.decimals(0, "0.2", places=3))
@MANY
def test_spending_with_the_fee_is_that_of_the_unified_client(at, budget, rate):
    class Fee:
        exponent = 1

    fee = Fee()
    fee.rate = rate
    theirs = adjust_buy_amount_for_fees(amount=budget, price=at[1], max_spend=budget, fee=fee)
    assert abs(spend_before_fee(budget, at[1], rate, 1) - theirs) < D("1e-15")
