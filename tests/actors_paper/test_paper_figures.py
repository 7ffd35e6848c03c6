from decimal import Decimal
from fractions import Fraction
from math import sqrt

import pytest
from actors_paper.paper_positions import balance
from hypothesis import given
from hypothesis import strategies as st
from property.examples import QUICK

from actors.rules.paper.figures import figures_of, hours_remaining, return_pct, status_of
from actors.rules.paper.ledger import settled
from protocols.paper import Balance, SettledOrder
from protocols.strategies import StrategySettings

D = Decimal
NOW_MS = 1_795_000_000_000
profits = st.lists(
    st.integers(-(10**9), 10**9) | st.sampled_from([0, 1, -1, 10**6]), max_size=30
).map(lambda micros: [D(micro).scaleb(-6) for micro in micros])  # fmt: skip


def after(pnls, starting=1000):
    """A balance whose orders, open before with a cost of 2000 USD each, settled with these profits."""
    cost = D(2000)
    money = balance(starting + 2000 * len(pnls))
    money = Balance(
        starting=D(starting), cash=D(starting) - cost * len(pnls), open_cost=cost * len(pnls), orders=len(pnls),
        open_orders=len(pnls), stakes=cost * len(pnls), peak_equity=D(starting),
    )  # fmt: skip
    for pnl in pnls:
        outcome = "WON" if pnl > 0 else "LOST" if pnl < 0 else "VOID"
        money = settled(
            money,
            SettledOrder(
                order_id="o", wallet_id="BOT", payout=cost + pnl, cost_released=cost, outcome=outcome, pnl=pnl
            ),
        )
    return money


def naive_sharpe(pnls):
    if len(pnls) < 2:
        return None
    mean = sum(map(Fraction, pnls), Fraction(0)) / len(pnls)
    variance = sum((Fraction(pnl) - mean) ** 2 for pnl in pnls) / (len(pnls) - 1)
    return None if variance == 0 else float(mean) / sqrt(variance)


@QUICK
@given(profits)
def test_the_sharpe_ratio_from_running_sums_is_that_of_the_profits(pnls):
    found, expected = figures_of(after(pnls), None).sharpe, naive_sharpe(pnls)
    if expected is None:
        assert found is None
    else:
        assert found is not None
        assert float(found) == pytest.approx(expected, rel=1e-6, abs=1e-6)


@QUICK
@given(profits, st.sampled_from([1, 10, 1000, 10**6]))
def test_the_falls_are_those_of_the_whole_history(pnls, starting):
    equities = [D(starting)]
    for pnl in pnls:
        equities.append(equities[-1] + pnl)
    peaks = [max(equities[: at + 1]) for at in range(len(equities))]
    falls = [peak - equity for peak, equity in zip(peaks, equities, strict=True)]
    ratios = [Fraction(fall) / Fraction(peak) for fall, peak in zip(falls, peaks, strict=True)]
    found = figures_of(after(pnls, starting), D(0))
    assert found.max_drawdown == max(falls)
    assert abs(Fraction(found.max_drawdown_pct) - 100 * max(ratios)) <= Fraction(1, 199)
    assert found.max_drawdown >= 0
    assert found.realized_pnl == found.total_pnl == equities[-1] - starting


@QUICK
@given(profits)
def test_counts_and_rates_are_those_of_the_orders(pnls):
    found = figures_of(after(pnls), None)
    won, lost = sum(pnl > 0 for pnl in pnls), sum(pnl < 0 for pnl in pnls)
    assert (found.won, found.lost, found.void, found.open_orders) == (won, lost, len(pnls) - won - lost, 0)
    assert (found.win_rate is None) == (won + lost == 0)
    if found.win_rate is not None:
        assert abs(Fraction(found.win_rate) - Fraction(won, won + lost)) <= Fraction(1, 2 * 10**6)


def test_a_golden_sharpe():
    # 3, 1, 2: the mean is 2, the squares of the differences are 1, 1, 0, and 2 / (3 - 1) is 1.
    assert figures_of(after([D(3), D(1), D(2)]), None).sharpe == 2
    # -3, -1, -2 the same below zero.
    assert figures_of(after([D(-3), D(-1), D(-2)]), None).sharpe == -2


def test_a_loss_of_everything_and_more_is_a_fall_of_more_than_the_peak():
    found = figures_of(after([D(100), D(-2000)]), D(0))
    # 1000, 1100, -900.
    assert (found.max_drawdown, found.max_drawdown_pct) == (2000, D("181.82"))
    assert found.return_pct == -190


@pytest.mark.parametrize(
    ("profit", "starting", "pct"),
    [("10", "1000", "1"), ("-5", "3", "-166.67"), ("0", "1", "0"), ("0.0005", "10", "0.01")],
)
def test_a_return_is_of_the_starting_balance(profit, starting, pct):
    assert return_pct(D(profit), D(starting)) == D(pct)


def test_an_unrealised_profit_counts_in_the_total_and_nowhere_else():
    money = after([D(20)])
    without, plus = figures_of(money, D(0)), figures_of(money, D("-50.5"))
    assert (plus.total_pnl, plus.realized_pnl, plus.return_pct) == (D("-30.5"), 20, D("-3.05"))
    assert (plus.cash, plus.max_drawdown, plus.win_rate) == (without.cash, without.max_drawdown, without.win_rate)


def test_d18_a_start_and_an_end_at_the_epoch_are_times():
    assert status_of(StrategySettings(start_date=0), NOW_MS) == "ACTIVE"
    assert status_of(StrategySettings(end_date=0), NOW_MS) == "ENDED"
    assert hours_remaining(StrategySettings(end_date=0), NOW_MS) == 0
