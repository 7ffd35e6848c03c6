"""The statements of `trader_stats_store`: each adds to counts in one pass, in a transaction that its caller fences."""

# $1 rows. USD are rounded trade by trade, so that it does not matter in which portions trades are counted.
COUNT_TRADES = """
WITH batch AS MATERIALIZED (
    SELECT ingest_seq, trader_wallet AS wallet, asset, condition_id, side, size, round(size * price, 6) AS usd,
        CASE WHEN price < 0.30 THEN 'LOW' WHEN price <= 0.70 THEN 'MID' ELSE 'HIGH' END AS bracket,
        (trade_timestamp AT TIME ZONE 'UTC')::date AS day
    FROM trades_public
    WHERE ingest_seq > coalesce((SELECT position FROM ft_cursors WHERE name = 'trader-trades'), 0)
    ORDER BY ingest_seq LIMIT $1
), moved AS (
    INSERT INTO ft_cursors (name, position)
    SELECT 'trader-trades', max(ingest_seq) FROM batch HAVING count(*) > 0
    ON CONFLICT (name) DO UPDATE SET position = excluded.position, moved_at = now()
), opened AS (
    INSERT INTO trader_open_buys AS kept (wallet_address, token_id, bracket, condition_id, trades, shares, usd)
    SELECT wallet, asset, bracket, min(condition_id), count(*), sum(size), sum(usd)
    FROM batch WHERE side = 'BUY' GROUP BY wallet, asset, bracket
    ON CONFLICT (wallet_address, token_id, bracket) DO UPDATE SET
        trades = kept.trades + excluded.trades, shares = kept.shares + excluded.shares, usd = kept.usd + excluded.usd
), by_day AS (
    INSERT INTO trader_stats_daily AS kept (wallet_address, day, niche, structure, bracket, trades, usd)
    SELECT wallet, day, '', '', bracket, count(*), sum(usd)
    FROM batch WHERE side = 'BUY' GROUP BY wallet, day, bracket
    ON CONFLICT (wallet_address, day, niche, structure, bracket) DO UPDATE SET
        trades = kept.trades + excluded.trades, usd = kept.usd + excluded.usd
), stale AS (
    INSERT INTO trader_stats_stale SELECT DISTINCT wallet FROM batch WHERE side = 'BUY' ON CONFLICT DO NOTHING
)
SELECT count(*) FROM batch
"""
# $1 market, $2 markets.
RESOLVED_MARKETS = """
SELECT markets.condition_id, markets.title, markets.category, markets.outcomes, markets.close_time,
    coalesce(markets.raw_gamma -> 'tags', markets.raw_gamma #> '{events,0,tags}') AS tags,
    ARRAY (
        SELECT (token_id, coalesce(payout, outcome_price(markets.outcome_prices, outcome_index)))
        FROM market_tokens WHERE market_tokens.condition_id = markets.condition_id ORDER BY outcome_index
    ) AS payouts
FROM (SELECT DISTINCT condition_id FROM trader_open_buys WHERE condition_id > $1) AS bought
JOIN markets USING (condition_id)
WHERE markets.is_resolved
ORDER BY condition_id LIMIT $2
"""
# $1 tokens, $2 their markets, $3 payouts, $4 days, $5 niches, $6 structures, $7 rows.
SETTLE_BUYS = """
WITH paid AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::numeric[], $4::date[], $5::text[], $6::text[])
        AS listed (token_id, condition_id, payout, day, niche, structure)
), gone AS (
    DELETE FROM trader_open_buys AS bought USING paid
    WHERE bought.condition_id = paid.condition_id AND bought.token_id = paid.token_id
        AND bought.ctid = ANY (ARRAY (
            SELECT due.ctid FROM trader_open_buys AS due JOIN paid USING (condition_id, token_id) LIMIT $7
        ))
    RETURNING bought.*, paid.payout, paid.day, paid.niche, paid.structure
), by_day AS (
    INSERT INTO trader_stats_daily AS kept (
        wallet_address, day, niche, structure, bracket, resolved_trades, wins, resolved_usd, payout_usd
    )
    SELECT wallet_address, day, niche, structure, bracket, sum(trades), sum(trades * payout), sum(usd), sum(shares * payout)
    FROM gone GROUP BY wallet_address, day, niche, structure, bracket
    ON CONFLICT (wallet_address, day, niche, structure, bracket) DO UPDATE SET
        resolved_trades = kept.resolved_trades + excluded.resolved_trades, wins = kept.wins + excluded.wins,
        resolved_usd = kept.resolved_usd + excluded.resolved_usd, payout_usd = kept.payout_usd + excluded.payout_usd
), stale AS (
    INSERT INTO trader_stats_stale SELECT DISTINCT wallet_address FROM gone ON CONFLICT DO NOTHING
)
SELECT count(*) AS rows, coalesce(sum(trades), 0)::bigint AS trades FROM gone
"""
WINDOW_DAY = "SELECT date '1970-01-01' + position::int FROM ft_cursors WHERE name = 'trader-windows'"
# $1 the day that the windows end with from now on, $2 the one they ended with.
MOVE_WINDOWS = """
WITH moved AS (
    INSERT INTO ft_cursors (name, position) VALUES ('trader-windows', $1::date - date '1970-01-01')
    ON CONFLICT (name) DO UPDATE SET position = excluded.position, moved_at = now()
), left_behind AS (
    SELECT DISTINCT wallet_address FROM trader_stats_daily
    WHERE (day > $2::date - 30 AND day <= $1::date - 30) OR (day > $2::date - 7 AND day <= $1::date - 7)
), stale AS (
    INSERT INTO trader_stats_stale SELECT wallet_address FROM left_behind ON CONFLICT DO NOTHING
)
SELECT count(*) FROM left_behind
"""
TAKE_STALE = """
DELETE FROM trader_stats_stale WHERE wallet_address = ANY (ARRAY (
    SELECT wallet_address FROM trader_stats_stale ORDER BY wallet_address LIMIT $1
)) RETURNING wallet_address
"""
# $1 wallets, $2 the day that the windows end with.
REFRESH_GLOBAL = """
WITH windows (prefix, since) AS (
    VALUES ('l', date '-infinity'), ('d30', $2::date - 30), ('d7', $2::date - 7)
), sums AS (
    SELECT wallet_address, prefix, coalesce(sum(trades), 0) AS trades, sum(usd) / nullif(sum(trades), 0) AS avg_usd,
        coalesce(sum(resolved_trades), 0) AS resolved, sum(wins) / nullif(sum(resolved_trades), 0) AS win_rate,
        100 * (sum(payout_usd) - sum(resolved_usd)) / nullif(sum(resolved_usd), 0) AS roi_pct
    FROM trader_stats_daily JOIN windows ON day > since
    WHERE wallet_address = ANY ($1::text[]) GROUP BY wallet_address, prefix
)
INSERT INTO trader_global_stats AS kept (
    wallet_address, l_win_rate, l_count, l_resolved_count, l_total_roi_pct, l_avg_trade_size_usd,
    d30_win_rate, d30_count, d30_resolved_count, d30_total_roi_pct, d30_avg_trade_size_usd,
    d7_win_rate, d7_count, d7_resolved_count, d7_total_roi_pct, d7_avg_trade_size_usd
)
SELECT l.wallet_address, l.win_rate, l.trades, l.resolved, l.roi_pct, l.avg_usd,
    d30.win_rate, coalesce(d30.trades, 0), coalesce(d30.resolved, 0), d30.roi_pct, d30.avg_usd,
    d7.win_rate, coalesce(d7.trades, 0), coalesce(d7.resolved, 0), d7.roi_pct, d7.avg_usd
FROM sums AS l
LEFT JOIN sums AS d30 ON d30.wallet_address = l.wallet_address AND d30.prefix = 'd30'
LEFT JOIN sums AS d7 ON d7.wallet_address = l.wallet_address AND d7.prefix = 'd7'
WHERE l.prefix = 'l'
ON CONFLICT (wallet_address) DO UPDATE SET
    seq = excluded.seq, l_win_rate = excluded.l_win_rate, l_count = excluded.l_count,
    l_resolved_count = excluded.l_resolved_count, l_total_roi_pct = excluded.l_total_roi_pct,
    l_avg_trade_size_usd = excluded.l_avg_trade_size_usd, d30_win_rate = excluded.d30_win_rate,
    d30_count = excluded.d30_count, d30_resolved_count = excluded.d30_resolved_count,
    d30_total_roi_pct = excluded.d30_total_roi_pct, d30_avg_trade_size_usd = excluded.d30_avg_trade_size_usd,
    d7_win_rate = excluded.d7_win_rate, d7_count = excluded.d7_count, d7_resolved_count = excluded.d7_resolved_count,
    d7_total_roi_pct = excluded.d7_total_roi_pct, d7_avg_trade_size_usd = excluded.d7_avg_trade_size_usd,
    updated_at = now()
"""
REFRESH_PROFILES = """
INSERT INTO trader_profile_stats (wallet_address, final_niche, structure, bracket, win_rate, resolved_count)
SELECT wallet_address, niche, structure, bracket, sum(wins) / sum(resolved_trades), sum(resolved_trades)
FROM trader_stats_daily WHERE wallet_address = ANY ($1::text[]) AND resolved_trades > 0
GROUP BY wallet_address, niche, structure, bracket
ON CONFLICT (wallet_address, final_niche, structure, bracket) DO UPDATE SET
    win_rate = excluded.win_rate, resolved_count = excluded.resolved_count
"""
COUNT_REASONS = """
WITH batch AS MATERIALIZED (
    SELECT seq, trade_day, strategies, reasons FROM decisions
    WHERE seq > coalesce((SELECT position FROM ft_cursors WHERE name = 'decision-reasons'), 0)
    ORDER BY seq LIMIT $1
), moved AS (
    INSERT INTO ft_cursors (name, position)
    SELECT 'decision-reasons', max(seq) FROM batch HAVING count(*) > 0
    ON CONFLICT (name) DO UPDATE SET position = excluded.position, moved_at = now()
), counted AS (
    INSERT INTO ft_reason_counts AS kept (strategy, day, reason, trades)
    SELECT result.strategy, trade_day, result.reason, count(*)
    FROM batch CROSS JOIN unnest(strategies, reasons) AS result (strategy, reason)
    GROUP BY result.strategy, trade_day, result.reason
    ON CONFLICT (strategy, day, reason) DO UPDATE SET trades = kept.trades + excluded.trades
)
SELECT count(*) FROM batch
"""
