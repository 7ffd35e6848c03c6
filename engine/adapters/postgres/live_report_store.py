"""What people look at of live trading: balances, orders, positions, obligations, lines of logs. Reads only."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import asyncpg
import attrs

from engine.adapters.postgres.database import RunsWork

Row = dict[str, Any]
# Everything of a strategy in one row; rates over entries that reached the venue.
STRATEGIES = """
SELECT s.strategy_id, s.ft_wallet_id, s.account, s.is_active, s.is_paused, s.breaker_reason, s.version, s.launched_at,
    s.display_name, b.initial, b.available, b.locked, b.cooldown, b.realized_pnl, b.drift, b.peak_equity,
    coalesce(d.spent_usd, 0) AS spent_today_usd, coalesce(d.lost_usd, 0) AS lost_today_usd,
    o.orders, o.filled, o.positions_usd, o.open_positions, o.won, o.lost, o.slippage_bps, o.fill_rate,
    coalesce(x.exits, 0) AS open_exits, coalesce(x.overdue, 0) AS overdue_exits, coalesce(q.redeemable, 0) AS redeemable_usd
FROM lt_strategies AS s JOIN lt_balances AS b USING (strategy_id)
LEFT JOIN lt_daily AS d ON d.strategy_id = s.strategy_id AND d.day = (now() AT TIME ZONE 'UTC')::date
CROSS JOIN LATERAL (
    SELECT count(*) AS orders, count(*) FILTER (WHERE filled_shares > 0) AS filled,
        count(*) FILTER (WHERE shares_open > 0) AS open_positions, count(*) FILTER (WHERE outcome = 'WON') AS won,
        count(*) FILTER (WHERE outcome = 'LOST') AS lost, coalesce(sum(cost_open), 0) AS positions_usd,
        round(avg((filled_usd / nullif(filled_shares, 0) / signal_price - 1) * 10000)
            FILTER (WHERE filled_shares > 0 AND signal_price > 0), 1) AS slippage_bps,
        round(sum(least(filled_shares, size_shares)) / nullif(sum(size_shares), 0), 4) AS fill_rate
    FROM lt_orders WHERE lt_orders.strategy_id = s.strategy_id AND side = 'BUY' AND order_hash IS NOT NULL
) AS o
LEFT JOIN LATERAL (
    SELECT count(*) AS exits, count(*) FILTER (WHERE deadline_at <= now()) AS overdue FROM lt_exits
    WHERE lt_exits.strategy_id = s.strategy_id AND status = 'OPEN'
) AS x ON true
LEFT JOIN LATERAL (
    SELECT sum(amount) AS redeemable FROM lt_cooldown_queue
    WHERE lt_cooldown_queue.strategy_id = s.strategy_id AND released_at IS NULL AND available_at IS NULL
) AS q ON true
WHERE ($1::text IS NULL OR s.user_id = $1::uuid) AND ($2::text IS NULL OR s.strategy_id = $2)
ORDER BY s.strategy_id
"""
# The paper twin's result beside ours: (pnl - ft) / |ft| x 100 (domain.md §4.10).
ORDERS = """
SELECT o.lt_order_id::text AS order_id, o.strategy_id, o.account, o.origin, o.side, o.status, o.ended, o.outcome, o.reason,
    o.detail, o.cause, o.attempt, o.condition_id, o.token_id,
    coalesce(o.token_label, (SELECT outcome FROM market_tokens AS t WHERE t.token_id = o.token_id)) AS token_label,
    coalesce(o.market_title, (SELECT title FROM markets AS m WHERE m.condition_id = o.condition_id)) AS market_title,
    o.ft_trader_wallet AS trader,
    o.order_hash, o.order_type, o.signal_price, o.limit_price, o.size_shares, o.spend_usd, o.lock_usd, o.filled_shares,
    o.filled_usd / nullif(o.filled_shares, 0) AS average_price, o.filled_usd, o.fee_usd, o.shares_open, o.cost_open,
    o.realized_usd, o.signal_at, o.signed_at, o.placed_at, o.ended_at, o.created_at, f.pnl AS ft_pnl,
    CASE WHEN f.pnl <> 0 AND o.outcome NOT IN ('NONE', 'OPEN') AND f.outcome <> 'OPEN'
        THEN round((o.realized_usd - f.pnl) / abs(f.pnl) * 100, 2) END AS performance_diff_pct
