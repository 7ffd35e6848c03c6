"""What a batch of events comes to: each is booked on what those before it have left; a store loads, locks and writes."""

from collections.abc import Sequence
from decimal import Decimal

import attrs

from actors.rules.live.booking import Booking, Held, book
from protocols.live.events import Filled, OrderEvent
from protocols.live.exits import ExitKind, LiveExit, LotSale
from protocols.live.money import LiveBalance
from protocols.live.orders import Fill, LiveOrder, OrderOrigin, Side

FillKey = tuple[str, str]


@attrs.define(eq=False, kw_only=True)
class Books:
    """What a batch of events touches, as it stands after the events that were booked so far."""

    orders: dict[str, LiveOrder]
    """By hash."""
    fills: dict[str, dict[str, Fill]]
    """By hash and trade id."""
    balances: dict[str, LiveBalance]
    cooldown_hours: dict[str, Decimal]
    lots: dict[str, LiveOrder] = attrs.field(factory=dict)
    """Buys that sales of the batch may sell, by order id."""
    exits: dict[str, LiveExit] = attrs.field(factory=dict)
    sales: dict[FillKey, list[LotSale]] = attrs.field(factory=dict)
    cooling: set[str] = attrs.field(factory=set)
    """Causes."""
    done: list[Booking] = attrs.field(factory=list)
    spent_usd: dict[str, Decimal] = attrs.field(factory=dict)
    """What fills of this batch cost, by account; less than 0 where more failed than came."""

    def book_all(self, events: Sequence[OrderEvent], *, not_found_interval_ms: int) -> None:
        """Books events in their order; those of orders that are not here are left out."""
        for event in events:
            order = self.orders.get(event.order_hash)
            if order is None:
                continue
            booking = book(order, event, self.held_for(order, event), not_found_interval_ms=not_found_interval_ms)
            if booking.step.changed:
                self._note_spent(order, booking.order)
                self.keep(booking)

    def latest(self) -> dict[str, LiveOrder]:
        """Returns every order and lot of the batch by its id, in the order in which they were first changed."""
        by_id = {order.order_id: order for order in [*self.orders.values(), *self.lots.values()]}
        touched = dict.fromkeys(
            id_ for one in self.done for id_ in (one.order.order_id, *(lot.order_id for lot in one.lots))
        )
        return {id_: by_id[id_] for id_ in touched}

    def first_fill_ms(self, order: LiveOrder) -> int | None:
        """Returns when the first share of an order was filled, as far as its fills are here."""
        fills = self.fills.get(order.signed.order_hash, {}).values() if order.signed is not None else ()
        return min((fill.match_ms for fill in fills if fill.counts), default=None)

    def sold_by_exit(self) -> dict[str, Decimal]:
        """Returns what obligations have sold in this batch, by their ids; less than 0 where sales failed."""
        sold: dict[str, Decimal] = {}
        for one in self.done:
            cause = one.order.intent.cause
            if one.sold and cause in self.exits:
                sold[cause] = sold.get(cause, Decimal(0)) + one.sold
        return sold

    def held_for(self, order: LiveOrder, event: OrderEvent) -> Held:
        """Returns what the rules look at for one event."""
        is_sale = order.intent.side is Side.SELL
        key = (event.order_hash, event.trade_id if isinstance(event, Filled) else "")
        return Held(
            fills=self.fills.get(event.order_hash, {}),
            balance=self.balances.get(order.strategy_id),
            lots=self._lots_of(order, key) if is_sale else (),
            sales=self.sales.get(key, ()),
            cooling=f"sale:{key[0]}:{key[1]}" in self.cooling,
            cooldown_hours=self.cooldown_hours.get(order.strategy_id, Decimal(0)),
        )

    def keep(self, booking: Booking) -> None:
        """Takes what an event came to."""
        order, fill = booking.order, booking.step.fill
        assert order.signed is not None
        order_hash = order.signed.order_hash
        self.orders[order_hash] = order
        if order.intent.side is Side.BUY:
            # A sale later in the batch may sell what was bought just now.
            self.lots[order.order_id] = order
        if fill is not None:
            self.fills.setdefault(order_hash, {})[fill.trade_id] = fill
            key = (order_hash, fill.trade_id)
            if booking.sales:
                self.sales[key] = list(booking.sales)
            if booking.unwound:
                self.sales.pop(key, None)
        for lot in booking.lots:
            self.lots[lot.order_id] = lot
            if lot.signed is not None and lot.signed.order_hash in self.orders:
                self.orders[lot.signed.order_hash] = lot
        if booking.money.balance is not None:
            self.balances[order.strategy_id] = booking.money.balance
        if booking.cooldown is not None:
            self.cooling.add(booking.cooldown.cause)
        if booking.cooled is not None:
            self.cooling.discard(booking.cooled)
        self.done.append(booking)

    def _note_spent(self, before: LiveOrder, after: LiveOrder) -> None:
        cost = after.filled_usd + after.fee_usd - before.filled_usd - before.fee_usd
        if cost and after.signed is not None and after.intent.side is Side.BUY:
            account = after.signed.account
            self.spent_usd[account] = self.spent_usd.get(account, Decimal(0)) + cost

    def _lots_of(self, order: LiveOrder, key: FillKey) -> tuple[LiveOrder, ...]:
        """Open buys that an order sells: those of its obligation first, then any of the token, oldest first."""
        sold_before = {sale.lot_order_id for sale in self.sales.get(key, ())}
        own = [
            lot
            for lot in self.lots.values()
            if (lot.strategy_id, lot.intent.token_id) == (order.strategy_id, order.intent.token_id)
            and (lot.shares_open > 0 or lot.order_id in sold_before)
        ]
        one = self.exits.get(order.intent.cause) if order.intent.origin is OrderOrigin.EXIT else None
        own.sort(key=lambda lot: (one is not None and not _covers(one, lot), lot.intent.signal_ms, lot.intent.order_id))
        return tuple(own)


def _covers(one: LiveExit, lot: LiveOrder) -> bool:
    is_his = one.trader is None or one.trader == lot.intent.trader
    return is_his and (one.kind is not ExitKind.TRADER_SELL or lot.intent.signal_ms <= one.signal_ms)
