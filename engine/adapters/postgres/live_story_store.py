"""One trade of live trading from its claim to its end, and how well a live strategy's orders were executed. Reads only."""

import json
from datetime import date
from typing import Any

import asyncpg
import attrs

from engine.adapters.postgres.database import RunsWork
from engine.adapters.postgres.live_report_store import ORDERS
from protocols.live.story import ExecutionQuality, LiveDay, LivePerformance, LiveStory

Row = dict[str, Any]
ORDERS_MAX, LINES_MAX, PARTS_MAX = 200, 500, 2_000
# What hangs together by one id: orders that a trade caused, alone or in an aggregate, sales that it obliged to, one order by
# its own id, and whatever sold what one of these bought. $1 the id, $2 whose strategies (null: everybody's).
IDS = """
WITH own AS (
    SELECT strategy_id FROM lt_strategies WHERE $2::text IS NULL OR user_id = $2::uuid
), first AS (
    SELECT o.lt_order_id FROM lt_orders AS o
    WHERE o.cause = $1 OR o.lt_order_id::text = $1
        OR o.cause = ANY (ARRAY (SELECT exit_id::text FROM lt_exits WHERE lt_exits.cause = $1))
    UNION SELECT m.lt_order_id FROM own JOIN lt_order_members AS m ON m.strategy_id = own.strategy_id AND m.trade_id = $1
), story AS (
    SELECT lt_order_id FROM first
    UNION SELECT o.lt_order_id FROM lt_lot_sales AS l JOIN lt_orders AS o USING (order_hash)
    WHERE l.lot_order_id = ANY (ARRAY (SELECT lt_order_id FROM first))
)
SELECT o.lt_order_id::text AS order_id, o.cause, o.strategy_id FROM lt_orders AS o
WHERE o.lt_order_id = ANY (ARRAY (SELECT lt_order_id FROM story))
    AND ($2::text IS NULL OR o.strategy_id IN (SELECT strategy_id FROM own))
ORDER BY o.created_at, o.lt_order_id LIMIT $3
"""
BY_ID = f"{ORDERS} WHERE o.lt_order_id = ANY ($1::text[]::uuid[]) ORDER BY o.created_at, o.lt_order_id"
FILLS = """
SELECT lt_order_id::text AS order_id, trade_id, shares, price, fee_usd, role, status, transaction_hash, matched_at, booked_at,
    settled_at
FROM lt_fills WHERE lt_order_id = ANY ($1::text[]::uuid[]) ORDER BY matched_at, trade_id LIMIT $2
"""
# Only strategies that are named: entries of one are found by their strategy.
LEDGER = """
SELECT entry_id, strategy_id, cause, kind, order_id::text AS order_id, available, locked, cooldown, realized, drift, at
FROM lt_ledger WHERE strategy_id = ANY ($2::text[]) AND order_id = ANY ($1::text[]::uuid[]) ORDER BY entry_id LIMIT $3
"""
EXITS = """
SELECT exit_id::text AS exit_id, strategy_id, cause, kind, status, condition_id, token_id, trader, share, target_shares,
    sold_shares, attempts, detail, created_at, deadline_at, status = 'OPEN' AND deadline_at <= now() AS overdue
FROM lt_exits
WHERE (cause = $1 OR exit_id::text = ANY ($2::text[]))
    AND ($3::text IS NULL OR strategy_id IN (SELECT strategy_id FROM lt_strategies WHERE user_id = $3::uuid))
ORDER BY created_at, exit_id LIMIT $4
"""
LINES = """
SELECT l.created_at, l.id, l.level, l.stage, l.message, l.trace_id, l.execution_id, l.strategy_id, l.ft_wallet_id,
    l.lt_order_id::text AS lt_order_id, l.order_id, l.elapsed_ms, l.source_trade_id, l.extra
FROM lt_execute_logs AS l
WHERE l.trace_id = ANY ($1::text[])
    AND ($2::text IS NULL OR l.strategy_id IN (SELECT strategy_id FROM lt_strategies WHERE user_id = $2::uuid))
ORDER BY l.created_at, l.id LIMIT $3
"""
# $2 first day. What went before counts in the sum.
DAYS = """
SELECT * FROM (
    SELECT day, spent_usd, lost_usd, pnl_usd, sum(pnl_usd) OVER (ORDER BY day) AS cumulative_pnl_usd
    FROM lt_daily WHERE strategy_id = $1
) AS days WHERE day >= $2 ORDER BY day LIMIT $3
"""
# Entries that copy a trade; those that were never signed have no limit and cost nothing, and say why.
QUALITY = """
WITH latest AS (
    SELECT status, ended, reason, order_hash, filled_shares, size_shares, signal_price,
        (filled_usd / nullif(filled_shares, 0) / nullif(signal_price, 0) - 1) * 10000 AS slippage_bps,
        extract(epoch FROM decided_at - signal_at) * 1000 AS decided_ms,
        extract(epoch FROM signed_at - decided_at) * 1000 AS signed_ms,
        extract(epoch FROM placed_at - signed_at) * 1000 AS placed_ms,
        extract(epoch FROM placed_at - signal_at) * 1000 AS total_ms
    FROM lt_orders WHERE strategy_id = $1 AND side = 'BUY' ORDER BY created_at DESC, lt_order_id DESC LIMIT $2
)
SELECT count(*) AS entries, count(order_hash) AS sent, count(*) FILTER (WHERE filled_shares > 0) AS filled,
    round((count(*) FILTER (WHERE filled_shares > 0))::numeric / nullif(count(order_hash), 0), 4) AS filled_share,
    round(avg(least(filled_shares / size_shares, 1)) FILTER (WHERE size_shares > 0), 4) AS mean_fill,
    round((percentile_cont(0.5) WITHIN GROUP (ORDER BY slippage_bps))::numeric, 1) AS slippage_bps_p50,
    round((percentile_cont(0.95) WITHIN GROUP (ORDER BY slippage_bps))::numeric, 1) AS slippage_bps_p95,
    round((percentile_cont(0.5) WITHIN GROUP (ORDER BY decided_ms))::numeric, 1) AS decided_ms_p50,
    round((percentile_cont(0.95) WITHIN GROUP (ORDER BY decided_ms))::numeric, 1) AS decided_ms_p95,
    round((percentile_cont(0.5) WITHIN GROUP (ORDER BY signed_ms))::numeric, 1) AS signed_ms_p50,
    round((percentile_cont(0.95) WITHIN GROUP (ORDER BY signed_ms))::numeric, 1) AS signed_ms_p95,
    round((percentile_cont(0.5) WITHIN GROUP (ORDER BY placed_ms))::numeric, 1) AS placed_ms_p50,
    round((percentile_cont(0.95) WITHIN GROUP (ORDER BY placed_ms))::numeric, 1) AS placed_ms_p95,
    round((percentile_cont(0.5) WITHIN GROUP (ORDER BY total_ms))::numeric, 1) AS total_ms_p50,
    round((percentile_cont(0.95) WITHIN GROUP (ORDER BY total_ms))::numeric, 1) AS total_ms_p95,
    (SELECT coalesce(json_object_agg(reason, n), '{}') FROM (
        SELECT coalesce(reason, status) AS reason, count(*) AS n FROM latest
        WHERE ended AND filled_shares = 0 GROUP BY 1 ORDER BY n DESC LIMIT 50
    ) AS why)::text AS unfilled
FROM latest
"""


