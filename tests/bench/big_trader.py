"""One trader with a long history, made by the database itself: 100,000 trades, 20,000 closed positions, 1,000 open ones."""

from .databases import BenchDatabase

TRADES, CLOSED, OPEN, OTHERS = 100_000, 20_000, 1_000, 2_000
WALLET = "0x" + "b1" * 20
# $1 the wallet. Of every statement.
FILL = (
    # Trades of 90 days, a quarter of them sales, in 5,000 markets.
    f"""
INSERT INTO trades_public (trade_id, lane, trader_wallet, transaction_hash, asset, condition_id, side, size, price,
    trade_timestamp, trader_name, market_title, raw)
SELECT 'big ' || n, 1, $1, '0x' || md5('big ' || n), '7' || lpad((n % 10000)::text, 75, '0'),
    '0x' || md5('market ' || n % 5000) || md5('market2 ' || n % 5000), CASE WHEN n % 4 = 0 THEN 'SELL' ELSE 'BUY' END,
    n % 997 + 1, 0.3, now() - n * interval '90 days' / {TRADES}, 'Big', 'Market ' || n % 5000, '{{"bio": "a short one"}}'
FROM generate_series(1, {TRADES}) AS n
""",
    f"""
INSERT INTO wallet_closed_positions (wallet_address, token_id, condition_id, outcome, market_title, bought_shares, avg_price,
    realized_pnl, closed_at, is_unredeemed_loss)
SELECT $1, 'closed ' || n, '0x' || md5('market ' || n / 2) || md5('market2 ' || n / 2), 'Yes', 'Market ' || n / 2, 100, 0.4,
    n % 50 - 24, now() - n * interval '400 days' / {CLOSED}, n % 40 = 0
FROM generate_series(1, {CLOSED}) AS n
""",
    # All but a hundred of those that were seen to end stand in the venue's list as well.
    f"""
INSERT INTO positions_closed (wallet_address, token_id, condition_id, closed_reason, size, opened_at, closed_at)
SELECT $1, CASE WHEN n <= 100 THEN 'seen ' ELSE 'closed ' END || n, '0x' || md5('market ' || n / 2) || md5('market2 ' || n / 2),
    'redeemed', 10, now() - (n + 9) * interval '400 days' / {CLOSED}, now() - n * interval '400 days' / {CLOSED}
FROM generate_series(1, {CLOSED}) AS n
""",
    f"""
INSERT INTO positions_current (wallet_address, token_id, condition_id, size, cost_usd, value_usd, current_price, opened_at,
    last_seen_at)
SELECT $1, CASE WHEN n <= 200 THEN 'closed ' || n * 40 ELSE 'open ' || n END,
    '0x' || md5('market ' || n) || md5('market2 ' || n), 10, 5, n % 13, 0.5, now() - n * interval '1 hour', now()
FROM generate_series(1, {OPEN}) AS n
""",
    """
INSERT INTO trader_stats_daily (wallet_address, day, niche, structure, bracket, trades, usd)
SELECT $1, current_date - n, niche, 'YES_NO', bracket, 40, 1000 FROM generate_series(0, 89) AS n,
    unnest(ARRAY['NBA', 'NFL', 'CRYPTO', 'POLITICS']) AS niche, unnest(ARRAY['LOW', 'MID', 'HIGH']) AS bracket
""",
    """
INSERT INTO trader_open_buys (wallet_address, token_id, bracket, condition_id, trades, shares, usd)
SELECT $1, 'open ' || n, 'MID', '0x' || md5('market ' || n) || md5('market2 ' || n), 5, 10, 5
FROM generate_series(1, 1000) AS n
""",
    # Of everybody: days of half a year, rankings, records.
    """
INSERT INTO wallet_realized_pnl_daily (wallet_address, date, realized_pnl, pnl_to_date, closed_positions, won_positions, source)
SELECT wallet, current_date - n, n % 21 - 9, n, 5, n % 5, 'bench'
FROM (SELECT wallet FROM bench_wallets WHERE number < 2000 UNION SELECT $1) AS wallets, generate_series(0, 179) AS n
""",
    """
INSERT INTO wallet_realized_pnl_rankings (window_key, wallet_address, window_start, window_end, pnl_sum, rank, total_traders)
SELECT key, wallet, current_date - 1, current_date, 3000 - place, place, 2001
FROM unnest(ARRAY['1D', '7D', '30D', '3M', '6M', 'ALL', '1D_PREV', '7D_PREV', '30D_PREV', '3M_PREV', '6M_PREV']) AS key,
    (SELECT wallet, row_number() OVER (ORDER BY wallet) AS place
        FROM (SELECT wallet FROM bench_wallets WHERE number < 2000 UNION SELECT $1) AS wallets) AS placed
""",
    """
INSERT INTO wallet_rankings_state (anchor_date, wallets, wallets_failed)
SELECT current_date, 2001, 0 WHERE $1::text IS NOT NULL
""",
    """
INSERT INTO trader_global_stats (wallet_address, l_win_rate, l_count, l_resolved_count, l_total_roi_pct, l_avg_trade_size_usd,
    d30_win_rate, d30_count, d30_resolved_count, d30_total_roi_pct, d30_avg_trade_size_usd, d7_count, d7_resolved_count)
SELECT wallet, 0.5, 500, 400, 3, 90, hashtext(wallet) % 100 / 200.0 + 0.5, 100, 90, 4, 100, 0, 0
FROM (SELECT wallet FROM bench_wallets WHERE number < 2000 UNION SELECT $1) AS wallets
""",
    """
INSERT INTO traders (wallet_address, display_name, pnl, volume, roi, win_rate, total_trades, rank)
SELECT wallet, wallet, number * 10, number * 100, 0.1, 0.5, 90, number FROM bench_wallets WHERE number < 2000
    AND $1::text IS NOT NULL
ON CONFLICT (wallet_address) DO UPDATE SET pnl = excluded.pnl, volume = excluded.volume, roi = excluded.roi,
    win_rate = excluded.win_rate, total_trades = excluded.total_trades
""",
    """
INSERT INTO follows (user_id, trader_wallet)
SELECT profiles.id, wallet FROM profiles, (SELECT wallet FROM bench_wallets WHERE number < 500 UNION SELECT $1) AS wallets
WHERE user_name = 'admin'
""",
)
TABLES = ("trades_public", "wallet_closed_positions", "positions_closed", "positions_current", "trader_stats_daily",
          "trader_open_buys", "wallet_realized_pnl_daily", "wallet_realized_pnl_rankings", "trader_global_stats", "traders",
          "follows")  # fmt: skip


async def add_big_trader(database: BenchDatabase) -> None:
    """Adds the trader to a database that `feed_trades.filled` has filled."""
    for statement in FILL:
        await database.fetch(statement, WALLET)
    for table in TABLES:
        await database.fetch(f"VACUUM (ANALYZE) {table}")
