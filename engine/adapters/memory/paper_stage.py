"""One transaction over virtual money in memory: everything is computed aside, then taken over at once or not at all."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from decimal import Decimal

import attrs

from actors.rules.paper import ledger
from actors.rules.paper.closing import apply_close
from actors.rules.paper.orders import as_open
from protocols.decisions import Decision, PaperOrder
from protocols.errors import RejectedError
from protocols.paper import Balance, OpenOrder
from protocols.receipts import ClosedShares, Receipt

Key = tuple[str, str]


@attrs.define(eq=False)
class Position:
    """A paper order and what became of it."""

    order: PaperOrder
    left: OpenOrder | None
    """What is open of it; None when nothing is."""
    outcome: str = "OPEN"
    """OPEN, WON, LOST, SOLD or VOID."""
    pnl: Decimal = Decimal(0)
    """Of what was sold or settled so far, USD."""
    exit_price: Decimal | None = None
    resolved_ms: int | None = None


@attrs.frozen
class Sale:
    """A close that took place, and when."""

    source_trade_id: str
    trade_ms: int
    price: Decimal
    fee: Decimal
    pnl: Decimal
    shares: ClosedShares
    is_final: bool


@attrs.define(eq=False)
class PaperStage:
    """What a transaction reads, and what it is going to change. Nothing of what it reads is changed here."""

    balances: Mapping[str, Balance]
    positions: Mapping[str, Position]
    copied: AbstractSet[Key]
    """Strategy and trade."""
    claimed: AbstractSet[Key]
    closed: AbstractSet[Key]
    """Order and source trade."""
    new_balances: dict[str, Balance] = attrs.field(factory=dict)
    new_positions: dict[str, Position] = attrs.field(factory=dict)
    new_copied: set[Key] = attrs.field(factory=set)
    new_claimed: dict[Key, Decision] = attrs.field(factory=dict)
    new_closed: set[Key] = attrs.field(factory=set)
    sales: list[Sale] = attrs.field(factory=list)
    left: dict[str, OpenOrder | None] = attrs.field(factory=dict)
    """Open orders as sales leave them."""

    def open(self, decision: Decision) -> Receipt:
        """Claims a decision and buys its orders."""
        key = decision.key
        if key in self.claimed or key in self.new_claimed:
            return Receipt(key=key, applied=False)
        self.new_claimed[key] = decision
        left_out = [order.order_id for order in decision.orders if not self._bought(order)]
        return Receipt(key=key, applied=True, left_out=tuple(left_out))

    def close(self, decision: Decision) -> tuple[ClosedShares, ...]:
        """Sells what a claimed decision sells of positions that are open still."""
        results = []
        for close in decision.closes:
            key = (close.order_id, close.source_trade_id)
            order = self._open_order(close.order_id)
            if order is None or key in self.closed or key in self.new_closed:
                continue
            closed = apply_close(order, close)
            balance = self._balance(order.wallet_id)
            self.new_balances[order.wallet_id] = ledger.closed(balance, closed, realized_before=order.realized)
            self.new_closed.add(key)
            self.left[close.order_id] = closed.order
            is_final = closed.order is None
            self.sales.append(
                Sale(
                    close.source_trade_id, close.trade_ms, close.price, closed.fee, closed.pnl, closed.shares, is_final
                )
            )
            results.append(closed.shares)
        return tuple(results)

    def check(self) -> None:
        """Raises `RejectedError` when a strategy would spend what it does not have."""
        for wallet_id, balance in self.new_balances.items():
            if balance.cash < 0:
                raise RejectedError(f"{wallet_id} has no cash for it")

    def _bought(self, order: PaperOrder) -> bool:
        if order.wallet_id not in self.balances or order.order_id in self.positions:
            return False
        copies = [(order.wallet_id, trade_id) for trade_id in order.members or (order.source_trade_id,)]
        for copy in copies:
            if copy in self.copied or copy in self.new_copied:
                return False
        if order.order_id in self.new_positions:
            return False
        self.new_copied.update(copies)
        self.new_positions[order.order_id] = Position(order, as_open(order))
        self.new_balances[order.wallet_id] = ledger.opened(self._balance(order.wallet_id), (order,))
        return True

    def _balance(self, wallet_id: str) -> Balance:
        return self.new_balances.get(wallet_id) or self.balances[wallet_id]

    def _open_order(self, order_id: str) -> OpenOrder | None:
        if order_id in self.left:
            return self.left[order_id]
        position = self.new_positions.get(order_id) or self.positions.get(order_id)
        return None if position is None else position.left
