"""Typed settings with their allowed range, unit and meaning, readable by the loader, `config schema` and people."""

from collections.abc import Callable
from typing import Any, TypeVar

import attrs

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Rule:
    """What a value must satisfy; `allowed` is the text that an operator reads when it does not."""

    allowed: str
    check: Callable[[Any], bool]
    at_least: float | None = None
    at_most: float | None = None
    options: tuple[str, ...] = ()
    """The only words allowed; empty where others are."""


def number(default: float, *, at_least: float, at_most: float, doc: str, restart: bool = True) -> Any:
    """A number of seconds, milliseconds, a ratio … within a closed range; the unit stands in the setting's name."""
    rule = Rule(
        allowed=f"{at_least:g} to {at_most:g}",
        check=lambda value: at_least <= value <= at_most,
        at_least=at_least,
        at_most=at_most,
    )
    return _setting(float(default), float, rule, doc, restart)


def whole(default: int, *, at_least: int, at_most: int, doc: str, restart: bool = True) -> Any:
    """An integer within a closed range."""
    rule = Rule(
        allowed=f"whole number, {at_least} to {at_most}",
        check=lambda value: at_least <= value <= at_most,
        at_least=at_least,
        at_most=at_most,
    )
    return _setting(default, int, rule, doc, restart)


def flag(default: bool, *, doc: str, restart: bool = True) -> Any:
    """true or false."""
    return _setting(default, bool, Rule(allowed="true or false", check=lambda _: True), doc, restart)


def text(default: str, *, allowed: str, check: Callable[[str], bool], doc: str, restart: bool = True) -> Any:
    """A string that satisfies `check`."""
    return _setting(default, str, Rule(allowed=allowed, check=check), doc, restart)


def choice(default: str, *options: str, doc: str, restart: bool = True) -> Any:
    """One of a few words."""
    rule = Rule(allowed=" | ".join(options), check=lambda value: value in options, options=options)
    return _setting(default, str, rule, doc, restart)


def secret(*, doc: str) -> Any:
    """A `Secret` or None. In a file it is set by `<name>_file`; by environment by its own name."""
    rule = Rule(allowed="text in <name>_file, or by environment", check=lambda _: True)
    return attrs.field(default=None, metadata={"kind": "secret", "rule": rule, "doc": doc, "restart": True})


def section(factory: Callable[[], T]) -> T:
    """A group of settings under one name."""
    field: T = attrs.field(factory=factory, metadata={"kind": "section"})
    return field


def named_sections(factory: Callable[[], dict[str, T]]) -> dict[str, T]:
    """Groups of one shape under names of their own, such as `channels.<name>`."""
    field: dict[str, T] = attrs.field(factory=factory, metadata={"kind": "named_sections"})
    return field


def free_sections(shape: type) -> Any:
    """Groups of one shape under names that the operator chooses, such as `live.accounts.<name>`; none by default."""
    metadata = {"kind": "free_sections", "shape": shape, "restart": True}
    return attrs.field(factory=dict, metadata=metadata)


def _setting(default: Any, kind: type, rule: Rule, doc: str, restart: bool) -> Any:
    metadata = {"kind": "setting", "type": kind, "rule": rule, "doc": doc, "restart": restart}
    return attrs.field(default=default, metadata=metadata)
