"""The statements of `ft_report_store`. Constants are put together here; no value ever stands in a text."""

# Price of a token: its payout once there is one, else the last price of its outcome.
PRICED = """
LEFT JOIN LATERAL (
    SELECT coalesce(tokens.payout, outcome_price(markets.outcome_prices, tokens.outcome_index)) AS price,
        markets.closed, markets.is_resolved, markets.end_time, markets.raw_gamma ->> 'gameStartTime' AS game_start
    FROM market_tokens AS tokens JOIN markets USING (condition_id)
    WHERE tokens.token_id = paper.token_id AND tokens.condition_id = paper.condition_id
) AS market ON true
"""
STANDING = f"""
SELECT strategy.*, profiles.user_name AS owner_name, balance.*, marks.positions - marks.marked AS unmarked_positions,
    CASE WHEN marks.positions = 0 THEN 0 ELSE round(marks.unrealized, 6) END AS unrealized_pnl,
    coalesce(counts.seen, 0)::bigint AS trades_seen, coalesce(counts.taken, 0)::bigint AS trades_taken
FROM ft_wallets AS strategy
JOIN ft_balances AS balance USING (wallet_id)
JOIN profiles ON profiles.id = strategy.owner_id
CROSS JOIN LATERAL (
    SELECT count(*) AS positions, count(market.price) AS marked,
        sum(paper.shares_open * market.price - paper.cost_open) AS unrealized
    FROM ft_orders AS paper {PRICED}
    WHERE paper.wallet_id = strategy.wallet_id AND paper.outcome = 'OPEN'
) AS marks
CROSS JOIN LATERAL (
    SELECT sum(trades) FILTER (WHERE reason NOT IN ('not_buy', 'trader_sell')) AS seen,
        sum(trades) FILTER (WHERE reason = 'taken') AS taken
    FROM ft_reason_counts WHERE ft_reason_counts.strategy = strategy.number
) AS counts
WHERE strategy.archived_at IS NULL
"""  # noqa: S608 - constants only
STANDINGS = (
    STANDING
    + """ AND strategy.wallet_id > $1 AND ($2::uuid IS NULL OR strategy.owner_id = $2)
ORDER BY strategy.wallet_id LIMIT $3
"""
)
STANDING_OF = STANDING + " AND strategy.wallet_id = $1"
PUBLIC = """
SELECT wallet_id, display_name, description, is_active, orders AS total_orders, open_orders AS open, won, lost, sold, void
FROM ft_wallets JOIN ft_balances USING (wallet_id)
WHERE archived_at IS NULL AND wallet_id > $1 ORDER BY wallet_id LIMIT $2
"""
ORDER_COLUMNS = """
    paper.order_id::text AS order_id, paper.wallet_id, paper.config_version AS version, paper.source_trade_id, paper.members,
    paper.trader_address AS trader, paper.condition_id, paper.token_id, paper.token_label, paper.market_slug,
    paper.market_title, coalesce(paper.market_end_time, market.end_time) AS market_end_time, paper.outcome,
    trim_scale(paper.signal_price) AS signal_price, trim_scale(paper.entry_price) AS entry_price, paper.size AS stake,
    paper.shares, paper.fee_usd AS fee, paper.entry_model, trim_scale(paper.edge_pct) AS edge, paper.conviction,
    paper.trader_win_rate, paper.model_probability, paper.shares_open, paper.cost_open, paper.pnl, paper.exit_price,
    paper.close_reason, paper.winning_label, paper.order_time, paper.decided_at, paper.resolved_time,
    market.price AS current_price,
    CASE WHEN paper.outcome = 'OPEN' THEN round(paper.shares_open * market.price - paper.cost_open, 6) END AS unrealized_pnl,
    market.closed, market.is_resolved, market.game_start
"""
ORDERS_OF = f"SELECT {ORDER_COLUMNS} FROM ft_orders AS paper {PRICED} WHERE paper.wallet_id = $1"  # noqa: S608
# Without a place the page begins before everything, so that the comparison always bounds the index.
_BEFORE = """(
    coalesce(timestamptz 'epoch' + $2::bigint * interval '1 microsecond', 'infinity'),
    coalesce($3::text::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
)"""
ORDERS = f"""{ORDERS_OF}
    AND (paper.order_time, paper.order_id) < {_BEFORE} AND ($4::text IS NULL OR paper.outcome = $4)
ORDER BY paper.order_time DESC, paper.order_id DESC LIMIT $5
"""
ENDED_ORDERS = f"""{ORDERS_OF} AND paper.outcome <> 'OPEN'
    AND (paper.resolved_time, paper.order_id) < {_BEFORE} AND ($4::text IS NULL OR paper.outcome = $4)
ORDER BY paper.resolved_time DESC, paper.order_id DESC LIMIT $5
"""
OPEN_ORDERS = f"""{ORDERS_OF} AND paper.outcome = 'OPEN'
    AND (paper.order_time, paper.order_id) < {_BEFORE} AND $4::text = 'OPEN'
ORDER BY paper.order_time DESC, paper.order_id DESC LIMIT $5
"""
DAYS = """
SELECT day, won + lost + sold + void AS trades, won, lost, sold, void, pnl, cumulative_pnl,
    round(won::numeric / nullif(won + lost, 0), 6) AS win_rate, round(pnl / nullif(won + lost + sold + void, 0), 6) AS avg_pnl
FROM (
    SELECT *, sum(pnl) OVER (ORDER BY day) AS cumulative_pnl FROM ft_daily_stats WHERE wallet_id = $1
) AS days
WHERE day >= $2 AND day > $3 ORDER BY day LIMIT $4
"""
ENDED_BY_MARKET = """
SELECT coalesce(markets.title, min(ended.market_title)) AS title, markets.category,
    coalesce(markets.raw_gamma -> 'tags', markets.raw_gamma #> '{events,0,tags}') AS tags, count(*) AS trades,
    count(*) FILTER (WHERE outcome = 'WON') AS won, count(*) FILTER (WHERE outcome = 'LOST') AS lost, sum(ended.pnl) AS pnl
FROM (
    SELECT condition_id, market_title, outcome, pnl FROM ft_orders
    WHERE wallet_id = $1 AND outcome <> 'OPEN' ORDER BY resolved_time DESC, order_id DESC LIMIT $2
) AS ended
LEFT JOIN markets USING (condition_id)
GROUP BY ended.condition_id, markets.condition_id
"""
# Bounded by decisions that are looked at, not by those found.
SIGNALS = """
SELECT seq, trade_id, part, decided_at, reasons[array_position(strategies, $1)] AS reason,
    coalesce(snapshot #>> '{market,title}', snapshot ->> 'title') AS title, snapshot ->> 'side' AS side,
    (snapshot ->> 'price')::numeric AS price, snapshot ->> 'wallet' AS trader
FROM (SELECT * FROM decisions WHERE seq < $4 ORDER BY seq DESC LIMIT $2) AS latest
WHERE strategies @> ARRAY[$1::integer] ORDER BY seq DESC LIMIT $3
"""
# Where as many decisions end, and how many there are.
SIGNALS_END = """
SELECT min(seq) AS seq, count(*) AS looked_at FROM (
    SELECT seq FROM decisions WHERE seq < $2 ORDER BY seq DESC LIMIT $1
) AS latest
"""
# $1 what it is ranked by, $2 and $3 the place after which the page begins, $4 rows.
RANKS = """
SELECT wallet_id, display_name, value, return_pct, win_rate, realized_pnl, sharpe, orders
FROM (
    SELECT *, CASE $1::text WHEN 'return' THEN return_pct WHEN 'winRate' THEN win_rate WHEN 'pnl' THEN realized_pnl
        WHEN 'sharpe' THEN sharpe END AS value
    FROM (
        SELECT wallet_id, display_name, realized_pnl, orders, round(100 * realized_pnl / starting, 2) AS return_pct,
            round(won::numeric / nullif(won + lost, 0), 6) AS win_rate,
            CASE WHEN ended > 1 AND spread > 0 THEN round(final_pnl_sum / ended / sqrt(spread / (ended * (ended - 1))), 6) END
                AS sharpe
        FROM (
            SELECT *, won + lost + sold + void AS ended,
                (won + lost + sold + void) * final_pnl_squares - final_pnl_sum * final_pnl_sum AS spread
            FROM ft_wallets JOIN ft_balances USING (wallet_id) WHERE archived_at IS NULL
        ) AS sums
    ) AS figures
) AS valued
WHERE value IS NOT NULL AND ($2::numeric IS NULL OR value < $2 OR (value = $2 AND wallet_id > $3))
ORDER BY value DESC, wallet_id LIMIT $4
"""
# $1 the moment, $2 whose strategies, null for everybody's.
RUNNING = """
running AS MATERIALIZED (
    SELECT * FROM ft_wallets WHERE archived_at IS NULL AND is_active AND ($2::uuid IS NULL OR owner_id = $2)
        AND (start_date IS NULL OR start_date <= $1) AND (end_date IS NULL OR end_date > $1)
), targets AS MATERIALIZED (
    SELECT unnest(target_traders) AS wallet FROM running WHERE target_mode = 'list'
    UNION SELECT trader_wallet FROM follows JOIN running ON running.owner_id = follows.user_id
        WHERE follows.active AND target_mode = 'followed'
    UNION SELECT wallet_address FROM traders
        WHERE is_active AND EXISTS (SELECT 1 FROM running WHERE target_mode = 'leaderboard')
)
"""
TARGETS = f"""
WITH {RUNNING}
SELECT ARRAY (SELECT wallet FROM targets WHERE wallet > $3 ORDER BY wallet LIMIT $4) AS wallets,
    (SELECT count(*) FROM targets) AS count,
    EXISTS (SELECT 1 FROM running WHERE target_mode = 'leaderboard') AS has_leaderboard
"""  # noqa: S608 - constants only
STREAM_STATUS = f"""
WITH {RUNNING}
SELECT (SELECT count(*) FROM targets) AS target_traders,
    (SELECT count(*) FROM traders WHERE is_active AND EXISTS (SELECT 1 FROM running WHERE target_mode = 'leaderboard'))
        AS leaderboard_wallets,
    (SELECT count(*) FROM traders) AS trader_rows,
    (SELECT coalesce(sum(latest.orders), 0)::bigint FROM ft_wallets CROSS JOIN LATERAL (
        SELECT count(*) AS orders FROM ft_orders
        WHERE ft_orders.wallet_id = ft_wallets.wallet_id AND order_time > $1 - interval '24 hours'
    ) AS latest) AS ft_orders_last_24h,
    (SELECT coalesce(sum(open_orders), 0)::bigint FROM ft_balances) AS open_ft_orders,
    (SELECT count(*) FROM decisions WHERE trade_day >= (($1 - interval '24 hours') AT TIME ZONE 'UTC')::date
        AND decided_at > $1 - interval '24 hours') AS decisions_last_24h,
    (SELECT decided_at FROM decisions ORDER BY seq DESC LIMIT 1) AS last_decision_at
"""  # noqa: S608 - constants only
