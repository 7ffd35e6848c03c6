"""Several values over the same time as lines in one chart: strategies side by side. The page names them beside the chart."""

from collections.abc import Sequence

import svg

from engine.pages.charts.frame import grid, labels
from engine.pages.charts.markup import Point, document, no_data, plot
from engine.pages.charts.thinning import thinned
from engine.pages.charts.time_axis import TimeAxis, time_axis, time_text
from engine.pages.charts.value_axis import Unit, ValueAxis, checked, value_axis, value_text

LINES_MAX = 6
POINTS_MAX = 150


def compared_lines(series: Sequence[tuple[str, Sequence[Point]]], *, title: str, unit: Unit = Unit.PERCENT) -> str:
    """Returns an SVG element as text, for a page that links `charts.css`; the n-th line has the class `series-n`.

    Each series has a name and points in order of time; None is a gap. Raises `ValueError` for more than six of them, for
    times out of order and for values that are no finite number.
    """
    if len(series) > LINES_MAX:
        raise ValueError(f"more than {LINES_MAX} lines are not told apart")
    values = [checked(value) for _, points in series for _, value in points if value is not None]
    if not values:
        return no_data(title)
    times_ms = [at_ms for _, points in series for at_ms, _ in points]
    times, axis = time_axis(min(times_ms), max(times_ms)), value_axis(values, unit, with_zero=True)
    drawn = grid(axis)
    for number, (_, points) in enumerate(series, 1):
        if list(points) != sorted(points, key=lambda point: point[0]):
            raise ValueError("the points of a chart are not in order of time")
        path = _path(thinned(points, POINTS_MAX), times, axis)
        if path:
            drawn.append(svg.Path(d=path, class_=["chart-line", f"series-{number}"]))
    said = "; ".join(f"{name}: {_described(points, unit)}" for name, points in series)
    return document([plot(drawn, {}), *labels(axis, times)], "chart chart-compared", title, said)


def _path(points: Sequence[Point], times: TimeAxis, axis: ValueAxis) -> list[svg.PathData]:
    path, pen_down = list[svg.PathData](), False
    for at_ms, value in points:
        if value is None:
            pen_down = False
            continue
        x, y = times.x(at_ms), axis.y(value)
        # A point that stands alone is a line to itself, which round ends make a dot of.
        path += [svg.L(x, y)] if pen_down else [svg.M(x, y), svg.L(x, y)]
        pen_down = True
    return path


def _described(points: Sequence[Point], unit: Unit) -> str:
    present = [(at_ms, value) for at_ms, value in points if value is not None]
    if not present:
        return "no data yet"
    return f"{value_text(present[-1][1], unit)} at {time_text(present[-1][0])}"
