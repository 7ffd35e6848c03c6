"""Whether a proposal may be applied to a strategy as it is now, and what its settings would be."""

from collections.abc import Mapping
from typing import Any

import attrs

from actors.rules.tuner.bounds import problem_of
from config.strategy_settings import SettingsError, document_of, settings_from
from protocols.strategies import Rotation, Strategy, StrategySettings
from protocols.tuner import ProposalKind

_WORDS = frozenset({"display_name", "description", "hypothesis", "thesis_tier", "strategy_name"})


@attrs.frozen(kw_only=True)
class Asked:
    """A proposal as far as applying it goes."""

    kind: ProposalKind
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    searched: Mapping[str, Any]
    """The whole settings that it was found for, as a document."""


def applied_to(asked: Asked, strategy: Strategy | None) -> StrategySettings | str:
    """Returns the settings with the change in them, or why it may not be applied."""
    if strategy is None:
        return "the strategy was put away"
    settings = strategy.settings
    if not settings.agent_managed:
        return "the strategy was taken out of the tuner's care"
    if not settings.is_active:
        return "the strategy is paused"
    now = document_of(settings)
    if asked.kind is ProposalKind.CHANGE:
        if problem := problem_of(asked.after):
            return problem
        known = [name for name in asked.searched if name in now and _matters(name, settings)]
        if others := sorted(name for name in known if now[name] != asked.searched[name]):
            return f"the strategy was changed meanwhile: {', '.join(others)[:200]}"
    elif others := changed_since(asked.before, settings):
        return f"the strategy was changed meanwhile: {', '.join(others)}"
    changed = with_changes(asked.after, settings)
    if not isinstance(changed, str) and (odd := changed_since(asked.after, changed)):
        # The database compares word for word.
        return f"{', '.join(odd)} is not written as settings are"
    return changed


def rolled_back(
    before: Mapping[str, Any], after: Mapping[str, Any], strategy: Strategy | None
) -> StrategySettings | str:
    """Returns the settings without a change that was applied, or why it cannot be taken back."""
    if strategy is None:
        return "the strategy was put away"
    if not strategy.settings.agent_managed:
        return "the strategy was taken out of the tuner's care"
    if others := changed_since(after, strategy.settings):
        return f"somebody has changed {', '.join(others)} since"
    return with_changes(before, strategy.settings)


def changed_since(values: Mapping[str, Any], settings: StrategySettings) -> list[str]:
    """Returns which settings no longer have these values."""
    now = document_of(settings)
    return sorted(name for name in values if now.get(name) != values[name])


def with_changes(values: Mapping[str, Any], settings: StrategySettings) -> StrategySettings | str:
    """Returns settings with some of them changed, or what would be wrong with them."""
    try:
        return settings_from(values, settings)
    except SettingsError as error:
        return str(error)


def _matters(name: str, settings: StrategySettings) -> bool:
    """Whether a proposal rests on a setting; lists that winners fill every night are not what was searched for."""
    if name in _WORDS or name == "agent_applies":
        return False
    return not (name == "target_traders" and settings.rotation is not Rotation.NONE)
