"""Sales of paper positions in PostgreSQL: part of the transaction that claims their decisions."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import asyncpg
import attrs

from actors.rules.paper import ledger
from actors.rules.paper.closing import Closed, apply_close
from engine.adapters.postgres.balance_rows import (
    ADD_DAILY,
    BALANCE_COLUMNS,
    OPEN_ORDER_COLUMNS,
    SAVE_BALANCES,
    balance_of,
    balance_values,
    open_order,
    shifted,
)
from protocols.decisions import Decision, PaperClose
from protocols.paper import Balance, OpenOrder
from protocols.receipts import ClosedShares
from protocols.timestamps import utc_datetime

# Open orders, for which trades each was sold before, and the balances. The claim of the decision has locked the lease already,
# so that nobody else sells, settles or spends until the transaction ends. Each row is looked up by itself: a plan that is made
# for any list of ids may read every open order for it, which took fifty times as long.
LOCK = f"""
WITH held AS MATERIALIZED (
    SELECT found.* FROM unnest($1::text[]::uuid[]) AS wanted (id) CROSS JOIN LATERAL (
        SELECT {OPEN_ORDER_COLUMNS}, outcome FROM ft_orders WHERE ft_orders.order_id = wanted.id LIMIT 1 FOR UPDATE
    ) AS found
    WHERE found.outcome = 'OPEN'
), money AS MATERIALIZED (
    SELECT found.* FROM (SELECT DISTINCT wallet_id FROM held) AS holders CROSS JOIN LATERAL (
        SELECT wallet_id, {", ".join(f"{name} AS balance_{name}" for name in BALANCE_COLUMNS)}
        FROM ft_balances WHERE ft_balances.wallet_id = holders.wallet_id LIMIT 1 FOR UPDATE
    ) AS found
)
SELECT *, ARRAY(
    SELECT source_trade_id FROM ft_closes
    WHERE ft_closes.order_id = held.order_id::uuid AND source_trade_id = ANY ($2::text[])
) AS sold_for FROM held JOIN money USING (wallet_id)
"""  # noqa: S608
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
# Closes, orders, days and balances are tables of their own, so that one statement writes them all: a round trip, not four.
SAVE = f"""
WITH closes AS ({INSERT_CLOSES}), orders AS ({shifted(UPDATE_ORDERS, 11)}), days AS ({shifted(ADD_DAILY, 17)})
{shifted(SAVE_BALANCES, 21)}
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
    sources = sorted({close.source_trade_id for decision in decisions for close in decision.closes})
    rows = await raw.fetch(LOCK, order_ids, sources)
    orders = {row["order_id"]: open_order(row) for row in rows}
    done = {(row["order_id"], source) for row in rows for source in row["sold_for"]}
    balances = {row["wallet_id"]: balance_of(row, "balance_") for row in rows}
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
        await _save(raw, sales, {sale.before.wallet_id: balances[sale.before.wallet_id] for sale in sales})
    return results


async def _save(raw: asyncpg.Connection, sales: Sequence[_Sale], balances: Mapping[str, Balance]) -> None:
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
    days = [(sale.before.wallet_id, sale.at, "SOLD" if sale.is_final else "OPEN", sale.closed.pnl) for sale in sales]
    await raw.execute(SAVE, *_columns(closes), *_columns(updates), *_columns(days), *balance_values(balances))


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
