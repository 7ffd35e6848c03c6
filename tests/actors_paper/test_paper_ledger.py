from decimal import Decimal
from statistics import mean, stdev

import attrs
import pytest
from actors_paper.paper_positions import NOW_MS, balance, order
from hypothesis import given
from hypothesis import strategies as st
from property.examples import MANY

from actors.rules.paper import figures
from actors.rules.paper.closing import apply_close
from actors.rules.paper.ledger import closed, opened, settled
from actors.rules.paper.settlement import settle
from protocols.decisions import PaperClose, PaperOrder
from protocols.paper import SettledOrder
from protocols.strategies import StrategySettings

D = Decimal
HOUR_MS = 3_600_000


def bought(stake="12", fee="0", shares="30"):
    return PaperOrder(
        order_id="order", wallet_id="BOT", version=1, source_trade_id="t", members=(), trader="0x", condition_id="c",
        token_id="1", outcome=None, market_slug=None, market_title=None, market_end_ms=None, signal_price=D("0.4"),
        entry_price=D("0.4"), stake=D(stake), shares=D(shares), fee=D(fee), entry_model="slip", fill_inputs="{}",
        win_rate=D("0.5"), resolved_count=0, roi=None, model_probability=None, edge=D(0), conviction=D(1), trade_ms=1,
        decided_ms=1,
    )  # fmt: skip


def sold(position, shares, price, rate=None):
    return apply_close(
        position,
        PaperClose(
            wallet_id="BOT", order_id="order", source_trade_id="s", shares=D(shares), share=D(1), price=D(price),
            fee_rate=rate, fee_exponent=1, trade_ms=2,
        ),
    )  # fmt: skip


def result(pnl, outcome):
    """An order of 10 USD that settled with this profit."""
    return SettledOrder(
        order_id="o", wallet_id="BOT", payout=10 + D(pnl), cost_released=D(10), outcome=outcome, pnl=D(pnl)
    )


def after(*results, starting=1000):
    money = opened(balance(starting), [bought("10") for _ in results])
    for pnl, outcome in results:
        money = settled(money, result(pnl, outcome))
    return money


def test_a_purchase_moves_stake_and_fee_from_cash_into_what_is_open():
    money = opened(balance(), [bought("12", "0.30"), bought("8", "0.20")])
    assert (money.cash, money.open_cost, money.fees, money.stakes) == (D("979.50"), D("20.50"), D("0.50"), 20)
    assert (money.orders, money.open_orders, money.realized_pnl) == (2, 2, 0)


def test_d12_a_part_that_is_sold_counts_at_once_and_the_order_when_nothing_is_left():
    money = opened(balance(), [bought()])
    half = sold(order(), "15", "0.50")
    money = closed(money, half, realized_before=D(0))
    # 15 x 0.50 = 7.50 for 6.
    assert (money.cash, money.open_cost, money.realized_pnl) == (D("995.50"), 6, D("1.50"))
    assert (money.open_orders, money.sold, money.final_pnl_sum) == (1, 0, 0)
    rest = sold(half.order, "15", "0.30")
    money = closed(money, rest, realized_before=half.order.realized)
    # 4.50 for 6: the order lost as much as it had won.
    assert (money.cash, money.open_cost, money.realized_pnl) == (1000, 0, 0)
    assert (money.open_orders, money.sold, money.final_pnl_sum) == (0, 1, 0)


def test_the_fall_is_measured_from_the_peak_in_the_order_of_events():
    money = after(("100", "WON"), ("-10", "LOST"), ("-100", "LOST"), ("50", "WON"))
    # 1000, 1100, 1090, 990, 1040: 110 below 1100.
    assert (money.peak_equity, money.max_drawdown, money.max_drawdown_ratio) == (1100, 110, D("0.1"))


def test_a_first_loss_is_a_fall_from_the_start():
    money = after(("-10", "LOST"))
    assert (money.max_drawdown, money.max_drawdown_ratio) == (10, D("0.01"))


