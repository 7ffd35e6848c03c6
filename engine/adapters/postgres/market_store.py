"""Markets and their tokens in PostgreSQL."""

import json
from collections.abc import Sequence
from typing import Any

import asyncpg
import attrs

from engine.adapters.postgres.database import Connection
from protocols.markets import Market
from protocols.timestamps import utc_datetime

MISSING = """
SELECT wanted.id FROM unnest($1::text[]) AS wanted (id)
WHERE NOT EXISTS (SELECT 1 FROM markets WHERE markets.condition_id = wanted.id)
"""
# From id to next id along the index: the time grows with the markets, not with the trades.
TRADED_WITHOUT_MARKET = """
WITH RECURSIVE traded AS (
    SELECT (SELECT min(condition_id) FROM trades_public WHERE condition_id > $1) AS condition_id, 1 AS number
    UNION ALL
    SELECT (SELECT min(condition_id) FROM trades_public WHERE condition_id > traded.condition_id), number + 1
    FROM traded WHERE traded.condition_id IS NOT NULL AND number < $2
)
SELECT condition_id, number, EXISTS (
    SELECT 1 FROM markets WHERE markets.condition_id = traded.condition_id
) AS is_known
FROM traded WHERE condition_id IS NOT NULL ORDER BY number
"""
# The list that is asked here may be minutes old (venue.md §3.1): prices that were read more lately stay.
UPSERT_MARKETS = """
INSERT INTO markets (
    condition_id, gamma_market_id, market_slug, event_slug, title, category, outcomes, outcome_prices, active, closed,
    accepting_orders, resolution_status, negative_risk, protocol_version, tick_size, order_size_min, start_time, end_time,
    close_time, image, raw_gamma
) VALUES ($1, $2, $3, $4, $5, $6, $7::jsonb, $8::jsonb, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21::jsonb)
ON CONFLICT (condition_id) DO UPDATE SET
    gamma_market_id = excluded.gamma_market_id, market_slug = excluded.market_slug,
    event_slug = coalesce(excluded.event_slug, markets.event_slug), title = excluded.title,
    category = coalesce(excluded.category, markets.category), outcomes = excluded.outcomes,
    outcome_prices = CASE WHEN markets.last_price_updated_at > now() - interval '10 minutes' THEN markets.outcome_prices
        ELSE coalesce(excluded.outcome_prices, markets.outcome_prices) END, active = excluded.active,
    closed = excluded.closed, accepting_orders = excluded.accepting_orders,
    resolution_status = excluded.resolution_status, negative_risk = excluded.negative_risk,
    protocol_version = excluded.protocol_version, tick_size = excluded.tick_size,
    order_size_min = excluded.order_size_min, start_time = excluded.start_time, end_time = excluded.end_time,
    close_time = excluded.close_time, image = excluded.image, raw_gamma = excluded.raw_gamma, updated_at = now()
"""
# A token belongs to one market for ever; a second claim to it is ignored rather than believed.
INSERT_TOKENS = """
INSERT INTO market_tokens (token_id, condition_id, outcome, outcome_index) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING
"""


@attrs.define(eq=False)
class PostgresMarketStore:
    """`MarketStore` over one long-lived connection."""

    connection: Connection

    async def missing(self, condition_ids: Sequence[str]) -> list[str]:
        """Returns those ids that have no market row. Raises `TransientError`."""

        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            return await raw.fetch(MISSING, list(condition_ids))

        return [row["id"] for row in await self.connection.run(work)]

    async def traded_without_market(self, after: str, ids_max: int) -> tuple[list[str], str]:
        """Returns ids without a market among the next `ids_max`, and the id to go on after. Raises `TransientError`."""

        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            return await raw.fetch(TRADED_WITHOUT_MARKET, after, ids_max)

        rows = await self.connection.run(work)
        unknown = [row["condition_id"] for row in rows if not row["is_known"]]
        return unknown, rows[-1]["condition_id"] if len(rows) == ids_max else ""

    async def upsert(self, markets: Sequence[Market]) -> None:
        """Writes markets and tokens in one transaction. Raises `TransientError` or `RejectedError`."""

        async def work(raw: asyncpg.Connection) -> None:
            async with raw.transaction():
                await insert_markets(raw, markets)

        await self.connection.run(work)


async def insert_markets(raw: asyncpg.Connection, markets: Sequence[Market]) -> None:
    """Writes markets and their tokens within a transaction of the caller's.

    In the order of their ids, as everybody who locks several markets does: two writers of the same ones never block each other.
    """
    markets = sorted(markets, key=lambda market: market.condition_id)
    rows = [_market_row(market) for market in markets]
    tokens = [
        (token.token_id, market.condition_id, token.outcome, token.outcome_index)
        for market in markets
        for token in market.tokens
    ]
    await raw.executemany(UPSERT_MARKETS, rows)
    await raw.executemany(INSERT_TOKENS, tokens)


def _market_row(market: Market) -> tuple[Any, ...]:
    prices = None if market.outcome_prices is None else json.dumps([str(price) for price in market.outcome_prices])
    times = [None if ms is None else utc_datetime(ms) for ms in (market.start_ms, market.end_ms, market.close_ms)]
    return (
        market.condition_id,
        market.gamma_market_id,
        market.slug,
        market.event_slug,
        market.title,
        market.category,
        json.dumps(market.outcomes),
        prices,
        market.active,
        market.closed,
        market.accepting_orders,
        market.resolution_status,
        market.negative_risk,
        market.version,
        market.tick_size,
        market.order_size_min,
        *times,
        market.image,
        market.raw,
    )
