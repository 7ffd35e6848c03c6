"""Which settings the tuner may change, and how far (domain.md §7.7). Migration 0018 holds the database to the same bounds."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs

from config.strategy_settings import SettingsError, settings_from
from protocols.strategies import AllocationMethod, StrategySettings
from protocols.tuner import PARAMETERS_MAX


@attrs.frozen
class Bound:
    """Least and greatest value of a setting, and the distance between two that are tried."""

    low: Decimal
    high: Decimal
    step: Decimal

    @property
    def steps(self) -> int:
        """Returns how many steps lie between the ends."""
        return int((self.high - self.low) / self.step)

    def at(self, step: int) -> Decimal:
        """Returns the value at a step."""
        return self.low + self.step * step

    def nearest(self, value: Decimal | int | None) -> int:
        """Returns the step nearest to a value; a gate that is off lies at the low end, where it lets most through."""
        if value is None:
            return 0
        return max(0, min(self.steps, round((Decimal(value) - self.low) / self.step)))


def _bound(low: str, high: str, step: str) -> Bound:
    return Bound(Decimal(low), Decimal(high), Decimal(step))


BOUNDS: Mapping[str, Bound] = {
    "model_threshold": _bound("0.40", "0.75", "0.01"),
    "price_min": _bound("0.01", "0.50", "0.01"),
    "price_max": _bound("0.30", "0.99", "0.01"),
    "min_edge": _bound("0", "0.20", "0.01"),
    "bet_size": _bound("0.5", "5", "0.25"),
    "min_bet": _bound("0.5", "2", "0.25"),
    "max_bet": _bound("3", "15", "1"),
    "kelly_fraction": _bound("0.10", "0.50", "0.05"),
    "min_trader_resolved_count": _bound("10", "300", "10"),
    "min_conviction": _bound("0", "3", "0.25"),
    "bet_allocation_weight": _bound("0.5", "2", "0.25"),
}
"""The weight is the factor of the base stake."""
_GATES = ("price_min", "price_max", "min_edge", "min_trader_resolved_count", "min_conviction")


def searchable(settings: StrategySettings) -> list[str]:
    """Returns names of the settings that can change what a strategy earns for a USD at stake.

    What only scales every stake alike is left alone: it changes how much is risked, not how well.
    """
    names = list(_GATES)
    if settings.use_model:
        names.append("model_threshold")
    method = settings.allocation_method
    if method is AllocationMethod.KELLY:
        names += ["kelly_fraction", "min_bet", "max_bet"]
    elif method is AllocationMethod.PROPORTIONAL:
        names += ["min_bet", "max_bet"]
    elif method is not AllocationMethod.FIXED:
        # Between the clamps stakes differ from trade to trade, and the base says how many are clamped.
        names += ["bet_size", "min_bet", "max_bet"]
    return sorted(names, key=list(BOUNDS).index)


def changed(settings: StrategySettings, steps: Mapping[str, int]) -> StrategySettings | None:
    """Returns settings with some of them at these steps, or None when they would contradict each other."""
    values = {name: _value(name, step) for name, step in steps.items()}
    try:
        return settings_from(values, settings)
    except SettingsError:
        return None


def _value(name: str, step: int) -> Decimal | int:
    value = BOUNDS[name].at(step)
    return int(value) if name == "min_trader_resolved_count" else value


def problem_of(after: Mapping[str, Any]) -> str | None:
    """Returns why these changes may not be proposed, or None; values are those of documents."""
    if not 1 <= len(after) <= PARAMETERS_MAX:
        return f"{len(after)} settings at once; 1 to {PARAMETERS_MAX} are allowed"
    for name, value in after.items():
        bound = BOUNDS.get(name)
        if bound is None:
            return f"{name} is not the tuner's to change"
        if value is None or not bound.low <= Decimal(str(value)) <= bound.high:
            return f"{name} {value} is outside {bound.low} to {bound.high}"
    return None
