"""A second opinion on risk rules: one long function over fractions, in their order (domain.md §4.4 and what was added)."""

from decimal import Decimal
from fractions import Fraction
from typing import Any


def F(value: Any) -> Fraction:
    return Fraction(value)


def failures(settings: Any, paper: Any, state: Any, facts: Any) -> list[str]:
    """Names of all rules that forbid an entry, in their order."""
    bad: list[str] = []

    def rule(name: str, forbids: bool) -> None:
        if forbids:
            bad.append(name)

    cost = F(facts.cost_usd)
    asks, bids = facts.book.asks, facts.book.bids
    ask = F(asks[0][0]) if asks else None
    signal = F(facts.signal_price)
    rule("HALTED", state.halted is not None)
    rule("PAUSED", state.paused)
    rule("BREAKER", state.breaker is not None)
    rule("DRIFT", F(state.drift) > 0)
    rule("SIGNAL_AGE", facts.now_ms - facts.signal_ms > settings.max_signal_age_s * 1000)
    rule("AVAILABLE_CASH", cost > F(state.available))
    if settings.max_position_size_usd is not None:
        rule("MAX_POSITION_SIZE", cost > F(settings.max_position_size_usd))
    if settings.max_total_exposure_usd is not None:
        rule("MAX_TOTAL_EXPOSURE", F(state.locked) + cost > F(settings.max_total_exposure_usd))
    if settings.daily_budget_usd is not None:
        spent = F(state.day.spent_usd) + F(state.pending)
        rule("DAILY_BUDGET", spent + cost > F(settings.daily_budget_usd))
    if settings.max_daily_loss_usd is not None:
        rule("DAILY_LOSS_LIMIT", F(state.day.lost_usd) >= F(settings.max_daily_loss_usd))
    if settings.circuit_breaker_loss_pct is not None:
        peak, equity = F(state.peak_equity), F(state.equity)
        fallen = (peak - equity) / peak if peak > 0 and equity < peak else Fraction(0)
        rule("DRAWDOWN_BREAKER", fallen >= F(settings.circuit_breaker_loss_pct) / 100)
    rule("ACCOUNT_BALANCE", state.account_spendable is None or cost > F(state.account_spendable))
    if settings.max_market_exposure_usd is not None:
        rule("MAX_MARKET_EXPOSURE", F(state.market_exposure) + cost > F(settings.max_market_exposure_usd))
    if settings.max_event_exposure_usd is not None:
        rule("MAX_EVENT_EXPOSURE", F(state.event_exposure) + cost > F(settings.max_event_exposure_usd))
    if settings.max_orders_per_minute is not None:
        rule("MAX_ORDERS_PER_MINUTE", state.entries_last_minute >= settings.max_orders_per_minute)
    rule("MARKET_CLOSED", not facts.terms.accepting_orders)
    now = (F(bids[0][0]) + F(asks[0][0])) / 2 if bids and asks else ask
    if paper.dead_market_guard and now is not None:
        floor = F(paper.dead_market_floor)
        collapsed = now < floor and signal >= floor + Fraction(1, 100)
        rule("DEAD_MARKET", collapsed or (signal - now) / signal * 100 > F(paper.dead_market_max_drift_pct))
    if ask is not None:
        if settings.max_price_rise_pct is not None:
            rule("PRICE_ROSE", (ask - signal) / signal * 100 > F(settings.max_price_rise_pct))
        if settings.max_price_fall_pct is not None:
            rule("PRICE_FELL", (signal - ask) / signal * 100 > F(settings.max_price_fall_pct))
    if settings.max_spread_pct is not None:
        wide = True
        if bids and asks:
            middle = (F(bids[0][0]) + F(asks[0][0])) / 2
            wide = (F(asks[0][0]) - F(bids[0][0])) / middle * 100 > F(settings.max_spread_pct)
        rule("SPREAD", wide)
    if settings.min_book_depth_pct is not None:
        offered = sum((F(shares) for price, shares in asks if Decimal(price) <= facts.limit_price), Fraction(0))
        rule("BOOK_DEPTH", offered * 100 < F(settings.min_book_depth_pct) * F(facts.size_shares))
    return bad
