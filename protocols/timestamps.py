"""Times as the venue writes them: seconds, milliseconds, strings of either, ISO 8601, and ``2026-07-24 12:10:52+00``."""

from datetime import UTC, datetime

from protocols.errors import MalformedError

# Below this a number is seconds, from it on milliseconds (1e11 s is the year 5138; 1e11 ms is March 1973).
MILLISECONDS_FROM = 100_000_000_000
# Trades before the venue existed or in the far future are garbage, not history.
EARLIEST_MS = 1_546_300_800_000  # 2019-01-01
LATEST_MS = 4_102_444_800_000  # 2100-01-01


def epoch_ms(value: object) -> int:
    """Returns milliseconds since the epoch for any form in which the venue writes a time.

    Raises `MalformedError("timestamp")` for anything else, and for times outside 2019–2100.
    """
    number = _as_number(value)
    if number is None:
        raise MalformedError("timestamp", repr(value)[:60])
    milliseconds = round(number) if number >= MILLISECONDS_FROM else round(number * 1000)
    if not EARLIEST_MS <= milliseconds < LATEST_MS:
        raise MalformedError("timestamp", "out of range")
    return milliseconds


def utc_datetime(milliseconds: int) -> datetime:
    """Returns the aware UTC datetime of an epoch time in milliseconds."""
    return datetime.fromtimestamp(milliseconds / 1000, tz=UTC)


def _as_number(value: object) -> float | int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if value == value and abs(value) < 1e15 else None
    if isinstance(value, str):
        return _number_in_text(value.strip())
    return None


def _number_in_text(text: str) -> float | int | None:
    if text.isascii() and text.isdigit() and len(text) <= 15:
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp() * 1000 if moment.year >= 1974 else None
