"""Student's distribution of t, and the normal one, as far as proofs need them; without a library of statistics.

The distribution function is the regularised incomplete beta function, computed by the continued fraction of DLMF 8.17.22 with
Lentz's method.
"""

import math
from statistics import NormalDist

_TINY = 1e-300
_ENOUGH = 1e-14
_TERMS_MAX = 500
NORMAL = NormalDist()
EULER = 0.5772156649015329


def upper_tail(t: float, freedom: int) -> float:
    """Returns the probability of a value above `t` with some degrees of freedom, at least 1."""
    tail = 0.5 * _beta_ratio(freedom / (freedom + t * t), freedom / 2, 0.5)
    return tail if t >= 0 else 1 - tail


def two_sided_quantile(confidence: float, freedom: int) -> float:
    """Returns the t within which a share `confidence` of all values lies on both sides of 0."""
    tail = (1 - confidence) / 2
    low, high = 0.0, 1.0
    while upper_tail(high, freedom) > tail:
        high *= 2
    for _ in range(80):
        middle = (low + high) / 2
        if upper_tail(middle, freedom) > tail:
            low = middle
        else:
            high = middle
    return high


def luck_of_the_best(tries: int) -> float:
    """Returns the p that the best of some tries shows on average when none of them is any good.

    That of the expected maximum of independent standard normal values, as in the deflated Sharpe ratio (Bailey and López de
    Prado, The Journal of Portfolio Management 40(5), 2014). Tries that resemble each other are less lucky: this asks for more.
    """
    if tries < 2:
        return 0.5
    best = (1 - EULER) * NORMAL.inv_cdf(1 - 1 / tries) + EULER * NORMAL.inv_cdf(1 - 1 / (tries * math.e))
    return NORMAL.cdf(-best)


def _beta_ratio(x: float, a: float, b: float) -> float:
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    # The fraction converges fast on this side of the mean only; the function is symmetric.
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(x, a, b) / a
    return 1 - front * _fraction(1 - x, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    c, d = 1.0, 1 - (a + b) * x / (a + 1)
    d = 1 / (d if abs(d) > _TINY else _TINY)
    result = d
    for m in range(1, _TERMS_MAX):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 + term * d
            c = 1 + term / c
            d = 1 / (d if abs(d) > _TINY else _TINY)
            c = c if abs(c) > _TINY else _TINY
            result *= c * d
        if abs(c * d - 1) < _ENOUGH:
            break
    return result