settlements = st.lists(
    st.tuples(
        st.integers(1, 3000), st.integers(1, 50), st.integers(0, 2000), st.booleans(), st.sampled_from([0, 5, 10])
    ),
    min_size=1,
    max_size=12,
)


@MANY
@given(settlements)
def test_i1_cash_and_what_is_open_are_the_start_and_the_profit_after_each_event(events):
    money, pnls, equities = balance(), [], [D(1000)]

    def holds():
        assert money.cash + money.open_cost == money.starting + money.realized_pnl
        assert money.orders == money.open_orders + money.won + money.lost + money.sold + money.void
        equities.append(money.starting + money.realized_pnl)

    for stake_cents, price, sale_milli, sells_all, payout in events:
        stake = D(stake_cents).scaleb(-2)
        shares = (stake * 100 / price).quantize(D("0.000001"))
        money = opened(money, [bought(str(stake), "0.01", str(shares))])
        holds()
        position = order(shares=shares, cost=stake + D("0.01"))
        part = shares if sells_all else (shares / 3).quantize(D("0.000001"))
        sale = sold(position, part, D(sale_milli).scaleb(-3), D("0.05"))
        money = closed(money, sale, realized_before=D(0))
        holds()
        total = sale.pnl
        if sale.order is not None:
            final = settle(sale.order, D(payout) / 10)
            money = settled(money, final)
            holds()
            total = final.pnl
        pnls.append(total)
    assert money.open_cost == money.open_orders == 0
    assert money.final_pnl_sum == money.realized_pnl == sum(pnls)
    assert money.final_pnl_squares == sum(pnl * pnl for pnl in pnls)
    falls = [max(equities[: at + 1]) - equity for at, equity in enumerate(equities)]
    assert (money.peak_equity, money.max_drawdown) == (max(equities), max(falls))


def test_golden_figures():
    money = after(("20", "WON"), ("-10", "LOST"), ("5", "WON"), ("1", "VOID"))
    found = figures.figures_of(attrs.evolve(money, open_cost=D(0)), D("4"))
    assert (found.cash, found.exposure, found.realized_pnl, found.total_pnl) == (1016, 0, 16, 20)
    assert found.return_pct == 2
    assert found.win_rate == D("0.666667")  # 2 of 3: the void order is neither
    assert found.avg_stake == 10
    assert found.max_drawdown_pct == D("0.98")  # 10 of 1020
    profits = [20, -10, 5, 1]
    assert float(found.sharpe) == pytest.approx(mean(profits) / stdev(profits), abs=1e-6)


def test_figures_of_nothing_are_nothing_and_an_unknown_price_hides_the_total():
    found = figures.figures_of(balance(), None)
    assert found.win_rate is found.avg_stake is found.sharpe is found.total_pnl is found.return_pct is None
    assert figures.figures_of(balance(), D(0)).return_pct == 0


def test_one_order_or_equal_profits_have_no_sharpe():
    assert figures.figures_of(after(("3", "WON")), None).sharpe is None
    assert figures.figures_of(after(("3", "WON"), ("3", "WON")), None).sharpe is None


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        ({}, "ACTIVE"),
        ({"start_date": NOW_MS + 1}, "SCHEDULED"),
        ({"start_date": NOW_MS, "end_date": NOW_MS + 1}, "ACTIVE"),
        ({"end_date": NOW_MS}, "ENDED"),
        ({"is_active": False}, "PAUSED"),
    ],
)
def test_the_status_goes_by_the_window(settings, status):
    assert figures.status_of(StrategySettings(**settings), NOW_MS) == status


def test_hours_remaining_end_at_zero():
    def hours(end_ms):
        return figures.hours_remaining(StrategySettings(end_date=end_ms), NOW_MS)

    assert hours(None) is None
    assert hours(NOW_MS + HOUR_MS * 3 // 2) == D("1.5")
    assert hours(NOW_MS - 1) == 0
