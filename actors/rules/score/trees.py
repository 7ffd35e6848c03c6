"""Boosted trees in plain Python: a walk down each, on values where what nobody knows compares as it must."""

from collections.abc import Sequence
from math import inf
from typing import Any

Node = tuple[int, float, Any, Any]
"""Position in the doubled values, threshold, left, right; a leaf is a float."""


def doubled(values: Sequence[float]) -> list[float]:
    """Returns the values twice: first with what nobody knows below every threshold, then above every one."""
    below = [value if value == value else -inf for value in values]
    above = [value if value == value else inf for value in values]
    return below + above


def grown(
    features: Sequence[int],
    thresholds: Sequence[float],
    lefts: Sequence[int],
    rights: Sequence[int],
    unknown_left: Sequence[bool],
    leaves: Sequence[float],
    *,
    width: int,
) -> Node | float:
    """Returns a tree as nested nodes. Children have greater numbers than their parents, so that every walk ends."""
    if not features:
        return leaves[0]
    made: dict[int, Node] = {}

    def child(at: int) -> Node | float:
        return made[at] if at >= 0 else leaves[-1 - at]

    for at in reversed(range(len(features))):
        place = features[at] if unknown_left[at] else features[at] + width
        made[at] = (place, thresholds[at], child(lefts[at]), child(rights[at]))
    return made[0]


def walked(trees: Sequence[Node | float], values: Sequence[float]) -> float:
    """Returns the sum of the leaves that `doubled` values come to."""
    total = 0.0
    for node in trees:
        while node.__class__ is tuple:
            place, threshold, left, right = node
            node = left if values[place] <= threshold else right
        total += node  # type: ignore[operator]
    return total
