"""How sure a return is: a block bootstrap by day, studentized.

What a trader does on one day hangs together (one game, one piece of news, one mood), so whole days are drawn and never single
trades; who makes the days puts all copies of one market into one of them. The return is a ratio of sums, net profit by stake,
whose draws are skewed while days are few; dividing each draw by its own standard error corrects for that (bootstrap-t: Efron
and Tibshirani, An Introduction to the Bootstrap, chapter 12).
"""

import math
import random
from collections.abc import Sequence
from decimal import Decimal

import attrs

DRAWS = 1_000
LEVEL = Decimal("0.90")
NOTHING = 1e-6
"""An error that is this part of another one is none: what is left of it is rounding."""
_QUANTUM = Decimal("0.000001")


@attrs.frozen(kw_only=True)
class DayResult:
    """Of the trades that were copied on one UTC day."""

    stake_micro: int
    """Micro-USD, more than 0."""
    net_micro: int
    """Profit after all costs."""


@attrs.frozen(kw_only=True)
class Interval:
    """A return on stake and the bounds within which it lies at `level`. Parts of one."""

    estimate: Decimal
    low: Decimal
    high: Decimal
    level: Decimal


def interval_of(days: Sequence[DayResult], *, seed: int, draws: int = DRAWS, level: Decimal = LEVEL) -> Interval | None:
    """Returns the return of days with its interval; None for fewer than two days or when all days are alike.

    Figures are whole micro-USD; ratios and deviations of them are statistics and no money, so they are floats. The same days,
    seed and draws give the same interval.
    """
    count = len(days)
    stakes, nets = [float(one.stake_micro) for one in days], [float(one.net_micro) for one in days]
    stake = sum(stakes)
    if count < 2 or stake <= 0:
        return None
    estimate = sum(nets) / stake
    error = _error(stakes, nets, estimate, count)
    if error <= NOTHING * NOTHING * abs(estimate):
        return None
    rng = random.Random(seed)  # noqa: S311 - a sample, no secret
    places, pivots = range(count), list[float]()
    for _ in range(draws):
        drawn = rng.choices(places, k=count)
        of_stake, of_net = [stakes[place] for place in drawn], [nets[place] for place in drawn]
        ratio = sum(of_net) / sum(of_stake)
        own_error = _error(of_stake, of_net, ratio, count)
        # A draw of one day alone, or of days alike, says nothing of how days differ.
        pivots.append((ratio - estimate) / (own_error if own_error > NOTHING * error else error))
    pivots.sort()
    tail = (1 - float(level)) / 2
    low = estimate - error * quantile(pivots, 1 - tail)
    high = estimate - error * quantile(pivots, tail)
    return Interval(estimate=_rounded(estimate), low=_rounded(low), high=_rounded(high), level=level)


def quantile(ordered: Sequence[float], share: float) -> float:
    """Returns a quantile of values in rising order, between two neighbours by straight line."""
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def _error(stakes: Sequence[float], nets: Sequence[float], ratio: float, count: int) -> float:
    """Returns the standard error of a ratio of sums, by its first-order expansion."""
    squares = sum((net - ratio * stake) ** 2 for stake, net in zip(stakes, nets, strict=True))
    return math.sqrt(squares * count / (count - 1)) / sum(stakes)


def _rounded(value: float) -> Decimal:
    return Decimal(value).quantize(_QUANTUM)
