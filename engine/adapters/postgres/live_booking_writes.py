"""Writes what a batch of events came to: orders, fills, sold lots, ledger, balances, cooling proceeds, days, obligations."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import asyncpg
import attrs

from actors.rules.live.batch import Books
from actors.rules.live.booking import Booking
from actors.rules.live.ledger import Line
from engine.adapters.postgres.balance_rows import shifted
from engine.adapters.postgres.live_order_rows import (
    EXIT_COLUMNS,
    LOT_COLUMNS,
    SAVE_BALANCES,
    balance_columns,
    columns,
    exit_of,
    time_or_none,
)
from protocols.live.exits import LiveExit
from protocols.live.money import CooldownEntry, DayFigures
from protocols.live.orders import LiveOrder

_MANUAL = "manual:"
# `outcome` follows from what is open; one that a resolution wrote stays.
SAVE_ORDERS = f"""
UPDATE lt_orders AS old SET status = new.status, ended = new.ended, venue_ended = new.venue_ended,
    venue_matched = new.venue_matched, filled_shares = new.filled_shares, filled_usd = new.filled_usd, fee_usd = new.fee_usd,
    shares_open = new.shares_open, cost_open = new.cost_open, realized_usd = new.realized_usd, not_found = new.not_found,
    not_found_at = new.not_found_at, reason = new.reason, detail = new.detail, placed_at = new.placed_at,
    ended_at = new.ended_at, version = new.version, updated_at = now(),
    first_fill_at = coalesce(new.first_fill_at, old.first_fill_at),
    resolved_at = CASE WHEN new.shares_open > 0 THEN NULL WHEN old.shares_open > 0 THEN now() ELSE old.resolved_at END,
    outcome = CASE WHEN old.side = 'SELL' THEN 'NONE' WHEN new.shares_open > 0 THEN 'OPEN'
        WHEN old.outcome IN ('WON', 'LOST', 'VOID') THEN old.outcome WHEN new.filled_shares > 0 THEN 'SOLD' ELSE 'NONE' END
FROM unnest(
    $1::text[]::uuid[], $2::text[], $3::boolean[], $4::boolean[], $5::numeric[], $6::numeric[], $7::numeric[], $8::numeric[],
    $9::numeric[], $10::numeric[], $11::numeric[], $12::integer[], $13::timestamptz[], $14::text[], $15::text[],
    $16::timestamptz[], $17::timestamptz[], $18::bigint[], $19::timestamptz[]
) AS new (
    id, status, ended, venue_ended, venue_matched, filled_shares, filled_usd, fee_usd, shares_open, cost_open, realized_usd,
    not_found, not_found_at, reason, detail, placed_at, ended_at, version, first_fill_at
)
WHERE old.lt_order_id = new.id
RETURNING old.side, {
    LOT_COLUMNS.replace("strategy_id", "old.strategy_id")
    .replace("shares_open", "old.shares_open")
    .replace("cost_open", "old.cost_open")
    .replace("lt_order_id", "old.lt_order_id")
    .replace("first_fill_at", "old.first_fill_at")
}
"""  # noqa: S608
SAVE_FILLS = """
INSERT INTO lt_fills AS old (
    order_hash, trade_id, lt_order_id, shares, price, fee_usd, role, status, transaction_hash, matched_at, settled_at
)
SELECT hash, trade_id, id, shares, price, fee_usd, role, status, transaction_hash, matched_at,
    CASE WHEN status IN ('CONFIRMED', 'FAILED') THEN now() END
FROM unnest(
    $1::text[], $2::text[], $3::text[]::uuid[], $4::numeric[], $5::numeric[], $6::numeric[], $7::text[], $8::text[], $9::text[],
    $10::timestamptz[]
) AS new (hash, trade_id, id, shares, price, fee_usd, role, status, transaction_hash, matched_at)
ON CONFLICT (order_hash, trade_id) DO UPDATE SET status = excluded.status, transaction_hash = excluded.transaction_hash,
    settled_at = coalesce(old.settled_at, excluded.settled_at)
