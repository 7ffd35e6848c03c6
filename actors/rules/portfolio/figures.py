"""Figures of a portfolio: totals, days, copied traders (domain.md §6.4, §6.5). Amounts are micro-USD."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

import attrs

from actors.rules.exact import EXACT
from actors.rules.portfolio.matching import DAY_US, Days, Position
from actors.rules.portfolio.pricing import Price, value_of

WINDOWS: Mapping[str, int | None] = {"1D": 1, "7D": 7, "30D": 30, "90D": 90, "1Y": 365, "ALL": None}
"""Days that end today; 1D is today."""


class Valued(NamedTuple):
    """A position with its price."""

    position: Position
    price: Price | None
    """None when nothing is open, or nobody knows a price."""
    value: int | None
    """Of open shares, micro-USD; None without a price."""

    @property
    def unrealized(self) -> int | None:
        """Returns the gain of open shares; 0 when nothing is open, None when nobody knows a price."""
        if not self.position.is_open:
            return 0
        return None if self.value is None else self.value - self.position.cost


def valued_at(position: Position, price: Price | None) -> Valued:
    """Returns a position with its price, which is nothing to one that is closed."""
    if price is None or not position.is_open:
        return Valued(position, None, None)
    return Valued(position, price, value_of(position.shares, price.usd))


@attrs.define
class Totals:
    """The figures of §6.4 over positions."""

    realized: int = 0
    unrealized: int | None = 0
    """None: there are open positions, and none of them has a price."""
    volume: int = 0
    fees: int = 0
    buys: int = 0
    """Orders."""
    sells: int = 0
    open_buys: int = 0
    """Purchases of which something is left."""
    open_positions: int = 0
    closed_positions: int = 0
    winning: int = 0
    losing: int = 0
    unmarked: int = 0
    """Open positions without a price; they are in no gain, and at their cost in nothing else."""
    unmarked_cost: int = 0
    unmatched_sells: int = 0
    """Orders that sold more than was bought before."""
    unmatched: int = 0
    """What that brought, micro-USD; in no other figure."""
    open_cost: int = 0
    open_value: int = 0
    """Of open positions that have a price."""

    @property
    def total(self) -> int | None:
        """Returns realised and unrealised together."""
        return None if self.unrealized is None else self.realized + self.unrealized

    @property
    def win_rate(self) -> Decimal | None:
        """Returns the part of closed positions that gained, or None without any."""
        return ratio(self.winning, self.closed_positions)


@attrs.define
class TraderTotals:
    """What copying one trader came to."""

    trader: str | None
    copies: int = 0
    """Purchases."""
    invested: int = 0
    realized: int = 0
    unrealized: int = 0
    """Of positions that have a price."""
    unmarked_cost: int = 0
    open_cost: int = 0
    closed: int = 0
    """Positions in which nothing of what was copied from him is left."""
    won: int = 0
    last_us: int = 0

    @property
    def pnl(self) -> int:
        """Returns realised and unrealised together."""
        return self.realized + self.unrealized


@attrs.frozen
class Day:
    """One UTC day, numbered since the epoch."""

    number: int
    realized: int
    to_date: int
    bought: int


def totals_of(valued: Iterable[Valued]) -> Totals:
    """Returns the figures of positions."""
    totals, priced = Totals(), 0
    for position, _, value in valued:
        totals.realized += position.realized
        totals.volume += position.bought
        totals.fees += position.fees
        totals.buys += position.buys
        totals.sells += len(position.orders) - position.buys
        if position.unmatched_shares:
            totals.unmatched_sells += sum(order.is_unmatched for order in position.orders.values())
            totals.unmatched += position.unmatched
        if position.is_open:
            totals.open_buys += sum(order.shares_open > 0 for order in position.orders.values())
            totals.open_positions += 1
            totals.open_cost += position.cost
            if value is None:
                totals.unmarked += 1
                totals.unmarked_cost += position.cost
            else:
                priced += 1
                totals.open_value += value
        elif position.is_position:
            totals.closed_positions += 1
            totals.winning += position.realized > 0
            totals.losing += position.realized < 0
    gained = totals.open_value - totals.open_cost + totals.unmarked_cost
    totals.unrealized = None if totals.open_positions and not priced else gained
    return totals


def traders_of(valued: Iterable[Valued]) -> list[TraderTotals]:
    """Returns every copied trader, the most profitable first; purchases that name no trader are one of them."""
    found: dict[str | None, TraderTotals] = {}
    for one in valued:
        position, here = one.position, dict[str | None, list[int]]()
        for order in position.orders.values():
            if not order.is_buy:
                continue
            trader = found.get(order.trader)
            if trader is None:
                trader = found[order.trader] = TraderTotals(order.trader)
            trader.copies += 1
            trader.invested += order.usd
            trader.realized += order.realized
            trader.last_us = max(trader.last_us, position.last_us)
            sums = here.setdefault(order.trader, [0, 0, 0])
            sums[0] += order.realized
            sums[1] += order.shares_open
            sums[2] += order.cost_open
        for name, (realized, shares, cost) in here.items():
            trader = found[name]
            trader.open_cost += cost
            if not shares:
                trader.closed += 1
                trader.won += realized > 0
            elif one.price is None:
                trader.unmarked_cost += cost
            else:
                trader.unrealized += value_of(shares, one.price.usd) - cost
    return sorted(found.values(), key=lambda one: (-one.pnl, one.trader or ""))


def days_of(by_token: Iterable[Days]) -> list[Day]:
    """Returns the days on which something was bought, sold or settled, the oldest first."""
    sums: dict[int, list[int]] = {}
    for days in by_token:
        for number, one in days.items():
            day = sums.setdefault(number, [0, 0])
            day[0] += one.realized
            day[1] += one.bought
    listed, to_date = list[Day](), 0
    for number, (realized, bought) in sorted(sums.items()):
        to_date += realized
        listed.append(Day(number, realized, to_date, bought))
    return listed


def windows_of(days: Sequence[Day], now_us: int) -> dict[str, tuple[int, int]]:
    """Returns realised gains and purchases of each of `WINDOWS`."""
    today = now_us // DAY_US
    sums = {}
    for name, length in WINDOWS.items():
        inside = [day for day in days if length is None or day.number > today - length]
        sums[name] = (sum(day.realized for day in inside), sum(day.bought for day in inside))
    return sums


def ratio(part: int, whole: int) -> Decimal | None:
    """Returns a part of a whole with six decimals, or None of nothing."""
    return None if not whole else Decimal((2 * part * 1_000_000 + whole) // (2 * whole)).scaleb(-6, EXACT)
