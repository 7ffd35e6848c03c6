"""Distributions of features, and how far one lies from another: the population stability index."""

from bisect import bisect_left
from collections.abc import Sequence
from math import log

from protocols.score_models import Spread

PARTS = 10
_LEAST = 1e-4
"""A share that nobody had counts as this much, so that the index stays finite."""


def spread_of(values: Sequence[float]) -> Spread:
    """Returns the shares of values between their own deciles; NaN is a value that nobody knows. At least one value."""
    known = sorted(value for value in values if value == value)
    edges = sorted({known[len(known) * part // PARTS] for part in range(1, PARTS)}) if known else []
    return _counted(values, edges)


def stability_index(before: Spread, values: Sequence[float]) -> float:
    """Returns the index of values against a distribution, 0 where they are alike: sum of (a - b) ln(a / b) over the parts."""
    now = _counted(values, before.edges)
    index = 0.0
    for old, new in zip((*before.shares, before.unknown), (*now.shares, now.unknown), strict=True):
        a, b = max(new, _LEAST), max(old, _LEAST)
        index += (a - b) * log(a / b)
    return index


def _counted(values: Sequence[float], edges: Sequence[float]) -> Spread:
    counts = [0] * (len(edges) + 1)
    unknown = 0
    for value in values:
        if value == value:
            counts[bisect_left(edges, value)] += 1
        else:
            unknown += 1
    total = len(values)
    return Spread(edges=list(edges), shares=[count / total for count in counts], unknown=unknown / total)
