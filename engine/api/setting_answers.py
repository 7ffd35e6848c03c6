"""Settings of strategies as a form needs them: what is allowed in words and in numbers, the default, the meaning."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs

from engine.api.route import Struct


class SettingAnswer(Struct):
    """One setting of a strategy."""

    name: str
    kind: str
    """decimal, whole, flag, choice, text, wallets, words or time."""
    allowed: str
    default: Any
    meaning: str
    options: list[str] | None
    """The words of a choice."""
    at_least: Decimal | None
    at_most: Decimal | None
    decimals: int | None
    """At most so many."""
    chars_max: int | None
    may_be_off: bool
    """Whether null is allowed: it turns the rule off."""


def setting_answers(fields: Mapping[str, "attrs.Attribute[Any]"], defaults: Mapping[str, Any]) -> list[SettingAnswer]:
    """Returns fields that `protocols/setting_fields.py` declared, with their defaults as JSON values."""
    return [_answer(name, field.metadata, defaults[name]) for name, field in fields.items()]


def _answer(name: str, rule: Mapping[str, Any], default: Any) -> SettingAnswer:
    options, places = rule.get("options"), rule.get("places")
    return SettingAnswer(
        name=name,
        kind=rule["kind"],
        allowed=rule["allowed"],
        default=default,
        meaning=rule["doc"],
        options=None if options is None else [str(one) for one in options],
        at_least=_bound(rule.get("low")),
        at_most=_bound(rule.get("high")),
        decimals=0 if rule["kind"] == "whole" else places,
        chars_max=rule.get("chars_max"),
        may_be_off=rule.get("optional", False),
    )


def _bound(value: Decimal | int | None) -> Decimal | None:
    if value is None:
        return None
    number = Decimal(value)
    return number.quantize(Decimal(1)) if number == number.to_integral_value() else number.normalize()
