"""Pages of sorted lists: the cursor as a parameter, the place that it names, and the one of the next page."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from actors.rules.list_cursor import TEXT_CHARS_MAX, KeyPart, KeyValue, cursor_of, key_in
from engine.api.errors import bad_field
from engine.api.params import Param
from engine.api.route import Call

T = TypeVar("T")


def cursor_param() -> Param:
    """Returns the parameter `cursor`; `place_of` checks it, which knows the order of the list."""

    def parse(text: str) -> str:
        if not 0 < len(text) <= TEXT_CHARS_MAX:
            raise ValueError("is not a cursor of this list")
        return text

    schema = {"type": "string", "minLength": 1, "maxLength": TEXT_CHARS_MAX}
    return Param(name="cursor", doc="nextCursor of the page before", parse=parse, schema=schema)


def place_of(call: Call, name: str, *parts: KeyPart) -> Any:
    """Returns the key after which a page begins, None at the top. Raises a 400."""
    text: str | None = call.params["cursor"]
    if text is None:
        return None
    try:
        return key_in(text, name, *parts)
    except ValueError as error:
        raise bad_field("cursor", str(error)) from None


def next_cursor(rows: Sequence[T], limit: int, name: str, key_of: Callable[[T], tuple[KeyValue, ...]]) -> str | None:
    """Returns the cursor of the next page when there is one row more than `limit`."""
    return cursor_of(name, *key_of(rows[limit - 1])) if len(rows) > limit else None
