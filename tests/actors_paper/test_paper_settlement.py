from decimal import Decimal

import pytest
from actors_paper.paper_positions import ORDER, market, order
from hypothesis import given
from hypothesis import strategies as st
from property.examples import QUICK

from actors.rules.paper.settlement import agreed, payouts_of, settle

D = Decimal


def over(*prices, **changes):
    return market(closed=True, resolved=True, outcome_prices=tuple(map(D, prices)), **changes)


@pytest.mark.parametrize(
    ("payout", "outcome", "pnl"),
    [
        ("1", "WON", "18"),  # 12 x (1 - 0.40) / 0.40, which is 30 - 12
        ("0", "LOST", "-12"),
        ("0.5", "VOID", "3"),  # 15 - 12
        ("0.99", "WON", "17.7"),
        ("0.989999", "VOID", "17.69997"),
        ("0.01", "LOST", "-11.7"),
        ("0.010001", "VOID", "-11.69997"),
    ],
)
def test_d22_golden_profits(payout, outcome, pnl):
    settled = settle(ORDER, D(payout))
    assert (settled.outcome, settled.pnl) == (outcome, D(pnl))
    assert settled.cost_released == 12
    assert settled.payout == 30 * D(payout)


def test_the_profit_of_an_order_counts_what_was_sold_of_it_before():
    rest = order(shares=D("22.5"), cost=D(9), realized=D("0.75"))
    assert settle(rest, D(0)).pnl == D("-8.25")
    assert settle(rest, D(1)).pnl == D("14.25")


def test_the_fee_is_part_of_what_is_lost():
    assert settle(order(cost=D("12.30")), D(0)).pnl == D("-12.30")


@QUICK
@given(st.integers(1, 10**6), st.integers(1, 9999))
def test_a_win_pays_stake_times_one_less_price_over_price(stake_cents, price_bp):
    stake, price = D(stake_cents).scaleb(-2), D(price_bp).scaleb(-4)
    shares = (stake / price).quantize(D("0.000001"))
    won = settle(order(shares=shares, cost=stake), D(1)).pnl
    assert abs(won - stake * (1 - price) / price) <= D("0.000001")


def test_d60_and_d64_the_payout_goes_by_token_whatever_the_outcomes_are_called():
    for outcomes in (("Yes", "No"), ("No", "Yes"), ("Lakers", "Celtics"), ("resolved", "x")):
        assert payouts_of(over("0", "1", outcomes=outcomes)).by_token == {"1": 0, "2": 1}


def test_d61_a_price_near_one_in_play_is_no_payout():
    for closed, resolved in ((False, False), (True, False), (False, True)):
        in_play = market(closed=closed, resolved=resolved, outcome_prices=(D("0.995"), D("0.005")))
        assert payouts_of(in_play) is None


def test_d62_a_void_market_pays_each_half():
    assert payouts_of(over("0.5", "0.5")).by_token == {"1": D("0.5"), "2": D("0.5")}


@pytest.mark.parametrize(
    "found",
    [
        over("0", "0"),
        over("1", "1"),
        over("100", "0"),
        over("1"),
        over("1", "0", token_ids=()),
        market(closed=True, resolved=True, outcome_prices=None),
    ],
)
def test_d63_prices_that_are_no_payouts_settle_nothing(found):
    assert payouts_of(found) is None


def test_the_data_api_decides_and_a_disagreement_is_told():
    same = agreed(over("0", "1"), [0, 1_000_000])
    assert (same.payouts.by_token, same.payouts.source, same.disagree) == ({"1": 0, "2": 1}, "data", False)
    other = agreed(over("1", "0"), [0, 1_000_000])
    assert (other.payouts.by_token, other.payouts.source, other.disagree) == ({"1": 0, "2": 1}, "data", True)


def test_without_the_data_api_gamma_decides():
    found = agreed(over("1", "0"), None)
    assert (found.payouts.source, found.disagree) == ("gamma", False)
    assert agreed(market(), None).payouts is None


def test_the_data_api_alone_is_enough_for_a_closed_market_and_for_no_open_one():
    unsaid = market(closed=True, resolved=False, outcome_prices=None)
    assert agreed(unsaid, [500_000, 500_000]).payouts.by_token == {"1": D("0.5"), "2": D("0.5")}
    assert agreed(market(), [0, 1_000_000]).payouts is None


def test_payouts_in_thirds_are_whole_though_their_roundings_are_not():
    three = market(closed=True, resolved=False, token_ids=("1", "2", "3"), outcome_prices=None)
    assert sum(agreed(three, [333_333] * 3).payouts.by_token.values()) == D("0.999999")
    assert agreed(three, [333_333, 333_333, 333_330]).disagree


@pytest.mark.parametrize("micro", [[1_000_000], [0, 0], [2_000_000, -1_000_000], [0, 0, 1_000_000], []])
def test_a_resolution_that_does_not_fit_the_tokens_settles_nothing_and_is_told(micro):
    found = agreed(over("1", "0"), micro)
    assert (found.payouts, found.disagree) == (None, True)