FROM lt_orders AS o LEFT JOIN ft_orders AS f ON f.order_id = o.ft_order_id
LEFT JOIN lt_strategies AS s USING (strategy_id)
"""
# Only what is asked for stands in the statement, so that the plan may begin with it.
ORDER_FILTERS = {
    "order_id": "o.lt_order_id = {}::text::uuid",
    "strategy_id": "o.strategy_id = {}",
    "status": "o.status = {}",
    "ended": "o.ended = {}",
    "account": "o.account = {}",
    "user_id": "s.user_id = {}::text::uuid",
    "cause": "o.cause = {}",
    "before": "(o.created_at, o.lt_order_id) < ({}, {}::text::uuid)",
}
ORDERS_END = "ORDER BY o.created_at DESC, o.lt_order_id DESC LIMIT {}"
FILLS = """
SELECT trade_id, shares, price, fee_usd, role, status, transaction_hash, matched_at, booked_at, settled_at FROM lt_fills
WHERE lt_order_id = $1::text::uuid ORDER BY matched_at, trade_id
"""
LOT_SALES = """
SELECT l.order_hash, l.trade_id, l.lot_order_id::text AS lot_order_id, l.shares, l.cost_released, l.proceeds, l.unwound
FROM lt_lot_sales AS l WHERE l.lot_order_id = $1::text::uuid
    OR l.order_hash = (SELECT order_hash FROM lt_orders WHERE lt_order_id = $1::text::uuid)
ORDER BY l.trade_id, l.lot_order_id
"""
POSITIONS = """
SELECT o.strategy_id, o.account, o.condition_id, o.token_id, max(o.token_label) AS token_label,
    max(o.market_title) AS market_title, sum(o.shares_open) AS shares, sum(o.cost_open) AS cost_usd, count(*) AS lots,
    min(o.first_fill_at) AS since
FROM lt_orders AS o LEFT JOIN lt_strategies AS s USING (strategy_id)
WHERE o.shares_open > 0 AND ($1::text IS NULL OR o.strategy_id = $1) AND ($2::text IS NULL OR s.user_id = $2::uuid)
GROUP BY o.strategy_id, o.account, o.condition_id, o.token_id ORDER BY o.strategy_id, since
"""
EXITS = """
SELECT x.exit_id::text AS exit_id, x.strategy_id, x.cause, x.kind, x.status, x.condition_id, x.token_id, x.trader, x.share,
    x.target_shares, x.sold_shares, x.attempts, x.detail, x.created_at, x.deadline_at,
    x.status = 'OPEN' AND x.deadline_at <= now() AS overdue
FROM lt_exits AS x JOIN lt_exit_owners AS owner USING (exit_id)
WHERE ($1::text IS NULL OR x.strategy_id = $1) AND ($2::text IS NULL OR owner.user_id = $2::uuid)
    AND ($3::boolean OR x.status = 'OPEN')
    AND ($5::timestamptz IS NULL OR (x.created_at, x.exit_id) < ($5, $6::text::uuid))
ORDER BY x.created_at DESC, x.exit_id DESC LIMIT $4
"""
REDEEMABLE = """
SELECT q.strategy_id, s.account, q.condition_id, q.token_id, q.shares, q.amount, q.created_at FROM lt_cooldown_queue AS q
JOIN lt_strategies AS s USING (strategy_id)
WHERE q.released_at IS NULL AND q.available_at IS NULL AND ($1::text IS NULL OR s.user_id = $1::uuid) ORDER BY q.created_at
"""
LOGS = """
SELECT l.created_at, l.id, l.level, l.stage, l.message, l.trace_id, l.execution_id, l.strategy_id, l.ft_wallet_id,
    l.lt_order_id::text AS lt_order_id, l.order_id, l.elapsed_ms, l.source_trade_id, l.extra
