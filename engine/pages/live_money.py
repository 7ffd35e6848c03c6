"""A live strategy's money as buckets that add up, and its risk rules as values against limits."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs

HUNDRED, ZERO = Decimal(100), Decimal(0)


@attrs.frozen(kw_only=True)
class Bucket:
    """One part of a strategy's money, USD. `x` and `width` are where it lies in a bar of 100."""

    name: str
    label: str
    meaning: str
    usd: Decimal
    x: Decimal
    width: Decimal


@attrs.frozen(kw_only=True)
class Buckets:
    """All parts. available + orders + positions + cooling = capital + realised + drift, to the cent."""

    parts: tuple[Bucket, ...]
    total: Decimal
    capital: Decimal
    realized: Decimal
    drift: Decimal
    adds_up: bool


@attrs.frozen(kw_only=True)
class Meter:
    """A risk rule. `value` is what it looks at now; None where it looks at each order alone."""

    name: str
    label: str
    meaning: str
    value: Decimal | None
    limit: Decimal | None
    """None: the rule is off."""
    unit: str
    """usd, pct, s or count."""

    @property
    def share(self) -> Decimal | None:
        """How much of the limit is used, 0 to 1; None without a value or a limit."""
        if self.value is None or self.limit is None:
            return None
        if self.limit <= 0:
            return Decimal(1)
        return min(Decimal(1), max(ZERO, self.value / self.limit))

    @property
    def state(self) -> str:
        """off, each (looks at each order), calm, warn or full."""
        if self.limit is None:
            return "off"
        share = self.share
        if share is None:
            return "each"
        return "full" if share >= 1 else "warn" if share >= Decimal("0.8") else "calm"


def buckets(strategy: Mapping[str, Any]) -> Buckets:
    """Returns the money of a strategy as `/api/lt/strategies` tells it."""
    positions = strategy["positionsUsd"]
    amounts = (
        ("available", "Available", "May be spent now", strategy["available"]),
        ("orders", "In orders", "Held by orders that work, and by prepared ones", strategy["locked"] - positions),
        ("positions", "In positions", "What open positions cost, fees included", positions),
        ("cooling", "Cooling", "Proceeds that wait before they are spent again, or for their redemption",
         strategy["cooldown"]),
    )  # fmt: skip
    total = sum((usd for *_, usd in amounts), ZERO)
    whole = sum((max(ZERO, usd) for *_, usd in amounts), ZERO)
    parts, x = [], ZERO
    for name, label, meaning, usd in amounts:
        width = round(max(ZERO, usd) * HUNDRED / whole, 2) if whole else ZERO
        parts.append(Bucket(name=name, label=label, meaning=meaning, usd=usd, x=x, width=width))
        x += width
    capital, realized, drift = strategy["initial"], strategy["realizedPnl"], strategy["drift"]
    return Buckets(
        parts=tuple(parts), total=total, capital=capital, realized=realized, drift=drift,
        adds_up=total == capital + realized + drift,
    )  # fmt: skip


def drawdown_pct(strategy: Mapping[str, Any]) -> Decimal:
    """Returns how far a strategy's equity is below its peak, as the breaker sees it (actors/rules/live/risk.py)."""
    peak, equity = strategy["peakEquity"], strategy["initial"] + strategy["realizedPnl"]
    return round(max(ZERO, peak - equity) * HUNDRED / peak, 2) if peak > 0 else ZERO


def meters(strategy: Mapping[str, Any], risk: Mapping[str, Any]) -> list[Meter]:
    """Returns the rules in the order in which they are looked at."""
    values = {
        "max_total_exposure_usd": risk["locked"],
        "daily_budget_usd": risk["spentTodayUsd"],
        "max_daily_loss_usd": risk["lostTodayUsd"],
        "circuit_breaker_loss_pct": drawdown_pct(strategy),
    }
    rules = risk["rules"]
    return [
        Meter(
            name=name, label=label, meaning=meaning, value=values.get(name), unit=unit,
            limit=None if rules[name] is None else Decimal(rules[name]),
        )
        for name, label, meaning, unit in RULES if name in rules
    ]  # fmt: skip


RULES: tuple[tuple[str, str, str, str], ...] = (
    ("max_total_exposure_usd", "Total exposure", "What is locked in orders and positions", "usd"),
    ("daily_budget_usd", "Spent today", "Since midnight UTC; orders that work count too when the next one is judged", "usd"),
    ("max_daily_loss_usd", "Lost today", "Since midnight UTC; at the limit entries stop", "usd"),
    ("circuit_breaker_loss_pct", "Below the peak", "Of capital and realised profit; at the limit the breaker latches", "pct"),
    ("max_position_size_usd", "One order", "Most that one order may cost", "usd"),
    ("max_order_size_usd", "Stake at most", "Larger stakes are cut to this", "usd"),
    ("min_order_size_usd", "Stake at least", "Smaller stakes are raised to this", "usd"),
    ("max_market_exposure_usd", "One market", "Most that one market may lock", "usd"),
    ("max_event_exposure_usd", "One event", "Most that all markets of an event may lock", "usd"),
    ("max_signal_age_s", "Age of a signal", "Older signals are not acted on", "s"),
    ("max_price_rise_pct", "Rise of the price", "Since the trader's trade", "pct"),
    ("max_price_fall_pct", "Fall of the price", "Since the trader's trade", "pct"),
    ("min_book_depth_pct", "Depth of the book", "Part of the order that the book must hold up to the limit", "pct"),
    ("max_spread_pct", "Spread", "Distance of ask and bid, of the middle", "pct"),
    ("max_orders_per_minute", "Orders a minute", "Entries within any 60 s", "count"),
    ("max_consecutive_failures", "Refusals in a row", "By the venue; at the limit the breaker latches", "count"),
)  # fmt: skip
"""Setting, label, meaning and unit."""
