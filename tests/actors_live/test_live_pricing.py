import json
from decimal import Decimal
from fractions import Fraction
from typing import Any

import attrs
import pytest
from actors_live.live_cases import T0, D, intent
from hypothesis import assume, given
from hypothesis import strategies as st
from property.examples import MANY

from actors.rules.live.pricing import (
    Refusal,
    depth_shares,
    entry_plan,
    exit_plan,
    manual_plan,
    within_budget,
    worst_fee_usd,
)
from actors.rules.paper.fees import taker_fee
from protocols.live.market import MarketTerms, OrderBook
from protocols.live.orders import OrderOrigin, OrderType, Side
from protocols.live.ports import OrderPlan
from protocols.live.settings import LiveSettings

TICKS = [D("0.1"), D("0.01"), D("0.005"), D("0.0025"), D("0.001"), D("0.0001")]


def book(tick: str | Decimal = "0.01", **changes: Any) -> OrderBook:
    whole = OrderBook(
        token_id="77", condition_id="0xc0", bids=((D("0.49"), D(100)),), asks=((D("0.50"), D(100)),), tick=D(tick),
        min_shares=D(5), negative_risk=False, last_trade_price=None, observed_s=0.0,
    )  # fmt: skip
    return attrs.evolve(whole, **changes)


def terms(rate: str | Decimal = "0", exponent: int = 1) -> MarketTerms:
    return MarketTerms(
        condition_id="0xc0", token_ids=("77", "78"), accepting_orders=True, fee_rate=D(rate), fee_exponent=exponent,
        negative_risk=True, taker_delay=False,
    )  # fmt: skip


def entry(
    stake: str | Decimal, signal: str | Decimal = "0.50", tick: str | Decimal = "0.01", rate: str | Decimal = "0",
    exponent: int = 1, **settings: Any,
) -> OrderPlan | Refusal:  # fmt: skip
    return entry_plan(
        intent(signal_price=D(signal)),
        LiveSettings(**settings),
        D(stake),
        book(tick),
        terms(rate, exponent),
        "main",
        T0,
    )


def planned(found: OrderPlan | Refusal) -> OrderPlan:
    assert isinstance(found, OrderPlan), found
    return found


def refused(found: OrderPlan | Refusal) -> str:
    assert isinstance(found, Refusal), found
    return found.reason


def test_a_stake_buys_at_the_signal_and_three_percent_floored_to_the_tick():
    plan = planned(entry("10", "0.50"))
    assert (plan.limit_price, plan.order_type, plan.spend_usd) == (D("0.51"), OrderType.FAK, D(10))
    # 10 / 0.51 is 19.60784...; shares are cut after four decimals and the last.
    assert (plan.maker_amount, plan.taker_amount, plan.lock_usd) == (10_000_000, 19_607_800, D(10))
    assert (plan.size_shares, plan.negative_risk, plan.expiration_s) == (D("19.6078"), True, 0)


def test_a_slippage_of_zero_is_no_slippage():
    assert planned(entry("10", "0.50", slippage_tolerance_pct=D(0))).limit_price == D("0.50")


def test_a_price_beyond_the_last_tick_is_the_last_tick():
    assert planned(entry("10", "0.985")).limit_price == D("0.99")
    assert planned(entry("10", "0.9985", "0.001")).limit_price == D("0.999")


def test_nothing_is_bought_above_what_the_trader_paid_and_slippage():
    # 0.005 and 3 % is less than the least price that can be said.
    assert refused(entry("10", "0.005")) == "BELOW_TICK"
    assert refused(entry("10", "0.09", "0.1")) == "BELOW_TICK"


def test_dollars_have_two_decimals_and_a_taker_buys_for_a_dollar_at_least():
    assert planned(entry("10.239")).maker_amount == 10_230_000
    assert planned(entry("0.40", min_order_size_usd=D(0))).maker_amount == 1_000_000
    assert refused(entry("0", "0.50")) == "ZERO_STAKE"


@pytest.mark.parametrize("order_type", [OrderType.GTC, OrderType.GTD])
def test_a_resting_entry_buys_five_shares_and_a_dollar_at_least(order_type):
    plan = planned(entry("1", "0.50", order_type=order_type))
    assert (plan.size_shares, plan.maker_amount, plan.lock_usd, plan.spend_usd) == (D(5), 2_550_000, D("2.55"), None)
    plan = planned(entry("1", "0.10", order_type=order_type))
    # Ten shares at 0.10 make a dollar.
    assert (plan.size_shares, plan.maker_amount) == (D(10), 1_000_000)


def test_what_had_to_be_raised_beyond_the_largest_order_is_refused():
    for order_type, largest in ((OrderType.GTC, "2.54"), (OrderType.FAK, "0.99")):
        found = entry("0.9", "0.50", order_type=order_type, min_order_size_usd=D(0), max_order_size_usd=D(largest))
        assert refused(found) == "MIN_SIZE"
    assert planned(entry("0.9", "0.50", order_type=OrderType.GTC, max_order_size_usd=D("2.55"))).lock_usd == D("2.55")


