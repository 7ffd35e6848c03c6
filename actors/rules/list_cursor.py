"""The text of a place in a sorted list: opaque to clients, checked when it comes back.

A place is the key of the last row that was shown: the figures, times or ids that the list is sorted by, which together are
unique. The name of the list and its order stands in it, so that a cursor of another list is refused.
"""

import base64
import binascii
import enum
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from protocols.timestamps import LATEST_MS

VERSION = 1
TEXT_CHARS_MAX = 900
ID_CHARS_MAX = 300
COUNT_MAX = 10**18
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FIGURE = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,18})?", re.ASCII)
_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_DECODER = msgspec.json.Decoder(tuple[int, str, list[str | int | None]])
KeyValue = Decimal | datetime | date | str | int | None


class KeyPart(enum.Enum):
    """What a part of a key is."""

    FIGURE = "figure"
    """A decimal, or None where a row has none."""
    COUNT = "count"
    MOMENT = "moment"
    """Aware, to the microsecond."""
    DAY = "day"
    ID = "id"


def cursor_of(name: str, *key: KeyValue) -> str:
    """Returns the cursor of a place in the list `name`."""
    data = msgspec.json.encode((VERSION, name, [_written(value) for value in key]))
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def key_in(text: str, name: str, *parts: KeyPart) -> tuple[Any, ...]:
    """Returns the key that a cursor names. Raises `ValueError` for whatever `cursor_of` did not make for this list."""
    if len(text) > TEXT_CHARS_MAX:
        raise ValueError("is not a cursor of this list")
    try:
        version, found, written = _DECODER.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, msgspec.DecodeError, ValueError):
        raise ValueError("is not a cursor of this list") from None
    if version != VERSION:
        raise ValueError("is a cursor of another version; begin again without one")
    if found != name or len(written) != len(parts):
        raise ValueError("is a cursor of another list or order; begin again without one")
    key = tuple(_READERS[part](value) for part, value in zip(parts, written, strict=True))
    if cursor_of(name, *key) != text:
        raise ValueError("is not a cursor of this list")
    return key


def _written(value: KeyValue) -> str | int | None:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return (value - _EPOCH) // _MICROSECOND
    return value.isoformat() if isinstance(value, date) else value


def _figure(value: Any) -> Decimal | None:
    if value is None:
        return None
    if not isinstance(value, str) or not _FIGURE.fullmatch(value):
        raise ValueError("is not a cursor of this list")
    return Decimal(value)


def _count(value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value <= COUNT_MAX:
        raise ValueError("is not a cursor of this list")
    return value


def _moment(value: Any) -> datetime:
    if not isinstance(value, int) or not 0 <= value <= LATEST_MS * 1000:
        raise ValueError("is not a cursor of this list")
    return _EPOCH + value * _MICROSECOND


def _day(value: Any) -> date:
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise ValueError("is not a cursor of this list")
    return date.fromisoformat(value)


def _id(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= ID_CHARS_MAX or not value.isprintable():
        raise ValueError("is not a cursor of this list")
    return value


_READERS: Mapping[KeyPart, Callable[[Any], Any]] = {
    KeyPart.FIGURE: _figure,
    KeyPart.COUNT: _count,
    KeyPart.MOMENT: _moment,
    KeyPart.DAY: _day,
    KeyPart.ID: _id,
}
