"""What was measured, and how it is shown."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import attrs


@attrs.frozen(kw_only=True)
class Figure:
    """One line of the table. `reference` is what others need or lose; `target` is what the engine has to hold."""

    row: str
    what: str
    value: float
    unit: str = ""
    target: float | None = None
    at_least: bool = False
    """The target is a floor; else it is a ceiling."""
    reference: float | None = None
    reference_text: str = ""
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is held; None where there is none."""
        if self.target is None:
            return None
        return self.value >= self.target if self.at_least else self.value <= self.target

    @property
    def ratio(self) -> float | None:
        """Returns this engine divided by the reference, where both are known."""
        return self.value / self.reference if self.reference else None

    def cells(self) -> tuple[str, ...]:
        """Returns the columns of the table."""
        sign = "≥" if self.at_least else "≤"
        reference = self.reference_text or ("–" if self.reference is None else number(self.reference, self.unit))
        return (
            self.what,
            reference,
            number(self.value, self.unit),
            "–" if self.target is None else f"{sign} {number(self.target, self.unit)}",
            {None: "–", True: "yes", False: "NO"}[self.met],
            "–" if self.ratio is None else f"{self.ratio:.2f}",
            self.note,
        )


HEADINGS = ("figure", "reference", "this engine", "target", "met", "ratio", "note")


def number(value: float, unit: str = "") -> str:
    """Returns a number with as many digits as matter."""
    text = f"{value:,.0f}" if float(value).is_integer() or abs(value) >= 1000 else f"{value:.3g}"
    if 100 < abs(value) < 1000:
        text = f"{value:.0f}"
    return f"{text} {unit}".rstrip()


def table(figures: Sequence[Figure]) -> str:
    """Returns the figures as aligned columns."""
    lines = [HEADINGS, *(figure.cells() for figure in figures)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    text.insert(1, "  ".join("-" * width for width in widths[:-1]))
    return "\n".join(text)


def as_json(figures: Sequence[Figure], failures: dict[str, str]) -> str:
    """Returns the figures as one JSON object."""
    rows: list[dict[str, Any]] = [{**attrs.asdict(f), "met": f.met, "ratio": f.ratio} for f in figures]
    return json.dumps({"figures": rows, "failed": failures}, ensure_ascii=False, indent=1)


def quantile(values: Sequence[float], share: float) -> float:
    """Returns a quantile by the nearest rank above; raises `IndexError` for no values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def median(values: Sequence[float]) -> float:
    """Returns the middle value."""
    return quantile(values, 0.5)


Say = Callable[[str], None]
