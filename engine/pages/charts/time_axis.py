"""The axis of times, in UTC: ticks at round times of the clock and the calendar, as many as fit on a telephone."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

import attrs

from engine.pages.charts.markup import SIDE

TICKS_MAX = 5
MS_MAX = 250_000_000_000_000
"""In the year 9892; a day later is still one that the calendar knows."""
_DAY_MS = 86_400_000
_STEPS_MS = (
    *(count * 1_000 for count in (1, 5, 15, 30)),
    *(count * 60_000 for count in (1, 5, 15, 30)),
    *(count * 3_600_000 for count in (1, 2, 3, 6, 12)),
    *(count * _DAY_MS for count in (1, 2, 7, 14)),
)
_STEPS_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1_200, 2_400, 6_000, 12_000, 24_000)
_MONDAY_MS = 4 * _DAY_MS  # 5 January 1970
_LONELY_MS = 3_600_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@attrs.frozen(kw_only=True)
class TimeAxis:
    """From the first time to the last one."""

    start_ms: int
    end_ms: int
    ticks: tuple[tuple[int, str], ...]

    def x(self, at_ms: int) -> float:
        """Returns how far right a time lies, in units of the plot."""
        return round((at_ms - self.start_ms) * SIDE / (self.end_ms - self.start_ms), 1)


def time_axis(start_ms: int, end_ms: int) -> TimeAxis:
    """Returns the axis of a span; a single moment gets an hour on both sides.

    Raises `ValueError` where the end is before the start, or a time is before 1970 or after the calendar's end.
    """
    if not 0 <= start_ms <= end_ms <= MS_MAX:
        raise ValueError(f"no span of time: {start_ms} to {end_ms}")
    if start_ms == end_ms:
        start_ms, end_ms = max(0, start_ms - _LONELY_MS), end_ms + _LONELY_MS
    for step_ms in _STEPS_MS:
        if (end_ms - start_ms) // step_ms < TICKS_MAX:
            return TimeAxis(start_ms=start_ms, end_ms=end_ms, ticks=tuple(_by_clock(start_ms, end_ms, step_ms)))
    for months in _STEPS_MONTHS:
        ticks = tuple(islice(_by_calendar(start_ms, end_ms, months), TICKS_MAX + 1))
        if len(ticks) <= TICKS_MAX:
            break
    return TimeAxis(start_ms=start_ms, end_ms=end_ms, ticks=ticks)


def time_text(at_ms: int) -> str:
    """Returns a time to the minute, with its zone."""
    return f"{moment(at_ms):%Y-%m-%d %H:%M} UTC"


def moment(at_ms: int) -> datetime:
    """Returns the time, in UTC."""
    return _EPOCH + timedelta(milliseconds=at_ms)


def _by_clock(start_ms: int, end_ms: int, step_ms: int) -> Iterator[tuple[int, str]]:
    offset_ms = _MONDAY_MS % step_ms if step_ms % (7 * _DAY_MS) == 0 else 0
    first_ms = -(-(start_ms - offset_ms) // step_ms) * step_ms + offset_ms
    for at_ms in range(first_ms, end_ms + 1, step_ms):
        yield at_ms, _clock_text(moment(at_ms), step_ms)


def _clock_text(at: datetime, step_ms: int) -> str:
    if step_ms >= _DAY_MS or (at.hour, at.minute, at.second) == (0, 0, 0):
        return f"{at.day} {at:%b}"
    return f"{at:%H:%M:%S}" if step_ms < 60_000 else f"{at:%H:%M}"


def _by_calendar(start_ms: int, end_ms: int, step: int) -> Iterator[tuple[int, str]]:
    start = moment(start_ms)
    months = -(-(start.year * 12 + start.month - 1) // step) * step
    while months < 9_999 * 12:
        at = datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)
        at_ms = int((at - _EPOCH) / timedelta(milliseconds=1))
        if at_ms > end_ms:
            return
        if at_ms >= start_ms:
            yield at_ms, str(at.year) if step % 12 == 0 or at.month == 1 else f"{at:%b}"
        months += step
