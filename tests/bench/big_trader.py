"""One trader with a long history among others, made by the database itself: for benchmarks, and for tests of plans."""

from collections.abc import Awaitable, Callable
from typing import Any

import attrs

Run = Callable[..., Awaitable[Any]]
WALLET = "0x" + "b1" * 20
TABLES = ("trades_public", "wallet_closed_positions", "positions_closed", "positions_current", "trader_stats_daily",
          "trader_open_buys", "wallet_realized_pnl_daily", "wallet_realized_pnl_rankings", "trader_global_stats", "traders",
          "trader_profile_stats", "follows")  # fmt: skip
# $1 the wallet, $2 how many: trades of 90 days, a quarter of them sales, in 5,000 markets.
TRADES = """
INSERT INTO trades_public (trade_id, lane, trader_wallet, transaction_hash, asset, condition_id, side, size, price,
    trade_timestamp, trader_name, market_title, raw)
SELECT 'big ' || n, 1, $1, '0x' || md5('big ' || n), '7' || lpad((n % 10000)::text, 75, '0'),
    '0x' || md5('market ' || n % 5000) || md5('market2 ' || n % 5000), CASE WHEN n % 4 = 0 THEN 'SELL' ELSE 'BUY' END,
    n % 997 + 1, 0.3, now() - n * interval '90 days' / $2::int, 'Big', 'Market ' || n % 5000, '{"bio": "a short one"}'
FROM generate_series(1, $2::int) AS n
"""
CLOSED = """
INSERT INTO wallet_closed_positions (wallet_address, token_id, condition_id, outcome, market_title, bought_shares, avg_price,
    realized_pnl, closed_at, is_unredeemed_loss)
SELECT $1, 'closed ' || n, '0x' || md5('market ' || n / 2) || md5('market2 ' || n / 2), 'Yes', 'Market ' || n / 2, 100, 0.4,
    n % 50 - 24, now() - n * interval '400 days' / $2::int, n % 40 = 0
FROM generate_series(1, $2::int) AS n
"""
# All but a hundred of those that were seen to end stand in the venue's list as well.
SEEN = """
INSERT INTO positions_closed (wallet_address, token_id, condition_id, closed_reason, size, opened_at, opened_snapshot,
    last_seen_at, closed_at)
SELECT $1, CASE WHEN n <= 100 THEN 'seen ' ELSE 'closed ' END || n, '0x' || md5('market ' || n / 2) || md5('market2 ' || n / 2),
    'redeemed', 10, now() - (n + 9) * interval '400 days' / $2::int, n, now(), now() - n * interval '400 days' / $2::int
FROM generate_series(1, $2::int) AS n
"""
HELD = """
INSERT INTO positions_current (wallet_address, token_id, condition_id, size, cost_usd, value_usd, current_price, opened_at,
    opened_snapshot, last_seen_at)
SELECT $1, CASE WHEN n <= 200 THEN 'closed ' || n * 40 ELSE 'open ' || n END,
    '0x' || md5('market ' || n) || md5('market2 ' || n), 10, 5, n % 13, 0.5, now() - n * interval '1 hour', n, now()
FROM generate_series(1, $2::int) AS n
"""
PENDING = """
INSERT INTO trader_open_buys (wallet_address, token_id, bracket, condition_id, trades, shares, usd)
SELECT $1, 'open ' || n, 'MID', '0x' || md5('market ' || n) || md5('market2 ' || n), 5, 10, 5
FROM generate_series(1, $2::int) AS n
"""
COUNTED = """
INSERT INTO trader_stats_daily (wallet_address, day, niche, structure, bracket, trades, usd)
SELECT $1, current_date - n, niche, 'YES_NO', bracket, 40, 1000 FROM generate_series(0, 89) AS n,
    unnest(ARRAY['NBA', 'NFL', 'CRYPTO', 'POLITICS']) AS niche, unnest(ARRAY['LOW', 'MID', 'HIGH']) AS bracket
"""
# $1 the wallet, $2 how many others, each with: 180 days, a place in every ranking, a record, a few positions.
WITH_OTHERS = """
WITH others AS MATERIALIZED (
    SELECT '0x' || md5('wallet ' || n) || substr(md5('rest ' || n), 1, 8) AS wallet, n + 1 AS place
    FROM generate_series(0, $2::int - 1) AS n UNION SELECT $1, 0
)
"""
OF_EVERYBODY = tuple(WITH_OTHERS + statement for statement in (
    """
INSERT INTO trades_public (trade_id, lane, trader_wallet, transaction_hash, asset, condition_id, side, size, price,
    trade_timestamp, raw)
SELECT wallet || n, 2, wallet, '0x', '7', 'c' || n, 'BUY', 10, 0.5, now() - n * interval '1 hour', '{}'
FROM others, generate_series(1, 5) AS n WHERE place > 0
""",
    """
INSERT INTO wallet_realized_pnl_daily (wallet_address, date, realized_pnl, pnl_to_date, closed_positions, won_positions, source)
SELECT wallet, current_date - n, n % 21 - 7, n, 5, n % 5, 'bench' FROM others, generate_series(0, 179) AS n
""",
    """
INSERT INTO wallet_realized_pnl_rankings (window_key, wallet_address, window_start, window_end, pnl_sum, rank, total_traders)
SELECT key, wallet, current_date - 1, current_date, $2 + 1 - place, place + 1, $2 + 1 FROM others,
    unnest(ARRAY['1D', '7D', '30D', '3M', '6M', 'ALL', '1D_PREV', '7D_PREV', '30D_PREV', '3M_PREV', '6M_PREV']) AS key
""",
    """
INSERT INTO wallet_rankings_state (anchor_date, wallets, wallets_failed, wallets_waiting, read_since)
SELECT current_date, count(*), 0, 0, now() FROM others
""",
    """
INSERT INTO trader_global_stats (wallet_address, l_win_rate, l_count, l_resolved_count, l_total_roi_pct, l_avg_trade_size_usd,
    d30_win_rate, d30_count, d30_resolved_count, d30_total_roi_pct, d30_avg_trade_size_usd, d7_count, d7_resolved_count)
SELECT wallet, 0.5, 500, 400, 3, 90, place % 100 / 200.0 + 0.5, 100, 90, 4, 100, 0, 0 FROM others
""",
    """
INSERT INTO trader_profile_stats (wallet_address, final_niche, structure, bracket, win_rate, resolved_count)
SELECT wallet, niche, 'YES_NO', 'MID', 0.5, 30 FROM others, unnest(ARRAY['NBA', 'NFL', 'CRYPTO', 'POLITICS']) AS niche
""",
    """
INSERT INTO traders (wallet_address, display_name, pnl, volume, roi, win_rate, total_trades, rank)
SELECT wallet, 'Trader ' || place, place * 10, place * 100, 0.1, 0.5, 90, place FROM others
ON CONFLICT (wallet_address) DO UPDATE SET pnl = excluded.pnl, volume = excluded.volume, roi = excluded.roi,
    win_rate = excluded.win_rate, total_trades = excluded.total_trades
""",
    """
INSERT INTO follows (user_id, trader_wallet) SELECT profiles.id, wallet FROM profiles, others
WHERE user_name = 'admin' AND place < 500
""",
    """
INSERT INTO wallet_closed_positions (wallet_address, token_id, condition_id, market_title, bought_shares, avg_price,
    realized_pnl, closed_at, is_unredeemed_loss)
SELECT wallet, 'c ' || n, '0x' || md5('market ' || n / 2) || md5('market2 ' || n / 2), 'Market', 100, 0.4, n % 50 - 24,
    now() - n * interval '1 day', n % 40 = 0
FROM others, generate_series(1, 100) AS n WHERE place > 0
""",
    """
INSERT INTO positions_current (wallet_address, token_id, condition_id, size, cost_usd, value_usd, current_price, opened_at,
    opened_snapshot, last_seen_at)
SELECT wallet, 'o ' || n, '0x' || md5('market ' || n) || md5('market2 ' || n), 10, 5, n % 13, 0.5, now(), n, now()
FROM others, generate_series(1, 50) AS n WHERE place > 0
""",
))  # fmt: skip


@attrs.frozen(kw_only=True)
class Sizes:
    """How much history he has, and how many others have a little."""

    trades: int = 100_000
    closed: int = 20_000
    open: int = 1_000
    others: int = 2_000


async def add_big_trader(run: Run, sizes: Sizes) -> None:
    """Adds them to a migrated database by way of `run(statement, *arguments)`."""
    await run(TRADES, WALLET, sizes.trades)
    for statement in (CLOSED, SEEN):
        await run(statement, WALLET, sizes.closed)
    for statement in (HELD, PENDING):
        await run(statement, WALLET, sizes.open)
    await run(COUNTED, WALLET)
    for statement in OF_EVERYBODY:
        await run(statement, WALLET, sizes.others)
    for table in TABLES:
        await run(f"VACUUM (ANALYZE) {table}")
