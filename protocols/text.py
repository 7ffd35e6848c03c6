"""Text that PostgreSQL and UTF-8 can hold.

A profile name or a title may carry NUL or lone surrogates (seen on the wire); neither may cost a trade.
"""

import re
from typing import Any

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def storable(text: str) -> str:
    """Returns `text` with NUL and lone surrogates replaced by U+FFFD."""
    if text.isascii() and "\x00" not in text:
        return text
    return _UNSTORABLE.sub(_REPLACEMENT, text)


def storable_or_none(value: object, chars_max: int = 2_000) -> str | None:
    """Returns a descriptive field as storable text cut to `chars_max`, or None when it is absent, empty or not text."""
    if not isinstance(value, str) or not value:
        return None
    return storable(value if len(value) <= chars_max else value[:chars_max])


def storable_tree(value: Any) -> Any:
    """Returns a JSON value with every text in it, keys too, made storable."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {storable(key): storable_tree(item) for key, item in value.items()}
    if isinstance(value, list):
        return [storable_tree(item) for item in value]
    return value
