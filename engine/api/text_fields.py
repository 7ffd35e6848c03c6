"""Texts in bodies that have a form, with the words by which a wrong one is refused."""

import re

import msgspec

UUID_PATTERN = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_REFUSAL = re.compile(r"Expected `str` matching regex (.+)", re.DOTALL)
_allowed: dict[str, str] = {}
"""Words by pattern, as msgspec writes it."""


def text_field(pattern: str, allowed: str) -> msgspec.Meta:
    """Returns the annotation of a text that is `pattern` from end to end; `allowed` says that in words."""
    # Without the lookahead a final line break would pass.
    whole = f"^{pattern}(?!\\n)$"
    _allowed[repr(whole)] = allowed
    return msgspec.Meta(pattern=whole, description=allowed)


def in_words(reason: str) -> str:
    """Returns msgspec's sentence about a text, in words where there are some."""
    match = _REFUSAL.fullmatch(reason)
    return reason if match is None or match[1] not in _allowed else f"must be {_allowed[match[1]]}"
