"""Trades, markets and days of traders in a real database, for plans on what is stored."""

import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal

import asyncpg
import trio

from engine.adapters.postgres.database import DatabaseOptions, RunsWork, database_loop, open_connection
from engine.replay.tape_markets import Resolution
from engine.simulator.tape import TapeRow
from protocols.timestamps import utc_datetime
from protocols.trades import canonical_condition_id

ADD_TRADE = """
INSERT INTO trades_public (trade_id, lane, trader_wallet, transaction_hash, asset, condition_id, side, size, price,
    trade_timestamp, outcome, outcome_index, market_title, market_slug, raw)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, '{}')
"""
ADD_MARKET = """
INSERT INTO markets (condition_id, title, category, outcomes, raw_gamma)
VALUES ($1, $2, 'Sports', '["Yes", "No"]', '{"tags": [{"label": "NBA"}]}') ON CONFLICT DO NOTHING
"""
ADD_TOKEN = """
INSERT INTO market_tokens (token_id, condition_id, outcome, outcome_index) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
"""
RESOLVE = """
UPDATE markets SET closed = true, resolution_status = 'resolved', outcome_prices = $2::jsonb, close_time = $3
WHERE condition_id = $1
"""
ADD_DAY = """
INSERT INTO trader_stats_daily (wallet_address, day, niche, structure, bracket, trades, usd, resolved_trades, wins,
    resolved_usd, payout_usd) VALUES ($1, $2, 'NBA', 'YES_NO', 'MID', $3, $4, $5, $6, $4, $7)
"""
CLEAR = "TRUNCATE trades_public, markets, market_tokens, trader_stats_daily"


async def store_trades(
    reads: RunsWork, rows: Sequence[TapeRow], *, lane: int = 0, first: int = 0, with_markets: bool = True
) -> None:
    """Stores rows of a tape under ids of their own."""

    async def work(raw: asyncpg.Connection) -> None:
        async with raw.transaction():
            for number, row in enumerate(rows, first):
                id_ = canonical_condition_id(row.condition_id)
                await raw.execute(
                    ADD_TRADE, f"t{number:06d}", lane, row.wallet, row.transaction_hash, row.token_id, id_, row.side,
                    Decimal(row.size_micro) / 1_000_000, row.price, utc_datetime(row.timestamp_s * 1000),
                    row.text("outcome"), row.fields["outcomeIndex"], row.text("title"), row.text("slug"),
                )  # fmt: skip
                if with_markets:
                    await raw.execute(ADD_MARKET, id_, row.text("title"))
                    for place, outcome in enumerate(("Yes", "No")):
                        token = str(int(row.token_id) // 10 * 10 + place)
                        await raw.execute(ADD_TOKEN, token, id_, outcome, place)

    await reads.run(work)


async def resolve(reads: RunsWork, resolutions: Sequence[Resolution]) -> None:
    """Ends markets that are stored."""

    async def work(raw: asyncpg.Connection) -> None:
        for one in resolutions:
            assert one.condition_id is not None
            assert one.closed_ms is not None
            payouts = json.dumps([str(one.payouts[token]) for token in sorted(one.payouts)])
            ended = utc_datetime(one.closed_ms)
            await raw.execute(RESOLVE, canonical_condition_id(one.condition_id), payouts, ended)

    await reads.run(work)


async def add_day(reads: RunsWork, wallet: str, at_s: int, trades: int, resolved: int, wins: int) -> None:
    """Stores what a trader did on the UTC day of a time."""
    day = datetime.fromtimestamp(at_s, UTC).date()
    values = (wallet, day, trades, Decimal(10 * trades), resolved, Decimal(wins), Decimal(15 * wins))
    await reads.run(lambda raw: raw.execute(ADD_DAY, *values))


def in_database(database: DatabaseOptions, work: Callable[[RunsWork], Awaitable[None]]) -> None:
    """Runs `work` with a connection, from a test that is not asynchronous."""

    async def main() -> None:
        async with database_loop(), open_connection(database, "test") as connection:
            await work(connection)

    trio.run(main)
