"""Reads JSON that a strict, typed decoder refused, without trusting it.

The typed decoder is fast and rejects a whole row because a profile name has the wrong type. This slow path reads the
object as it is, with every trap of the standard library closed: NaN and infinities, deep nesting, huge input, floats.
"""

import json
from decimal import Decimal
from typing import Any, NoReturn

from protocols.errors import MalformedError

TEXT_CHARS_MAX = 1 << 20
DEPTH_MAX = 40


def read_object(text: str | bytes, *, chars_max: int = TEXT_CHARS_MAX) -> dict[str, Any]:
    """Returns the JSON object in `text`, its numbers as `int` or `Decimal`.

    Raises `MalformedError` with reason `too_large`, `not_utf8`, `nesting`, `json` or `not_an_object`.
    """
    if len(text) > chars_max:
        raise MalformedError("too_large", f"{len(text)} characters")
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError:
            raise MalformedError("not_utf8") from None
    if _depth_exceeds(text, DEPTH_MAX):
        raise MalformedError("nesting", f"more than {DEPTH_MAX} levels")
    try:
        value = json.loads(text, parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise MalformedError("json", str(error)[:80]) from None
    if not isinstance(value, dict):
        raise MalformedError("not_an_object", type(value).__name__)
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _depth_exceeds(text: str, limit: int) -> bool:
    if text.count("[") + text.count("{") <= limit:
        return False
    depth = 0
    in_string = escaped = False
    for character in text:
        if in_string:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                in_string = False
        elif character == '"':
            in_string = True
        elif character in "[{":
            depth += 1
            if depth > limit:
                return True
        elif character in "]}":
            depth -= 1
    return False
