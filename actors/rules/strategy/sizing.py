"""How much a strategy stakes: the formulas of domain.md §2.4 without their defects, exact to the cent."""

from collections.abc import Callable, Mapping
from decimal import Decimal

from actors.rules.exact import CENT, EXACT, ONE, ZERO, half_up
from actors.rules.strategy.traits import TradeTraits
from protocols.strategies import AllocationMethod, ProportionalBasis, StrategySettings

HALF = Decimal("0.5")
KELLY_PRICE_MAX = Decimal("0.99")
"""From here on 1 - price is too little to divide by: Kelly stakes the least."""
_HUNDRED = Decimal(100)
_multiply, _add, _subtract, _divide = EXACT.multiply, EXACT.add, EXACT.subtract, EXACT.divide


def stake_usd(settings: StrategySettings, traits: TradeTraits, bankroll: Decimal) -> Decimal:
    """Returns the stake in USD: zero, or within [min_bet, max_bet], rounded half up to cents.

    A formula that comes to nothing or less stakes nothing, and so does Kelly without an edge (D23). Where there is no score,
    the terms of the model take the value that they have at one half.
    """
    raw = _FORMULAS[settings.allocation_method](settings, traits, bankroll)
    if raw <= 0:
        return ZERO
    return half_up(min(max(raw, settings.min_bet), settings.max_bet), CENT)


def _base(settings: StrategySettings) -> Decimal:
    return _multiply(settings.bet_size, settings.bet_allocation_weight)


def _fixed(settings: StrategySettings, _: TradeTraits, __: Decimal) -> Decimal:
    return _base(settings)


def _kelly(settings: StrategySettings, traits: TradeTraits, bankroll: Decimal) -> Decimal:
    edge = _edge(settings, traits)
    if edge <= 0:
        return ZERO
    if traits.price >= KELLY_PRICE_MAX:
        return settings.min_bet
    product = _multiply(_multiply(bankroll, edge), settings.kelly_fraction)
    return _divide(product, _subtract(ONE, traits.price))


def _edge_scaled(settings: StrategySettings, traits: TradeTraits, _: Decimal) -> Decimal:
    return _multiply(_base(settings), _add(ONE, _multiply(Decimal(5), _edge(settings, traits))))


def _tiered(settings: StrategySettings, traits: TradeTraits, _: Decimal) -> Decimal:
    edge = _edge(settings, traits)
    if edge >= Decimal("0.15"):
        factor = Decimal(2)
    elif edge >= Decimal("0.10"):
        factor = Decimal("1.5")
    else:
        factor = ONE if edge >= Decimal("0.05") else HALF
    return _multiply(_base(settings), factor)


def _conviction(settings: StrategySettings, traits: TradeTraits, _: Decimal) -> Decimal:
    return _multiply(_base(settings), min(max(traits.conviction, HALF), Decimal(3)))


def _ml_scaled(settings: StrategySettings, traits: TradeTraits, _: Decimal) -> Decimal:
    # 0.5 + (p - 0.5), between 0.5 and 2: a probability never reaches the upper end.
    return _multiply(_base(settings), min(max(_score(settings, traits), HALF), Decimal(2)))


def _confidence(settings: StrategySettings, traits: TradeTraits, _: Decimal) -> Decimal:
    # 0.4 min(edge / 0.20, 1) + 0.3 min((conviction - 0.5) / 2.5, 1) + 0.3 min((wr - 0.5) / 0.30, 1), multiplied out.
    standing = traits.standing(settings.wr_source)
    score = min(_multiply(Decimal(2), standing.edge), Decimal("0.4"))
    score = _add(score, min(_multiply(Decimal("0.12"), _subtract(traits.conviction, HALF)), Decimal("0.3")))
    score = _add(score, min(_subtract(standing.win_rate, HALF), Decimal("0.3")))
    return _multiply(_base(settings), _add(HALF, _multiply(Decimal("1.5"), score)))


def _whale(settings: StrategySettings, traits: TradeTraits, _: Decimal) -> Decimal:
    # 0.35 c((p - 0.5) / 0.5) + 0.30 c((conviction - 0.5) / 2.5) + 0.25 c((wr - 0.5) / 0.3) + 0.10 min(edge / 0.2, 1), where
    # c is between 0 and 1. Times six, since 0.25 / 0.3 has no end; divided last.
    standing = traits.standing(settings.wr_source)
    model = _clamped(_multiply(Decimal("0.7"), _subtract(_score(settings, traits), HALF)), Decimal("0.35"))
    conviction = _clamped(_multiply(Decimal("0.12"), _subtract(traits.conviction, HALF)), Decimal("0.3"))
    edge = min(_multiply(HALF, standing.edge), Decimal("0.1"))
    six = _multiply(Decimal(6), _add(_add(model, conviction), edge))
    six = _add(six, _multiply(Decimal(5), _clamped(_subtract(standing.win_rate, HALF), Decimal("0.3"))))
    return _divide(_multiply(_base(settings), _add(Decimal(3), six)), Decimal(6))


def _proportional(settings: StrategySettings, traits: TradeTraits, bankroll: Decimal) -> Decimal:
    wanted = _multiply(settings.proportional_pct, traits.trade_usd)
    if settings.proportional_basis is ProportionalBasis.NOTIONAL:
        return _divide(wanted, _HUNDRED)
    portfolio = traits.inputs.portfolio_usd
    if portfolio is None or portfolio <= 0:
        return ZERO
    return _divide(_multiply(wanted, bankroll), _multiply(_HUNDRED, portfolio))


def _edge(settings: StrategySettings, traits: TradeTraits) -> Decimal:
    return traits.standing(settings.wr_source).edge


def _score(settings: StrategySettings, traits: TradeTraits) -> Decimal:
    probability = traits.score_for(settings)
    return HALF if probability is None else probability


def _clamped(value: Decimal, high: Decimal) -> Decimal:
    return min(max(value, ZERO), high)


_FORMULAS: Mapping[AllocationMethod, Callable[[StrategySettings, TradeTraits, Decimal], Decimal]] = {
    AllocationMethod.FIXED: _fixed,
    AllocationMethod.KELLY: _kelly,
    AllocationMethod.EDGE_SCALED: _edge_scaled,
    AllocationMethod.TIERED: _tiered,
    AllocationMethod.CONVICTION: _conviction,
    AllocationMethod.ML_SCALED: _ml_scaled,
    AllocationMethod.CONFIDENCE: _confidence,
    AllocationMethod.WHALE: _whale,
    AllocationMethod.PROPORTIONAL: _proportional,
}
