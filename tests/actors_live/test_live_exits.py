from decimal import Decimal
from fractions import Fraction
from typing import Any

import attrs
import pytest
from actors_live.live_cases import T0, D
from hypothesis import given
from hypothesis import strategies as st
from property.examples import MANY

from actors.rules.live.exits import (
    Dust,
    Try,
    Wait,
    covers,
    due_exit,
    fixed,
    limit_of,
    needs_bid,
    next_try,
    pause_s,
    target_shares,
)
from protocols.live.exits import ExitKind, LiveExit, Lot
from protocols.live.market import OrderBook
from protocols.live.settings import LiveSettings

HIS, OTHERS = "0x" + "11" * 20, "0x" + "22" * 20
DEADLINE = T0 + 300_000
OFF: dict[str, Any] = {"stop_loss_pct": None, "take_profit_pct": None, "max_hold_hours": None}


def obligation(**changes: Any) -> LiveExit:
    whole = LiveExit(
        exit_id="exit-1", strategy_id="LT_A", cause="his sale", kind=ExitKind.TRADER_SELL, condition_id="0xc0", token_id="77",
        trader=HIS, share=D("0.5"), signal_price=D("0.50"), signal_ms=T0, created_ms=T0, deadline_ms=DEADLINE, next_try_ms=T0,
    )  # fmt: skip
    return attrs.evolve(whole, **changes)


def lot(**changes: Any) -> Lot:
    whole = Lot(
        order_id="o1", strategy_id="LT_A", trader=HIS, condition_id="0xc0", token_id="77", signal_ms=T0 - 1, bought_ms=T0,
        shares=D(20), cost=D(10),
    )  # fmt: skip
    return attrs.evolve(whole, **changes)


def book(*bids: tuple[str, str], tick: str = "0.01") -> OrderBook:
    return OrderBook(
        token_id="77", condition_id="0xc0", bids=tuple((D(price), D(shares)) for price, shares in bids),
        asks=((D("0.99"), D(1)),), tick=D(tick), min_shares=D(5), negative_risk=False, last_trade_price=None, observed_s=0.0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("share", "open_shares", "target"),
    [
        ("1", "20.123456", "20.123456"),
        ("0.5", "20", "10"),
        ("0.333333333333333333", "10", "3.333333"),
        ("0.999999", "10", "10"),
        ("0.9999", "20", "20"),
        ("0.999", "20", "19.98"),
        ("0.0001", "20", "0.002"),
        ("0.00000001", "20", "0"),
        # A rest below a hundredth of a share could never be sold: it goes with what is sold.
        ("0.999999", "9.995", "9.995"),
    ],
)
def test_we_sell_the_share_that_he_sold(share, open_shares, target):
    assert target_shares(D(share), D(open_shares)) == D(target)


@given(st.decimals("0.000001", "1", places=6), st.decimals("0", "1000", places=6))
@MANY
def test_the_target_is_never_more_than_is_open_nor_less_than_his_share_by_a_cent_of_a_share(share, open_shares):
    target = target_shares(share, open_shares)
    exact = Fraction(share) * Fraction(open_shares)
    assert 0 <= target <= open_shares
    assert exact - Fraction(1, 100) < target < exact + Fraction(1, 50)
    assert target == open_shares or open_shares - target >= D("0.01")


def test_a_sale_closes_what_was_bought_from_this_trader_before_it_and_nothing_else():
    assert covers(obligation(), lot())
    assert covers(obligation(), lot(signal_ms=T0))
    for other in (
        lot(signal_ms=T0 + 1),
        lot(trader=OTHERS),
        lot(trader=None),
        lot(token_id="78"),
        lot(strategy_id="LT_B"),
    ):
        assert not covers(obligation(), other)


def test_a_stop_sells_what_was_bought_until_now_from_whomever():
    stop = obligation(kind=ExitKind.STOP_LOSS, trader=None)
    assert covers(stop, lot(trader=OTHERS, signal_ms=T0 + 9_000))
    assert not covers(stop, lot(token_id="78"))


def test_the_first_limit_is_below_his_price_and_each_try_lowers_it():
    settings = LiveSettings(exit_slippage_pct=D(3), exit_step_pct=D(5))
    limits = [limit_of(obligation(attempts=number), settings, D("0.30"), D("0.01")) for number in range(21)]
    # 0.485, 0.46, 0.435 … floored to the tick, and never less than one.
    assert limits[:4] == [D("0.48"), D("0.46"), D("0.43"), D("0.41")]
    assert limits[19:] == [D("0.01"), D("0.01")]
    assert limits == sorted(limits, reverse=True)


def test_without_a_price_of_his_the_limit_starts_at_the_best_bid():
    assert limit_of(obligation(signal_price=D(0)), LiveSettings(), D("0.40"), D("0.01")) == D("0.38")


def test_a_slippage_of_zero_sells_at_his_price_or_not_at_all():
    settings = LiveSettings(exit_slippage_pct=D(0), exit_step_pct=D(0))
    assert limit_of(obligation(attempts=9), settings, D("0.40"), D("0.01")) == D("0.50")


def test_it_waits_while_the_best_bid_is_below_the_limit_and_sells_at_the_best():
    settings = LiveSettings(exit_slippage_pct=D(3), exit_step_pct=D(5))
    assert isinstance(next_try(obligation(), settings, book(("0.47", "99")), D(10)), Wait)
    found = next_try(obligation(), settings, book(("0.48", "1"), ("0.10", "99")), D("10.019"))
    assert found == Try(shares=D("10.01"), limit_price=D("0.48"))


