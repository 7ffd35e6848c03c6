"""The chain written a second time: from the table of domain.md §2.6, slowly, in exact fractions.

Nothing of `actors/rules` is imported here, so that an error there cannot hide in both.
"""

from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction

from reference.reference_conflicts import Held, Outcome, conflict, cut
from reference.reference_inputs import conviction_of, slipped_price, trade_usd, win_rate_and_count
from reference.reference_stakes import stake_of

from protocols.decisions import Inputs, MarketInput, Present
from protocols.strategies import StrategySettings


@dataclass
class Answer:
    """What the reference says: the reason's name, and the stake in USD where it is `taken`."""

    reason: str
    stake: Fraction | None = None


def mentions(inputs: Inputs, market: MarketInput, words: Collection[str]) -> bool:
    texts = []
    title = market.title if market.title is not None else inputs.title
    if title is not None:
        texts.append(title)
    if market.category is not None:
        texts.append(market.category)
    texts.extend(market.tags)
    for word in words:
        for text in texts:
            if word.lower() in text.lower():
                return True
    return False


def before_the_table(settings: StrategySettings, inputs: Inputs) -> str | None:
    if inputs.wallet in settings.excluded_traders:
        return "excluded_trader"
    if inputs.side != "BUY":
        return "not_buy"
    if not settings.is_active:
        return "outside_window"
    if settings.start_date is not None and inputs.trade_ms < settings.start_date:
        return "outside_window"
    if settings.end_date is not None and inputs.trade_ms >= settings.end_date:
        return "outside_window"
    return None


def rows_1_to_7(settings: StrategySettings, targets: Collection[str] | None, inputs: Inputs) -> str | None:
    if inputs.now_ms - inputs.trade_ms > settings.max_trade_age_s * 1000:
        return "trade_too_old"
    market = inputs.market
    if market is None:
        return "market_not_found"
    if market.closed or market.resolved:
        return "market_resolved"
    if market.end_ms is not None and inputs.trade_ms >= market.end_ms:
        return "after_market_end"
    if settings.trade_live_only:
        if market.game_start_ms is None:
            return "no_game_start_time"
        if inputs.now_ms < market.game_start_ms:
            return "pre_game"
    if targets is not None and inputs.wallet not in targets:
        return "not_target_trader"
    price = Fraction(inputs.price)
    if price < Fraction(settings.price_min) or price > Fraction(settings.price_max):
        return "price_out_of_range"
    return None


def rows_8_to_14(settings: StrategySettings, inputs: Inputs) -> str | None:
    win_rate, count = win_rate_and_count(settings, inputs)
    edge = win_rate - slipped_price(Fraction(inputs.price))
    conviction = conviction_of(inputs)
    if settings.min_trader_win_rate is not None and win_rate < Fraction(settings.min_trader_win_rate):
        return "low_win_rate"
    if settings.min_edge is not None and edge < Fraction(settings.min_edge):
        return "insufficient_edge"
    if count < settings.min_trader_resolved_count:
        return "low_trade_count"
    if settings.min_conviction is not None and conviction < Fraction(settings.min_conviction):
        return "low_conviction"
    if settings.max_trader_win_rate is not None and win_rate > Fraction(settings.max_trader_win_rate):
        return "high_win_rate"
    if settings.max_edge is not None and edge > Fraction(settings.max_edge):
        return "high_edge"
    if settings.max_conviction is not None and conviction > Fraction(settings.max_conviction):
        return "high_conviction"
    return None


def rows_15_to_19(settings: StrategySettings, inputs: Inputs) -> str | None:
    market = inputs.market
    assert market is not None
    if settings.market_categories and not mentions(inputs, market, settings.market_categories):
        return "wrong_category"
    if settings.bet_structures and market.structure not in settings.bet_structures:
        return "wrong_structure"
    if settings.exclude_market_keywords and mentions(inputs, market, settings.exclude_market_keywords):
        return "excluded_category"
    usd = trade_usd(inputs)
    if settings.min_original_trade_usd is not None and usd < Fraction(settings.min_original_trade_usd):
        return "trade_too_small"
    if settings.max_original_trade_usd is not None and usd > Fraction(settings.max_original_trade_usd):
        return "trade_too_large"
    if settings.use_model:
        if not isinstance(inputs.score, Present):
            if settings.absent_score != "ignore":
                return "ml_unavailable"
            return None
        threshold = settings.model_threshold
        if threshold is not None and Fraction(inputs.score.probability) < Fraction(threshold):
            return "low_ml_score"
    return None


NOTHING_HELD = Held(elsewhere=False, others_here=0, in_event=Fraction(0))


def decide(
    settings: StrategySettings,
    targets: Collection[str] | None,
    inputs: Inputs,
    bankroll: Fraction,
    outcomes: dict[str, Outcome] | None = None,
    held: Held = NOTHING_HELD,
) -> Answer:
    """The first reason that applies, else `taken` and the stake. Targets None means everyone."""
    reason = first_failure(settings, targets, inputs) or conflict(settings, inputs, outcomes, held)
    if reason is not None:
        return Answer(reason)
    return stake_or_reason(settings, inputs, bankroll, held)


def first_failure(settings: StrategySettings, targets: Collection[str] | None, inputs: Inputs) -> str | None:
    """Of all that does not need the bankroll."""
    return (
        before_the_table(settings, inputs)
        or rows_1_to_7(settings, targets, inputs)
        or rows_8_to_14(settings, inputs)
        or rows_15_to_19(settings, inputs)
        or no_portfolio(settings, inputs)
    )


def no_portfolio(settings: StrategySettings, inputs: Inputs) -> str | None:
    of_portfolio = settings.allocation_method == "PROPORTIONAL" and settings.proportional_basis == "portfolio"
    if of_portfolio and (inputs.portfolio_usd is None or inputs.portfolio_usd <= 0):
        return "portfolio_unknown"
    return None


def stake_or_reason(settings: StrategySettings, inputs: Inputs, bankroll: Fraction, held: Held) -> Answer:
    """What comes of a trade that passed."""
    stake = stake_of(settings, inputs, bankroll)
    if stake == 0:
        return Answer("zero_stake")
    stake = cut(settings, stake, held)
    if bankroll <= 0 or bankroll < stake:
        return Answer("insufficient_cash")
    return Answer("taken", stake)
