"""Copyability once more, slowly and in fractions: what a copy costs against a made-up book, and how sure a return is.

Written from engine/copyability/README.md and venue.md §7.1, without the rules that it checks.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

MICRO = Fraction(1, 1_000_000)
Level = tuple[Fraction, Fraction]


@dataclass
class Bought:
    """What a stake bought: shares, USD, fee, mean price, best price."""

    shares: Fraction
    usd: Fraction
    fee: Fraction
    touch: Fraction


def floor_to(value: Fraction, quantum: Fraction) -> Fraction:
    return (value / quantum).__floor__() * quantum


def asks_around(price: Fraction, day_usd: Fraction) -> list[Level]:
    """The ten levels above a price, by the table of parameters."""
    middle = min(max(price, Fraction(1, 1000)), Fraction(999, 1000))
    cheaper = min(middle, 1 - middle)
    half = max(min(Fraction(5, 1000), Fraction(4, 100) * cheaper), Fraction(5, 10_000))
    tick = Fraction(1, 1000) if middle < Fraction(4, 100) or middle > Fraction(96, 100) else Fraction(1, 100)
    levels = []
    for number in range(10):
        at = middle + half + number * tick
        if at <= Fraction(999, 1000):
            usd = 35 * root_between(day_usd / 10_000) * Fraction(18, 10) ** number
            levels.append((at, floor_to(usd / at, Fraction(1, 100))))
    return levels


def root_between(ratio: Fraction) -> Fraction:
    """The square root of an activity, within a half and 2."""
    return Fraction((Decimal(ratio.numerator) / Decimal(ratio.denominator)).sqrt().max(Decimal("0.5")).min(Decimal(2)))


def fee_of(shares: Fraction, price: Fraction, rate: Fraction) -> Fraction:
    exact = shares * rate * price * (1 - price)
    if exact <= 0:
        return Fraction(0)
    rounded = Fraction((exact * 100_000 + Fraction(1, 2)).__floor__(), 100_000)
    return max(rounded, Fraction(1, 100_000))


def buy(stake: Fraction, levels: Sequence[Level], rate: Fraction) -> Bought:
    """Takes level after level until the stake is spent."""
    left, shares, fee = stake, Fraction(0), Fraction(0)
    for price, size in levels:
        part = min(size, floor_to(left / price, MICRO))
        if part <= 0:
            break
        shares += part
        left -= part * price
        fee += fee_of(part, price, rate)
    return Bought(shares=shares, usd=stake - left, fee=fee, touch=levels[0][0])


@dataclass
class Expected:
    """What a copy that was held to its market's end comes to."""

    net: Fraction
    gross: Fraction
    delay: Fraction
    spread: Fraction
    depth: Fraction
    fees: Fraction


def held_to_the_end(
    stake: Fraction, leader: Fraction, then: Fraction, day_usd: Fraction, payout: Fraction, rate: Fraction
) -> Expected | None:
    """`then` is the price when our order came, `leader` the one that he had paid: nobody pays more than twice that."""
    levels = [level for level in asks_around(then, day_usd) if level[0] <= 2 * leader]
    if not levels:
        return None
    bought = buy(stake, levels, rate)
    return Expected(
        net=bought.shares * payout - bought.usd - bought.fee,
        gross=bought.shares * (payout - leader),
        delay=bought.shares * (then - leader),
        spread=bought.shares * (bought.touch - then),
        depth=bought.usd - bought.shares * bought.touch,
        fees=bought.fee,
    )


def bootstrap(days: Sequence[tuple[int, int]], *, seed: int, draws: int, level: Fraction) -> tuple[float, float, float]:
    """Estimate, low and high of net by stake; `days` are (stake, net)."""
    count = len(days)

    def ratio_and_error(drawn: Sequence[tuple[int, int]]) -> tuple[Fraction, float]:
        stake = sum(one for one, _ in drawn)
        ratio = Fraction(sum(net for _, net in drawn), stake)
        left_over = sum((net - ratio * one) ** 2 for one, net in drawn)
        variance = Fraction(count, count - 1) * left_over / stake**2
        return ratio, float(variance) ** 0.5

    estimate, error = ratio_and_error(days)
    if error == 0:
        return float(estimate), float(estimate), float(estimate)
    rng, pivots = random.Random(seed), []
    for _ in range(draws):
        drawn = [days[place] for place in rng.choices(range(count), k=count)]
        ratio, own = ratio_and_error(drawn)
        pivots.append(float(ratio - estimate) / (own if own > error / 1_000_000 else error))
    pivots.sort()

    def cut(share: Fraction) -> float:
        place = share * (draws - 1)
        below = place.__floor__()
        above = min(below + 1, draws - 1)
        return pivots[below] + float(place - below) * (pivots[above] - pivots[below])

    tail = (1 - level) / 2
    return float(estimate), float(estimate) - error * cut(1 - tail), float(estimate) - error * cut(tail)
