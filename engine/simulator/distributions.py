"""How the real platform's figures are spread, measured on recordings; sampled from a generator that is passed in."""

from bisect import bisect
from collections.abc import Sequence
from itertools import accumulate, pairwise
from math import exp, log
from typing import Generic, TypeVar

from protocols.clock import Random

T = TypeVar("T")


class Quantiles:
    """A distribution given by points (probability, value), interpolated in between."""

    def __init__(self, points: Sequence[tuple[float, float]], *, logarithmic: bool) -> None:
        self._points = [(share, log(value) if logarithmic else value) for share, value in points]
        self._logarithmic = logarithmic

    def at(self, share: float) -> float:
        """Returns the value below which `share` of all draws lie."""
        for (low, first), (high, second) in pairwise(self._points):
            if share <= high:
                value = first + (second - first) * (share - low) / (high - low)
                return exp(value) if self._logarithmic else value
        raise ValueError(f"{share} is no probability")

    def draw(self, rng: Random) -> float:
        """Returns a random value."""
        return self.at(rng.random())


NOTIONAL_USD = Quantiles(
    [
        (0.0, 0.01),
        (0.05, 0.2),
        (0.25, 1.9),
        (0.5, 7.8),
        (0.75, 36.0),
        (0.9, 176.0),
        (0.99, 2_670.0),
        (0.9999, 60_000.0),
        (1.0, 370_000.0),
    ],
    logarithmic=True,
)
PRICE = Quantiles(
    [(0.0, 0.001), (0.05, 0.018), (0.25, 0.19), (0.5, 0.55), (0.75, 0.895), (0.95, 0.994), (1.0, 0.999)],
    logarithmic=False,
)
MAKERS = (0.55, 0.2, 0.12, 0.06, 0.03, 0.02, 0.01, 0.01)
"""Share of matches with one, two, … makers; the last stands for all larger ones."""


class Weighted(Generic[T]):
    """Draws items in proportion to their weights."""

    def __init__(self, items: Sequence[T], weights: Sequence[float]) -> None:
        if not items or len(items) != len(weights):
            raise ValueError("as many weights as items, and at least one")
        self._items = items
        self._cumulative = list(accumulate(weights))

    def draw(self, rng: Random) -> T:
        """Returns a random item."""
        place = bisect(self._cumulative, rng.random() * self._cumulative[-1])
        return self._items[min(place, len(self._items) - 1)]


def makers_count(rng: Random) -> int:
    """Returns how many makers a match has: one in most, up to fifteen."""
    share = rng.random()
    for place, part in enumerate(MAKERS):
        share -= part
        if share < 0 and place < len(MAKERS) - 1:
            return place + 1
    return rng.randint(len(MAKERS), 15)


def poisson(rng: Random, mean: float) -> int:
    """Returns how many independent events happen where `mean` are expected; about normal above 200."""
    if mean > 200:
        return max(0, round(rng.gauss(mean, mean**0.5)))
    limit = exp(-mean)
    count = 0
    product = rng.random()
    while product > limit:
        count += 1
        product *= rng.random()
    return count
