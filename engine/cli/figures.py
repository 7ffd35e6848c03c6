"""Numbers as people read them."""

import math
from datetime import UTC, datetime

_BYTES_STEP = 1024


def bytes_text(count: float) -> str:
    """Returns a size such as `57.4 MiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < _BYTES_STEP:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= _BYTES_STEP
    return f"{count:.1f} TiB"


def seconds_text(seconds: float | None) -> str:
    """Returns a duration such as `3.2 ms`, `4.1 s` or `2 h 05 min`; a dash for None."""
    if seconds is None:
        return "-"
    if seconds < 1:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes = int(seconds // 60)
    if minutes < 120:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h {minutes % 60:02d} min" if hours < 48 else f"{hours // 24} days"


def count_text(count: float) -> str:
    """Returns a whole number with thousands separated."""
    return f"{count:,.0f}"


def moment_text(moment: datetime | None) -> str:
    """Returns a time in UTC to the second; a dash for None."""
    return "-" if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def percent_text(ratio: float | None) -> str:
    """Returns a share such as `99.7 %`, never rounded up to all of it; a dash for None."""
    return "-" if ratio is None else f"{math.floor(ratio * 1000) / 10:.1f} %"
