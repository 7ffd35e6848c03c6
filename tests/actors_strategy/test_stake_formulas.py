from decimal import Decimal

import pytest
from actors_strategy.judged_trades import TRADE, market, reason_of, record, settings_of, trade
from hypothesis import given
from hypothesis import strategies as st
from property.examples import MANY, QUICK

from actors.rules.strategy.sizing import stake_usd
from actors.rules.strategy.traits import traits_of
from protocols.decisions import Absent, Present
from protocols.strategies import AllocationMethod, ProportionalBasis

D = Decimal
WIDE = {"min_bet": D("0.01"), "max_bet": D(100_000), "bet_size": D(10)}
METHODS = list(AllocationMethod)
THOUSAND = D(1000)


def stake(method, inputs=TRADE, bankroll=THOUSAND, **changes):
    settings = settings_of(**{**WIDE, "allocation_method": AllocationMethod[method], **changes})
    return stake_usd(settings, traits_of(inputs), bankroll)


def with_win_rate(text):
    return trade(trader=record(win_rate=D(text)))


# The trade: price 0.40, entry 0.4012, win rate 0.6, edge 0.1988, conviction 2, 40 USD, score 0.7; base 10.
@pytest.mark.parametrize(
    ("method", "changes", "expected"),
    [
        ("FIXED", {}, "10"),
        ("FIXED", {"bet_allocation_weight": D("1.25")}, "12.50"),
        ("KELLY", {}, "82.83"),  # 1000 x 0.1988 / 0.6 x 0.25 = 82.8333
        ("KELLY", {"kelly_fraction": D(1)}, "331.33"),  # 331.3333
        ("EDGE_SCALED", {}, "19.94"),  # 10 x (1 + 5 x 0.1988)
        ("TIERED", {}, "20"),  # edge of 0.15 and more
        ("CONVICTION", {}, "20"),  # 10 x 2
        ("ML_SCALED", {"use_model": True}, "7"),  # 10 x 0.7
        # 0.4 x 0.994 + 0.3 x 0.6 + 0.3 x 0.333333 = 0.6776; 10 x (0.5 + 1.5 x 0.6776) = 15.164
        ("CONFIDENCE", {}, "15.16"),
        # 0.35 x 0.4 + 0.3 x 0.6 + 0.25 x 0.333333 + 0.1 x 0.994 = 0.502733; 10 x 1.002733
        ("WHALE", {"use_model": True}, "10.03"),
        ("PROPORTIONAL", {"proportional_pct": D(25)}, "10"),  # 25 % of 40
    ],
)
def test_golden_stakes(method, changes, expected):
    assert stake(method, **changes) == D(expected)


@pytest.mark.parametrize(
    ("win_rate", "expected"),
    # entry 0.4012: edges 0.15, 0.149999, 0.10, 0.099999, 0.05, 0.049999, -0.4012
    [
        ("0.5512", "20"), ("0.551199", "15"), ("0.5012", "15"), ("0.501199", "10"), ("0.4512", "10"),
        ("0.451199", "5"), ("0", "5"),
    ],
)  # fmt: skip
def test_each_tier_begins_at_its_limit(win_rate, expected):
    assert stake("TIERED", with_win_rate(win_rate)) == D(expected)


@pytest.mark.parametrize(("average", "expected"), [("100", "5"), ("10", "30"), ("40", "10"), ("25", "16")])
def test_conviction_counts_between_a_half_and_three(average, expected):
    # 40 USD as a multiple of the average: 0.4, 4, 1 and 1.6.
    assert stake("CONVICTION", trade(trader=record(avg_trade_usd=D(average)))) == D(expected)


@pytest.mark.parametrize("method", ["FIXED", "TIERED", "CONVICTION"])
@pytest.mark.parametrize(("size", "expected"), [("0.2", "0.50"), ("900", "10")])
def test_a_stake_is_brought_within_its_bounds(method, size, expected):
    assert stake(method, bet_size=D(size), min_bet=D("0.50"), max_bet=D(10)) == D(expected)


@pytest.mark.parametrize(("size", "expected"), [("1.005", "1.01"), ("1.0049", "1.00"), ("1.015", "1.02")])
def test_the_middle_between_two_cents_goes_up(size, expected):
    # The weight makes parts of a cent: 1 x 1.005.
    assert stake("FIXED", bet_size=D(1), bet_allocation_weight=D(size)) == D(expected)


def test_d23_kelly_stakes_nothing_without_an_edge_and_the_least_next_to_a_sure_price():
    assert stake("KELLY", with_win_rate("0.4012")) == 0
    assert stake("KELLY", with_win_rate("0.3")) == 0
    assert reason_of(settings_of(allocation_method=AllocationMethod.KELLY), with_win_rate("0.3")) == "zero_stake"
    sure = trade(price=D("0.99"), trader=record(win_rate=D(1)))  # entry 0.99297
    assert stake("KELLY", sure, min_bet=D("0.50")) == D("0.50")
    no_edge = trade(price=D("0.99"), trader=record(win_rate=D("0.99297")))
    assert stake("KELLY", no_edge, min_bet=D("0.50")) == 0
    almost = trade(price=D("0.98"), trader=record(win_rate=D(1)))  # 1000 x (1 - 0.98294) / 0.02 x 0.25
    assert stake("KELLY", almost) == D("213.25")


def test_d23_kelly_is_of_what_may_be_spent():
    assert stake("KELLY", bankroll=D(100)) == D("8.28")
    assert stake("KELLY", bankroll=D(0)) == 0
    assert stake("KELLY", bankroll=D(-5)) == 0


