"""Charts of strategies from what the API answers: equity, profit by day, returns side by side."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from markupsafe import Markup

from engine.pages.charts.bar_chart import bar_chart
from engine.pages.charts.compared_lines import compared_lines
from engine.pages.charts.line_chart import line_chart
from engine.pages.charts.markup import Point, drawn
from engine.pages.formats import time_ms

Row = Mapping[str, Any]


def equity_chart(snapshots: Sequence[Row]) -> Markup:
    """Returns what a strategy was worth, with its starting balance dashed. A moment without prices is a gap."""
    worth: list[Point] = [(_ms(one["snapshotAt"]), _sum(one["startingBalance"], one["totalPnl"])) for one in snapshots]
    start: list[Point] = [(_ms(one["snapshotAt"]), one["startingBalance"]) for one in snapshots]
    return drawn(
        line_chart(
            worth, title="Equity over time", name="Equity", baseline=start, baseline_name="Starting balance", area=False
        )
    )


def days_chart(days: Sequence[Row], field: str = "pnl", title: str = "Profit by day") -> Markup:
    """Returns bars of days."""
    return drawn(bar_chart([(_ms(f"{one['day']}T00:00:00+00:00"), one[field]) for one in days], title=title))


def total_chart(days: Sequence[Row], field: str, title: str) -> Markup:
    """Returns a sum over days."""
    points: list[Point] = [(_ms(f"{one['day']}T00:00:00+00:00"), one[field]) for one in days]
    return drawn(line_chart(points, title=title, with_zero=True, area=True))


def compared_chart(curves: Sequence[tuple[str, Sequence[Row]]]) -> Markup:
    """Returns returns over time of several strategies."""
    series = [
        (name, [(_ms(one["snapshotAt"]), _share(one["returnPct"])) for one in snapshots]) for name, snapshots in curves
    ]
    return drawn(compared_lines(series, title="Return over time"))


def _ms(text: str) -> int:
    at_ms = time_ms(text)
    assert at_ms is not None
    return at_ms


def _sum(start: Decimal, profit: Decimal | None) -> Decimal | None:
    return None if profit is None else start + profit


def _share(pct: Decimal | None) -> Decimal | None:
    return None if pct is None else pct / 100