"""
SAVE_SALES = """
INSERT INTO lt_lot_sales (order_hash, trade_id, lot_order_id, shares, cost_released, proceeds)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[]::uuid[], $4::numeric[], $5::numeric[], $6::numeric[])
"""
UNWIND_SALES = """
UPDATE lt_lot_sales AS old SET unwound = true FROM unnest($1::text[], $2::text[]) AS new (hash, trade_id)
WHERE old.order_hash = new.hash AND old.trade_id = new.trade_id
"""
SAVE_LEDGER = """
INSERT INTO lt_ledger (strategy_id, cause, kind, order_id, initial, available, locked, cooldown, realized, drift)
SELECT * FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::text[]::uuid[], $5::numeric[], $6::numeric[], $7::numeric[], $8::numeric[],
    $9::numeric[], $10::numeric[]
)
"""
SAVE_COOLDOWNS = """
INSERT INTO lt_cooldown_queue (strategy_id, cause, lt_order_id, amount, available_at, condition_id, token_id, shares)
SELECT * FROM unnest(
    $1::text[], $2::text[], $3::text[]::uuid[], $4::numeric[], $5::timestamptz[], $6::text[], $7::text[], $8::numeric[]
)
"""
DROP_COOLDOWNS = """
DELETE FROM lt_cooldown_queue AS old USING unnest($1::text[], $2::text[]) AS gone (strategy_id, cause)
WHERE old.strategy_id = gone.strategy_id AND old.cause = gone.cause
"""
ADD_DAYS = """
INSERT INTO lt_daily AS old (strategy_id, day, spent_usd, lost_usd, pnl_usd)
SELECT * FROM unnest($1::text[], $2::date[], $3::numeric[], $4::numeric[], $5::numeric[])
ON CONFLICT (strategy_id, day) DO UPDATE SET spent_usd = old.spent_usd + excluded.spent_usd,
    lost_usd = old.lost_usd + excluded.lost_usd, pnl_usd = old.pnl_usd + excluded.pnl_usd
RETURNING strategy_id, day = (now() AT TIME ZONE 'UTC')::date AS is_today, spent_usd, lost_usd, pnl_usd
"""
# What nearly every batch writes, in one round trip. Its parts touch different tables: none needs to see what another wrote.
BOOKED = f"""
WITH saved AS ({SAVE_ORDERS}), filled AS ({shifted(SAVE_FILLS, 19)}), lines AS ({shifted(SAVE_LEDGER, 29)}),
paid AS ({shifted(SAVE_BALANCES, 39)}), days AS ({shifted(ADD_DAYS, 48)})
SELECT saved.*, today.* FROM saved CROSS JOIN (
    SELECT array_agg(strategy_id) AS day_owners, array_agg(spent_usd) AS spent, array_agg(lost_usd) AS lost,
        array_agg(pnl_usd) AS pnl
    FROM days WHERE is_today
) AS today
"""  # noqa: S608 - constants only
# Half a hundredth of a share: what was sold has two decimals, what was to be sold has six.
SELL_EXITS = f"""
UPDATE lt_exits AS old SET sold_shares = greatest(0, old.sold_shares + new.sold),
    status = CASE WHEN old.status IN ('DONE', 'DUST') AND new.sold < 0 THEN 'OPEN'
        WHEN old.status = 'OPEN' AND old.sold_shares + new.sold >= old.target_shares - 0.005 THEN 'DONE' ELSE old.status END,
    closed_at = CASE WHEN old.status IN ('DONE', 'DUST') AND new.sold < 0 THEN NULL
        WHEN old.status = 'OPEN' AND old.sold_shares + new.sold >= old.target_shares - 0.005 THEN now() ELSE old.closed_at END
