"""Gates on whose trade it is, when it was made, and the state of its market."""

from actors.rules.strategy.gate import Fails, Gate, Targets, always, is_set
from actors.rules.strategy.traits import TradeTraits
from protocols.decisions import Reason
from protocols.strategies import StrategySettings, TargetMode


def _excluded(settings: StrategySettings, _: Targets) -> Fails:
    wallets = frozenset(settings.excluded_traders)
    return lambda traits: traits.inputs.wallet in wallets


def _outside_window(settings: StrategySettings, _: Targets) -> Fails:
    active, start, end = settings.is_active, settings.start_date, settings.end_date
    return lambda traits: (
        not active
        or (start is not None and traits.inputs.trade_ms < start)
        or (end is not None and traits.inputs.trade_ms >= end)
    )


def _too_old(settings: StrategySettings, _: Targets) -> Fails:
    limit_ms = settings.max_trade_age_s * 1000
    return lambda traits: traits.age_ms > limit_ms


def _market_resolved(traits: TradeTraits) -> bool:
    market = traits.market
    return market is not None and (market.closed or market.resolved)


def _after_end(traits: TradeTraits) -> bool:
    market = traits.market
    return market is not None and market.end_ms is not None and traits.inputs.trade_ms >= market.end_ms


def _no_start(traits: TradeTraits) -> bool:
    return traits.market is not None and traits.market.game_start_ms is None


def _before_start(traits: TradeTraits) -> bool:
    market = traits.market
    return market is not None and market.game_start_ms is not None and traits.inputs.now_ms < market.game_start_ms


ENTRY_GATES: tuple[Gate, ...] = (
    Gate(
        reason=Reason.EXCLUDED_TRADER,
        is_on=is_set("excluded_traders"),
        test=_excluded,
        value=lambda traits, _: traits.inputs.wallet,
        limit=lambda settings: f"none of {len(settings.excluded_traders)} wallets",
    ),
    Gate(
        reason=Reason.NOT_BUY,
        test=always(lambda traits: not traits.is_buy),
        value=lambda traits, _: traits.inputs.side,
        limit=lambda _: "BUY",
    ),
    Gate(
        reason=Reason.OUTSIDE_WINDOW,
        is_on=lambda settings, _: (
            not settings.is_active or settings.start_date is not None or settings.end_date is not None
        ),
        test=_outside_window,
        value=lambda traits, _: traits.inputs.trade_ms,
        limit=lambda settings: "paused" if not settings.is_active else f"{settings.start_date} to {settings.end_date}",
    ),
    Gate(
        reason=Reason.TRADE_TOO_OLD,
        test=_too_old,
        value=lambda traits, _: f"{traits.age_ms} ms",
        limit=lambda settings: f"{settings.max_trade_age_s * 1000} ms",
    ),
    Gate(
        reason=Reason.MARKET_NOT_FOUND,
        test=always(lambda traits: traits.market is None),
        value=lambda traits, _: "unknown" if traits.market is None else "known",
        limit=lambda _: "known",
    ),
    Gate(
        reason=Reason.MARKET_RESOLVED,
        test=always(_market_resolved),
        value=lambda traits, _: "closed" if _market_resolved(traits) else "open",
        limit=lambda _: "open",
    ),
    Gate(
        reason=Reason.AFTER_MARKET_END,
        test=always(_after_end),
        value=lambda traits, _: traits.inputs.trade_ms,
        limit=lambda _: "before the end of the market",
    ),
    Gate(
        reason=Reason.NO_GAME_START_TIME,
        is_on=lambda settings, _: settings.trade_live_only,
        test=always(_no_start),
        value=lambda traits, _: None if traits.market is None else traits.market.game_start_ms,
        limit=lambda _: "a known start",
    ),
    Gate(
        reason=Reason.PRE_GAME,
        is_on=lambda settings, _: settings.trade_live_only,
        test=always(_before_start),
        value=lambda traits, _: traits.inputs.now_ms,
        limit=lambda _: "after the start of the game",
    ),
    Gate(
        reason=Reason.NOT_TARGET_TRADER,
        is_on=lambda settings, targets: targets is not None and settings.target_mode is not TargetMode.EVERYONE,
        test=lambda _, targets: lambda traits: targets is not None and traits.inputs.wallet not in targets,
        value=lambda traits, _: traits.inputs.wallet,
        limit=lambda settings: f"target_mode {settings.target_mode.value}",
    ),
)
