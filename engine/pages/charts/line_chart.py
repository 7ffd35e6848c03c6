"""A value over time as a line: equity curves, histories of prices."""

from collections.abc import Sequence
from itertools import pairwise

import svg

from engine.pages.charts.frame import data_of, grid, labels
from engine.pages.charts.markup import SIDE, Point, document, dot, no_data, percent, plot, text, words
from engine.pages.charts.thinning import thinned
from engine.pages.charts.time_axis import TimeAxis, time_axis, time_text
from engine.pages.charts.value_axis import Unit, ValueAxis, checked, value_axis, value_text

POINTS_MAX = 400
POINTS_MAX_OF_TWO = 200


def line_chart(
    points: Sequence[Point],
    *,
    title: str,
    unit: Unit = Unit.USD,
    name: str = "",
    baseline: Sequence[Point] = (),
    baseline_name: str = "",
    area: bool = False,
    with_zero: bool = False,
) -> str:
    """Returns an SVG element as text, for a page that links `charts.css`. What it is given may hold any text.

    `points` and `baseline` (a second, dashed line) are in order of time; None is a gap. `area` fills down to zero, or to the
    bottom where zero is not shown; `with_zero` shows it always. Raises `ValueError` for times out of order and for values
    that are no finite number or beyond 10^24.
    """
    _in_order(points)
    _in_order(baseline)
    values = [checked(value) for series in (points, baseline) for _, value in series if value is not None]
    if not values:
        return no_data(title)
    ends_ms = [series[end][0] for series in (points, baseline) if series for end in (0, -1)]
    times, axis = time_axis(min(ends_ms), max(ends_ms)), value_axis(values, unit, with_zero=with_zero)
    most = POINTS_MAX_OF_TWO if baseline else POINTS_MAX
    shown, below = thinned(points, most), thinned(baseline, most)
    drawn = grid(axis)
    if area:
        drawn.append(svg.Path(d=_area(shown, times, axis), class_=["chart-area"]))
    if below:
        drawn.append(svg.Path(d=_line(below, times, axis), class_=["chart-baseline"]))
    drawn.append(svg.Path(d=_line(shown, times, axis), class_=["chart-line"]))
    data = {"start": str(times.start_ms), "end": str(times.end_ms), "unit": unit.value}
    data |= data_of("points", shown, times.start_ms)
    if below:
        data |= data_of("baseline", below, times.start_ms)
    marks = [*labels(axis, times), *_last(points, times, axis), *_key(name, baseline_name)]
    return document([plot(drawn, data), *marks], "chart", title, _described(points, unit))


def _in_order(points: Sequence[Point]) -> None:
    if any(earlier > later for (earlier, _), (later, _) in pairwise(points)):
        raise ValueError("the points of a chart are not in order of time")


def _line(points: Sequence[Point], times: TimeAxis, axis: ValueAxis) -> list[svg.PathData]:
    path, pen_down = list[svg.PathData](), False
    for index, (at_ms, value) in enumerate(points):
        if value is None:
            pen_down = False
            continue
        x, y = times.x(at_ms), axis.y(value)
        path.append(svg.L(x, y) if pen_down else svg.M(x, y))
        is_alone = index + 1 == len(points) or points[index + 1][1] is None
        if not pen_down and is_alone:
            path.append(svg.L(x, y))  # round ends make a dot of it
        pen_down = True
    return path


def _area(points: Sequence[Point], times: TimeAxis, axis: ValueAxis) -> list[svg.PathData]:
    floor = SIDE if axis.zero_y is None else axis.zero_y
    path, run = list[svg.PathData](), list[tuple[float, float]]()
    for at_ms, value in (*points, (0, None)):
        if value is not None:
            run.append((times.x(at_ms), axis.y(value)))
        elif run:
            path += [svg.M(run[0][0], floor), *(svg.L(x, y) for x, y in run), svg.L(run[-1][0], floor), svg.Z()]
            run = []
    return path


def _last(points: Sequence[Point], times: TimeAxis, axis: ValueAxis) -> list[svg.Element]:
    present = [(at_ms, value) for at_ms, value in points if value is not None]
    if not present:
        return []
    at_ms, value = present[-1]
    x, y = times.x(at_ms), axis.y(value)
    # Above its mark where there is room; it ends at the mark, or begins there in the left half.
    classes = "chart-last-right" if x < SIDE / 2 else "chart-last"
    said = text(percent(x), percent(y), value_text(value, axis.unit), classes, dy=-10 if y > SIDE / 8 else 20)
    return [dot(x, y, "chart-mark"), said]


def _key(name: str, baseline_name: str) -> list[svg.Element]:
    pairs = ((name, "chart-key-line"), (baseline_name, "chart-key-baseline"))
    spans = [
        svg.TSpan(text=words(said), class_=[classes], dx=12 * index)
        for index, (said, classes) in enumerate(pairs)
        if said
    ]
    return [svg.Text(x=0, y=0, dy=-12, class_=["chart-key"], elements=list[svg.Element](spans))] if spans else []


def _described(points: Sequence[Point], unit: Unit) -> str:
    present = [(at_ms, value) for at_ms, value in points if value is not None]
    if not present:
        return "no data yet"
    amounts = [value for _, value in present]
    return (
        f"From {time_text(present[0][0])} to {time_text(present[-1][0])}: first {value_text(amounts[0], unit)}, "
        f"last {value_text(amounts[-1], unit)}, lowest {value_text(min(amounts), unit)}, "
        f"highest {value_text(max(amounts), unit)}."
    )
