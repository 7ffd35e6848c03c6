"""Texts of strangers, such as titles of markets and names of traders, made safe for headers, chats and people."""

import unicodedata
from html import escape

# What turns the direction of writing could make a sentence say something else.
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_JOINERS = frozenset("\u200c\u200d\ufe0f")
"""Part of letters and emoji."""
_HARMLESS = str.maketrans({"@": "@\u200b", "<": "‹", ">": "›"})


def one_line(text: object, chars_max: int = 160) -> str:
    """Returns a text as one line: no control characters, no marks of direction, at most so many characters."""
    kept = "".join(c if _is_shown(c) else " " for c in str(text)[: 4 * chars_max])
    line = " ".join(kept.split())
    return line if len(line) <= chars_max else line[: chars_max - 1].rstrip() + "…"


def for_chats(text: str) -> str:
    """Returns a line in which no chat finds anybody to call or a command: `@everyone`, `<!channel>`."""
    return text.translate(_HARMLESS)


def for_html(text: str) -> str:
    """Returns a line escaped for HTML, in an element of its own direction."""
    return escape(text, quote=True)


def _is_shown(char: str) -> bool:
    if char in _BIDI:
        return False
    if char in _JOINERS:
        return True
    category = unicodedata.category(char)
    return category[0] != "C" and category not in ("Zl", "Zp")