FROM lt_execute_logs AS l LEFT JOIN lt_strategies AS s USING (strategy_id)
"""
LOG_FILTERS = {
    "level": "l.level = {}",
    "stage": "l.stage = {}",
    "trace_id": "l.trace_id = {}",
    "execution_id": "l.execution_id = {}",
    "strategy_id": "l.strategy_id = {}",
    "prefix": "starts_with(l.message, {})",
    "text": "strpos(lower(l.message), lower({})) > 0",
    "order_id": "l.lt_order_id = {}::text::uuid",
    "since": "l.created_at >= {}",
    "before_id": "l.id < {}",
    "user_id": "s.user_id = {}::text::uuid",
}
LOGS_END = "ORDER BY l.created_at DESC, l.id DESC LIMIT {}"
CONTROL = """
SELECT halted_by, halted_reason, halted_at FROM lt_control
"""
ACCOUNTS = "SELECT account, at, collateral_usd, report FROM lt_reconciliations ORDER BY account"


@attrs.define(eq=False)
class LiveReportStore:
    """Rows as plain dictionaries: numbers are `Decimal`, times are datetimes. All methods raise `TransientError`."""

    connection: RunsWork

    async def strategies(self, *, user_id: str | None = None, strategy_id: str | None = None) -> list[Row]:
        """Returns live strategies with their money and figures."""
        return await self._rows(STRATEGIES, user_id, strategy_id)

    async def orders(
        self,
        *,
        strategy_id: str | None = None,
        status: str | None = None,
        ended: bool | None = None,
        account: str | None = None,
        user_id: str | None = None,
        cause: str | None = None,
        before: tuple[datetime, str] | None = None,
        rows_max: int = 100,
    ) -> list[Row]:
        """Returns orders, newest first; `before` is (created_at, order_id) of the last one of the page before."""
        wanted = {
            "strategy_id": strategy_id, "status": status, "ended": ended, "account": account, "user_id": user_id,
            "cause": cause,
        }  # fmt: skip
        return await self._rows(*_asked(ORDERS, ORDER_FILTERS, {**wanted, "before": before}, ORDERS_END, rows_max))

    async def order(self, order_id: str) -> Row | None:
        """Returns an order as `orders` has it, with its fills and what was sold of it, or by it; None without any."""
        found = await self._rows(*_asked(ORDERS, ORDER_FILTERS, {"order_id": order_id}, ORDERS_END, 1))
        if not found:
            return None
        return {**found[0], "fills": await self.fills(order_id), "lot_sales": await self._rows(LOT_SALES, order_id)}

    async def fills(self, order_id: str) -> list[Row]:
        """Returns the fills of an order."""
        return await self._rows(FILLS, order_id)

    async def positions(self, *, strategy_id: str | None = None, user_id: str | None = None) -> list[Row]:
        """Returns open positions."""
        return await self._rows(POSITIONS, strategy_id, user_id)

    async def exits(
        self,
        *,
        strategy_id: str | None = None,
        user_id: str | None = None,
        ended: bool = False,
        before: tuple[datetime, str] | None = None,
        rows_max: int = 500,
    ) -> list[Row]:
        """Returns obligations to sell, newest first, open ones only unless `ended`; `before` as of `orders`."""
        return await self._rows(EXITS, strategy_id, user_id, ended, rows_max, *(before or (None, None)))

    async def redeemable(self, *, user_id: str | None = None) -> list[Row]:
        """Returns settled positions whose value waits for its redemption."""
        return await self._rows(REDEEMABLE, user_id)

    async def logs(
        self,
        *,
        level: str | None = None,
        stage: str | None = None,
        trace_id: str | None = None,
        execution_id: str | None = None,
        strategy_id: str | None = None,
        prefix: str | None = None,
        text: str | None = None,
        order_id: str | None = None,
        since: datetime | None = None,
        before_id: int | None = None,
        user_id: str | None = None,
        rows_max: int = 100,
    ) -> list[Row]:
        """Returns lines, newest first (domain.md §4.11)."""
        wanted = {
            "level": level, "stage": stage, "trace_id": trace_id, "execution_id": execution_id,
            "strategy_id": strategy_id, "prefix": prefix, "text": text, "order_id": order_id, "since": since,
            "before_id": before_id, "user_id": user_id,
        }  # fmt: skip
        found = await self._rows(*_asked(LOGS, LOG_FILTERS, wanted, LOGS_END, rows_max))
        return [{**row, "extra": json.loads(row["extra"])} for row in found]

    async def halt(self) -> Row | None:
        """Returns who stopped all entries, or None."""
        row = (await self._rows(CONTROL))[0]
        return row if row["halted_by"] is not None else None

    async def accounts(self) -> list[Row]:
        """Returns the last comparison of each account with the venue."""
        return [{**row, "report": json.loads(row["report"])} for row in await self._rows(ACCOUNTS)]

    async def _rows(self, statement: str, *values: Any) -> list[Row]:
        async def work(raw: asyncpg.Connection) -> Sequence[asyncpg.Record]:
            return await raw.fetch(statement, *values)

        return [dict(row) for row in await self.connection.run(work)]


def _asked(
    statement: str, filters: Mapping[str, str], wanted: Mapping[str, Any], end: str, rows_max: int
) -> tuple[Any, ...]:
    """Returns a statement with the filters that are wanted, and its parameters. The texts are constants of this file."""
    values, conditions = list[Any](), list[str]()
    for name, value in wanted.items():
        if value is None:
            continue
        several = value if isinstance(value, tuple) else (value,)
        values += several
        conditions.append(
            filters[name].format(*(f"${len(values) - len(several) + n + 1}" for n in range(len(several))))
        )
    where = f" WHERE {' AND '.join(conditions)} " if conditions else " "
    return (statement + where + end.format(f"${len(values) + 1}"), *values, rows_max)


def plain_row(row: Row) -> Row:
    """Returns a row as JSON has it: decimals as texts without needless zeros, times in ISO 8601."""
    return {name: _plain(value) for name, value in row.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value.normalize(), "f") if value else "0"
    return value.isoformat() if isinstance(value, datetime) else value
