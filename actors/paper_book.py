"""What every strategy has of virtual money, at hand: cash, what is reserved, what is open."""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal

import attrs

from actors.rules.paper.orders import as_open
from actors.strategy_positions import StrategyPositions
from protocols.decisions import Decision, PaperOrder
from protocols.paper import Account, OpenOrder, SettledOrder
from protocols.receipts import ClosedShares, Receipt

_log = logging.getLogger(__name__)
_ZERO = Decimal(0)
EARLY_MAX = 10_000


@attrs.define(eq=False)
class PaperAccount:
    """One strategy's money. `cash` is what is committed; decisions on their way hold their part of it."""

    cash: Decimal
    reserved: Decimal = _ZERO
    doubted: Decimal = _ZERO
    """Cost of orders of which nobody knows whether they were made; held until the database has been read again."""
    changes: int = 0
    """Counts what was committed, so that a reading of the database can tell whether it is still the latest."""

    @property
    def available(self) -> Decimal:
        """Returns the bankroll: what may be staked without ever going below zero (D21)."""
        return self.cash - self.reserved - self.doubted


@attrs.define(eq=False)
class PaperBook:
    """Accounts and open positions as the database will have them once everything on its way is committed.

    A decision reserves its cash until its receipt comes; deciding the same part of a trade again replaces the reservation, so
    that a crash in the middle of a batch books nothing twice. Nothing here waits.
    """

    accounts: dict[str, PaperAccount] = attrs.field(init=False, factory=dict)
    in_flight: dict[tuple[str, str], Decision] = attrs.field(init=False, factory=dict)
    _open: dict[str, OpenOrder] = attrs.field(init=False, factory=dict)
    _by_pair: dict[tuple[str, str], dict[str, OpenOrder]] = attrs.field(init=False, factory=dict)
    """Open orders by (trader, token)."""
    _coming: dict[tuple[str, str], dict[str, OpenOrder]] = attrs.field(init=False, factory=dict)
    """Orders of decisions on their way, by (trader, token): a sale may come before their receipt, and is written after them."""
    _closing: dict[str, Decimal] = attrs.field(init=False, factory=dict)
    """Shares of open orders that decisions on their way sell."""
    _settled_early: dict[str, SettledOrder] = attrs.field(init=False, factory=dict)
    """Settled in the database before the receipt of the order came."""
    _positions: StrategyPositions = attrs.field(init=False, factory=StrategyPositions)
    """Open, on their way, or in doubt."""
    _doubted: dict[str, dict[str, OpenOrder]] = attrs.field(init=False, factory=dict)
    """By watched strategy: orders of which nobody knows whether they were made."""

    def available(self, wallet_id: str) -> Decimal | None:
        """Returns a strategy's bankroll in USD; None while its account has not been read."""
        account = self.accounts.get(wallet_id)
        return None if account is None else account.available

    def open_orders(self, trader: str, token_id: str) -> list[OpenOrder]:
        """Returns the orders that copy a trader in a token, open or on their way, less what is being sold of them."""
        pair = (trader, token_id)
        found = [*self._by_pair.get(pair, {}).values(), *self._coming.get(pair, {}).values()]
        orders = (self._less_closing(order) for order in found)
        return [order for order in orders if order.shares > 0]

    def watch(self, wallet_ids: Collection[str]) -> None:
        """Keeps at hand what these strategies hold in single markets and events."""
        coming = [order for orders in self._coming.values() for order in orders.values()]
        doubted = [order for orders in self._doubted.values() for order in orders.values()]
        self._positions.watch(wallet_ids, [*self._open.values(), *coming, *doubted])

    def positions(self, wallet_id: str, condition_id: str, event_slug: str | None) -> list[OpenOrder]:
        """Returns what a watched strategy holds in a market and its event: open, on its way or in doubt.

        What is being sold is held until the sale is committed: only then nothing can keep it from being sold.
        """
        return self._positions.near(wallet_id, condition_id, event_slug)

    def open_pairs(self) -> list[tuple[str, str]]:
        """Returns every (trader, token) with open orders."""
        return list(self._by_pair)

    def changes(self, wallet_ids: Iterable[str]) -> dict[str, int]:
        """Returns how often each account was changed by commits; to be given back to `load`."""
        return {id_: account.changes for id_ in wallet_ids if (account := self.accounts.get(id_)) is not None}

    def load(self, accounts: Sequence[Account], changes: Mapping[str, int]) -> None:
        """Takes over what the database had, except for accounts that commits have changed since `changes` was taken."""
        busy = {order.wallet_id for decision in self.in_flight.values() for order in decision.orders}
        busy |= {close.wallet_id for decision in self.in_flight.values() for close in decision.closes}
        open_orders: dict[str, dict[str, OpenOrder]] = {}
        for order in self._open.values():
            open_orders.setdefault(order.wallet_id, {})[order.order_id] = order
        for account in accounts:
            known = self.accounts.get(account.wallet_id)
            if known is not None and (account.wallet_id in busy or known.changes != changes.get(account.wallet_id)):
                continue
            for order in self._doubted.pop(account.wallet_id, {}).values():
                self._let_go(order)
            self._take(account, known, open_orders.get(account.wallet_id, {}))

    def _take(self, account: Account, known: PaperAccount | None, at_hand: Mapping[str, OpenOrder]) -> None:
        wanted = {order.order_id: order for order in account.open_orders}
        if known is not None and known.cash == account.balance.cash and at_hand == wanted:
            known.doubted = _ZERO
            return
        if known is not None and known.cash != account.balance.cash and known.changes:
            fields = {"bot": account.wallet_id, "memory": str(known.cash), "database": str(account.balance.cash)}
            _log.error("a paper account differs from the database, which is taken", extra=fields)
        for order_id in at_hand:
            self._remove(order_id)
        changes = 0 if known is None else known.changes
        self.accounts[account.wallet_id] = PaperAccount(cash=account.balance.cash, changes=changes)
        for order in wanted.values():
            self._add(order)

    def release(self, key: tuple[str, str]) -> Decision | None:
        """Takes back the reservation of a decision that is about to be made again, and returns what it was."""
        decision = self.in_flight.pop(key, None)
        if decision is not None:
            self._unreserve(decision)
        return decision

    @property
    def doubts(self) -> bool:
        """Returns whether some account has to be read again: a refusal may follow a commit whose answer was lost."""
        return any(account.doubted for account in self.accounts.values())

    def reserve(self, decision: Decision) -> None:
        """Holds what a decision spends and sells until its receipt comes."""
        self.release(decision.key)
        self.in_flight[decision.key] = decision
        for order in decision.orders:
            self.accounts[order.wallet_id].reserved += order.cost
            coming = as_open(order)
            self._coming.setdefault((order.trader, order.token_id), {})[order.order_id] = coming
            self._positions.add(coming)
        for close in decision.closes:
            self._closing[close.order_id] = self._closing.get(close.order_id, _ZERO) + close.shares

    def received(self, receipts: Sequence[Receipt]) -> None:
        """Books what became of decisions."""
        for receipt in receipts:
            decision = self.in_flight.pop(receipt.key, None)
            if decision is None:
                continue
            self._unreserve(decision)
            if not receipt.applied:
                for order in decision.orders:
                    self.accounts[order.wallet_id].doubted += order.cost
                    self._doubt(as_open(order))
            else:
                for order in decision.orders:
                    if order.order_id not in receipt.left_out:
                        self._bought(order)
                for closed in receipt.closed:
                    self._sold(closed)

    def settled(self, orders: Sequence[SettledOrder]) -> None:
        """Books what resolutions paid."""
        for order in orders:
            if order.order_id in self._open:
                self._remove(order.order_id)
                self._paid(order)
            elif len(self._settled_early) < EARLY_MAX:
                self._settled_early[order.order_id] = order

    def _unreserve(self, decision: Decision) -> None:
        for order in decision.orders:
            self.accounts[order.wallet_id].reserved -= order.cost
            pair = (order.trader, order.token_id)
            self._let_go(self._coming[pair].pop(order.order_id))
            if not self._coming[pair]:
                del self._coming[pair]
        for close in decision.closes:
            left = self._closing[close.order_id] - close.shares
            if left > 0:
                self._closing[close.order_id] = left
            else:
                del self._closing[close.order_id]

    def _bought(self, order: PaperOrder) -> None:
        account = self.accounts[order.wallet_id]
        account.cash -= order.cost
        account.changes += 1
        early = self._settled_early.pop(order.order_id, None)
        if early is not None:
            self._paid(early)
            return
        self._add(as_open(order))

    def _sold(self, closed: ClosedShares) -> None:
        account = self.accounts[closed.wallet_id]
        account.cash += closed.proceeds
        account.changes += 1
        order = self._open.get(closed.order_id)
        if order is None:
            return
        self._remove(closed.order_id)
        if closed.shares_left > 0:
            realized = order.realized + closed.proceeds - closed.cost_released
            self._add(attrs.evolve(order, shares=closed.shares_left, cost=closed.cost_left, realized=realized))

    def _paid(self, order: SettledOrder) -> None:
        account = self.accounts.get(order.wallet_id)
        if account is not None:
            account.cash += order.payout
            account.changes += 1

    def _doubt(self, order: OpenOrder) -> None:
        if order.wallet_id in self._positions.watched and order.order_id not in self._open:
            self._doubted.setdefault(order.wallet_id, {})[order.order_id] = order
            self._positions.add(order)

    def _let_go(self, order: OpenOrder) -> None:
        """Forgets a position, unless it is held for another reason, too."""
        if order.wallet_id not in self._positions.watched:
            return
        elsewhere = (
            self._open,
            self._doubted.get(order.wallet_id, {}),
            self._coming.get((order.trader, order.token_id), {}),
        )
        if not any(order.order_id in orders for orders in elsewhere):
            self._positions.remove(order)

    def _less_closing(self, order: OpenOrder) -> OpenOrder:
        closing = self._closing.get(order.order_id)
        return order if closing is None else attrs.evolve(order, shares=max(_ZERO, order.shares - closing))

    def _add(self, order: OpenOrder) -> None:
        self._open[order.order_id] = order
        self._positions.add(order)
        self._by_pair.setdefault((order.trader, order.token_id), {})[order.order_id] = order

    def _remove(self, order_id: str) -> None:
        order = self._open.pop(order_id)
        self._let_go(order)
        pair = (order.trader, order.token_id)
        del self._by_pair[pair][order_id]
        if not self._by_pair[pair]:
            del self._by_pair[pair]
