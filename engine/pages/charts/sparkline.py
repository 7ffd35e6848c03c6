"""A line without axes, as tall as a line of a table."""

from collections.abc import Sequence
from decimal import Decimal

import svg

from engine.pages.charts.markup import words
from engine.pages.charts.thinning import thinned
from engine.pages.charts.value_axis import Unit, checked, value_axis, value_text

POINTS_MAX = 60
WIDTH, HEIGHT = 100, 24
_MARGIN = 2


def sparkline(values: Sequence[Decimal | None], *, label: str, unit: Unit = Unit.USD) -> str:
    """Returns an SVG element as text: the values side by side, None as a gap; up or down by the last against the first.

    Raises `ValueError` for what is no finite number.
    """
    present = [checked(value) for value in values if value is not None]
    if not present:
        return _document([], "sparkline", f"{label}: no data yet")
    change = "sparkline-gain" if present[-1] >= present[0] else "sparkline-loss"
    said = f"{label}: first {value_text(present[0], unit)}, last {value_text(present[-1], unit)}"
    path = svg.Path(d=_path(values, present), class_=["sparkline-line"])
    return _document([path], f"sparkline {change}", said)


def _path(values: Sequence[Decimal | None], present: Sequence[Decimal]) -> list[svg.PathData]:
    shown = [*values, *values] if len(values) == 1 else values  # a level
    axis, last = value_axis((min(present), max(present)), Unit.NUMBER), max(1, len(shown) - 1)
    low, high = axis.y(min(present)), axis.y(max(present))
    path, pen_down = list[svg.PathData](), False
    for index, value in thinned(list(enumerate(shown)), POINTS_MAX):
        if value is None:
            pen_down = False
            continue
        x = round(_MARGIN + index * (WIDTH - 2 * _MARGIN) / last, 1)
        share = (axis.y(value) - high) / (low - high) if low > high else 0.5
        y = round(_MARGIN + share * (HEIGHT - 2 * _MARGIN), 1)
        path += [svg.L(x, y)] if pen_down else [svg.M(x, y), svg.L(x, y)]
        pen_down = True
    return path


def _document(elements: list[svg.Element], classes: str, said: str) -> str:
    return svg.SVG(
        viewBox=svg.ViewBoxSpec(0, 0, WIDTH, HEIGHT),
        preserveAspectRatio=svg.PreserveAspectRatio("none"),
        class_=[classes],
        extra={"role": "img", "aria-label": words(said)},
        elements=[svg.Title(text=words(said)), *elements],
    ).as_str()
