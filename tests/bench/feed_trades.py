"""A database with many synthetic trades, made by the database itself; equal arguments make equal trades."""

import time

import asyncpg
import attrs

from engine.adapters.postgres.database import once
from protocols.timestamps import utc_datetime

from .databases import BenchDatabase
from .figures import Say

DAYS = 30
DORMANT_DAYS = 8
"""Dormant wallets trade in the first days only."""
WALLETS = 20_000
DORMANT = 500
MARKETS = 5_000
STEP_ROWS = 500_000
TRUNCATE = "TRUNCATE trades_public RESTART IDENTITY"
INDEXES = """
SELECT indexname AS name, indexdef AS definition FROM pg_indexes
WHERE tablename = 'trades_public' AND indexname LIKE 'trades_public_by_%'
"""
DROP_INDEXES = """
DO $$
DECLARE name text;
BEGIN
    FOR name IN SELECT indexname FROM pg_indexes WHERE tablename = 'trades_public' AND indexname LIKE 'trades_public_by_%'
    LOOP
        EXECUTE format('DROP INDEX %I', name);
    END LOOP;
END
$$
"""
WALLET_TABLE = "CREATE TABLE bench_wallets (number int PRIMARY KEY, wallet text NOT NULL)"
MAKE_WALLETS = """
INSERT INTO bench_wallets (number, wallet)
SELECT number, '0x' || md5('wallet ' || number) || substr(md5('rest ' || number), 1, 8) AS wallet
FROM generate_series(0, $1::int - 1) AS number
"""
MAKE_TRADERS = """
INSERT INTO traders (wallet_address, display_name)
SELECT wallet, 'Trader ' || number FROM bench_wallets WHERE number % 2 = 0
"""
MAKE_MARKETS = """
INSERT INTO markets (condition_id, title, outcome_prices, image)
SELECT '0x' || md5('market ' || number) || md5('market2 ' || number), 'Will number ' || number || ' be drawn?',
    '["0.35", "0.65"]', 'https://images.example/market.png'
FROM generate_series(0, $1::int - 1) AS number
"""
# Three chances of each trade from one hash. Some wallets trade far more than others: the cube of an even distribution.
# $1 and $2 first and last number, $3 trades in all, $4 end of the time, $5 days, $6 wallets, $7 of these dormant, $8 markets,
# $9 the share of the time in which dormant wallets trade.
FILL = """
INSERT INTO trades_public (
    trade_id, lane, trader_wallet, transaction_hash, asset, condition_id, side, size, price, trade_timestamp, outcome,
    outcome_index, market_slug, event_slug, market_title, market_image, trader_name, trader_image, raw
)
SELECT md5('trade ' || made.number) || '-0', 1, bench_wallets.wallet,
    '0x' || md5('tx ' || made.number) || md5('tx2 ' || made.number), '7' || lpad(made.market::text, 75, '0'),
    '0x' || md5('market ' || made.market) || md5('market2 ' || made.market),
    CASE WHEN made.number % 4 = 0 THEN 'SELL' ELSE 'BUY' END, (made.number % 9973 + 1) * 1.000001,
    (made.number % 997 + 1) * 0.001, made.at, CASE WHEN made.number % 2 = 0 THEN 'Yes' ELSE 'No' END, made.number % 2,
    'will-number-' || made.market || '-be-drawn', 'numbers', 'Will number ' || made.market || ' be drawn?',
    'https://images.example/market.png', 'Name-' || made.wallet, NULL, '{"bio": "a short one"}'
FROM (
    SELECT chances.number, chances.market,
        date_trunc('second', $4::timestamptz - $5 * interval '1 day' * (1 - chances.number::float8 / $3)) AS at,
        CASE WHEN chances.number < $9::float8 * $3 AND chances.number % 40 = 7 THEN (chances.second * $7)::int
            ELSE $7 + ((chances.first * chances.first * chances.first) * ($6 - $7 - 1))::int END AS wallet
    FROM (
        SELECT number, (hashint8(number) & 65535) / 65536.0::float8 AS first,
            (hashint8(number + 1000000007) & 65535) / 65537.0::float8 AS second,
            (hashint8(number + 2000000011) & 1048575) % $8 AS market
        FROM generate_series($1::bigint, $2::bigint) AS number
    ) AS chances
) AS made
JOIN bench_wallets ON bench_wallets.number = least(made.wallet, $6 - 1)
ORDER BY made.number
"""
FOLLOW = """
INSERT INTO follows (user_id, trader_wallet)
SELECT profiles.id, bench_wallets.wallet FROM profiles CROSS JOIN bench_wallets
WHERE profiles.user_name = $1 AND bench_wallets.number = ANY ($2::int[])
"""
MAKE_USER = "INSERT INTO profiles (user_name) VALUES ($1) RETURNING id::text"
ROWS = "SELECT count(*) FROM trades_public"


@attrs.frozen(kw_only=True)
class FeedTrades:
    """The filled database."""

    database: BenchDatabase
    rows: int
    end_ms: int

    async def user(self, name: str, wallet_numbers: list[int]) -> str:
        """Makes a user who follows these wallets; returns the id."""
        user_id: str = await self.database.value(MAKE_USER, name)
        await self.database.fetch(FOLLOW, name, wallet_numbers)
        return user_id


async def filled(database: BenchDatabase, rows: int, say: Say) -> FeedTrades:
    """Fills the database with `rows` trades that end now."""
    began_s = time.perf_counter()
    end_ms = int(time.time()) * 1000

    async def work(raw: asyncpg.Connection) -> None:
        await raw.execute("SET maintenance_work_mem = '512MB'")
        await raw.execute("SET work_mem = '64MB'")
        await raw.execute(WALLET_TABLE)
        await raw.execute(MAKE_WALLETS, WALLETS)
        await raw.execute(MAKE_TRADERS)
        await raw.execute(MAKE_MARKETS, MARKETS)
        indexes = await raw.fetch(INDEXES)
        async with raw.transaction():
            # In the transaction that emptied it, a table is filled without write-ahead log.
            await raw.execute(TRUNCATE)
            await raw.execute(DROP_INDEXES)
            for first in range(0, rows, STEP_ROWS):
                last = min(first + STEP_ROWS, rows) - 1
                await _fill(raw, first, last, rows, end_ms)
                say(f"  {last + 1:,} of {rows:,} trades, {time.perf_counter() - began_s:.0f} s")
            for index in indexes:
                await raw.execute(index["definition"])
                say(f"  {index['name']}, {time.perf_counter() - began_s:.0f} s")
        await raw.execute("VACUUM (ANALYZE) trades_public")
        await raw.execute("VACUUM (ANALYZE) traders")
        await raw.execute("VACUUM (ANALYZE) markets")

    await once(attrs.evolve(database.options, statement_timeout_s=3600), "bench fill", work)
    say(f"  vacuumed, {time.perf_counter() - began_s:.0f} s")
    return FeedTrades(database=database, rows=rows, end_ms=end_ms)


async def _fill(raw: asyncpg.Connection, first: int, last: int, rows: int, end_ms: int) -> None:
    share = DORMANT_DAYS / DAYS
    await raw.execute(FILL, first, last, rows, utc_datetime(end_ms), DAYS, WALLETS, DORMANT, MARKETS, share)
