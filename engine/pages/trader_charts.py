"""Charts of realised profit by day, of traders and of one's own copies."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from markupsafe import Markup

from engine.pages.charts.bar_chart import bar_chart
from engine.pages.charts.line_chart import line_chart
from engine.pages.charts.markup import Point, drawn
from engine.pages.charts.sparkline import sparkline

Days = Sequence[tuple[date, Decimal]]


def days_of(rows: Sequence[Mapping[str, Any]]) -> Days:
    """Returns days with what was realised on each, as the API tells them, rising."""
    return [(date.fromisoformat(row["date"]), row["realizedPnl"]) for row in rows]


def days_chart(days: Days) -> Markup:
    """Returns a bar for each day."""
    return drawn(bar_chart([(_ms(day), gained) for day, gained in days], title="Realised by day"))


def total_chart(days: Days) -> Markup:
    """Returns what the days add up to, from zero before the first of them, one point at the end of each."""
    total, points = Decimal(0), list[Point]()
    if days:
        points.append((_ms(days[0][0]), total))
    for day, gained in days:
        total += gained
        points.append((_ms(day + timedelta(days=1)), total))
    return drawn(line_chart(points, title="Realised, added up", with_zero=True, area=True))


def recent_days(values: Sequence[Decimal | None]) -> Markup | None:
    """Returns a line as tall as a row: days added up, one of which nothing is known is a gap. None where none is known."""
    if all(value is None for value in values):
        return None
    total, line = Decimal(0), list[Decimal | None]([Decimal(0)])
    for value in values:
        total += value or 0
        line.append(None if value is None else total)
    return drawn(sparkline(line, label=f"Realised over {len(values)} days, added up"))


def _ms(day: date) -> int:
    return round(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)
