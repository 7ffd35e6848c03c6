"""Books what happens to orders, inside a transaction that holds the lease: loads, lets the rules decide, writes."""

from collections.abc import Sequence

import asyncpg

from actors.rules.live.batch import Books
from engine.adapters.postgres.live_booking_writes import write_bookings
from engine.adapters.postgres.live_order_rows import (
    BALANCE_COLUMNS,
    EXIT_COLUMNS,
    LISTED_BALANCE,
    ORDER_COLUMNS,
    balance_of,
    exit_of,
    lot_of,
    order_of,
)
from protocols.live.events import OrderEvent
from protocols.live.exits import LotSale
from protocols.live.orders import Fill, LiveOrder, OrderOrigin, Side
from protocols.live.ports import Applied

_FILL = ("trade_id", "shares", "price", "fee_usd", "role", "status", "transaction_hash", "match_ms")
# One reading of what a batch is about: its orders, the balances that pay for them, and their fills as columns.
ORDERS = f"""
SELECT found.*, {", ".join(f"paying.{name} AS balance_{name}" for name in BALANCE_COLUMNS)},
    (SELECT cooldown_hours FROM lt_strategies WHERE lt_strategies.strategy_id = found.strategy_id) AS cooldown_hours,
    {", ".join(f"filled.{name} AS fill_{name}" for name in _FILL)}
FROM unnest($1::text[]) AS wanted (hash) CROSS JOIN LATERAL (
    SELECT {ORDER_COLUMNS} FROM lt_orders WHERE lt_orders.order_hash = wanted.hash LIMIT 1 FOR UPDATE
) AS found LEFT JOIN LATERAL (
    SELECT {LISTED_BALANCE} FROM lt_balances WHERE lt_balances.strategy_id = found.strategy_id LIMIT 1 FOR UPDATE
) AS paying ON true CROSS JOIN LATERAL (
    SELECT {", ".join(f"array_agg({name}) AS {name}" for name in _FILL)} FROM (
        SELECT trade_id, shares, trim_scale(price) AS price, fee_usd, role, status, transaction_hash,
            (extract(epoch FROM matched_at) * 1000)::bigint AS match_ms
        FROM lt_fills WHERE lt_fills.order_hash = wanted.hash
    ) AS each
) AS filled
"""  # noqa: S608
# What is open, and what the orders at hand have sold before: their sales may have failed.
LOTS = f"""
WITH ids AS MATERIALIZED (
    SELECT open.id FROM unnest($1::text[], $2::text[]) AS wanted (strategy_id, token_id) CROSS JOIN LATERAL (
        SELECT lt_order_id AS id FROM lt_orders WHERE shares_open > 0
            AND lt_orders.token_id = wanted.token_id AND lt_orders.strategy_id = wanted.strategy_id
    ) AS open
    UNION
    SELECT sold.id FROM unnest($3::text[]) AS wanted (hash) CROSS JOIN LATERAL (
        SELECT lot_order_id AS id FROM lt_lot_sales WHERE lt_lot_sales.order_hash = wanted.hash
    ) AS sold
)
SELECT found.* FROM ids CROSS JOIN LATERAL (
    SELECT {ORDER_COLUMNS} FROM lt_orders WHERE lt_order_id = ids.id LIMIT 1 FOR UPDATE
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


async def apply_events(raw: asyncpg.Connection, events: Sequence[OrderEvent], not_found_interval_ms: int) -> Applied:
    """Books events in their order, each exactly once however often it comes."""
    hashes = list(dict.fromkeys(event.order_hash for event in events))
    books = await _loaded(raw, hashes)
    books.book_all(events, not_found_interval_ms=not_found_interval_ms)
    unknown = tuple(one for one in hashes if one not in books.orders)
    if not books.done:
        return Applied(orders=(), balances=(), days={}, lots=(), exits=(), unknown=unknown)
    written = await write_bookings(raw, books)
    touched = {one.order.strategy_id for one in books.done}
    changed, latest = dict.fromkeys(one.order.order_id for one in books.done), books.latest()
    return Applied(
        orders=tuple(latest[order_id] for order_id in changed),
        balances=tuple(balance for id_, balance in books.balances.items() if id_ in touched),
        days=written.days,
        lots=tuple(lot_of(row) for row in written.lots),
        exits=written.exits,
        unknown=unknown,
        spent_usd=books.spent_usd,
    )


async def _loaded(raw: asyncpg.Connection, hashes: list[str]) -> Books:
    books = Books(orders={}, fills={}, balances={}, cooldown_hours={})
    for row in await raw.fetch(ORDERS, hashes):
        order, hash_ = order_of(row), row["order_hash"]
        books.orders[hash_] = order
        if row["balance_strategy_id"] is not None:
            books.balances[order.strategy_id] = balance_of(row, "balance_")
        if row["cooldown_hours"] is not None:
            books.cooldown_hours[order.strategy_id] = row["cooldown_hours"]
        values = zip(*(row[f"fill_{name}"] or () for name in _FILL), strict=True)
        fills = (Fill(order_hash=hash_, **dict(zip(_FILL, one, strict=True))) for one in values)
        books.fills[hash_] = {fill.trade_id: fill for fill in fills}
    sells = {hash_: order for hash_, order in books.orders.items() if order.intent.side is Side.SELL}
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
    # Also of what was sold beyond all lots: its proceeds wait like any.
    causes = [f"sale:{hash_}:{trade_id}" for hash_ in hashes for trade_id in books.fills.get(hash_, ())]
    owners = sorted({order.strategy_id for order in sells.values()})
    books.cooling = {row["cause"] for row in await raw.fetch(COOLING, owners, causes)}
