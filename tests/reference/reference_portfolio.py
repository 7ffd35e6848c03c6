"""FIFO by the book: fractions, one share-owner list a token, nothing incremental. Slow on purpose."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import attrs

from protocols.portfolio import CopiedFill


@attrs.define
class Held:
    order: str
    trader: str | None
    shares: Fraction
    cost: Fraction


@attrs.define
class Result:
    held: list[Held] = attrs.field(factory=list)
    realized: Fraction = Fraction(0)
    bought: Fraction = Fraction(0)
    unmatched: Fraction = Fraction(0)
    by_day: dict[int, Fraction] = attrs.field(factory=dict)
    by_order: dict[str, Fraction] = attrs.field(factory=dict)

    @property
    def shares(self) -> Fraction:
        return sum((one.shares for one in self.held), Fraction(0))

    @property
    def cost(self) -> Fraction:
        return sum((one.cost for one in self.held), Fraction(0))

    def sell(self, lots: Sequence[Held], shares: Fraction, price: Fraction, at_us: int) -> Fraction:
        """Sells from the first lot on; returns what could not be sold."""
        for lot in lots:
            count = min(shares, lot.shares)
            if count == 0:
                continue
            gain = count * price - lot.cost * count / lot.shares
            lot.cost -= lot.cost * count / lot.shares
            lot.shares -= count
            shares -= count
            self.realized += gain
            day = at_us // (24 * 3600 * 10**6)
            self.by_day[day] = self.by_day.get(day, Fraction(0)) + gain
            self.by_order[lot.order] = self.by_order.get(lot.order, Fraction(0)) + gain
        self.held = [lot for lot in self.held if lot.shares]
        return shares


def results_of(
    fills: Sequence[CopiedFill], payouts: dict[str, tuple[Fraction, int]] | None = None
) -> dict[Any, Result]:
    """By (scope, token). `payouts`: USD a share and when, by token."""
    results: dict[Any, Result] = {}
    last: dict[Any, int] = {}
    for fill in fills:
        key = fill.scope, fill.token_id
        result = results.setdefault(key, Result())
        last[key] = fill.at_us
        shares = Fraction(fill.shares)
        if fill.side == "BUY":
            cost = Fraction(fill.usd + fill.fee)
            result.held.append(Held(fill.order_id, fill.trader, shares, cost))
            result.bought += cost
        elif fill.side == "CLOSE":
            own = [lot for lot in result.held if lot.order == fill.order_id]
            result.sell(own, sum((lot.shares for lot in own), Fraction(0)), Fraction(fill.usd) / shares, fill.at_us)
        else:
            price = Fraction(fill.usd - fill.fee) / shares
            his = [lot for lot in result.held if lot.trader == fill.trader]
            others = [lot for lot in result.held if lot.trader != fill.trader]
            result.unmatched += result.sell([*his, *others], shares, price, fill.at_us) * price
    for key, result in results.items():
        if payouts and key[1] in payouts:
            price, at_us = payouts[key[1]]
            result.sell(list(result.held), result.shares, price, max(at_us, last[key]))
    return results