def test_after_the_deadline_any_price_will_do():
    settings = LiveSettings()
    cheap = book(("0.11", "99"))
    assert isinstance(next_try(obligation(), settings, cheap, D(10)), Wait)
    assert next_try(obligation(), settings, cheap, D(10), is_late=True) == Try(shares=D(10), limit_price=D("0.01"))
    thousandths = book(("0.11", "99"), tick="0.001")
    assert next_try(obligation(), settings, thousandths, D(10), is_late=True) == Try(
        shares=D(10), limit_price=D("0.001")
    )


def test_nobody_bids():
    assert isinstance(next_try(obligation(), LiveSettings(), book(), D(10), is_late=True), Wait)


def test_one_low_bid_makes_no_dust_of_what_was_worth_more():
    low = book(("0.04", "99"))
    assert isinstance(next_try(obligation(), LiveSettings(), low, D(20)), Wait)
    assert next_try(obligation(), LiveSettings(), low, D(20), is_late=True) == Try(shares=D(20), limit_price=D("0.01"))
    # A stop-loss has the low bid for its price; what was paid says that it is no dust.
    stop = obligation(signal_price=D("0.04"))
    assert isinstance(next_try(stop, LiveSettings(), low, D(20)), Dust)
    assert isinstance(next_try(stop, LiveSettings(), low, D(20), paid_price=D("0.5")), Try)


@pytest.mark.parametrize(
    ("share", "held", "promised", "carried", "target", "status"),
    [
        ("0.5", "20", "10", "0", "5", "OPEN"),
        ("1", "20", "20", "0", "0", "VOID"),
        ("0.00045", "20", "0", "0", "0.009", "DUST"),
        ("0.00045", "20", "0", "0.009", "0.017995", "OPEN"),
        ("0.00045", "0.001", "0", "0", "0.001", "DUST"),
    ],
)
def test_a_target_is_a_share_of_what_nobody_has_promised(share, held, promised, carried, target, status):
    found = fixed(obligation(share=D(share)), D(held), D(promised), D(carried))
    assert (found.target_shares, found.status.value) == (D(target), status)


def test_dust_is_less_than_a_hundredth_of_a_share_or_of_a_dollar():
    rich = book(("0.50", "99"))
    assert isinstance(next_try(obligation(), LiveSettings(), rich, D("0.0099")), Dust)
    assert isinstance(next_try(obligation(), LiveSettings(), book(), D("0.0099")), Dust)
    assert isinstance(next_try(obligation(), LiveSettings(), rich, D("1.99")), Dust)
    # Fewer than five shares are sold all the same.
    assert isinstance(next_try(obligation(), LiveSettings(), rich, D("2")), Try)


def test_pauses_grow_to_half_a_minute():
    pauses = [pause_s(number) for number in range(40)]
    assert (pauses[0], pauses[1], pauses[2], max(pauses)) == (0.5, 1.0, 2.0, 30.0)
    assert pauses == sorted(pauses)


@pytest.mark.parametrize(
    ("settings", "bid", "due"),
    [
        ({}, "0.01", None),
        ({"stop_loss_pct": D(10)}, "0.45", ExitKind.STOP_LOSS),
        ({"stop_loss_pct": D(10)}, "0.4501", None),
        ({"take_profit_pct": D(20)}, "0.60", ExitKind.TAKE_PROFIT),
        ({"take_profit_pct": D(20)}, "0.5999", None),
        # Zero is a value: the cost itself.
        ({"stop_loss_pct": D(0)}, "0.50", ExitKind.STOP_LOSS),
        ({"take_profit_pct": D(0)}, "0.50", ExitKind.TAKE_PROFIT),
        ({"stop_loss_pct": D(10), "take_profit_pct": D(20)}, None, None),
    ],
)
def test_when_a_position_is_sold_by_itself(settings, bid, due):
    found = due_exit(lot(), LiveSettings(**{**OFF, **settings}), None if bid is None else D(bid), T0)
    assert found == due
    assert needs_bid(LiveSettings(**{**OFF, **settings})) == bool(settings)


def test_a_position_is_held_only_so_long_bid_or_none():
    settings = LiveSettings(**{**OFF, "max_hold_hours": D("0.5")})
    assert due_exit(lot(), settings, None, T0 + 1_799_999) is None
    assert due_exit(lot(), settings, None, T0 + 1_800_000) is ExitKind.MAX_HOLD
    assert due_exit(lot(), LiveSettings(**{**OFF, "max_hold_hours": D(0)}), None, T0) is ExitKind.MAX_HOLD
    assert not needs_bid(settings)


def test_what_has_no_cost_has_no_loss():
    settings = LiveSettings(**{**OFF, "stop_loss_pct": D(1), "take_profit_pct": D(1)})
    assert due_exit(lot(cost=D(0)), settings, Decimal("0.01"), T0) is None


def test_many_small_sales_come_to_what_they_would_have_together():
    held, carried, should_hold = D(100), D(0), D(100)
    for _ in range(30):
        target = target_shares(D("0.02"), held, carried)
        should_hold *= D("0.98")
        if target * D("0.30") < 1:
            carried = target
            continue
        held, carried = held - target, D(0)
    assert abs(held - carried - should_hold) < D("0.31"), (
        "rounded down to a hundredth of a share each time, and no more"
    )
    assert held < 60, "dust that was never carried would still be there"
