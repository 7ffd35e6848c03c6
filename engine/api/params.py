"""Query and path parameters: their type, range and default, for parsing and for the OpenAPI document."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import attrs

from engine.api.errors import bad_field

Parse = Callable[[str], Any]
TEXT_MAX = 200


@attrs.frozen(kw_only=True)
class Param:
    """One parameter. `parse` turns its text into a value or raises `ValueError` with what is allowed."""

    name: str
    doc: str
    parse: Parse
    schema: Mapping[str, Any]
    """JSON schema of one value."""
    default: Any = None
    many: int = 0
    """How often it may be repeated; the value is then a list. 0: once, and the value is no list."""
    required: bool = False
    in_path: bool = False


def whole(name: str, doc: str, *, at_least: int, at_most: int, default: int | None = None) -> Param:
    """Returns a parameter that is a whole number within a closed range."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,18}", text, re.ASCII) or not at_least <= int(text) <= at_most:
            raise ValueError(f"must be a whole number from {at_least} to {at_most}")
        return int(text)

    schema = {"type": "integer", "minimum": at_least, "maximum": at_most}
    return Param(name=name, doc=doc, parse=parse, schema=schema, default=default)


def pattern(name: str, doc: str, regex: str, *, allowed: str, lower: bool = False, **options: Any) -> Param:
    """Returns a text parameter that has to match a regular expression as a whole; `allowed` says it for people."""
    compiled = re.compile(regex, re.ASCII)

    def parse(text: str) -> str:
        if not compiled.fullmatch(text):
            raise ValueError(f"must be {allowed}")
        return text.lower() if lower else text

    return Param(name=name, doc=doc, parse=parse, schema={"type": "string", "pattern": f"^{regex}$"}, **options)


def choice(name: str, doc: str, *values: str, default: str | None = None) -> Param:
    """Returns a parameter that is one of some words."""

    def parse(text: str) -> str:
        if text not in values:
            raise ValueError(f"must be one of {', '.join(values)}")
        return text

    return Param(name=name, doc=doc, parse=parse, schema={"type": "string", "enum": list(values)}, default=default)


def day(name: str, doc: str) -> Param:
    """Returns a parameter that is a UTC day."""

    def parse(text: str) -> date:
        try:
            if not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text, re.ASCII):
                raise ValueError
            return date.fromisoformat(text)
        except ValueError:
            raise ValueError("must be a day such as 2026-05-28") from None

    return Param(name=name, doc=doc, parse=parse, schema={"type": "string", "format": "date"})


def condition_id(name: str = "conditionId", **options: Any) -> Param:
    """Returns a parameter that is a market's condition id: 62 or 64 hex digits, as venue.md §3.2 has them."""
    return pattern(
        name,
        "condition id of a market",
        "0x[0-9a-fA-F]{62}(?:[0-9a-fA-F]{2})?",
        allowed="0x and 62 or 64 hex digits",
        lower=True,
        **options,
    )


def wallet(name: str = "wallet", **options: Any) -> Param:
    """Returns a parameter that is a wallet address; the value is lower case."""
    return pattern(name, "wallet", "0x[0-9a-fA-F]{40}", allowed="0x and 40 hex digits", lower=True, **options)


def parsed(params: Sequence[Param], given: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Returns a value for each parameter. Raises a 400 that names the field, also for a name that nobody knows."""
    known = {param.name for param in params}
    for name in given:
        if name not in known:
            raise bad_field(name[:TEXT_MAX], "there is no such parameter")
    return {param.name: _value(param, given.get(param.name, ())) for param in params}


def _value(param: Param, texts: Sequence[str]) -> Any:
    if not texts:
        if param.required:
            raise bad_field(param.name, "is needed")
        return [] if param.many else param.default
    if len(texts) > max(1, param.many):
        raise bad_field(param.name, f"may be given {param.many} times" if param.many else "may be given once")
    try:
        values = [param.parse(text) for text in texts]
    except ValueError as error:
        raise bad_field(param.name, str(error)) from None
    return values if param.many else values[0]
