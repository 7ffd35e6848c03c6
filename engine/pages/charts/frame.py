"""Grid, labels and data of a chart with axes; the line chart and the bar chart draw between them."""

from collections.abc import Sequence
from decimal import Decimal

import svg

from engine.pages.charts.markup import SIDE, Point, percent, text
from engine.pages.charts.time_axis import TimeAxis
from engine.pages.charts.value_axis import ValueAxis

_DIGITS = 10
_EDGE = 40


def grid(values: ValueAxis) -> list[svg.Element]:
    """Returns a line for each tick of the values; zero has a class of its own."""
    return [
        svg.Line(x1=0, x2=SIDE, y1=y, y2=y, class_=["chart-zero" if tick == 0 else "chart-grid"])
        for tick, y in ((tick, values.y(tick)) for tick in values.ticks)
    ]


def labels(values: ValueAxis, times: TimeAxis) -> list[svg.Element]:
    """Returns the texts beside and below the plot. One near a side ends there, so that nothing sticks out."""
    said: list[svg.Element] = [
        text("0", percent(values.y(tick)), values.label(tick), "chart-y", dx=-8, dy=4) for tick in values.ticks
    ]
    for at_ms, label in times.ticks:
        x = times.x(at_ms)
        side = "chart-x-first" if x < _EDGE else "chart-x-last" if x > SIDE - _EDGE else "chart-x"
        said.append(text(percent(x), "100%", label, side, dy=18))
    return said


def data_of(name: str, points: Sequence[Point], start_ms: int) -> dict[str, str]:
    """Returns `data-<name>`: JSON of [ms since `data-start`, value or null], for a crosshair. It has no quotes."""
    pairs = (f"[{at_ms - start_ms},{'null' if value is None else _number(value)}]" for at_ms, value in points)
    return {name: f"[{','.join(pairs)}]"}


def _number(value: Decimal) -> str:
    number = f"{value:.{_DIGITS}g}"
    return "0" if value == 0 else number.replace("+", "")
