"""Strategies that together use every method and most gates, for walks over recorded trades."""

from decimal import Decimal
from typing import Any

from protocols.strategies import (
    AbsentScore,
    AllocationMethod,
    ConflictPolicy,
    EntryModel,
    ProportionalBasis,
    StrategySettings,
    WinRateSource,
)

METHOD, POLICY = AllocationMethod, ConflictPolicy
FREE: dict[str, Any] = {"min_edge": None, "min_trader_resolved_count": 0}
MODEL: dict[str, Any] = {"use_model": True, "model_threshold": Decimal("0.5")}
BY_PROFILE: dict[str, Any] = {"wr_source": WinRateSource.PROFILE}


def number(text: str) -> Decimal:
    return Decimal(text)


def kelly(**changes: Any) -> StrategySettings:
    return StrategySettings(
        **{"allocation_method": METHOD.KELLY, "max_bet": number("8"), "min_edge": number("0.05"), **changes}
    )


def free(method: AllocationMethod, **changes: Any) -> StrategySettings:
    return StrategySettings(**{**FREE, "allocation_method": method, **changes})


STRATEGIES: dict[str, StrategySettings] = {
    "defaults": StrategySettings(),
    "baseline": free(METHOD.FIXED, max_bet=number("5")),
    "win_rate": free(METHOD.FIXED, min_trader_win_rate=number("0.65")),
    "edge": StrategySettings(min_edge=number("0.1"), bet_size=number("3.33")),
    "conviction": free(METHOD.CONVICTION, min_conviction=number("1.5")),
    "experience": StrategySettings(min_edge=None, min_trader_resolved_count=100),
    "contrarian": kelly(price_min=number("0.10"), price_max=number("0.40")),
    "middle": kelly(price_min=number("0.30"), price_max=number("0.70"), min_trader_resolved_count=0),
    "favourites": kelly(price_min=number("0.70"), min_edge=None),
    "long_shots": kelly(price_max=number("0.10"), kelly_fraction=number("1"), max_bet=number("1000")),
    "middle_by_profile": kelly(price_min=number("0.30"), price_max=number("0.70"), **BY_PROFILE),
    "profile": free(METHOD.TIERED, min_trader_win_rate=number("0.5"), **BY_PROFILE),
    "crypto": free(METHOD.EDGE_SCALED, market_categories=("bitcoin", "ethereum", "solana")),
    "politics": free(METHOD.TIERED, market_categories=("president", "ELECTION", "nobel")),
    "no_crypto": free(METHOD.CONFIDENCE, exclude_market_keywords=("Bitcoin", "up or down")),
    "structures": free(METHOD.WHALE, bet_structures=("YES_NO", "OVER_UNDER", "SPREAD")),
    "low_win_rate": free(METHOD.FIXED, max_trader_win_rate=number("0.45")),
    "low_conviction": free(METHOD.CONVICTION, max_conviction=number("0.5")),
    "negative_edge": free(METHOD.EDGE_SCALED, max_edge=number("0"), bet_size=number("0.77")),
    "big_trades": free(
        METHOD.CONFIDENCE, min_original_trade_usd=number("1000"), bet_size=number("25"), max_bet=number("100")
    ),
    "small_trades": free(METHOD.WHALE, max_original_trade_usd=number("150")),
    "whale_with_model": free(METHOD.WHALE, **MODEL),
    "whale_if_any": free(METHOD.WHALE, **MODEL, absent_score=AbsentScore.IGNORE, bet_size=number("4.44")),
    "model_scaled": free(METHOD.ML_SCALED, use_model=True, model_threshold=number("0"), max_bet=number("2")),
    "model_strict": free(METHOD.ML_SCALED, use_model=True, model_threshold=number("0.9")),
    "proportional": free(METHOD.PROPORTIONAL, min_bet=number("0"), max_bet=number("50")),
    "proportional_of_portfolio": free(
        METHOD.PROPORTIONAL,
        proportional_basis=ProportionalBasis.PORTFOLIO,
        proportional_pct=number("50"),
        min_bet=number("0"),
        max_bet=number("100"),
    ),
    "games": free(METHOD.FIXED, trade_live_only=True),
    "fresh": free(METHOD.FIXED, max_trade_age_s=2),
    "observed": free(METHOD.CONFIDENCE, entry_model=EntryModel.OBSERVED, bet_allocation_weight=number("1.7")),
    "poor": free(METHOD.FIXED, starting_balance=number("20"), bet_size=number("7"), entry_model=EntryModel.OBSERVED),
    "all_in": free(METHOD.FIXED, starting_balance=number("100"), bet_size=number("100"), max_bet=number("100")),
    "nothing": free(METHOD.FIXED, bet_size=number("0"), min_bet=number("0")),
    "keeps_its_own": free(METHOD.KELLY, copy_sells=False, max_bet=number("40")),
    "first": free(METHOD.FIXED, conflict_policy=POLICY.FIRST),
    "majority": free(METHOD.FIXED, conflict_policy=POLICY.MAJORITY, max_targets_per_side=3),
    "net": free(METHOD.CONVICTION, conflict_policy=POLICY.NET, max_event_exposure_usd=number("7.77")),
    "one_a_side": free(METHOD.FIXED, max_targets_per_side=1, conflict_policy=POLICY.FIRST),
    "little_an_event": free(METHOD.KELLY, max_event_exposure_usd=number("12.34"), kelly_fraction=number("1")),
    "stopped": free(METHOD.FIXED, is_active=False),
}
