"""Settings of live strategies as documents: read with every mistake listed, written so that reading gives the same."""

from collections.abc import Mapping
from typing import Any

import attrs

from config.strategy_settings import Problem, SettingsError, read_values, written_values
from protocols.live.settings import LiveSettings

FIELDS = {field.name: field for field in attrs.fields(LiveSettings)}


def live_settings_from(document: Mapping[str, Any], base: LiveSettings | None = None) -> LiveSettings:
    """Returns the settings in a document; what it does not name comes from `base`, else from the defaults.

    Raises `SettingsError` that lists every unknown, malformed and contradictory setting at once.
    """
    values, problems = read_values(document, FIELDS)
    settings = attrs.evolve(base or LiveSettings(), **values)
    known = {problem.field for problem in problems}
    least, most = settings.min_order_size_usd, settings.max_order_size_usd
    if least > most and not known & {"min_order_size_usd", "max_order_size_usd"}:
        problems.append(Problem("min_order_size_usd", f"{least} is more than max_order_size_usd, which is {most}"))
    if problems:
        raise SettingsError(problems)
    return settings


def live_document_of(settings: LiveSettings) -> dict[str, Any]:
    """Returns the settings as JSON values: decimals as texts, None where a rule is off."""
    return written_values(settings, FIELDS)
