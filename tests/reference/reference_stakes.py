"""The stakes written a second time: from the table of domain.md §2.4, slowly, in exact fractions."""

from fractions import Fraction

from reference.reference_inputs import (
    HALF,
    clamp,
    conviction_of,
    half_up,
    slipped_price,
    trade_usd,
    win_rate_and_count,
)

from protocols.decisions import Inputs, Present
from protocols.strategies import StrategySettings

ZERO = Fraction(0)
ONE = Fraction(1)


def stake_of(settings: StrategySettings, inputs: Inputs, bankroll: Fraction) -> Fraction:
    """USD, whole cents; 0 where the formula stakes nothing."""
    raw = raw_stake(settings, inputs, bankroll)
    if raw <= 0:
        return ZERO
    return half_up(clamp(raw, Fraction(settings.min_bet), Fraction(settings.max_bet)), 2)


def raw_stake(settings: StrategySettings, inputs: Inputs, bankroll: Fraction) -> Fraction:
    """USD before the clamp."""
    price = Fraction(inputs.price)
    win_rate, _ = win_rate_and_count(settings, inputs)
    edge = win_rate - slipped_price(price)
    conviction = conviction_of(inputs)
    base = Fraction(settings.bet_size) * Fraction(settings.bet_allocation_weight)
    method = str(settings.allocation_method)
    if method == "FIXED":
        return base
    if method == "KELLY":
        return kelly(settings, price, edge, bankroll)
    if method == "EDGE_SCALED":
        return base * (1 + 5 * edge)
    if method == "TIERED":
        return base * tier(edge)
    if method == "CONVICTION":
        return base * clamp(conviction, HALF, Fraction(3))
    if method == "ML_SCALED":
        return base * clamp(HALF + (model_score(settings, inputs) - HALF), HALF, Fraction(2))
    if method == "CONFIDENCE":
        return base * (HALF + Fraction(3, 2) * confidence(win_rate, edge, conviction))
    if method == "WHALE":
        return base * (HALF + whale(model_score(settings, inputs), win_rate, edge, conviction))
    if method == "PROPORTIONAL":
        return proportional(settings, inputs, bankroll)
    raise ValueError(method)


def model_score(settings: StrategySettings, inputs: Inputs) -> Fraction:
    """One half where the model says nothing: what the formulas give there is what they give without a model."""
    if settings.use_model and isinstance(inputs.score, Present):
        return Fraction(inputs.score.probability)
    return HALF


def kelly(settings: StrategySettings, price: Fraction, edge: Fraction, bankroll: Fraction) -> Fraction:
    if edge <= 0:
        return ZERO
    if price >= Fraction(99, 100):
        return Fraction(settings.min_bet)
    return bankroll * edge / (1 - price) * Fraction(settings.kelly_fraction)


def tier(edge: Fraction) -> Fraction:
    if edge >= Fraction(15, 100):
        return Fraction(2)
    if edge >= Fraction(10, 100):
        return Fraction(3, 2)
    if edge >= Fraction(5, 100):
        return ONE
    return HALF


def confidence(win_rate: Fraction, edge: Fraction, conviction: Fraction) -> Fraction:
    by_edge = min(edge / Fraction(20, 100), ONE)
    by_conviction = min((conviction - HALF) / Fraction(25, 10), ONE)
    by_win_rate = min((win_rate - HALF) / Fraction(30, 100), ONE)
    return Fraction(4, 10) * by_edge + Fraction(3, 10) * by_conviction + Fraction(3, 10) * by_win_rate


def whale(score: Fraction, win_rate: Fraction, edge: Fraction, conviction: Fraction) -> Fraction:
    by_score = clamp((score - HALF) / HALF, ZERO, ONE)
    by_conviction = clamp((conviction - HALF) / Fraction(25, 10), ZERO, ONE)
    by_win_rate = clamp((win_rate - HALF) / Fraction(30, 100), ZERO, ONE)
    by_edge = min(edge / Fraction(20, 100), ONE)
    return (
        Fraction(35, 100) * by_score
        + Fraction(30, 100) * by_conviction
        + Fraction(25, 100) * by_win_rate
        + Fraction(10, 100) * by_edge
    )


def proportional(settings: StrategySettings, inputs: Inputs, bankroll: Fraction) -> Fraction:
    part = Fraction(settings.proportional_pct) / 100
    if settings.proportional_basis == "notional":
        return part * trade_usd(inputs)
    assert inputs.portfolio_usd is not None
    return part * (trade_usd(inputs) / Fraction(inputs.portfolio_usd)) * bankroll
