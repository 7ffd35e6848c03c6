"""What is stored about a trade and what became of it, read in one crossing."""

import json
from collections.abc import Sequence
from typing import Any

import asyncpg
import attrs

from engine.adapters.postgres.database import RunsWork
from protocols.why import (
    CloseWhy,
    LiveFillWhy,
    LiveOrderWhy,
    NamedStrategy,
    OrderWhy,
    StoredDecision,
    StoredTrade,
    WhyFacts,
)

TRADE = """
SELECT trade_id, lane, trader_wallet AS trader, asset AS token_id, side, trim_scale(trades.price) AS price,
    trim_scale(trades.size) AS size, trade_timestamp AS trade_time, ingested_at, trades.condition_id,
    coalesce(trades.market_title, markets.title) AS title, coalesce(trades.outcome, tokens.outcome) AS outcome
FROM trades_public AS trades
LEFT JOIN markets USING (condition_id)
LEFT JOIN market_tokens AS tokens ON tokens.token_id = trades.asset
WHERE trade_id = $1
"""
# First by trade, which an index finds; then whether the part is the one that the trade is a member of.
DECISIONS = """
SELECT part, trade_id, decided_at, members, snapshot, strategies, versions, reasons, bankrolls, stands FROM decisions
WHERE trade_id = ANY (ARRAY[$1::text] || ARRAY (SELECT first_trade_id FROM decision_members WHERE trade_id = $1))
    AND (trade_id = $1 OR (trade_id, part) IN (SELECT first_trade_id, part FROM decision_members WHERE trade_id = $1))
ORDER BY seq
"""
# $1 those that decided, $2 those that have orders or closes, $3 the one asked for.
STRATEGIES = """
SELECT number, wallet_id, owner_id::text AS owner_id FROM ft_wallets
WHERE wallet_id = $3 OR number = ANY ($1::integer[]) OR wallet_id = ANY ($2::text[])
"""
SETTINGS = """
SELECT number, kept.version, settings
FROM ft_wallets JOIN ft_wallet_versions AS kept USING (wallet_id)
WHERE wallet_id = $1 AND kept.version = ANY ($2::integer[])
"""
# $2 the first trades of its decisions: an aggregate is found by its first member.
ORDERS = """
SELECT order_id::text AS order_id, wallet_id, trim_scale(signal_price) AS signal_price,
    trim_scale(entry_price) AS entry_price, size AS stake, shares, fee_usd AS fee, entry_model, fill_inputs, outcome,
    shares_open, pnl, trim_scale(exit_price) AS exit_price, close_reason, winning_label, resolved_time
FROM ft_orders
WHERE source_trade_id = ANY ($2::text[]) AND (source_trade_id = $1 OR $1 = ANY (members))
ORDER BY wallet_id
"""
CLOSES = """
SELECT order_id::text AS order_id, wallet_id, source_trade_id, trim_scale(share) AS share, shares,
    trim_scale(price) AS price, fee_usd AS fee, proceeds, pnl, trade_time
FROM ft_closes WHERE order_id = ANY ($1::text[]::uuid[]) OR source_trade_id = $2 ORDER BY closed_at, order_id
"""
# Copies of the trade, or of the aggregate that it is in, and sales that it obliged to.
LIVE_ORDERS = """
SELECT o.lt_order_id::text AS order_id, o.strategy_id, o.ft_wallet_id AS wallet_id, o.origin, o.side, o.attempt, o.status,
    o.ended, o.reason, o.detail, o.order_hash, trim_scale(o.signal_price) AS signal_price,
    trim_scale(o.limit_price) AS limit_price, o.lock_usd, o.filled_shares,
    trim_scale(round(o.filled_usd / nullif(o.filled_shares, 0), 18)) AS average_price, o.fee_usd AS fee, o.outcome,
    o.realized_usd AS pnl, f.pnl AS paper_pnl,
    CASE WHEN f.pnl <> 0 AND o.outcome NOT IN ('NONE', 'OPEN')
        THEN round((o.realized_usd - f.pnl) / abs(f.pnl) * 100, 2) END AS performance_diff_pct,
    o.signed_at, o.placed_at, o.ended_at, s.user_id::text AS user_id
FROM lt_orders AS o JOIN lt_strategies AS s USING (strategy_id) LEFT JOIN ft_orders AS f ON f.order_id = o.ft_order_id
WHERE o.ft_wallet_id IS NOT NULL AND (
    (o.origin = 'copy' AND o.cause = ANY ($2::text[]) AND (o.cause = $1 OR $1 = ANY (o.members)))
    OR o.cause = ANY (ARRAY (SELECT exit_id::text FROM lt_exits WHERE lt_exits.cause = $1))
)
ORDER BY o.strategy_id, o.created_at
"""
LIVE_FILLS = """
SELECT lt_order_id::text AS order_id, trade_id, shares, trim_scale(price) AS price, fee_usd AS fee, role, status,
    transaction_hash, matched_at
FROM lt_fills WHERE lt_order_id = ANY ($1::text[]::uuid[]) ORDER BY matched_at, trade_id
"""
IS_TARGET = """
SELECT CASE target_mode
    WHEN 'list' THEN $2::text = ANY (target_traders)
    WHEN 'followed' THEN EXISTS (
        SELECT 1 FROM follows WHERE user_id = ft_wallets.owner_id AND active AND trader_wallet = $2)
    WHEN 'leaderboard' THEN EXISTS (SELECT 1 FROM traders WHERE is_active AND wallet_address = $2)
END
FROM ft_wallets WHERE wallet_id = $1
"""


