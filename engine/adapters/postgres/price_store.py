"""Prices in the rows of markets."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import asyncpg
import attrs

from engine.adapters.postgres.database import RunsWork
from protocols.errors import MalformedError
from protocols.prices import MarketKey, MarketName, PriceWrite, StoredMarket
from protocols.timestamps import utc_datetime
from protocols.venue.gamma_quotes import facts_of

# `updated_at` is when Gamma was asked for the row; it tells the age of the prices only if that answer had some.
FIND = """
WITH named AS (
    SELECT market_slug AS slug, NULL AS token_id, min(condition_id) AS condition_id
    FROM markets WHERE market_slug = ANY ($2::text[]) GROUP BY market_slug HAVING count(*) = 1
    UNION ALL
    SELECT NULL, token_id, condition_id FROM market_tokens WHERE token_id = ANY ($3::text[])
)
SELECT condition_id, market_slug, event_slug, title, category, outcomes, outcome_prices, closed, active, accepting_orders,
    resolution_status, negative_risk, tick_size, order_size_min, image, raw_gamma,
    greatest(
        last_price_updated_at, CASE WHEN raw_gamma ->> 'outcomePrices' IS NOT NULL THEN updated_at END
    ) AS priced_at,
    ARRAY (
        SELECT token_id FROM market_tokens WHERE market_tokens.condition_id = markets.condition_id ORDER BY outcome_index
    ) AS token_ids,
    ARRAY (SELECT slug FROM named WHERE named.condition_id = markets.condition_id AND slug IS NOT NULL) AS named_slugs,
    ARRAY (SELECT token_id FROM named WHERE named.condition_id = markets.condition_id AND token_id IS NOT NULL)
        AS named_tokens
FROM markets
WHERE condition_id = ANY ($1::text[]) OR condition_id IN (SELECT condition_id FROM named)
"""
# An older observation never replaces a newer one, whichever engine saw it, and a closed market is opened only by whoever
# reads all of it.
WRITE = """
UPDATE markets SET
    outcome_prices = coalesce(seen.outcome_prices::jsonb, markets.outcome_prices),
    last_price_updated_at = CASE WHEN seen.outcome_prices IS NULL THEN markets.last_price_updated_at ELSE seen.observed_at END,
    last_requested_at = greatest(markets.last_requested_at, seen.requested_at),
    closed = seen.closed,
    accepting_orders = coalesce(seen.accepting_orders, markets.accepting_orders),
    resolution_status = coalesce(seen.resolution_status, markets.resolution_status)
FROM unnest($1::text[], $2::text[], $3::boolean[], $4::boolean[], $5::text[], $6::timestamptz[], $7::timestamptz[])
    AS seen (condition_id, outcome_prices, closed, accepting_orders, resolution_status, observed_at, requested_at)
WHERE markets.condition_id = seen.condition_id
    AND (markets.last_price_updated_at IS NULL OR markets.last_price_updated_at <= seen.observed_at)
    AND (seen.closed OR NOT markets.closed)
"""


@attrs.define(eq=False, kw_only=True)
class PostgresPriceStore:
    """`PriceStore`. Reads and writes have connections of their own: a write that waits must not hold up an asker."""

    reads: RunsWork
    writes: RunsWork

    async def find(
        self, condition_ids: Sequence[str], names: Sequence[MarketName]
    ) -> tuple[list[StoredMarket], Mapping[MarketName, str]]:
        """Returns rows, and whose the names are; a slug that several markets have is nobody's. Raises `TransientError`."""
        slugs = [name.text for name in names if name.key is MarketKey.SLUG]
        tokens = [name.text for name in names if name.key is MarketKey.TOKEN]

        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            return await raw.fetch(FIND, list(condition_ids), slugs, tokens)

        found, named = list[StoredMarket](), dict[MarketName, str]()
        for row in await self.reads.run(work):
            for key, texts in ((MarketKey.SLUG, row["named_slugs"]), (MarketKey.TOKEN, row["named_tokens"])):
                named |= {MarketName(key, text): row["condition_id"] for text in texts}
            try:
                found.append(_stored(row))
            except MalformedError:
                continue
        return found, named

    async def write(self, writes: Sequence[PriceWrite]) -> None:
        """Updates rows with one statement; markets without a row are left out. Raises `TransientError`, `RejectedError`."""
        # In the order of their ids, see `insert_markets`.
        writes = sorted(writes, key=lambda write: write.condition_id)
        columns: list[list[Any]] = [
            [write.condition_id for write in writes],
            [_json_prices(write.outcome_prices) for write in writes],
            [write.closed for write in writes],
            [write.accepting_orders for write in writes],
            [write.resolution_status for write in writes],
            [utc_datetime(write.observed_ms) for write in writes],
            [utc_datetime(write.requested_ms) for write in writes],
        ]

        async def work(raw: asyncpg.Connection) -> None:
            await raw.execute(WRITE, *columns)

        await self.writes.run(work)


def _json_prices(prices: Sequence[Decimal] | None) -> str | None:
    return None if prices is None else json.dumps([str(price) for price in prices])


def _stored(row: asyncpg.Record) -> StoredMarket:
    """Reads a row as if Gamma had answered it: what columns do not hold comes from the kept answer."""
    raw = _json(row["raw_gamma"])
    fields: dict[str, Any] = dict(raw) if isinstance(raw, dict) else {}
    prices, outcomes = _json(row["outcome_prices"]), _json(row["outcomes"])
    if isinstance(prices, dict):
        # As an earlier program wrote it (D63).
        outcomes, prices = outcomes or prices.get("outcomes"), prices.get("outcomePrices")
    tokens = row["token_ids"]
    fields |= {
        "conditionId": row["condition_id"],
        "question": row["title"],
        "slug": row["market_slug"],
        "eventSlug": row["event_slug"],
        "category": row["category"],
        "outcomes": outcomes if isinstance(outcomes, list) else None,
        "outcomePrices": prices if isinstance(prices, list) else None,
        "clobTokenIds": tokens if isinstance(outcomes, list) and len(tokens) == len(outcomes) else [],
        "positionIds": None,
        "closed": row["closed"],
        "active": row["active"],
        "acceptingOrders": row["accepting_orders"],
        "umaResolutionStatus": row["resolution_status"],
        "resolutionStatus": None,
        "negRisk": row["negative_risk"],
        "orderPriceMinTickSize": _plain(row["tick_size"]),
        "orderMinSize": _plain(row["order_size_min"]),
        "image": row["image"],
    }
    priced_at = row["priced_at"]
    as_of_ms = None if priced_at is None else round(priced_at.timestamp() * 1000)
    return StoredMarket(facts=facts_of(fields), as_of_ms=as_of_ms)


def _json(text: str | None) -> Any:
    return json.loads(text, parse_float=Decimal) if text else None


def _plain(value: Decimal | None) -> Decimal | None:
    """Returns a number without the zeros that its column adds: 0.01, not 0.010000."""
    if value is None:
        return None
    whole = value.to_integral_value()
    return whole if value == whole else value.normalize()
