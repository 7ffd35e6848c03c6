"""The statements behind the head of a trader's profile. $1 is his wallet, in lower case.

Connections run with generic plans, which know no parameter: single rows are looked up by LATERAL subqueries of one row.
"""

from engine.adapters.postgres.trader_sources import HELD, days_of_trades, trades_of

# Each looked up by key. A plain EXISTS would be read from the beginning of a table of few wallets, to the end for one that is
# not among them (see `trades_of`).
KNOWN = """
SELECT coalesce(
    (SELECT true FROM traders WHERE wallet_address = $1 LIMIT 1),
    (SELECT true FROM trades_public WHERE trader_wallet >= $1 AND trader_wallet <= $1
        ORDER BY trader_wallet, trade_timestamp DESC, trade_id DESC LIMIT 1),
    (SELECT true FROM positions_current WHERE wallet_address >= $1 AND wallet_address <= $1
        ORDER BY wallet_address, token_id LIMIT 1),
    (SELECT true FROM positions_closed WHERE wallet_address >= $1 AND wallet_address <= $1
        ORDER BY wallet_address, closed_at DESC, id DESC LIMIT 1),
    (SELECT true FROM wallet_closed_positions WHERE wallet_address >= $1 AND wallet_address <= $1
        ORDER BY wallet_address, token_id LIMIT 1),
    (SELECT true FROM wallet_realized_pnl_daily WHERE wallet_address >= $1 AND wallet_address <= $1
        ORDER BY wallet_address, date LIMIT 1),
    (SELECT true FROM trader_global_stats WHERE wallet_address = $1 LIMIT 1),
    (SELECT true FROM trader_stats_daily WHERE wallet_address >= $1 AND wallet_address <= $1
        ORDER BY wallet_address, day LIMIT 1),
    (SELECT true FROM follows WHERE trader_wallet = $1 AND active LIMIT 1),
    false
)
"""
# $2 user.
HEAD = f"""
WITH RECURSIVE {days_of_trades("timestamptz 'infinity'")}
SELECT trader.known, coalesce(trader.display_name, newest.trader_name) AS name,
    coalesce(trader.profile_image, newest.trader_image) AS image,
    trader.rank, trader.rank_volume, trader.pnl, trader.volume, trader.roi, trader.win_rate, trader.total_trades,
    trader.markets_traded, trader.leaderboard_at, newest.trade_timestamp AS last_trade_at,
    (SELECT count(*) FROM follows WHERE trader_wallet = $1 AND active) AS followers,
    coalesce(mine.active, false) AS is_followed, coalesce(mine.active AND mine.is_target, false) AS is_target,
    daily.days_known, daily.closed, daily.won, daily.updated_at AS daily_at,
    polled.last_position_check_at, polled.trades_seen_at, backfilled.last_backfilled_at,
    ranked.anchor_date, ranked.wallets, ranked.wallets_failed, ranked.wallets_waiting, ranked.computed_at,
    (SELECT count(*) FROM (
        SELECT day FROM traded
        UNION SELECT day FROM trader_stats_daily WHERE wallet_address = $1 AND trades > 0
        UNION SELECT date FROM wallet_realized_pnl_daily WHERE wallet_address = $1 AND closed_positions > 0
    ) AS days) AS active_days
FROM (SELECT 1) AS asked
LEFT JOIN LATERAL (SELECT true AS known, * FROM traders WHERE wallet_address = $1 LIMIT 1) AS trader ON true
LEFT JOIN LATERAL (
    SELECT trader_name, trader_image, trade_timestamp FROM trades_public WHERE {trades_of("$1")}
    ORDER BY trade_timestamp DESC, trade_id DESC LIMIT 1
) AS newest ON true
LEFT JOIN LATERAL (
    SELECT active, is_target FROM follows WHERE user_id = $2::text::uuid AND trader_wallet = $1 LIMIT 1
) AS mine ON true
LEFT JOIN LATERAL (
    SELECT last_position_check_at, greatest(last_trade_time_seen, last_history_time_seen) AS trades_seen_at
    FROM wallet_poll_state WHERE wallet_address = $1 LIMIT 1
) AS polled ON true
LEFT JOIN LATERAL (
    SELECT last_backfilled_at FROM wallet_pnl_state WHERE wallet_address = $1 LIMIT 1
) AS backfilled ON true
LEFT JOIN LATERAL (SELECT * FROM wallet_rankings_state LIMIT 1) AS ranked ON true
CROSS JOIN LATERAL (
    SELECT count(*) AS days_known, sum(closed_positions) AS closed, sum(won_positions) AS won, max(updated_at) AS updated_at
    FROM wallet_realized_pnl_daily WHERE wallet_address = $1
) AS daily
"""  # noqa: S608 - constants only
RECORDS = "SELECT * FROM trader_global_stats WHERE wallet_address = $1"
RANKED = """
SELECT window_key, window_start, window_end, pnl_sum, rank, total_traders FROM wallet_realized_pnl_rankings
WHERE wallet_address = $1 AND window_key IN (
    '1D', '7D', '30D', '3M', '6M', 'ALL', '1D_PREV', '7D_PREV', '30D_PREV', '3M_PREV', '6M_PREV'
)
"""
# $2 user, $3 now, $4 rows. As `strategy_index` finds them: of an own running strategy, by the way that it chooses traders.
COPIED_BY = """
SELECT strategy.wallet_id, strategy.target_mode, count(*) OVER () AS copying, EXISTS (
    SELECT 1 FROM lt_strategies WHERE lt_strategies.ft_wallet_id = strategy.wallet_id AND lt_strategies.is_active
        AND NOT lt_strategies.is_paused AND lt_strategies.user_id = strategy.owner_id
) AS is_live
FROM ft_wallets AS strategy
WHERE strategy.owner_id = $2::text::uuid AND strategy.archived_at IS NULL AND strategy.is_active
    AND (strategy.start_date IS NULL OR strategy.start_date <= $3)
    AND (strategy.end_date IS NULL OR strategy.end_date > $3)
    AND NOT ($1 = ANY (strategy.excluded_traders))
    AND CASE strategy.target_mode
        WHEN 'list' THEN $1 = ANY (strategy.target_traders)
        WHEN 'followed' THEN EXISTS (
            SELECT 1 FROM follows WHERE user_id = strategy.owner_id AND trader_wallet = $1 AND active
        )
        WHEN 'leaderboard' THEN EXISTS (SELECT 1 FROM traders WHERE wallet_address = $1 AND is_active)
        ELSE true
    END
ORDER BY strategy.wallet_id LIMIT $4
"""
OPEN_TOTALS = f"""
SELECT count(*) AS count, count(*) - count(value) AS unpriced,
    CASE WHEN count(*) = 0 THEN 0 ELSE sum(value) END AS value,
    CASE WHEN count(*) = 0 THEN 0 ELSE sum(value - cost) END AS unrealized_pnl
FROM ({HELD}) AS held
"""  # noqa: S608 - constants only
