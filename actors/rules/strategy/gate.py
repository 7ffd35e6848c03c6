"""What a gate of the chain is, and how most of them are made."""

from collections.abc import Callable, Collection
from decimal import Decimal

import attrs

from actors.rules.strategy.traits import TradeTraits
from protocols.decisions import Reason
from protocols.strategies import StrategySettings

Targets = Collection[str] | None
"""Wallets that a strategy copies; None where somebody else has looked already, or it copies everyone."""
Fails = Callable[[TradeTraits], bool]


@attrs.frozen(kw_only=True)
class Gate:
    """One condition of the chain. It never raises for a market, score or record that is missing."""

    reason: Reason
    is_on: Callable[[StrategySettings, Targets], bool] = lambda _settings, _targets: True
    """False: it cannot fail with these settings."""
    test: Callable[[StrategySettings, Targets], Fails]
    """Returns what tells whether a trade fails, with the limits of the settings bound once."""
    value: Callable[[TradeTraits, StrategySettings], object]
    limit: Callable[[StrategySettings], object]


def less(read: Callable[[TradeTraits, StrategySettings], Decimal | int], name: str) -> Callable[..., Fails]:
    """Returns the test of a value that must not be less than the setting `name`."""

    def test(settings: StrategySettings, _: Targets) -> Fails:
        limit = getattr(settings, name)
        return lambda traits: read(traits, settings) < limit

    return test


def more(read: Callable[[TradeTraits, StrategySettings], Decimal | int], name: str) -> Callable[..., Fails]:
    """Returns the test of a value that must not be more than the setting `name`."""

    def test(settings: StrategySettings, _: Targets) -> Fails:
        limit = getattr(settings, name)
        return lambda traits: read(traits, settings) > limit

    return test


def is_set(name: str) -> Callable[[StrategySettings, Targets], bool]:
    """Returns what tells whether a setting has a value; zero is one (D18)."""

    def is_on(settings: StrategySettings, _: Targets) -> bool:
        value = getattr(settings, name)
        return value is not None and value != ()

    return is_on


def always(fails: Fails) -> Callable[..., Fails]:
    """Returns the test of a condition without a limit."""
    return lambda _settings, _targets: fails


def bound(name: str) -> Callable[[StrategySettings], object]:
    """Returns what reads a setting as the limit."""
    return lambda settings: getattr(settings, name)
