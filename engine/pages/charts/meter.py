"""How much of a limit is used, as a bar: memory, capital, a channel."""

import svg

from engine.pages.charts.markup import words

WIDTH, HEIGHT = 100, 6
WARN_FROM, FULL_FROM = 0.7, 0.9


def meter(used: int, limit: int, *, label: str) -> str:
    """Returns an SVG element as text. Raises `ValueError` for a limit below 1 or use below 0."""
    if limit < 1 or used < 0:
        raise ValueError(f"no share: {used} of {limit}")
    share = min(1.0, used / limit)
    state = "meter-full" if share >= FULL_FROM else "meter-warn" if share >= WARN_FROM else "meter-calm"
    said = f"{label}: {share:.0%} of the limit"
    return svg.SVG(
        viewBox=svg.ViewBoxSpec(0, 0, WIDTH, HEIGHT),
        preserveAspectRatio=svg.PreserveAspectRatio("none"),
        class_=["meter", state],
        extra={"role": "img", "aria-label": words(said)},
        elements=[
            svg.Title(text=words(said)),
            svg.Rect(x=0, y=0, width=WIDTH, height=HEIGHT, class_=["meter-limit"]),
            svg.Rect(x=0, y=0, width=round(share * WIDTH, 2), height=HEIGHT, class_=["meter-used"]),
        ],
    ).as_str()