FROM unnest($1::text[]::uuid[], $2::numeric[]) AS new (id, sold) WHERE old.exit_id = new.id
RETURNING {EXIT_COLUMNS}
"""  # noqa: S608


@attrs.frozen(kw_only=True)
class Written:
    """What the database says after writing."""

    lots: Sequence[asyncpg.Record]
    days: Mapping[str, DayFigures]
    """Of today."""
    exits: tuple[LiveExit, ...]


async def write_bookings(raw: asyncpg.Connection, books: Books) -> Written:
    """Writes a batch. Of an order and a balance only the last state is written, of everything else all."""
    done = books.done
    orders = [_order_row(order, books.first_fill_ms(order)) for order in books.latest().values()]
    owners = sorted({one.order.strategy_id for one in done if one.money.lines})
    found = await raw.fetch(
        BOOKED,
        *columns(orders, 19),
        *columns(_fill_rows(done), 10),
        *columns(_line_rows([line for one in done for line in one.money.lines]), 10),
        *balance_columns([books.balances[id_] for id_ in owners]),
        *columns(_day_rows([(one.order.strategy_id, day, sums) for one in done for day, sums in one.days.items()]), 5),
    )
    await _save_sales(raw, done)
    await save_cooldowns(raw, [(one.cooldown, one.order.order_id) for one in done if one.cooldown is not None])
    if cooled := [(one.order.strategy_id, one.cooled) for one in done if one.cooled is not None]:
        await raw.execute(DROP_COOLDOWNS, *columns(cooled, 2))
    sold = books.sold_by_exit()
    changed = await raw.fetch(SELL_EXITS, *columns(list(sold.items()), 2)) if sold else []
    return Written(
        lots=[row for row in found if row["side"] == "BUY"],
        days=_days_of(found[0]),
        exits=tuple(exit_of(row) for row in changed),
    )


def _days_of(row: asyncpg.Record) -> dict[str, DayFigures]:
    sums = zip(*(row[name] or () for name in ("day_owners", "spent", "lost", "pnl")), strict=True)
    return {owner: DayFigures(spent_usd=spent, lost_usd=lost, pnl_usd=pnl) for owner, spent, lost, pnl in sums}


def _order_row(order: LiveOrder, first_fill_ms: int | None) -> tuple[Any, ...]:
    return (
        order.order_id, order.status.value, order.ended, order.venue_ended, order.venue_matched, order.filled_shares,
        order.filled_usd, order.fee_usd, order.shares_open, order.cost_open, order.realized_usd, order.not_found,
        time_or_none(order.not_found_ms), order.reason, order.detail, time_or_none(order.placed_ms),
        time_or_none(order.ended_ms), order.version, time_or_none(first_fill_ms),
    )  # fmt: skip


def _fill_rows(done: Sequence[Booking]) -> list[tuple[Any, ...]]:
    fills = {(one.step.fill.order_hash, one.step.fill.trade_id): (one, one.step.fill) for one in done if one.step.fill}
    return [
        (
            fill.order_hash, fill.trade_id, one.order.order_id, fill.shares, fill.price, fill.fee_usd, fill.role, fill.status,
            fill.transaction_hash, time_or_none(fill.match_ms),
        )
        for one, fill in fills.values()
    ]  # fmt: skip


async def _save_sales(raw: asyncpg.Connection, done: Sequence[Booking]) -> None:
    sales = [
        (
            one.step.fill.order_hash,
            one.step.fill.trade_id,
            sale.lot_order_id,
            sale.shares,
            sale.cost_released,
            sale.proceeds,
        )
        for one in done
        if one.step.fill is not None
        for sale in one.sales
    ]
    if sales:
        await raw.execute(SAVE_SALES, *columns(sales, 6))
    unwound = [(one.step.fill.order_hash, one.step.fill.trade_id) for one in done if one.unwound and one.step.fill]
    if unwound:
        await raw.execute(UNWIND_SALES, *columns(unwound, 2))


async def save_lines(raw: asyncpg.Connection, lines: Sequence[Line]) -> None:
    """Writes lines of the ledger. A cause that is there already is an error: it would have been booked twice."""
    if lines:
        await raw.execute(SAVE_LEDGER, *columns(_line_rows(lines), 10))


def _line_rows(lines: Sequence[Line]) -> list[tuple[Any, ...]]:
    return [
        (
            line.posting.strategy_id, line.posting.cause, line.posting.kind.value, line.posting.order_id,
            line.posting.initial, line.available, line.posting.locked, line.posting.cooldown, line.posting.realized,
            line.drift,
        )
        for line in lines
    ]  # fmt: skip


async def save_cooldowns(raw: asyncpg.Connection, entries: Sequence[tuple[CooldownEntry, str]]) -> None:
    """Writes proceeds that wait, each with the order that they came from."""
    rows = [
        (
            one.strategy_id, one.cause, order_id, one.amount, time_or_none(one.available_ms), one.condition_id, one.token_id,
            one.shares,
        )
        for one, order_id in entries
    ]  # fmt: skip
    if rows:
        await raw.execute(SAVE_COOLDOWNS, *columns(rows, 8))


async def add_days(raw: asyncpg.Connection, figures: Sequence[tuple[str, date, DayFigures]]) -> dict[str, DayFigures]:
    """Adds to the figures of UTC days; returns those of today that changed. Orders by hand have none."""
    rows = _day_rows(figures)
    found = await raw.fetch(ADD_DAYS, *columns(rows, 5)) if rows else []
    return {
        row["strategy_id"]: DayFigures(spent_usd=row["spent_usd"], lost_usd=row["lost_usd"], pnl_usd=row["pnl_usd"])
        for row in found
        if row["is_today"]
    }


def _day_rows(rows: Sequence[tuple[str, date, DayFigures]]) -> list[tuple[Any, ...]]:
    sums: dict[tuple[str, date], DayFigures] = {}
    for strategy_id, day, figures in rows:
        if strategy_id.startswith(_MANUAL):
            continue
        old = sums.get((strategy_id, day), DayFigures())
        sums[strategy_id, day] = DayFigures(
            spent_usd=old.spent_usd + figures.spent_usd,
            lost_usd=old.lost_usd + figures.lost_usd,
            pnl_usd=old.pnl_usd + figures.pnl_usd,
        )
    return [(*key, one.spent_usd, one.lost_usd, one.pnl_usd) for key, one in sorted(sums.items())]
