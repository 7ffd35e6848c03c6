"""Sales of paper positions in PostgreSQL: part of the transaction that claims their decisions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg
import attrs

from actors.rules.paper import ledger
from actors.rules.paper.closing import Closed, apply_close
from engine.adapters.postgres.balance_rows import (
    OPEN_ORDER_COLUMNS,
    add_daily,
    lock_balances,
    open_order,
    save_balances,
)
from protocols.decisions import ClosedShares, Decision, PaperClose
from protocols.paper import OpenOrder
from protocols.timestamps import utc_datetime

LOCK_ORDERS = f"""
SELECT {OPEN_ORDER_COLUMNS} FROM ft_orders WHERE order_id = ANY ($1::text[]::uuid[]) AND outcome = 'OPEN'
ORDER BY order_id FOR UPDATE
"""  # noqa: S608
CLOSED_BEFORE = """
SELECT order_id::text AS order_id, source_trade_id FROM ft_closes WHERE order_id = ANY ($1::text[]::uuid[])
"""
INSERT_CLOSES = """
INSERT INTO ft_closes (
    order_id, source_trade_id, wallet_id, share, shares, price, fee_usd, proceeds, cost_released, pnl, trade_time
)
SELECT id::uuid, source, wallet_id, share, shares, price, fee, proceeds, cost_released, pnl, trade_time
FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::numeric[], $5::numeric[], $6::numeric[], $7::numeric[], $8::numeric[],
    $9::numeric[], $10::numeric[], $11::timestamptz[]
) AS new (id, source, wallet_id, share, shares, price, fee, proceeds, cost_released, pnl, trade_time)
"""
UPDATE_ORDERS = """
UPDATE ft_orders AS old SET
    shares_open = new.shares, cost_open = new.cost, pnl = new.pnl,
    outcome = CASE WHEN new.shares = 0 THEN 'SOLD' ELSE 'OPEN' END,
    exit_price = CASE WHEN new.shares = 0 THEN new.price END,
    close_reason = CASE WHEN new.shares = 0 THEN 'trader_sell' END,
    resolved_time = CASE WHEN new.shares = 0 THEN new.at END
FROM unnest($1::text[], $2::numeric[], $3::numeric[], $4::numeric[], $5::numeric[], $6::timestamptz[])
    AS new (id, shares, cost, pnl, price, at)
WHERE old.order_id = new.id::uuid
"""


@attrs.frozen
class _Sale:
    close: PaperClose
    before: OpenOrder
    closed: Closed

    @property
    def at(self) -> datetime:
        return utc_datetime(self.close.trade_ms)

    @property
    def is_final(self) -> bool:
        return self.closed.order is None


async def apply_closes(
    raw: asyncpg.Connection, decisions: Sequence[Decision]
) -> dict[tuple[str, str], list[ClosedShares]]:
    """Sells what decisions that were claimed in this transaction sell, in their order; returns what came of it by decision.

    A position that is not open any more, or was sold for the same trade before, is left out.
    """
    order_ids = sorted({close.order_id for decision in decisions for close in decision.closes})
    if not order_ids:
        return {}
    orders = {row["order_id"]: open_order(row) for row in await raw.fetch(LOCK_ORDERS, order_ids)}
    done = {(row["order_id"], row["source_trade_id"]) for row in await raw.fetch(CLOSED_BEFORE, order_ids)}
    balances = await lock_balances(raw, (order.wallet_id for order in orders.values()))
    sales, results = list[_Sale](), dict[tuple[str, str], list[ClosedShares]]()
    for decision in decisions:
        for close in decision.closes:
            key = (close.order_id, close.source_trade_id)
            order = orders.get(close.order_id)
            if order is None or key in done:
                continue
            done.add(key)
            closed = apply_close(order, close)
            sales.append(_Sale(close, order, closed))
            balances[order.wallet_id] = ledger.closed(balances[order.wallet_id], closed, realized_before=order.realized)
            results.setdefault(decision.key, []).append(closed.shares)
            if closed.order is None:
                del orders[close.order_id]
            else:
                orders[close.order_id] = closed.order
    if sales:
        await _save(raw, sales)
        await save_balances(raw, {sale.before.wallet_id: balances[sale.before.wallet_id] for sale in sales})
    return results


async def _save(raw: asyncpg.Connection, sales: Sequence[_Sale]) -> None:
    closes = [
        (
            sale.close.order_id, sale.close.source_trade_id, sale.before.wallet_id, sale.close.share,
            sale.closed.shares.shares, sale.close.price, sale.closed.fee, sale.closed.shares.proceeds,
            sale.closed.shares.cost_released, sale.closed.pnl, sale.at,
        )
        for sale in sales
    ]  # fmt: skip
    last = {sale.close.order_id: sale for sale in sales}
    updates = [
        (id_, sale.closed.shares.shares_left, sale.closed.shares.cost_left, sale.before.realized + sale.closed.pnl,
         sale.close.price, sale.at)
        for id_, sale in last.items()
    ]  # fmt: skip
    await raw.execute(INSERT_CLOSES, *_columns(closes))
    await raw.execute(UPDATE_ORDERS, *_columns(updates))
    await add_daily(
        raw,
        [
            (sale.before.wallet_id, sale.at, "SOLD" if sale.is_final else "OPEN", sale.closed.pnl)
            for sale in sales
        ],
    )  # fmt: skip


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
