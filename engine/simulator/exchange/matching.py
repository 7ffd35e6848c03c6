"""Price and time priority in one book per market: what an order would take (venue.md §7.2).

Bids and asks are those of the first outcome; buying the second one is selling the first at the complement. The taker gets his
makers' prices. What falls short of a micro of a USD in a match is the taker's loss, so that no maker pays beyond his limit.
"""

from collections.abc import Iterator
from decimal import Decimal

import attrs

from engine.simulator.exchange.orders import VenueOrder, rounded_down, rounded_up
from engine.simulator.market import ONE, Market

_Levels = dict[Decimal, int]


@attrs.define(eq=False)
class HouseLevel:
    """Anonymous liquidity at one price."""

    size_micro: int
    place: int
    """Priority, as of `VenueOrder.place`."""


@attrs.frozen
class Take:
    """A maker and what the taker has of him."""

    maker: VenueOrder | None
    """None: the house."""
    book_price: Decimal
    """Of the first outcome."""
    size_micro: int
    cash_micro: int
    """What the taker pays or gets, without fee."""


@attrs.frozen
class Plan:
    """What an order would take if it came now, best price first."""

    takes: tuple[Take, ...]
    complete: bool
    """Whether nothing of the order would be left."""

    @property
    def size_micro(self) -> int:
        """Shares in all."""
        return sum(take.size_micro for take in self.takes)

    @property
    def cash_micro(self) -> int:
        """USD in all, without fee."""
        return sum(take.cash_micro for take in self.takes)


class MatchingBook:
    """The orders and the house's levels of one market."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self._orders: tuple[dict[Decimal, list[VenueOrder]], dict[Decimal, list[VenueOrder]]] = ({}, {})
        self._house: tuple[dict[Decimal, HouseLevel], dict[Decimal, HouseLevel]] = ({}, {})

    def levels(self, *, bids: bool) -> _Levels:
        """Returns total shares by price of the first outcome."""
        totals = {price: level.size_micro for price, level in self._house[bids].items()}
        for price, orders in self._orders[bids].items():
            totals[price] = totals.get(price, 0) + sum(order.remaining_micro for order in orders)
        return totals

    def house_levels(self, *, bids: bool) -> dict[Decimal, HouseLevel]:
        """Returns the house's levels, which may be changed in place."""
        return self._house[bids]

    def orders(self, *, bids: bool) -> Iterator[VenueOrder]:
        """Yields the resting orders, the best price first and the earliest of a price first."""
        side = self._orders[bids]
        for price in sorted(side, reverse=bids):
            yield from side[price]

    def add(self, order: VenueOrder) -> None:
        """Lets an order rest, behind those of its price."""
        self._orders[order.is_bid].setdefault(order.book_price, []).append(order)

    def remove(self, order: VenueOrder) -> None:
        """Takes an order out, when it is in."""
        side = self._orders[order.is_bid]
        orders = side.get(order.book_price, [])
        if order in orders:
            orders.remove(order)
            if not orders:
                del side[order.book_price]

    def crosses(self, order: VenueOrder) -> bool:
        """Returns whether an order would take anything."""
        return next(self._reachable(order), None) is not None

    def plan(self, order: VenueOrder) -> Plan:
        """Returns what an order would take."""
        takes: list[Take] = []
        left = order.remaining_micro
        budget = order.spend_micro - order.paid_micro if order.spend_micro is not None else None
        for maker, book_price, available in self._reachable(order):
            price = book_price if order.outcome_index == 0 else ONE - book_price
            wanted = left if budget is None else int(budget // price)
            size = min(wanted, available)
            if size:
                cash = size * price
                micro = rounded_up(cash) if order.side == "BUY" else rounded_down(cash)
                takes.append(Take(maker, book_price, size, micro))
                left -= size
                budget = None if budget is None else budget - micro
            if wanted <= available:
                return Plan(tuple(takes), complete=True)
        return Plan(tuple(takes), complete=False)

    def shrink_house(self, take: Take, *, taker_is_bid: bool) -> None:
        """Takes from the house's level what somebody had of it."""
        side = self._house[not taker_is_bid]
        level = side[take.book_price]
        level.size_micro -= take.size_micro
        if not level.size_micro:
            del side[take.book_price]

    def _reachable(self, order: VenueOrder) -> Iterator[tuple[VenueOrder | None, Decimal, int]]:
        """Yields makers with book price and shares: those within the order's limit, by price and then by place."""
        bids = not order.is_bid
        house, orders = self._house[bids], self._orders[bids]
        limit = order.book_price
        for price in sorted(house.keys() | orders.keys(), reverse=bids):
            if (price < limit) if bids else (price > limit):
                return
            makers: list[tuple[int, VenueOrder | None, int]] = [
                (each.place, each, each.remaining_micro) for each in orders.get(price, ())
            ]
            if price in house:
                makers.append((house[price].place, None, house[price].size_micro))
            for _, maker, available in sorted(makers, key=lambda one: one[0]):
                yield maker, price, available