def test_d25_the_score_is_passed_and_makes_a_difference():
    for method in ("ML_SCALED", "WHALE"):
        high = stake(method, trade(score=Present(probability=D("0.9"))), use_model=True)
        assert high > stake(method, trade(score=Present(probability=D("0.6"))), use_model=True)


@pytest.mark.parametrize(("method", "expected"), [("ML_SCALED", "5"), ("WHALE", "8.63")])
def test_i8_without_a_score_the_terms_of_the_model_add_nothing(method, expected):
    # WHALE: 10 x (0.5 + 0.3 x 0.6 + 0.25 x 0.333333 + 0.1 x 0.994)
    assert stake(method, trade(score=Absent(reason="timeout")), use_model=True) == D(expected)
    assert stake(method, use_model=False) == D(expected)


def test_d18_a_least_stake_of_zero_is_zero():
    assert stake("FIXED", bet_size=D(0), min_bet=D(0)) == 0
    assert stake("PROPORTIONAL", proportional_pct=D("0.01"), min_bet=D(0)) == 0  # 0.4 cents
    assert stake("PROPORTIONAL", proportional_pct=D("0.0125"), min_bet=D(0)) == D("0.01")  # half a cent
    sure = trade(price=D("0.99"), trader=record(win_rate=D(1)))
    assert stake("KELLY", sure, min_bet=D(0)) == 0


def test_a_formula_that_comes_to_less_than_nothing_stakes_nothing():
    # EDGE_SCALED: 1 + 5 x (0 - 0.4012) is negative; CONFIDENCE: 0.5 + 1.5 (0.4 x -2.006 + 0.3 x 0.6 - 0.5) too.
    assert stake("EDGE_SCALED", with_win_rate("0")) == 0
    assert stake("CONFIDENCE", with_win_rate("0")) == 0


def test_proportional_of_the_portfolio_is_his_share_of_it_times_our_bankroll():
    # He put 40 of 2000 USD in: 2 %; with 100 % of that we put in 2 % of 300 USD.
    of_portfolio = {"proportional_basis": ProportionalBasis.PORTFOLIO, "proportional_pct": D(100)}
    assert stake("PROPORTIONAL", trade(portfolio_usd=D(2000)), D(300), **of_portfolio) == 6
    assert (
        stake("PROPORTIONAL", trade(portfolio_usd=D(2000)), D(300), **of_portfolio | {"proportional_pct": D(50)}) == 3
    )


cents = st.integers(0, 100_000).map(lambda number: D(number).scaleb(-2))
rates = st.integers(0, 10**6).map(lambda number: D(number).scaleb(-6))
prices = st.integers(1, 999).map(lambda number: D(number).scaleb(-3))
bounds = st.tuples(cents, cents).map(sorted)


@MANY
@given(st.sampled_from(METHODS), prices, rates, rates, bounds, cents, cents)
def test_a_stake_is_nothing_or_whole_cents_within_its_bounds(method, price, win_rate, score, bets, size, bankroll):
    settings = settings_of(
        allocation_method=method, min_bet=bets[0], max_bet=bets[1], bet_size=size, use_model=True,
        proportional_pct=D(50), proportional_basis=ProportionalBasis.PORTFOLIO,
    )  # fmt: skip
    inputs = trade(
        price=price, trader=record(win_rate=win_rate), score=Present(probability=score), portfolio_usd=D(7777)
    )
    found = stake_usd(settings, traits_of(inputs), bankroll)
    assert found == 0 or bets[0] <= found <= bets[1]
    assert found == found.quantize(D("0.01"))


@QUICK
@given(
    st.sampled_from(["KELLY", "EDGE_SCALED", "TIERED", "CONFIDENCE", "WHALE"]),
    prices,
    st.tuples(rates, rates).map(sorted),
)
def test_a_better_win_rate_and_so_a_greater_edge_never_stakes_less(method, price, win_rates):
    low, high = (stake(method, trade(price=price, trader=record(win_rate=rate))) for rate in win_rates)
    assert low <= high


@QUICK
@given(
    st.sampled_from(["CONVICTION", "CONFIDENCE", "WHALE", "PROPORTIONAL"]),
    st.tuples(st.integers(1, 10**10), st.integers(1, 10**10)).map(sorted),
)
def test_a_larger_trade_and_so_a_greater_conviction_never_stakes_less(method, sizes):
    low, high = (stake(method, trade(size_micro=size)) for size in sizes)
    assert low <= high


@QUICK
@given(st.sampled_from(METHODS), st.tuples(cents, cents).map(sorted), rates)
def test_a_greater_bankroll_never_stakes_less(method, bankrolls, win_rate):
    inputs = trade(trader=record(win_rate=win_rate), portfolio_usd=D(5000))
    basis = {"proportional_basis": ProportionalBasis.PORTFOLIO, "proportional_pct": D(100)}
    low, high = (stake(method.name, inputs, bankroll, **basis) for bankroll in bankrolls)
    assert low <= high


@QUICK
@given(st.sampled_from(["ML_SCALED", "WHALE"]), st.tuples(rates, rates).map(sorted))
def test_a_better_score_never_stakes_less(method, scores):
    low, high = (stake(method, trade(score=Present(probability=score)), use_model=True) for score in scores)
    assert low <= high


def test_the_market_itself_does_not_change_a_stake():
    for method in METHODS:
        inputs = trade(portfolio_usd=D(5000))
        other = trade(portfolio_usd=D(5000), market=market(title="Another", end_ms=None))
        assert stake(method.name, inputs) == stake(method.name, other)
