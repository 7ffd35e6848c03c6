"""Pages of positions: those that changed last first, with a cursor that says after which one the next page begins."""

import base64
import binascii
from collections.abc import Iterable, Sequence
from heapq import nsmallest

import msgspec

from actors.rules.portfolio.figures import Valued

CURSOR_CHARS_MAX = 600
_DECODER = msgspec.json.Decoder(tuple[int, str, str])
PlaceKey = tuple[int, str, str]
"""(less its last change in microseconds, scope, token): the order of positions."""


def place_of(valued: Valued) -> PlaceKey:
    """Returns where a position stands in the list."""
    return -valued.position.last_us, valued.position.scope, valued.position.token_id


def page_of(valued: Iterable[Valued], after: PlaceKey | None, rows_max: int) -> Sequence[Valued]:
    """Returns the first positions after a place."""
    return nsmallest(rows_max, (one for one in valued if after is None or place_of(one) > after), key=place_of)


def place_text(place: PlaceKey) -> str:
    """Returns the cursor of a place."""
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode("ascii").rstrip("=")


def place_in(text: str) -> PlaceKey:
    """Returns the place that a cursor names. Raises `ValueError` for whatever `place_text` did not make."""
    try:
        place = _DECODER.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, msgspec.DecodeError, ValueError):
        place = None
    if place is None or len(text) > CURSOR_CHARS_MAX or place_text(place) != text:
        raise ValueError("is not a cursor of this list")
    return place
