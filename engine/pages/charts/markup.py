"""What all charts share in how they are written down: escaping, the outer element, marks and texts.

svg.py writes the elements. It is typed, without dependencies, and adds no styles, sizes or scripts of its own. Leather writes
colours and fonts into the elements, which no theme can change, and pygal a style sheet and a script into each chart, which our
Content-Security-Policy refuses. svg.py does not escape: whatever comes from outside goes through `words`.
"""

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from html import escape

import svg
from markupsafe import Markup

# What XML 1.0 cannot say at all, not even escaped.
_UNSAYABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
WORDS_MAX = 300
SIDE = 1_000
"""Of the plot, in units of its own: it is stretched to whatever room there is."""

Point = tuple[int, Decimal | None]
"""When, in ms since the epoch, and how much; None is a gap."""


def words(text: str) -> str:
    """Returns text for an element or an attribute in double quotes: escaped, and cut where it is longer than any label."""
    return escape(_UNSAYABLE.sub("\ufffd", text[:WORDS_MAX]))


def percent(units: float) -> str:
    """Returns a coordinate of the plot as the share of its side."""
    return f"{units * 100 / SIDE:.2f}%"


def text(x: str, y: str, said: str, classes: str, *, dx: int = 0, dy: int = 0) -> svg.Text:
    """Returns a text at shares of the room, moved by pixels. Escapes what is said."""
    # svg.py types lengths as numbers and units; a share is a string.
    return svg.Text(extra={"x": x, "y": y}, dx=dx, dy=dy, class_=[classes], text=words(said))


def dot(x: float, y: float, classes: str) -> svg.Circle:
    """Returns a round mark at units of the plot; it stays round however the plot is stretched."""
    return svg.Circle(extra={"cx": percent(x), "cy": percent(y)}, r=4, class_=[classes])


def plot(elements: Sequence[svg.Element], data: dict[str, str]) -> svg.SVG:
    """Returns the part that is stretched: lines and bars, no texts."""
    return svg.SVG(
        viewBox=svg.ViewBoxSpec(0, 0, SIDE, SIDE),
        preserveAspectRatio=svg.PreserveAspectRatio("none"),
        class_=["chart-plot"],
        data=dict(data),
        elements=list(elements),
    )


def document(elements: Iterable[svg.Element], classes: str, title: str, desc: str) -> str:
    """Returns a chart: its style sheet gives it its height and the margins in which its labels stand."""
    spoken: list[svg.Element] = [svg.Title(text=words(title)), svg.Desc(text=words(desc))]
    outer = svg.SVG(class_=[classes], extra={"role": "img", "aria-label": words(title)}, elements=[*spoken, *elements])
    return outer.as_str()


def no_data(title: str, said: str = "no data yet") -> str:
    """Returns the chart of nothing, which takes the room that the chart will take."""
    return document([text("50%", "50%", said, "chart-empty")], "chart", title, said)


def drawn(svg_text: str) -> Markup:
    """Returns a drawing of ours for a template. Only such texts come here: every word in them went through `words`."""
    return Markup(svg_text)  # noqa: S704
