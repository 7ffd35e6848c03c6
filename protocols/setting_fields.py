"""How a setting of a strategy is declared: its default, what is allowed, and its meaning, readable by programs and people.

Zero is a value; None, where it may be, turns a rule off (D18).
"""

import enum
from decimal import Decimal
from typing import Any

import attrs


def _setting(default: Any, kind: str, allowed: str, doc: str, **rule: Any) -> Any:
    return attrs.field(default=default, metadata={"kind": kind, "allowed": allowed, "doc": doc, **rule})


def decimal(default: str | None, low: str, high: str, places: int, doc: str, *, optional: bool = False) -> Any:
    """A Decimal in a closed range with a bounded number of decimals; None, where it may be, turns it off."""
    may_be_off = optional or default is None
    off = " or nothing" if may_be_off else ""
    return _setting(
        None if default is None else Decimal(default),
        "decimal",
        f"{low} to {high}, at most {places} decimals{off}",
        doc,
        low=Decimal(low),
        high=Decimal(high),
        places=places,
        optional=may_be_off,
    )


def whole(default: int | None, low: int, high: int, doc: str, *, optional: bool = False) -> Any:
    """An integer in a closed range; None, where it may be, turns it off."""
    may_be_off = optional or default is None
    off = " or nothing" if may_be_off else ""
    return _setting(
        default, "whole", f"whole number, {low} to {high}{off}", doc, low=low, high=high, optional=may_be_off
    )


def flag(default: bool, doc: str) -> Any:
    """true or false."""
    return _setting(default, "flag", "true or false", doc)


def choice(default: enum.StrEnum, doc: str) -> Any:
    """One of the words of an enumeration."""
    options = type(default)
    return _setting(default, "choice", " | ".join(options), doc, options=options)


def text(doc: str, chars_max: int) -> Any:
    """Free text, empty by default."""
    return _setting("", "text", f"text of at most {chars_max} characters", doc, chars_max=chars_max)


def wallets(doc: str) -> Any:
    """A list of wallets, lower-case."""
    return _setting((), "wallets", "list of at most 20000 wallets, 0x and 40 hex digits", doc, items_max=20_000)


def words(doc: str) -> Any:
    """A list of short texts."""
    return _setting((), "words", "list of at most 100 texts of 1 to 100 characters", doc, items_max=100, chars_max=100)


def time(doc: str) -> Any:
    """A time, or nothing."""
    return _setting(None, "time", "time in ISO 8601 or nothing", doc, optional=True)
