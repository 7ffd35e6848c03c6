from fractions import Fraction

from actors_live.live_cases import D
from hypothesis import given
from hypothesis import strategies as st
from property.examples import QUICK
from reference.random_inputs import trades
from reference.random_strategies import BANKROLLS, sizings
from reference.reference_stakes import stake_of

from actors.rules.live.sizing import stake_for
from protocols.decisions import Inputs
from protocols.live.settings import LiveSettings
from protocols.strategies import AllocationMethod, ProportionalBasis, StrategySettings

OPEN = LiveSettings(min_order_size_usd=D(0), max_order_size_usd=D(1_000_000))


def portfolio_unknown(paper: StrategySettings, inputs: Inputs) -> bool:
    """Nothing to be in proportion to: the formula has no answer, and nothing is staked."""
    by_portfolio = (paper.allocation_method, paper.proportional_basis) == (
        AllocationMethod.PROPORTIONAL,
        ProportionalBasis.PORTFOLIO,
    )
    return by_portfolio and not inputs.portfolio_usd


@given(trades(), sizings(), st.sampled_from(BANKROLLS))
@QUICK
def test_live_stakes_what_the_paper_strategy_would_of_the_money_that_can_be_spent(inputs, sizing, available):
    # I6, against the second opinion on the formulas.
    paper = StrategySettings(**sizing)
    expected = Fraction(0) if portfolio_unknown(paper, inputs) else stake_of(paper, inputs, Fraction(available))
    assert Fraction(stake_for(inputs, paper, OPEN, available)) == expected


@given(trades(), sizings(), st.sampled_from(BANKROLLS))
@QUICK
def test_a_stake_is_none_or_within_the_limits_of_an_order(inputs, sizing, available):
    paper = StrategySettings(**sizing)
    limits = LiveSettings(min_order_size_usd=D("2.50"), max_order_size_usd=D("7.25"))
    plain = Fraction(0) if portfolio_unknown(paper, inputs) else stake_of(paper, inputs, Fraction(available))
    stake = stake_for(inputs, paper, limits, available)
    assert Fraction(stake) == (sorted([Fraction("2.5"), plain, Fraction("7.25")])[1] if plain else 0)
