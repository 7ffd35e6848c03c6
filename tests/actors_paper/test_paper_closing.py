from decimal import Decimal

import msgspec
import pytest
from actors_paper.paper_positions import NOW_MS, ORDER, SALE, market, order, sale
from hypothesis import given
from hypothesis import strategies as st
from property.examples import MANY
from property.made_trades import wallet

from actors.rules.paper.closing import apply_close, close_of, share_sold
from protocols.decisions import PaperClose

D = Decimal
HALF = D("0.50")


def close(position=ORDER, inputs=SALE, price=HALF):
    share = share_sold(inputs.size_micro, inputs.holding_micro)
    return close_of(position, share, inputs, price=price)


@pytest.mark.parametrize(
    ("sold", "holding", "share"),
    [
        (100, 400, "0.25"),
        (400, 400, "1"),
        (500, 400, "1"),
        (1, 3, "0.333333333333333333"),
        (1, 0, "1"),
        (1, None, "1"),
        (1, 10**19, "0.000000000000000001"),
    ],
)
def test_the_share_that_he_sold(sold, holding, share):
    assert share_sold(sold, holding) == D(share)


def test_d41_a_quarter_of_his_holding_closes_a_quarter_of_ours():
    found = close()
    assert (found.shares, found.share, found.price) == (D("7.5"), D("0.25"), HALF)
    sold = apply_close(ORDER, found)
    # 7.5 x 0.50 = 3.75 came in for 7.5 x 0.40 = 3.
    assert (sold.shares.proceeds, sold.shares.cost_released, sold.pnl) == (D("3.75"), 3, D("0.75"))
    assert (sold.order.shares, sold.order.cost, sold.order.realized) == (D("22.5"), 9, D("0.75"))


def test_a_third_of_thirty_is_ten():
    assert close(inputs=sale(holding_micro=300_000_000)).shares == 10


@pytest.mark.parametrize(
    "changes",
    [{"trader": wallet(2)}, {"token_id": "2"}, {"trade_ms": NOW_MS + 1}, {"shares": D(0), "cost": D(0)}],
)
def test_d41_other_traders_other_outcomes_and_later_purchases_stay_open(changes):
    assert close(order(**changes)) is None


def test_equal_seconds_count_as_before():
    assert close(order(trade_ms=NOW_MS)) is not None


def test_less_than_a_hundredth_of_a_share_is_not_left_behind():
    nearly = sale(size_micro=399_900_000)  # leaves 30 x 0.00025 = 0.0075 shares
    assert close(inputs=nearly).shares == 30
    just = sale(size_micro=2_999, holding_micro=3_000)  # leaves 0.01
    assert close(inputs=just).shares == D("29.99")
    less = sale(size_micro=399_800_000)  # leaves 0.015
    assert close(inputs=less).shares == D("29.985")


def test_the_fee_of_a_sale_comes_out_of_the_proceeds():
    sold = apply_close(ORDER, close(inputs=sale(market=market(fee_rate=D("0.05")))))
    # 7.5 x 0.05 x 0.25 = 0.09375
    assert (sold.fee, sold.shares.proceeds, sold.pnl) == (D("0.09375"), D("3.65625"), D("0.65625"))


def test_a_fee_never_exceeds_the_proceeds():
    worthless = close(inputs=sale(market=market(fee_rate=D("0.05"))), price=D("0.0000001"))
    sold = apply_close(ORDER, worthless)
    assert sold.shares.proceeds == 0
    assert sold.fee == D("0.000001")


def test_the_last_shares_take_what_is_left_of_the_cost():
    odd = order(shares=D(3), cost=D("1.000000"))
    first = apply_close(odd, wanted(D(1)))
    assert first.shares.cost_released == D("0.333333")
    second = apply_close(first.order, wanted(D(1)))
    assert second.shares.cost_released == D("0.333334")  # 0.666667 / 2, the middle goes up
    third = apply_close(second.order, wanted(D(1)))
    assert (third.shares.cost_released, third.order) == (D("0.333333"), None)


def wanted(shares, price=HALF, rate=None):
    return PaperClose(
        wallet_id="BOT", order_id="order", source_trade_id="sale", shares=shares, share=D(1), price=price, fee_rate=rate,
        fee_exponent=1, trade_ms=NOW_MS,
    )  # fmt: skip


micros = st.integers(1, 10**10).map(lambda number: D(number).scaleb(-6))
prices = st.integers(0, 1000).map(lambda number: D(number).scaleb(-3))
rates = st.sampled_from([None, D(0), D("0.05")])


@MANY
@given(micros, micros, micros, prices, rates)
def test_no_sale_exceeds_what_is_open_and_nothing_is_lost_between_parts(shares, cost, want, price, rate):
    position = order(shares=shares, cost=cost)
    sold = apply_close(position, wanted(want, price, rate))
    done = sold.shares
    assert 0 < done.shares <= shares
    assert done.shares + done.shares_left == shares
    assert done.cost_released + done.cost_left == cost
    assert 0 <= done.cost_released <= cost
    assert done.proceeds >= 0
    assert sold.pnl == done.proceeds - done.cost_released
    assert (sold.order is None) == (want >= shares)
    if sold.order is not None:
        assert (sold.order.shares, sold.order.cost, sold.order.realized) == (done.shares_left, done.cost_left, sold.pnl)


@MANY
@given(st.integers(2, 10**10), micros, prices)
def test_two_halves_come_to_the_whole_up_to_rounding(shares_micro, cost, price):
    shares = D(shares_micro).scaleb(-6)
    position = order(shares=shares, cost=cost)
    whole = apply_close(position, wanted(shares, price))
    first = apply_close(position, wanted(D(shares_micro // 2).scaleb(-6), price))
    second = apply_close(first.order, wanted(shares, price))
    assert whole.order is second.order is None
    assert first.shares.cost_released + second.shares.cost_released == whole.shares.cost_released == cost
    assert abs(first.pnl + second.pnl - whole.pnl) <= D("0.000001")


@MANY
@given(micros, st.integers(1, 10**10), st.none() | st.integers(0, 10**10))
def test_what_is_to_be_closed_is_his_share_and_never_more_than_is_open(shares, sold_micro, holding_micro):
    inputs = msgspec.structs.replace(SALE, size_micro=sold_micro, holding_micro=holding_micro)
    found = close(order(shares=shares), inputs)
    if found is None:
        assert shares * sold_micro < D("0.000001") * holding_micro
        return
    assert 0 < found.shares <= shares
    assert shares - found.shares == 0 or shares - found.shares >= D("0.01")
    if holding_micro is not None and sold_micro < holding_micro and found.shares < shares:
        assert abs(found.shares * holding_micro - shares * sold_micro) < D("0.000001") * holding_micro
