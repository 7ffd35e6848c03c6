"""Books what happens to orders, inside a transaction that holds the lease: loads, lets the rules decide, writes."""

from collections.abc import Sequence
from decimal import Decimal

import asyncpg
import attrs

from actors.rules.live.booking import Booking, Held, book
from engine.adapters.postgres.live_booking_writes import write_bookings
from engine.adapters.postgres.live_order_rows import (
    EXIT_COLUMNS,
    ORDER_COLUMNS,
    exit_of,
    lock_balances,
    lot_of,
    order_of,
)
from protocols.live.events import Filled, OrderEvent
from protocols.live.exits import LiveExit, LotSale
from protocols.live.money import LiveBalance
from protocols.live.orders import Fill, LiveOrder, OrderOrigin, Side
from protocols.live.ports import Applied

ORDERS = f"""
SELECT found.* FROM unnest($1::text[]) AS wanted (hash) CROSS JOIN LATERAL (
    SELECT {ORDER_COLUMNS} FROM lt_orders WHERE lt_orders.order_hash = wanted.hash LIMIT 1 FOR UPDATE
) AS found
"""  # noqa: S608
FILLS = """
SELECT found.* FROM unnest($1::text[]) AS wanted (hash) CROSS JOIN LATERAL (
    SELECT trade_id, order_hash, shares, trim_scale(price) AS price, fee_usd, role, status, transaction_hash,
        (extract(epoch FROM matched_at) * 1000)::bigint AS match_ms
    FROM lt_fills WHERE lt_fills.order_hash = wanted.hash
) AS found
"""
COOLDOWNS = "SELECT strategy_id, cooldown_hours FROM lt_strategies WHERE strategy_id = ANY ($1::text[])"
LOTS = f"""
SELECT found.* FROM unnest($1::text[], $2::text[]) AS wanted (strategy_id, token_id) CROSS JOIN LATERAL (
    SELECT {ORDER_COLUMNS} FROM lt_orders
    WHERE lt_orders.token_id = wanted.token_id AND lt_orders.strategy_id = wanted.strategy_id AND side = 'BUY'
        AND (shares_open > 0 OR lt_order_id IN (SELECT lot_order_id FROM lt_lot_sales WHERE order_hash = ANY ($3::text[])))
    ORDER BY signal_at, created_at, lt_order_id FOR UPDATE
) AS found
"""  # noqa: S608
EXITS = f"SELECT {EXIT_COLUMNS} FROM lt_exits WHERE exit_id = ANY ($1::text[]::uuid[]) FOR UPDATE"  # noqa: S608
SALES = """
SELECT order_hash, trade_id, lot_order_id::text AS lot_order_id, shares, cost_released, proceeds FROM lt_lot_sales
WHERE order_hash = ANY ($1::text[]) AND NOT unwound
"""
COOLING = """
SELECT cause FROM lt_cooldown_queue WHERE strategy_id = ANY ($1::text[]) AND cause = ANY ($2::text[]) AND released_at IS NULL
"""
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
    """Buys that sales of the batch sell, by order id, oldest first."""
    exits: dict[str, LiveExit] = attrs.field(factory=dict)
    sales: dict[FillKey, list[LotSale]] = attrs.field(factory=dict)
    cooling: set[str] = attrs.field(factory=set)
    """Causes."""
    done: list[Booking] = attrs.field(factory=list)

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
        if order.order_id in self.lots:
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
        if one is None:
            return tuple(own)
        return tuple(sorted(own, key=lambda lot: not _covers(one, lot)))


def _covers(one: LiveExit, lot: LiveOrder) -> bool:
    is_his = one.trader is None or one.trader == lot.intent.trader
    return is_his and (one.kind.value != "trader_sell" or lot.intent.signal_ms <= one.signal_ms)


async def apply_events(raw: asyncpg.Connection, events: Sequence[OrderEvent], not_found_interval_ms: int) -> Applied:
    """Books events in their order, each exactly once however often it comes."""
    hashes = list(dict.fromkeys(event.order_hash for event in events))
    books = await _loaded(raw, hashes)
    for event in events:
        order = books.orders.get(event.order_hash)
        if order is None:
            continue
        booking = book(order, event, books.held_for(order, event), not_found_interval_ms=not_found_interval_ms)
        if booking.step.changed:
            books.keep(booking)
    unknown = tuple(one for one in hashes if one not in books.orders)
    if not books.done:
        return Applied(orders=(), balances=(), days={}, lots=(), exits=(), unknown=unknown)
    written = await write_bookings(raw, books.done, books.orders, books.lots, books.balances, books.exits)
    touched = {one.order.strategy_id for one in books.done}
    changed = dict.fromkeys(one.order.order_id for one in books.done)
    latest = {order.order_id: order for order in [*books.orders.values(), *books.lots.values()]}
    return Applied(
        orders=tuple(latest[order_id] for order_id in changed),
        balances=tuple(balance for id_, balance in books.balances.items() if id_ in touched),
        days=written.days,
        lots=tuple(lot_of(row) for row in written.lots),
        exits=written.exits,
        unknown=unknown,
    )


async def _loaded(raw: asyncpg.Connection, hashes: list[str]) -> Books:
    orders = {row["order_hash"]: order_of(row) for row in await raw.fetch(ORDERS, hashes)}
    fills: dict[str, dict[str, Fill]] = {}
    for row in await raw.fetch(FILLS, list(orders)):
        fills.setdefault(row["order_hash"], {})[row["trade_id"]] = Fill(**row)
    owners = sorted({order.strategy_id for order in orders.values()})
    balances = await lock_balances(raw, owners)
    hours = {row["strategy_id"]: row["cooldown_hours"] for row in await raw.fetch(COOLDOWNS, owners)}
    books = Books(orders=orders, fills=fills, balances=balances, cooldown_hours=hours)
    sells = {hash_: order for hash_, order in orders.items() if order.intent.side is Side.SELL}
    if sells:
        await _load_sales(raw, books, sells)
    return books


async def _load_sales(raw: asyncpg.Connection, books: Books, sells: dict[str, LiveOrder]) -> None:
    hashes = list(sells)
    pairs = sorted({(order.strategy_id, order.intent.token_id) for order in sells.values()})
    for row in await raw.fetch(LOTS, [pair[0] for pair in pairs], [pair[1] for pair in pairs], hashes):
        lot = order_of(row)
        # One that the batch has events of stands in both places.
        books.lots[lot.order_id] = lot
    exit_ids = [order.intent.cause for order in sells.values() if order.intent.origin is OrderOrigin.EXIT]
    books.exits = {row["exit_id"]: exit_of(row) for row in await raw.fetch(EXITS, exit_ids)}
    for row in await raw.fetch(SALES, hashes):
        sale = LotSale(
            lot_order_id=row["lot_order_id"],
            shares=row["shares"],
            cost_released=row["cost_released"],
            proceeds=row["proceeds"],
        )
        books.sales.setdefault((row["order_hash"], row["trade_id"]), []).append(sale)
    causes = [f"sale:{hash_}:{trade_id}" for hash_, trade_id in books.sales]
    owners = sorted({order.strategy_id for order in sells.values()})
    books.cooling = {row["cause"] for row in await raw.fetch(COOLING, owners, causes)}