@pytest.mark.parametrize(("resting_s", "ahead_s"), [(180, 240), (600, 660), (86_400, 86_460)])
def test_gtd_ends_a_minute_after_its_rest_and_never_too_soon(resting_s, ahead_s):
    plan = planned(entry("10", order_type=OrderType.GTD, resting_s=resting_s))
    assert plan.expiration_s == T0 // 1000 + ahead_s
    assert plan.expiration_s >= T0 // 1000 + 180


def test_the_lock_holds_the_fee_at_the_worst_price():
    # Half a cent on the dollar at 0.01: 10 USD buy 1,000 shares there, and pay 10 x 0.05 x 0.99.
    assert planned(entry("10", rate="0.05")).lock_usd == D("10.4951")
    # With an exponent of 2 it is worst at a third.
    assert planned(entry("10", rate="0.25", exponent=2)).lock_usd == D(10) + D("0.370371") + D("0.0001")
    # Of given shares it is worst at one half.
    plan = planned(entry("10", "0.60", rate="0.05", order_type=OrderType.GTC))
    assert plan.limit_price == D("0.61")
    assert plan.lock_usd == plan.size_shares * D("0.61") + plan.size_shares * D("0.0125") + D("0.0001")


@given(
    st.sampled_from(TICKS), st.integers(1, 9_999), st.integers(1, 10_000), st.sampled_from(["0", "0.04", "0.07", "0.25"]),
    st.integers(0, 3), st.sampled_from(list(OrderType)), st.lists(st.integers(1, 10_000), min_size=1, max_size=5),
)  # fmt: skip
@MANY
def test_no_order_can_cost_more_than_its_lock(tick, signal, cents, rate, exponent, order_type, prices):
    found = entry(
        D(cents).scaleb(-2), D(signal).scaleb(-4), tick, rate, exponent, order_type=order_type, min_order_size_usd=D(0),
        max_order_size_usd=D(1_000_000),
    )  # fmt: skip
    assume(isinstance(found, OrderPlan))
    plan = planned(found)
    cap = D(signal).scaleb(-4) * D("1.03")
    assert plan.limit_price % tick == 0
    assert tick <= plan.limit_price <= min(cap, 1 - tick)
    cash = Fraction(plan.maker_amount, 10**6)
    assert (cash * (100 if not order_type.rests else 10**6)).denominator == 1
    assert (Fraction(plan.size_shares) * (10**6 if not order_type.rests else 100)).denominator == 1
    # What the venue takes as the price is not above the limit by more than the rounding of shares.
    assert cash <= Fraction(plan.taker_amount, 10**6) * Fraction(plan.limit_price) + Fraction(1, 100)
    # It is filled in parts, at prices on the tick up to the limit.
    steps = int(plan.limit_price / tick)
    left_usd, left_shares, cost = D(plan.maker_amount) / 10**6, plan.size_shares, D(0)
    for number, step in enumerate(prices):
        price = tick * (1 + step % steps)
        part = len(prices) - number
        usd = left_usd / part if plan.spend_usd is not None else price * left_shares / part
        shares = (usd / price).quantize(D("0.000001"), "ROUND_FLOOR")
        if not shares:
            continue
        paid = shares * price
        left_usd, left_shares = left_usd - paid, left_shares - shares
        cost += paid + taker_fee(shares, price, D(rate), exponent)
    assert cost <= plan.lock_usd


@given(
    st.sampled_from(TICKS[:3]),
    st.integers(1, 199),
    st.integers(0, 4),
    st.booleans(),
    st.sampled_from([D(1), D("7.5"), D(100)]),
)
@MANY
def test_the_worst_fee_is_the_worst_of_all_prices(tick, steps, exponent, by_shares, amount):
    limit = tick * steps
    assume(limit < 1)
    rate = D("0.07")

    def fee(price: Decimal) -> Fraction:
        shares = Fraction(amount) if by_shares else Fraction(amount) / Fraction(price)
        return shares * Fraction(rate) * (Fraction(price) * (1 - Fraction(price))) ** exponent

    worst = max(fee(tick * step) for step in range(1, steps + 1))
    found = Fraction(worst_fee_usd(None if by_shares else amount, amount, limit, tick, terms(rate, exponent)))
    assert found >= worst
    # It may look between two ticks, where the peak is; never far above.
    assert found <= worst * Fraction(3, 2) + Fraction(11, 100_000)


