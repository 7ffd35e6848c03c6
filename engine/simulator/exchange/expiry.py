"""Which orders end by themselves: those of silent credentials, and GTD orders whose time is over (venue.md §4.5, §7.3)."""

from engine.simulator.exchange.heartbeats import Heartbeats
from engine.simulator.exchange.order_store import OrderStore
from engine.simulator.exchange.orders import OrderState, VenueOrder

GTD_EARLY_S = 60
"""A GTD order ends so long before the time it states."""


def overdue(orders: OrderStore, heartbeats: Heartbeats, now_ms: int) -> list[tuple[VenueOrder, OrderState]]:
    """Returns the resting orders that end now, with the states that they end in. Orders inside a delay go on."""
    dead = heartbeats.dead(now_ms)
    ending: list[tuple[VenueOrder, OrderState]] = []
    for order in orders.all_open():
        if order.state is not OrderState.LIVE:
            continue
        if order.owner in dead:
            ending.append((order, OrderState.CANCELED))
        elif order.order_type == "GTD" and now_ms >= (order.expiration_s - GTD_EARLY_S) * 1000:
            ending.append((order, OrderState.EXPIRED))
    return ending
