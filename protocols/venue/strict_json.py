"""Reads JSON that a strict, typed decoder refused, without trusting it.

The typed decoder is fast and rejects a whole row because a profile name has the wrong type. This slow path reads the
object as it is, with every trap of the standard library closed: NaN and infinities, deep nesting, huge input, floats.
"""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NoReturn, TypeVar

import msgspec

from protocols.errors import MalformedError, TransientError
from protocols.text import storable_tree

T = TypeVar("T")
TEXT_CHARS_MAX = 1 << 20
BODY_CHARS_MAX = 32 << 20
DEPTH_MAX = 40
_encode = msgspec.json.Encoder(decimal_format="number").encode


def read_object(text: str | bytes, *, chars_max: int = TEXT_CHARS_MAX) -> dict[str, Any]:
    """Returns the JSON object in `text`, its numbers as `int` or `Decimal`.

    Raises `MalformedError` with reason `too_large`, `not_utf8`, `nesting`, `json` or `not_an_object`.
    """
    value = _read(text, chars_max)
    if not isinstance(value, dict):
        raise MalformedError("not_an_object", type(value).__name__)
    return value


def read_array(text: str | bytes, *, chars_max: int = TEXT_CHARS_MAX) -> list[Any]:
    """Returns the JSON array in `text`. Raises as `read_object` does, with `not_an_array`."""
    value = _read(text, chars_max)
    if not isinstance(value, list):
        raise MalformedError("not_an_array", type(value).__name__)
    return value


def repaired(text: str | bytes, *, chars_max: int) -> bytes:
    """Returns JSON that a strict decoder and PostgreSQL take: NUL and lone surrogates are replaced, the rest is as it was.

    For answers that a strict decoder refused: one row's name must not cost a page. Raises `MalformedError`.
    """
    return _encode(storable_tree(_read(text, chars_max)))


def boolean_or_none(value: object) -> bool | None:
    """Returns true and false as they are, and None for everything else."""
    return value if isinstance(value, bool) else None


def decode_answer(decode: Callable[[bytes], T], body: bytes, path: str) -> T:
    """Returns what a typed decoder makes of an HTTP answer, repaired first where it refuses it as it is.

    Raises `TransientError` naming `path` for HTML, truncated JSON or another shape: the same call may succeed later.
    """
    try:
        return decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        refusal = str(error)
    try:
        return decode(repaired(body, chars_max=BODY_CHARS_MAX))
    except (MalformedError, msgspec.MsgspecError, UnicodeError, RecursionError):
        raise TransientError(f"{path} answered something else: {refusal[:80]}") from None


def _read(text: str | bytes, chars_max: int) -> Any:
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
