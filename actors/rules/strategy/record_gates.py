"""Gates on the price, the record of the trader, the kind of market, the size of the trade, and the score."""

from collections.abc import Callable
from decimal import Decimal

from actors.rules.strategy.gate import Fails, Gate, Targets, always, bound, is_set, less, more
from actors.rules.strategy.traits import TradeTraits, absence_of
from protocols.decisions import Reason
from protocols.strategies import AbsentScore, AllocationMethod, ProportionalBasis, StrategySettings


def _price(settings: StrategySettings, _: Targets) -> Fails:
    low, high = settings.price_min, settings.price_max
    return lambda traits: not low <= traits.price <= high


def _none_of(name: str) -> Callable[..., Fails]:
    def test(settings: StrategySettings, _: Targets) -> Fails:
        words = [word.lower() for word in getattr(settings, name)]
        return lambda traits: not any(word in traits.text for word in words)

    return test


def _some_of(name: str) -> Callable[..., Fails]:
    def test(settings: StrategySettings, _: Targets) -> Fails:
        words = [word.lower() for word in getattr(settings, name)]
        return lambda traits: any(word in traits.text for word in words)

    return test


def _wrong_structure(settings: StrategySettings, _: Targets) -> Fails:
    wanted = frozenset(word.upper() for word in settings.bet_structures)
    return lambda traits: traits.market is not None and traits.market.structure.upper() not in wanted


def _low_score(settings: StrategySettings, _: Targets) -> Fails:
    limit = settings.model_threshold
    return lambda traits: limit is not None and traits.probability is not None and traits.probability < limit


def _win_rate(traits: TradeTraits, settings: StrategySettings) -> Decimal:
    return traits.standing(settings.wr_source).win_rate


def _edge(traits: TradeTraits, settings: StrategySettings) -> Decimal:
    return traits.standing(settings.wr_source).edge


def _count(traits: TradeTraits, settings: StrategySettings) -> int:
    return traits.standing(settings.wr_source).resolved_count


def _conviction(traits: TradeTraits, _: StrategySettings) -> Decimal:
    return traits.conviction


def _usd(traits: TradeTraits, _: StrategySettings) -> Decimal:
    return traits.trade_usd


def _takes_share_of_portfolio(settings: StrategySettings, _: Targets = None) -> bool:
    return (
        settings.allocation_method is AllocationMethod.PROPORTIONAL
        and settings.proportional_basis is ProportionalBasis.PORTFOLIO
    )


def _portfolio_unknown(traits: TradeTraits) -> bool:
    portfolio = traits.inputs.portfolio_usd
    return portfolio is None or portfolio <= 0


RECORD_GATES: tuple[Gate, ...] = (
    Gate(
        reason=Reason.PRICE_OUT_OF_RANGE,
        is_on=lambda settings, _: settings.price_min > 0 or settings.price_max < 1,
        test=_price,
        value=lambda traits, _: traits.price,
        limit=lambda settings: f"{settings.price_min} to {settings.price_max}",
    ),
    Gate(
        reason=Reason.LOW_WIN_RATE,
        is_on=is_set("min_trader_win_rate"),
        test=less(_win_rate, "min_trader_win_rate"),
        value=_win_rate,
        limit=bound("min_trader_win_rate"),
    ),
    Gate(
        reason=Reason.INSUFFICIENT_EDGE,
        is_on=is_set("min_edge"),
        test=less(_edge, "min_edge"),
        value=_edge,
        limit=bound("min_edge"),
    ),
    Gate(
        reason=Reason.LOW_TRADE_COUNT,
        is_on=lambda settings, _: settings.min_trader_resolved_count > 0,
        test=less(_count, "min_trader_resolved_count"),
        value=_count,
        limit=bound("min_trader_resolved_count"),
    ),
    Gate(
        reason=Reason.LOW_CONVICTION,
        is_on=is_set("min_conviction"),
        test=less(_conviction, "min_conviction"),
        value=_conviction,
        limit=bound("min_conviction"),
    ),
    Gate(
        reason=Reason.HIGH_WIN_RATE,
        is_on=is_set("max_trader_win_rate"),
        test=more(_win_rate, "max_trader_win_rate"),
        value=_win_rate,
        limit=bound("max_trader_win_rate"),
    ),
    Gate(
        reason=Reason.HIGH_EDGE,
        is_on=is_set("max_edge"),
        test=more(_edge, "max_edge"),
        value=_edge,
        limit=bound("max_edge"),
    ),
    Gate(
        reason=Reason.HIGH_CONVICTION,
        is_on=is_set("max_conviction"),
        test=more(_conviction, "max_conviction"),
        value=_conviction,
        limit=bound("max_conviction"),
    ),
    Gate(
        reason=Reason.WRONG_CATEGORY,
        is_on=is_set("market_categories"),
        test=_none_of("market_categories"),
        value=lambda traits, _: traits.text.replace("\0", " | "),
        limit=bound("market_categories"),
    ),
    Gate(
        reason=Reason.WRONG_STRUCTURE,
        is_on=is_set("bet_structures"),
        test=_wrong_structure,
        value=lambda traits, _: None if traits.market is None else traits.market.structure,
        limit=bound("bet_structures"),
    ),
    Gate(
        reason=Reason.EXCLUDED_CATEGORY,
        is_on=is_set("exclude_market_keywords"),
        test=_some_of("exclude_market_keywords"),
        value=lambda traits, _: traits.text.replace("\0", " | "),
        limit=lambda settings: f"none of {settings.exclude_market_keywords}",
    ),
    Gate(
        reason=Reason.TRADE_TOO_SMALL,
        is_on=is_set("min_original_trade_usd"),
        test=less(_usd, "min_original_trade_usd"),
        value=_usd,
        limit=bound("min_original_trade_usd"),
    ),
    Gate(
        reason=Reason.TRADE_TOO_LARGE,
        is_on=is_set("max_original_trade_usd"),
        test=more(_usd, "max_original_trade_usd"),
        value=_usd,
        limit=bound("max_original_trade_usd"),
    ),
    Gate(
        reason=Reason.ML_UNAVAILABLE,
        is_on=lambda settings, _: settings.use_model and settings.absent_score is AbsentScore.REJECT,
        test=always(lambda traits: traits.probability is None),
        value=lambda traits, _: absence_of(traits.inputs) or traits.probability,
        limit=lambda _: "a score",
    ),
    Gate(
        reason=Reason.LOW_ML_SCORE,
        is_on=lambda settings, _: settings.use_model and settings.model_threshold is not None,
        test=_low_score,
        value=lambda traits, _: traits.probability,
        limit=bound("model_threshold"),
    ),
    Gate(
        reason=Reason.PORTFOLIO_UNKNOWN,
        is_on=_takes_share_of_portfolio,
        test=always(_portfolio_unknown),
        value=lambda traits, _: traits.inputs.portfolio_usd,
        limit=lambda _: "a known portfolio",
    ),
)