def test_amounts_are_those_of_the_official_clients(recorded):
    vectors = json.loads((recorded / "payloads" / "order-amount-vectors.computed.json").read_text())
    for kind in ("limit", "market"):
        checked = 0
        for vector in vectors[kind]:
            side = Side(vector["side"])
            amount = D(vector["size"] if kind == "limit" else vector["amount"])
            wanted = {"wanted_usd": amount} if kind == "market" and side is Side.BUY else {"wanted_shares": amount}
            about = intent(
                side, origin=OrderOrigin.MANUAL, limit_price=D(vector["price"]),
                order_type=OrderType.GTC if kind == "limit" else OrderType.FAK, **wanted,
            )  # fmt: skip
            found = manual_plan(about, book(vector["tick"], min_shares=D(0)), terms(), "main", T0)
            if isinstance(found, Refusal):
                # The clients have no minimum; the venue has.
                assert found.reason == "MIN_SIZE"
                continue
            assert (found.maker_amount, found.taker_amount) == (
                int(vector["makerAmount"]),
                int(vector["takerAmount"]),
            ), vector
            checked += 1
        assert checked >= 4


def manual(side: Side = Side.BUY, tick: str = "0.01", rate: str = "0", **changes: Any) -> OrderPlan | Refusal:
    about = intent(side, origin=OrderOrigin.MANUAL, **{"limit_price": D("0.50"), **changes})
    return manual_plan(about, book(tick), terms(rate), "main", T0)


@given(
    spend=st.integers(100, 10_000_000).map(lambda cents: Decimal(cents) / 100),
    share=st.integers(1, 10**6),
    limit=st.integers(1, 99).map(lambda percent: Decimal(percent) / 100),
    rate=st.sampled_from([D(0), D("0.02"), D("0.07"), D("0.25")]),
    exponent=st.integers(0, 3),
)
def test_a_budget_pays_for_the_fee_too_and_a_cent_more_would_not_fit(spend, share, limit, rate, exponent):
    tick, of = D("0.01"), terms(rate, exponent)
    budget = spend + worst_fee_usd(spend, D(0), limit, tick, of) * share / 10**6
    found = within_budget(spend, budget, limit, tick, of)
    assert found <= spend
    if found > 0:
        assert found + worst_fee_usd(found, D(0), limit, tick, of) <= budget
    more = found + D("0.02")
    assert found == spend or more + worst_fee_usd(more, D(0), limit, tick, of) > budget
    # What is beyond the budget without a fee, and what fits with it, stays as it is.
    assert within_budget(spend, spend - D("0.01"), limit, tick, of) == spend
    assert within_budget(spend, spend * 30, limit, tick, of) == spend


def test_by_hand_nothing_is_raised_or_moved():
    assert refused(manual(wanted_usd=D("0.99"))) == "MIN_SIZE"
    assert refused(manual(wanted_shares=D("4.99"), order_type=OrderType.GTC)) == "MIN_SIZE"
    assert refused(manual(wanted_usd=D(5), limit_price=D("0.505"))) == "TICK"
    assert refused(manual(wanted_usd=D(5), limit_price=D(1))) == "TICK"
    assert refused(manual(Side.SELL, wanted_shares=D("0.004"))) == "AMOUNTS"
    plan = planned(manual(wanted_shares=D("7.129"), order_type=OrderType.GTC))
    assert (plan.size_shares, plan.maker_amount, plan.lock_usd) == (D("7.12"), 3_560_000, D("3.56"))


def test_by_hand_gtd_says_when_it_ends_and_that_is_three_minutes_ahead():
    gtd = {"wanted_shares": D(10), "order_type": OrderType.GTD}
    assert refused(manual(**gtd)) == "EXPIRATION"
    assert refused(manual(**gtd, expires_ms=T0 + 179_999)) == "EXPIRATION"
    assert planned(manual(**gtd, expires_ms=T0 + 180_000)).expiration_s == T0 // 1000 + 180


def test_a_sale_by_hand_locks_no_money():
    plan = planned(manual(Side.SELL, wanted_shares=D("12.349"), rate="0.05"))
    assert (plan.maker_amount, plan.taker_amount, plan.lock_usd, plan.size_shares) == (
        12_340_000,
        6_170_000,
        D(0),
        D("12.34"),
    )


def test_an_exit_sells_less_than_five_shares_at_its_cap_or_better():
    about = intent(Side.SELL, origin=OrderOrigin.EXIT, wanted_shares=D("2.387"), limit_price=D("0.4567"))
    plan = planned(exit_plan(about, book(), terms("0.05"), "main"))
    assert (plan.order_type, plan.limit_price, plan.maker_amount) == (OrderType.FAK, D("0.45"), 2_380_000)
    assert (plan.taker_amount, plan.lock_usd) == (1_071_000, D(0))


def test_an_exit_without_a_cap_takes_any_price():
    about = intent(Side.SELL, origin=OrderOrigin.EXIT, wanted_shares=D(10))
    assert planned(exit_plan(about, book(), terms(), "main")).limit_price == D("0.01")


def test_depth_stops_at_the_limit():
    levels = ((D("0.50"), D(10)), (D("0.51"), D(5)), (D("0.52"), D(99)))
    assert depth_shares(levels, D("0.51"), buys=True) == 15
    assert depth_shares(levels[::-1], D("0.51"), buys=False) == 104
    assert depth_shares((), D("0.51"), buys=True) == 0
