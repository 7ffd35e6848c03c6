"""Purchases and sales of one token, matched first in first out (domain.md §6.4).

A purchase costs its dollars and its fee, a sale brings its dollars less its fee. A sale sells first what was copied from its
own trader, oldest first; only what is beyond that takes from others of the same scope (D41). What was sold without a purchase
is counted apart: it is no position (D80). Whatever is sold in parts is split to the micro-USD and adds up.
"""

import attrs
import msgspec

DAY_US = 86_400_000_000
MICRO = 1_000_000


class OrderTotals(msgspec.Struct, eq=False, gc=False):
    """What one copied order came to. There are thousands of these: they refer to nothing that the collector has to look for."""

    order_id: str
    trader: str | None
    is_buy: bool
    shares: int = 0
    usd: int = 0
    """Cost with fee of a purchase, proceeds less fee of a sale."""
    shares_open: int = 0
    cost_open: int = 0
    realized: int = 0
    """Of a purchase: from what was sold or settled of it. Of a sale: from what it sold."""
    is_unmatched: bool = False
    """Of a sale: it sold more than had been bought."""


class Lot(msgspec.Struct, eq=False, gc=False):
    """What is left of one fill of a purchase."""

    order: OrderTotals
    shares: int
    cost: int
    number: int
    """Of the purchase within its position."""


class DayTotals(msgspec.Struct, eq=False, gc=False):
    """What happened on one UTC day."""

    realized: int = 0
    bought: int = 0


Days = dict[int, DayTotals]
"""By days since the epoch."""
Settled = tuple[int, int]
"""USD a share in micro, and when."""


@attrs.define(eq=False)
class Position:
    """One token within one scope. Tell it of fills in the order of their times. Shares and dollars are micro."""

    scope: str
    token_id: str
    opened_us: int
    days: Days
    """Of all positions of the token together."""
    last_us: int = 0
    shares: int = 0
    """Open micro-shares."""
    cost: int = 0
    """Of open shares, micro-USD."""
    bought_shares: int = 0
    bought: int = 0
    """Cost of everything that was bought, with fees."""
    sold_shares: int = 0
    """Matched with purchases."""
    realized: int = 0
    settled_pnl: int = 0
    """The part of `realized` that comes from payouts."""
    settled_shares: int = 0
    fees: int = 0
    unmatched_shares: int = 0
    """Sold without a purchase."""
    unmatched: int = 0
    """What that brought, less fees."""
    orders: dict[str, OrderTotals] = attrs.field(factory=dict)
    buys: int = 0
    """Of these orders."""
    settled_by_engine: Settled | None = None
    settled_as: object = None
    """What its settlement rests on."""
    _lots: dict[str | None, list[Lot]] = attrs.field(factory=dict)
    """By trader, oldest first."""
    _last_lot: int = 0

    @property
    def is_open(self) -> bool:
        """Returns whether something is left."""
        return self.shares > 0

    @property
    def is_unsold(self) -> bool:
        """Returns whether something is left, or was when its market was resolved."""
        return self.shares > 0 or self.settled_shares > 0

    @property
    def is_position(self) -> bool:
        """Returns whether anything was ever bought."""
        return self.bought_shares > 0

    def buy(self, order_id: str, trader: str | None, shares: int, usd: int, fee: int, at_us: int) -> None:
        """Books a purchase."""
        cost = usd + fee
        order = self.orders.get(order_id)
        if order is None:
            order = self.orders[order_id] = OrderTotals(order_id, trader, True, shares, cost, shares, cost)
            self.buys += 1
        else:
            order.shares += shares
            order.usd += cost
            order.shares_open += shares
            order.cost_open += cost
        lots = self._lots.get(trader)
        if lots is None:
            lots = self._lots[trader] = []
        self._last_lot += 1
        lots.append(Lot(order, shares, cost, self._last_lot))
        self.shares += shares
        self.cost += cost
        self.bought_shares += shares
        self.bought += cost
        self.fees += fee
        self.last_us = at_us
        self._day(at_us).bought += cost

    def sell(self, order_id: str, trader: str | None, shares: int, usd: int, fee: int, at_us: int) -> None:
        """Books a sale: of what was copied from its trader first, then of anything; the rest had no purchase."""
        proceeds = usd - fee
        order = self.orders.get(order_id)
        if order is None:
            order = self.orders[order_id] = OrderTotals(order_id, trader, False)
        order.shares += shares
        order.usd += proceeds
        self.fees += fee
        self.last_us = at_us
        matched = min(shares, self.shares)
        brought = part(proceeds, matched, shares)
        if matched:
            order.realized += self._take(matched, brought, at_us, self._lots.get(trader))
            self.sold_shares += matched
        order.is_unmatched |= matched < shares
        self.unmatched_shares += shares - matched
        self.unmatched += proceeds - brought

    def close(self, order_id: str, shares: int, usd: int, at_us: int) -> None:
        """Books that the user sold what is left of an order; `usd` is what all of its shares would have brought."""
        order = self.orders.get(order_id)
        if order is None or not order.shares_open:
            return
        self.last_us = at_us
        left = order.shares_open
        lots = self._lots[order.trader]
        of_it = [lot for lot in lots if lot.order is order]
        self._lots[order.trader] = [lot for lot in lots if lot.order is not order]
        self._take(left, part(usd, left, shares), at_us, of_it)
        self.sold_shares += left

    def open_by_trader(self) -> dict[str | None, int]:
        """Returns open micro-shares by trader."""
        return {trader: sum(lot.shares for lot in lots) for trader, lots in self._lots.items() if lots}

    def settle(self, payout: int, at_us: int) -> None:
        """Closes what is left at micro-USD a share; never before the last fill."""
        if not self.shares:
            return
        at_us = max(at_us, self.last_us)
        value = part(payout, self.shares, MICRO)
        shares = self.shares
        self.settled_pnl += self._take(shares, value, at_us, None)
        self.settled_shares += shares
        self.last_us = at_us

    def _day(self, at_us: int) -> DayTotals:
        """Returns the totals of a moment's day."""
        number = at_us // DAY_US
        totals = self.days.get(number)
        if totals is None:
            totals = self.days[number] = DayTotals()
        return totals

    def _oldest(self) -> list[Lot]:
        """Returns the lots of the trader whose first one is the oldest of all."""
        return min((lots for lots in self._lots.values() if lots), key=lambda lots: lots[0].number)

    def _take(self, shares: int, proceeds: int, at_us: int, first: list[Lot] | None) -> int:
        """Takes shares out of lots, from the oldest of `first`, then of all; they bring `proceeds`. Returns the gain."""
        taken = paid = gained = 0
        while taken < shares:
            lots = first or self._oldest()
            lot = lots[0]
            order, count = lot.order, lot.shares
            if count <= shares - taken:
                cost = lot.cost
                del lots[0]
            else:
                count = shares - taken
                cost = part(lot.cost, count, lot.shares)
                lot.shares -= count
                lot.cost -= cost
            taken += count
            brought = part(proceeds, taken, shares) - paid
            paid += brought
            order.shares_open -= count
            order.cost_open -= cost
            order.realized += brought - cost
            gained += brought - cost
            self.cost -= cost
        self.shares -= shares
        self.realized += gained
        self._day(at_us).realized += gained
        return gained


def part(whole: int, count: int, of: int) -> int:
    """Returns the part of a whole to the nearest one; the middle goes up."""
    return whole if count == of else (2 * whole * count + of) // (2 * of)
