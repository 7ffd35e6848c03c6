"""The orders that the venue knows, and what the open ones of a wallet tie down."""

from collections import Counter
from collections.abc import Iterable

from engine.simulator.exchange.accounts import Account
from engine.simulator.exchange.orders import VenueOrder


class OrderStore:
    """Every accepted order, by its hash; the open ones by wallet too."""

    def __init__(self) -> None:
        self._orders: dict[str, VenueOrder] = {}
        self._open: dict[str, dict[str, VenueOrder]] = {}
        self.posts: Counter[str] = Counter()
        """How often each hash was sent, accepted or not."""

    def describe(self) -> dict[str, int]:
        """Returns how many there are, and how many were sent."""
        return {"orders": len(self), "open_orders": len(list(self.all_open())), "posts": self.posts.total()}

    def __len__(self) -> int:
        return len(self._orders)

    def add(self, order: VenueOrder) -> None:
        """Keeps an accepted order."""
        self._orders[order.order_id] = order
        self._open.setdefault(order.funder, {})[order.order_id] = order

    def forget(self, order: VenueOrder) -> None:
        """Drops an order that was not accepted after all."""
        self._orders.pop(order.order_id, None)
        self._open.get(order.funder, {}).pop(order.order_id, None)

    def get(self, order_id: str) -> VenueOrder | None:
        """Returns an order of any state."""
        return self._orders.get(order_id.lower())

    def of_funder(self, funder: str) -> list[VenueOrder]:
        """Returns all orders of a wallet, oldest first."""
        return [order for order in self._orders.values() if order.funder == funder]

    def open_of(self, funder: str) -> list[VenueOrder]:
        """Returns the open orders of a wallet, oldest first."""
        orders = self._open.get(funder, {})
        for order_id in [each.order_id for each in orders.values() if not each.state.is_open]:
            del orders[order_id]
        return list(orders.values())

    def all_open(self) -> Iterable[VenueOrder]:
        """Returns the open orders of everybody."""
        return [order for funder in list(self._open) for order in self.open_of(funder)]

    def free_micro(self, account: Account, token_id: str | None, *, without: VenueOrder | None = None) -> int:
        """Returns USD (None) or shares of a token that no open order of the account ties down."""
        held = account.collateral_micro if token_id is None else account.shares_micro(token_id)
        side = "BUY" if token_id is None else "SELL"
        for order in self.open_of(account.address):
            if order is not without and order.side == side and token_id in (None, order.token_id):
                held -= order.reserve_micro
        return held
