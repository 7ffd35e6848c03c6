"""Writes imported rows into our tables: what is there already stays as it is, so a second import adds nothing."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import asyncpg
import attrs
import msgspec

from engine.adapters.postgres.database import Connection, row_count
from engine.adapters.postgres.reference_order_statement import INSERT_ORDERS
from engine.adapters.postgres.target_store import PostgresTargetStore
from protocols.timestamps import utc_datetime
from protocols.trades import Lane, LanedTrade

USERS = "SELECT id::text FROM profiles"
# Commits are ordered by this row, so that `ingest_seq` rises in commit order beside any other writer.
LOCK_INGEST = "SELECT 1 FROM engine_leases WHERE name = 'ingest' FOR UPDATE"
INSERT_PROFILES = """
INSERT INTO profiles (id, user_name, email, is_admin, created_at)
SELECT new.id, CASE
    WHEN row_number() OVER (PARTITION BY new.user_name ORDER BY new.id) = 1
    AND NOT EXISTS (SELECT 1 FROM profiles AS old WHERE old.user_name = new.user_name AND old.id <> new.id)
    THEN new.user_name ELSE new.other_name END, new.email, new.is_admin, coalesce(new.created_at, now())
FROM jsonb_to_recordset($1::jsonb) AS new (
    id uuid, user_name text, other_name text, email text, is_admin boolean, created_at timestamptz
)
ON CONFLICT DO NOTHING
"""
INSERT_TRADERS = """
INSERT INTO traders (
    wallet_address, display_name, profile_image, pnl, volume, roi, win_rate, total_trades, rank, follower_count, is_active,
    last_seen_at, updated_at
)
SELECT wallet_address, display_name, profile_image, pnl, volume, roi, win_rate, total_trades, rank, follower_count,
    is_active, last_seen_at, coalesce(updated_at, now())
FROM jsonb_to_recordset($1::jsonb) AS new (
    wallet_address text, display_name text, profile_image text, pnl numeric, volume numeric, roi numeric, win_rate numeric,
    total_trades bigint, rank integer, follower_count integer, is_active boolean, last_seen_at timestamptz,
    updated_at timestamptz
)
ON CONFLICT DO NOTHING
"""
INSERT_FOLLOWS = """
INSERT INTO follows (user_id, trader_wallet, active, created_at)
SELECT user_id, trader_wallet, active, coalesce(created_at, now())
FROM jsonb_to_recordset($1::jsonb) AS new (user_id uuid, trader_wallet text, active boolean, created_at timestamptz)
ON CONFLICT DO NOTHING
"""
INSERT_MARKETS = """
INSERT INTO markets (
    condition_id, gamma_market_id, market_slug, event_slug, title, category, outcomes, outcome_prices, start_time, end_time,
    close_time, active, closed, accepting_orders, resolution_status, negative_risk, protocol_version, tick_size,
    order_size_min, image, last_price_updated_at, raw_gamma
)
SELECT condition_id, gamma_market_id, market_slug, event_slug, title, category, outcomes::jsonb, outcome_prices::jsonb,
    start_time, end_time, close_time, active, closed, accepting_orders, resolution_status, negative_risk, protocol_version,
    tick_size, order_size_min, image, last_price_updated_at, raw_gamma::jsonb
FROM jsonb_to_recordset($1::jsonb) AS new (
    condition_id text, gamma_market_id text, market_slug text, event_slug text, title text, category text, outcomes text,
    outcome_prices text, start_time timestamptz, end_time timestamptz, close_time timestamptz, active boolean,
    closed boolean, accepting_orders boolean, resolution_status text, negative_risk boolean, protocol_version text,
    tick_size numeric, order_size_min numeric, image text, last_price_updated_at timestamptz, raw_gamma text
)
ON CONFLICT DO NOTHING
"""
INSERT_TOKENS = """
INSERT INTO market_tokens (token_id, condition_id, outcome, outcome_index)
SELECT token.token_id, market.condition_id, token.outcome, token.outcome_index
FROM jsonb_to_recordset($1::jsonb) AS market (condition_id text, tokens jsonb)
CROSS JOIN jsonb_to_recordset(market.tokens) AS token (token_id text, outcome text, outcome_index smallint)
ON CONFLICT DO NOTHING
"""
INSERT_TRADES = """
INSERT INTO trades_public (
    trade_id, lane, trader_wallet, transaction_hash, asset, condition_id, side, size, price, trade_timestamp,
    outcome, outcome_index, market_slug, event_slug, market_title, market_image, trader_name, trader_image, raw
)
SELECT trade_id, lane, wallet, transaction_hash, token_id, condition_id, side, size_micro * 0.000001, price::numeric,
    trade_at, outcome, outcome_index, market_slug, event_slug, market_title, market_image, trader_name, trader_image,
    raw::jsonb
FROM jsonb_to_recordset($1::jsonb) AS new (
    position bigint, trade_id text, lane smallint, wallet text, transaction_hash text, token_id text, condition_id text,
    side text, size_micro bigint, price text, trade_at timestamptz, outcome text, outcome_index smallint, market_slug text,
    event_slug text, market_title text, market_image text, trader_name text, trader_image text, raw text
)
ORDER BY position
ON CONFLICT DO NOTHING
"""
_STATEMENTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "profiles": INSERT_PROFILES,
        "traders": INSERT_TRADERS,
        "follows": INSERT_FOLLOWS,
        "markets": INSERT_MARKETS,
        "trades_public": INSERT_TRADES,
        "orders": INSERT_ORDERS,
    }
)
_encode = msgspec.json.Encoder().encode


@attrs.define(eq=False)
class ImportTarget:
    """Our database as an import sees it. Methods raise `TransientError` and `RejectedError`."""

    connection: Connection

    async def users(self) -> set[str]:
        """Returns the ids of all users."""

        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            return await raw.fetch(USERS)

        return {row["id"] for row in await self.connection.run(work)}

    async def lanes(self) -> dict[str, Lane]:
        """Returns the wallets that are followed or known already."""
        lanes: dict[str, Lane] = {}
        async for page in PostgresTargetStore(self.connection).wallets():
            for wallet, lane in page:
                lanes[wallet] = min(lane, lanes.get(wallet, lane))
        return lanes

    async def insert(self, table: str, rows: Sequence[Mapping[str, Any]]) -> int:
        """Inserts rows in one transaction, in their order, and returns how many were new."""
        document = _encode([{**row, "position": position} for position, row in enumerate(rows)]).decode()
        statement = _STATEMENTS[table]

        async def work(raw: asyncpg.Connection) -> str:
            async with raw.transaction():
                if table == "trades_public":
                    await raw.execute(LOCK_INGEST)
                status: str = await raw.execute(statement, document)
                if table == "markets":
                    await raw.execute(INSERT_TOKENS, document)
                return status

        return row_count(await self.connection.run(work))


def trade_values(laned: LanedTrade) -> dict[str, Any]:
    """Returns the columns of a trade for `ImportTarget.insert`."""
    fields = msgspec.structs.asdict(laned.trade)
    # Nothing of the moment of arrival is known.
    moment = utc_datetime(fields.pop("trade_ms"))
    del fields["seen_s"]
    return {**fields, "price": str(laned.trade.price), "trade_at": moment.isoformat(), "lane": laned.lane.value}
