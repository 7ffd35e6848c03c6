"""Fewer points that look the same: of each run of points the lowest and the highest stay, and one gap."""

from collections.abc import Sequence

from engine.pages.charts.markup import Point


def thinned(points: Sequence[Point], points_max: int) -> Sequence[Point]:
    """Returns at most `points_max` points (5 or more), in order: the first, the last, and every extreme among them."""
    if len(points) <= points_max:
        return points
    has_gaps = any(value is None for _, value in points)
    runs = (points_max - 2) // (3 if has_gaps else 2)
    inner = points[1:-1]
    kept = [points[0]]
    for run in range(runs):
        kept += _of_run(inner[run * len(inner) // runs : (run + 1) * len(inner) // runs])
    return [*kept, points[-1]]


def _of_run(run: Sequence[Point]) -> list[Point]:
    present = [(value, index) for index, (_, value) in enumerate(run) if value is not None]
    kept = {min(present)[1], max(present)[1]} if present else set[int]()
    gap = next((index for index, (_, value) in enumerate(run) if value is None), None)
    if gap is not None:
        kept.add(gap)
    return [run[index] for index in sorted(kept)]