@attrs.define(eq=False)
class LiveStoryStore:
    """`LiveStories`."""

    connection: RunsWork

    async def story(self, id_: str, *, user_id: str | None = None) -> LiveStory | None:
        """Returns what hangs together by an id, as of one moment; None when there is nothing. Raises `TransientError`."""

        async def work(raw: asyncpg.Connection) -> LiveStory | None:
            async with raw.transaction(isolation="repeatable_read", readonly=True):
                return await _story(raw, id_, user_id)

        return await self.connection.run(work)

    async def performance(self, strategy_id: str, *, from_day: date, days_max: int, orders_max: int) -> LivePerformance:
        """Returns days from `from_day` on and the quality of the last entries. Raises `TransientError`."""

        async def work(raw: asyncpg.Connection) -> LivePerformance:
            days = await raw.fetch(DAYS, strategy_id, from_day, days_max)
            [row] = await raw.fetch(QUALITY, strategy_id, orders_max)
            found = dict(row)
            unfilled = json.loads(found.pop("unfilled"))
            return LivePerformance(
                days=[LiveDay(**day) for day in days], quality=ExecutionQuality(**found, unfilled=unfilled)
            )

        return await self.connection.run(work)


async def _story(raw: asyncpg.Connection, id_: str, user_id: str | None) -> LiveStory | None:
    found = await raw.fetch(IDS, id_, user_id, ORDERS_MAX)
    ids = [row["order_id"] for row in found]
    traces = list({id_, *ids, *(row["cause"] for row in found)})
    strategies = list({row["strategy_id"] for row in found})
    exits = await raw.fetch(EXITS, id_, traces, user_id, PARTS_MAX)
    traces += [row["exit_id"] for row in exits]
    lines = await raw.fetch(LINES, traces, user_id, LINES_MAX)
    if not found and not exits and not lines:
        return None
    return LiveStory(
        orders=[dict(row) for row in await raw.fetch(BY_ID, ids)],
        fills=[dict(row) for row in await raw.fetch(FILLS, ids, PARTS_MAX)],
        ledger=[dict(row) for row in await raw.fetch(LEDGER, ids, strategies, PARTS_MAX)],
        exits=[dict(row) for row in exits],
        lines=[{**row, "extra": json.loads(row["extra"])} for row in lines],
    )
