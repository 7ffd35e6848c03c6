"""Amounts of days as bars above and below zero: daily PnL."""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Context, Decimal, localcontext

import svg

from engine.pages.charts.frame import data_of, grid, labels
from engine.pages.charts.markup import Point, document, no_data, plot
from engine.pages.charts.time_axis import TimeAxis, moment, time_axis
from engine.pages.charts.value_axis import Unit, ValueAxis, checked, value_axis, value_text

BARS_MAX = 366
DAY_MS = 86_400_000
_GAP = 0.2
_EXACT = Context(prec=60)


def bar_chart(bars: Sequence[Point], *, title: str, unit: Unit = Unit.USD, width_ms: int = DAY_MS) -> str:
    """Returns an SVG element as text, for a page that links `charts.css`.

    Each bar begins at its time and stands for `width_ms`; None and times that are missing leave a gap. Of more than 366
    several are added up into one. Raises `ValueError` as `line_chart` does.
    """
    present = [(at_ms, checked(value)) for at_ms, value in bars if value is not None]
    if not present:
        return no_data(title)
    starts_ms = [at_ms for at_ms, _ in present]
    if starts_ms != sorted(starts_ms):
        raise ValueError("the bars of a chart are not in order of time")
    first_ms, last_ms = starts_ms[0], starts_ms[-1]
    together = -(-((last_ms - first_ms) // width_ms + 1) // BARS_MAX)
    wide_ms = width_ms * together
    shown = _added_up(present, first_ms, wide_ms)
    times = time_axis(first_ms, first_ms + ((last_ms - first_ms) // wide_ms + 1) * wide_ms)
    axis = value_axis([value for _, value in shown], unit, with_zero=True)
    data = {"start": str(first_ms), "end": str(times.end_ms), "unit": unit.value, "width": str(wide_ms)}
    data |= data_of("points", shown, first_ms)
    drawn: list[svg.Element] = [
        *grid(axis),
        svg.Path(d=_bars([bar for bar in shown if bar[1] > 0], times, axis, wide_ms), class_=["chart-gain"]),
        svg.Path(d=_bars([bar for bar in shown if bar[1] < 0], times, axis, wide_ms), class_=["chart-loss"]),
    ]
    return document([plot(drawn, data), *labels(axis, times)], "chart chart-bars", title, _described(shown, unit))


def _added_up(bars: Sequence[tuple[int, Decimal]], first_ms: int, wide_ms: int) -> list[tuple[int, Decimal]]:
    sums = defaultdict[int, Decimal](Decimal)
    with localcontext(_EXACT):
        for at_ms, value in bars:
            sums[first_ms + (at_ms - first_ms) // wide_ms * wide_ms] += value
    return list(sums.items())


def _bars(bars: Sequence[tuple[int, Decimal]], times: TimeAxis, axis: ValueAxis, wide_ms: int) -> list[svg.PathData]:
    zero, path = axis.y(Decimal(0)), list[svg.PathData]()
    gap_ms = int(wide_ms * _GAP / 2)
    for at_ms, value in bars:
        left, right = times.x(at_ms + gap_ms), times.x(at_ms + wide_ms - gap_ms)
        path += [svg.M(left, zero), svg.V(axis.y(value)), svg.H(right), svg.V(zero), svg.Z()]
    return path


def _described(bars: Sequence[tuple[int, Decimal]], unit: Unit) -> str:
    amounts = [value for _, value in bars]
    with localcontext(_EXACT):
        total = sum(amounts, Decimal(0))
    return (
        f"From {moment(bars[0][0]):%Y-%m-%d} to {moment(bars[-1][0]):%Y-%m-%d}: {sum(value > 0 for value in amounts)} up, "
        f"{sum(value < 0 for value in amounts)} down, {value_text(total, unit)} in all, "
        f"worst {value_text(min(amounts), unit)}, best {value_text(max(amounts), unit)}."
    )
