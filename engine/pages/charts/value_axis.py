"""The axis of values: round ticks, their texts, and where a value lies between them. Exact, in decimals."""

import enum
from collections.abc import Iterable
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal, localcontext

import attrs

from engine.pages.charts.markup import SIDE

VALUE_MAX = Decimal(10) ** 24
_SPAN_MIN = Decimal(10) ** -18
# Holds a quotient of the largest value and the smallest step.
_EXACT = Context(prec=60)
_ROUND = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))
_LARGE = ((Decimal(10) ** 12, "T"), (Decimal(10) ** 9, "B"), (Decimal(10) ** 6, "M"), (Decimal(10) ** 3, "k"))
_PLAIN_BELOW = Decimal(10_000)
_WHOLE_BELOW = Decimal(10_000_000)
_DIGITS_MAX = 7


class Unit(enum.StrEnum):
    """What values are in. A percentage is given as a share: 0.05 reads 5%."""

    USD = "usd"
    PERCENT = "percent"
    NUMBER = "number"


@attrs.frozen(kw_only=True)
class ValueAxis:
    """From the lowest tick to the highest one."""

    ticks: tuple[Decimal, ...]
    step: Decimal
    unit: Unit

    def y(self, value: Decimal) -> float:
        """Returns how far below the top a value lies, in units of the plot."""
        with localcontext(_EXACT):
            low, high = self.ticks[0], self.ticks[-1]
            return round(float((high - value) / (high - low)) * SIDE, 1)

    @property
    def zero_y(self) -> float | None:
        """Where zero lies, or None outside the axis."""
        return self.y(Decimal(0)) if self.ticks[0] <= 0 <= self.ticks[-1] else None

    def label(self, value: Decimal) -> str:
        """Returns the text of a tick."""
        return _said(value, self.step, max(map(abs, self.ticks)), self.unit)


def value_axis(values: Iterable[Decimal], unit: Unit, *, with_zero: bool = False, ticks: int = 5) -> ValueAxis:
    """Returns an axis on which all values lie; they are `checked`, or sums of such. Raises `ValueError` for no values."""
    present = list(values)
    low, high = min(present), max(present)
    if with_zero:
        low, high = min(low, Decimal(0)), max(high, Decimal(0))
    with localcontext(_EXACT):
        if high - low < _SPAN_MIN:
            room = max(abs(low) / 20, Decimal(1) if low == 0 else _SPAN_MIN)
            low, high = low - room, high + room
        step = _round_step((high - low) / (ticks - 1))
        first = (low / step).to_integral_value(ROUND_FLOOR)
        last = (high / step).to_integral_value(ROUND_CEILING)
        if first == last:
            last += 1
        marks = tuple((first + count) * step for count in range(int(last - first) + 1))
    return ValueAxis(ticks=marks, step=step, unit=unit)


def checked(value: Decimal) -> Decimal:
    """Returns the value. Raises `ValueError` where it is no number, or larger than any money."""
    if not value.is_finite() or abs(value) > VALUE_MAX:
        raise ValueError(f"a chart cannot show {value}")
    return value


def value_text(value: Decimal, unit: Unit) -> str:
    """Returns a value as people read it: whole cents, tenths of a percent, millions from ten millions on."""
    scale = {Unit.USD: Decimal("0.01"), Unit.PERCENT: Decimal("0.001"), Unit.NUMBER: Decimal(1)}[unit]
    if value != 0 and abs(value) < scale * 10:
        step = Decimal(10) ** (value.adjusted() - 2)
    elif abs(value) >= _WHOLE_BELOW:
        step = Decimal(10) ** (value.adjusted() - 3)
    else:
        step = scale
    return _said(value, step, abs(value), unit, plain_below=_WHOLE_BELOW)


def _round_step(least: Decimal) -> Decimal:
    power = Decimal(10) ** least.adjusted()
    return next(factor * power for factor in _ROUND if factor * power >= least)


def _said(value: Decimal, step: Decimal, largest: Decimal, unit: Unit, *, plain_below: Decimal = _PLAIN_BELOW) -> str:
    with localcontext(_EXACT):
        if unit is Unit.PERCENT:
            value, step, largest = value * 100, step * 100, largest * 100
        scale, suffix = (Decimal(1), "") if largest < plain_below else _scale_of(largest)
        decimals = max(0, -int((step / scale).normalize().as_tuple().exponent))
        if unit is Unit.USD and not suffix and decimals == 1:
            decimals = 2
        if value == 0:
            number, suffix = "0", ""
        elif decimals > _DIGITS_MAX or largest / scale >= Decimal(10) ** _DIGITS_MAX:
            number, suffix = f"{Decimal(f'{abs(value):.3e}').normalize():e}".replace("+", ""), ""
        else:
            number = f"{abs(value / scale):,.{decimals}f}"
    sign = "\u2212" if value < 0 and number.strip("0.,") else ""
    return f"{sign}{'$' if unit is Unit.USD else ''}{number}{suffix}{'%' if unit is Unit.PERCENT else ''}"


def _scale_of(largest: Decimal) -> tuple[Decimal, str]:
    return next((scale, suffix) for scale, suffix in _LARGE if largest >= scale)
