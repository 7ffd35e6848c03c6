"""How risky a strategy is, in a word, by its settings alone, and which filters of the bot list it passes."""

import enum
from decimal import Decimal

from actors.rules.exact import EXACT
from actors.rules.market_kind import SPORTS_NICHES, niche_of
from protocols.strategies import AllocationMethod, StrategySettings

CAREFUL_SHARE = Decimal("0.01")
BOLD_SHARE = Decimal("0.05")
LONG_SHOT_TO = Decimal("0.40")
LIKELY_FROM = Decimal("0.50")
GOOD_WIN_RATE = Decimal("0.55")
BOLD_KELLY = Decimal("0.5")


class RiskLevel(enum.StrEnum):
    """What to expect of a strategy's swings."""

    CONSERVATIVE = "CONSERVATIVE"
    MODERATE = "MODERATE"
    AGGRESSIVE = "AGGRESSIVE"


class BotFilter(enum.StrEnum):
    """Which bots are listed (domain.md §9)."""

    ALL = "ALL"
    CONSERVATIVE = "CONSERVATIVE"
    MODERATE = "MODERATE"
    AGGRESSIVE = "AGGRESSIVE"
    SPORTS = "SPORTS"
    CRYPTO = "CRYPTO"
    POLITICS = "POLITICS"
    FINANCE = "FINANCE"
    LIVE = "LIVE"
    FREE = "FREE"
    """All: this engine sells nothing."""


def risk_level(settings: StrategySettings) -> RiskLevel:
    """Returns the level.

    AGGRESSIVE: one stake may be more than 5 % of the starting balance, or only long shots are bought (price_max at most 0.40),
    or Kelly stakes at least half of the full one. CONSERVATIVE: a stake is at most 1 %, and only likely outcomes are bought
    (price_min at least 0.50) or only from traders with a win rate of at least 0.55. Else MODERATE.
    """
    share = EXACT.divide(settings.max_bet, settings.starting_balance)
    is_bold_kelly = settings.allocation_method is AllocationMethod.KELLY and settings.kelly_fraction >= BOLD_KELLY
    if share > BOLD_SHARE or settings.price_max <= LONG_SHOT_TO or is_bold_kelly:
        return RiskLevel.AGGRESSIVE
    win_rate = settings.min_trader_win_rate
    is_choosy = settings.price_min >= LIKELY_FROM or (win_rate is not None and win_rate >= GOOD_WIN_RATE)
    return RiskLevel.CONSERVATIVE if share <= CAREFUL_SHARE and is_choosy else RiskLevel.MODERATE


def passes(settings: StrategySettings, wanted: BotFilter) -> bool:
    """Returns whether a filter lists the strategy; a category is told by the words of `market_categories`."""
    if wanted in (BotFilter.ALL, BotFilter.FREE):
        return True
    if wanted is BotFilter.LIVE:
        return settings.trade_live_only
    if wanted.value in set(RiskLevel):
        return risk_level(settings) == wanted.value
    niches = {niche_of(None, word, ()) for word in settings.market_categories}
    return bool(niches & SPORTS_NICHES) if wanted is BotFilter.SPORTS else wanted.value in niches
