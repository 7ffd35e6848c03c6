"""Open positions of single strategies by market and event, for those that have a limit on them."""

from collections.abc import Collection, Iterable

import attrs

from protocols.paper import OpenOrder

Place = tuple[str, str]
"""(wallet_id, condition id or event slug)"""


@attrs.define(eq=False)
class StrategyPositions:
    """Of strategies that nobody watches nothing is kept, so that they cost nothing."""

    watched: frozenset[str] = attrs.field(init=False, default=frozenset())
    """wallet_ids"""
    _by_market: dict[Place, dict[str, OpenOrder]] = attrs.field(init=False, factory=dict)
    _by_event: dict[Place, dict[str, OpenOrder]] = attrs.field(init=False, factory=dict)

    def watch(self, wallet_ids: Collection[str], orders: Iterable[OpenOrder]) -> None:
        """Keeps the positions of these strategies from now on; `orders` are all that there are now."""
        wanted = frozenset(wallet_ids)
        if wanted == self.watched:
            return
        self.watched = wanted
        self._by_market.clear()
        self._by_event.clear()
        for order in orders:
            self.add(order)

    def add(self, order: OpenOrder) -> None:
        """Takes a position up, or as it is now."""
        if order.wallet_id not in self.watched:
            return
        self._by_market.setdefault((order.wallet_id, order.condition_id), {})[order.order_id] = order
        if order.event_slug is not None:
            self._by_event.setdefault((order.wallet_id, order.event_slug), {})[order.order_id] = order

    def remove(self, order: OpenOrder) -> None:
        """Forgets a position."""
        if order.wallet_id not in self.watched:
            return
        _drop(self._by_market, (order.wallet_id, order.condition_id), order.order_id)
        if order.event_slug is not None:
            _drop(self._by_event, (order.wallet_id, order.event_slug), order.order_id)

    def near(self, wallet_id: str, condition_id: str, event_slug: str | None) -> list[OpenOrder]:
        """Returns what a watched strategy holds in a market and in its event."""
        found = self._by_market.get((wallet_id, condition_id), {})
        if event_slug is not None:
            found = found | self._by_event.get((wallet_id, event_slug), {})
        return list(found.values())


def _drop(places: dict[Place, dict[str, OpenOrder]], place: Place, order_id: str) -> None:
    orders = places.get(place)
    if orders is not None:
        orders.pop(order_id, None)
        if not orders:
            del places[place]
