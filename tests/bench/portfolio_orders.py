"""A user with thousands of copied orders: seven of ten by live strategies, in one to three fills, the rest recorded by hand.

Most orders of a token copy one trader.

A quarter are sales; a third of the markets are resolved, one of thirty void.
"""

from decimal import Decimal

import asyncpg

from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.live_strategy_store import LiveStrategyStore
from engine.adapters.postgres.strategy_store import StrategyStore
from protocols.live.settings import LiveSettings
from protocols.strategies import StrategySettings

from .databases import BenchDatabase

USER = "INSERT INTO profiles (user_name) VALUES ('copier') RETURNING id::text"
MARKETS = """
WITH made AS (
    INSERT INTO markets (condition_id, title, market_slug, outcomes, outcome_prices, closed, resolution_status, close_time,
        last_price_updated_at, raw_gamma)
    SELECT '0x' || lpad(to_hex(n), 64, '0'), 'Will it be ' || n || '?', 'will-' || n, '["Yes", "No"]',
        CASE WHEN n % 30 = 0 THEN '["0.5", "0.5"]' WHEN n % 3 = 0 THEN '["1", "0"]' ELSE '["0.41", "0.59"]' END::jsonb,
        n % 3 = 0, CASE WHEN n % 3 = 0 THEN 'resolved' END, CASE WHEN n % 3 = 0 THEN now() - n * interval '1 hour' END,
        now() - interval '1 minute', jsonb_build_object('padding', repeat('x', 3000))
    FROM generate_series(1, $1::integer) AS n RETURNING condition_id
)
INSERT INTO market_tokens (token_id, condition_id, outcome, outcome_index)
SELECT translate('9' || md5(condition_id || side) || md5(side || condition_id), 'abcdef', '123456'),
    condition_id,
    CASE side WHEN 0 THEN 'Yes' ELSE 'No' END, side
FROM made CROSS JOIN generate_series(0, 1) AS side
"""
MARKS = """
INSERT INTO copy_marks (token_id, condition_id, price, priced_at, source)
SELECT token_id, condition_id, 0.4, now() - interval '5 minutes', 'markets' FROM market_tokens WHERE outcome_index = 0
"""
LIVE = """
INSERT INTO lt_orders (lt_order_id, strategy_id, account, cause, attempt, origin, part, side, condition_id, token_id,
    token_label, market_title, ft_trader_wallet, signal_price, signal_at, decided_at, order_hash, signed_body, size_shares,
    lock_usd, limit_price, status, filled_shares, filled_usd, outcome, created_at, ended, ended_at)
SELECT gen_random_uuid(), 'LT_BOT' || 1 + (n / 7) % 5, 'main', 'cause ' || n, 1, 'copy', 'now',
    CASE WHEN n % 4 = 3 THEN 'SELL' ELSE 'BUY' END, token.condition_id, token.token_id, token.outcome, 'Will it?',
    '0x' || lpad(to_hex(CASE WHEN n % 11 = 0 THEN n ELSE n / 7 END % 40), 40, '0'), 0.5, now(), now(),
    '0x' || lpad(to_hex(n), 64, '0'), 'x', 10, 5, 0.5, 'FILLED',
    10, 5, 'NONE', now() - ($1 - n) * interval '10 minutes', true, now()
FROM generate_series(1, $1::integer) AS n
JOIN (SELECT *, row_number() OVER (ORDER BY token_id) - 1 AS place FROM market_tokens) AS token
    ON token.place = (n / 7) % $2::integer
WHERE n % 10 < 7
"""
FILLS = """
INSERT INTO lt_fills (order_hash, trade_id, lt_order_id, shares, price, fee_usd, role, status, matched_at)
SELECT order_hash, 'trade ' || number, lt_order_id, 3 + number, 0.3 + number * 0.012345, 0.01, 'TAKER', 'CONFIRMED',
    created_at + number * interval '1 second'
FROM lt_orders
CROSS JOIN LATERAL generate_series(1, 1 + (hashtext(order_hash) & 1) * (hashtext(cause) & 1) * 2) AS filled (number)
"""
RECORDED = """
INSERT INTO orders (order_id, copy_user_id, copied_trader_wallet, market_id, token_id, outcome, side, price, price_when_copied,
    size, filled_size, status, fee_usd, created_at, user_exit_price, user_closed_at)
SELECT 'copy ' || n, $3::text::uuid, '0x' || lpad(to_hex(CASE WHEN n % 11 = 0 THEN n ELSE n / 7 END % 40), 40, '0'),
    token.condition_id, token.token_id, token.outcome,
    CASE WHEN n % 4 = 3 THEN 'SELL' ELSE 'BUY' END, 0.5, 0.45 + (n % 10) * 0.01, 10, 8 + n % 3, 'matched', 0.02,
    now() - ($1 - n) * interval '10 minutes', CASE WHEN n % 40 = 8 THEN 0.7 END, CASE WHEN n % 40 = 8 THEN now() END
FROM generate_series(1, $1::integer) AS n
JOIN (SELECT *, row_number() OVER (ORDER BY token_id) - 1 AS place FROM market_tokens) AS token
    ON token.place = (n / 7) % $2::integer
WHERE n % 10 >= 7
"""


async def fill(database: BenchDatabase, orders: int, tokens: int) -> str:
    """Makes a user with so many copied orders over so many tokens, and returns his id."""

    connection = Connection(database.options, "fill")
    user_id: str = await connection.run(lambda raw: raw.fetchval(USER))
    bots = [(f"BOT{number}", StrategySettings()) for number in range(1, 6)]
    await StrategyStore(connection).create(bots, user_id, "bench")
    for name, _ in bots:
        await LiveStrategyStore(connection).create(
            f"LT_{name}", user_id=user_id, ft_wallet_id=name, account="main", capital_usd=Decimal(1_000),
            settings=LiveSettings(), by="bench",
        )  # fmt: skip

    async def work(raw: asyncpg.Connection) -> None:
        await raw.execute(MARKETS, tokens // 2)
        await raw.execute(MARKS)
        await raw.execute(LIVE, orders, tokens)
        await raw.execute(FILLS)
        await raw.execute(RECORDED, orders, tokens, user_id)
        await raw.execute("ANALYZE")

    await connection.run(work)
    await connection.aclose()
    return user_id