@attrs.define(eq=False)
class PostgresWhyStore:
    """`WhyStore`."""

    connection: RunsWork

    async def facts(self, trade_id: str, bot: str | None = None) -> WhyFacts | None:
        """Returns what is stored about a trade as of one moment; None when the trade is not. Raises `TransientError`."""

        async def work(raw: asyncpg.Connection) -> WhyFacts | None:
            async with raw.transaction(isolation="repeatable_read", readonly=True):
                trade = await raw.fetchrow(TRADE, trade_id)
                return None if trade is None else await _facts(raw, StoredTrade(**trade), bot)

        return await self.connection.run(work)

    async def is_target(self, wallet_id: str, trader: str) -> bool | None:
        """Returns whether a strategy copies a trader now; None where it copies everyone. Raises `TransientError`."""

        async def work(raw: asyncpg.Connection) -> bool | None:
            found: bool | None = await raw.fetchval(IS_TARGET, wallet_id, trader)
            return found

        return await self.connection.run(work)


async def _facts(raw: asyncpg.Connection, trade: StoredTrade, bot: str | None) -> WhyFacts:
    decisions = [StoredDecision(**row) for row in await raw.fetch(DECISIONS, trade.trade_id)]
    sources = sorted({trade.trade_id, *(one.trade_id for one in decisions)})
    orders = await raw.fetch(ORDERS, trade.trade_id, sources)
    closes = [CloseWhy(**row) for row in await raw.fetch(CLOSES, [row["order_id"] for row in orders], trade.trade_id)]
    live_orders = await _live_orders(raw, trade.trade_id, sources)
    numbers = sorted({number for one in decisions for number in one.strategies})
    live_names = {order.wallet_id for _, order in live_orders}
    names = sorted({row["wallet_id"] for row in orders} | {close.wallet_id for close in closes} | live_names)
    strategies = await raw.fetch(STRATEGIES, numbers, names, bot)
    versions = sorted({version for one in decisions for version in one.versions})
    settings = [] if bot is None else await raw.fetch(SETTINGS, bot, versions)
    named = {row["number"]: NamedStrategy(wallet_id=row["wallet_id"], owner_id=row["owner_id"]) for row in strategies}
    return WhyFacts(
        trade=trade,
        decisions=decisions,
        strategies=named,
        settings={(row["number"], row["version"]): json.loads(row["settings"]) for row in settings},
        orders=[_order(row, closes) for row in orders],
        closes=[close for close in closes if close.source_trade_id == trade.trade_id],
        live_orders=live_orders,
        asked=next((one for one in named.values() if one.wallet_id == bot), None),
    )


async def _live_orders(
    raw: asyncpg.Connection, trade_id: str, sources: Sequence[str]
) -> list[tuple[str, LiveOrderWhy]]:
    rows = await raw.fetch(LIVE_ORDERS, trade_id, sources)
    fills: dict[str, list[LiveFillWhy]] = {}
    for row in await raw.fetch(LIVE_FILLS, [row["order_id"] for row in rows]) if rows else ():
        values = dict(row)
        fills.setdefault(values.pop("order_id"), []).append(LiveFillWhy(**values))
    found = []
    for row in rows:
        values = dict(row)
        owner_id = values.pop("user_id")
        found.append((owner_id, LiveOrderWhy(**values, fills=fills.get(row["order_id"], []))))
    return found


def _order(row: asyncpg.Record, closes: Sequence[CloseWhy]) -> OrderWhy:
    values: dict[str, Any] = {**row, "fill_inputs": json.loads(row["fill_inputs"])}
    return OrderWhy(**values, closes=[close for close in closes if close.order_id == row["order_id"]])
