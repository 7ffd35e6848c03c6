"""SQL of what traders earned. `$1` is the run and `$2` the wallet wherever a statement reads what was put aside."""

# Each source by itself; the distinct wallets of trades by stepping from one to the next through their index.
ENLIST = """
WITH RECURSIVE traded AS (
    (SELECT trader_wallet AS wallet FROM trades_public ORDER BY trader_wallet LIMIT 1)
    UNION ALL
    SELECT (
        SELECT trader_wallet FROM trades_public WHERE trader_wallet > traded.wallet ORDER BY trader_wallet LIMIT 1
    ) FROM traded WHERE traded.wallet IS NOT NULL
), named AS (
    SELECT wallet FROM traded
    UNION SELECT wallet_address FROM traders WHERE is_active
    UNION SELECT trader_wallet FROM follows WHERE active
    UNION SELECT copied_trader_wallet FROM orders WHERE copied_trader_wallet IS NOT NULL
    UNION SELECT trader_address FROM ft_orders
    UNION SELECT ft_trader_wallet FROM lt_orders
    UNION SELECT unnest(target_traders) FROM ft_wallets WHERE archived_at IS NULL
), wanted AS (
    SELECT wallet FROM named WHERE wallet ~ '^0x[0-9a-f]{40}$'
), added AS (
    INSERT INTO wallet_pnl_state (wallet_address) SELECT wallet FROM wanted ON CONFLICT DO NOTHING
), changed AS (
    UPDATE wallet_pnl_state SET is_wanted = NOT is_wanted
    WHERE is_wanted <> (wallet_address IN (SELECT wallet FROM wanted))
)
SELECT count(*) FROM wanted
"""
FORGET_ALL = "DELETE FROM wallet_results_staged"
FORGET = "DELETE FROM wallet_results_staged WHERE run_id = $1 AND wallet_address = $2"
DUE = """
SELECT wallet_address, newest_close_at, last_backfilled_at, attempted_at FROM wallet_pnl_state
WHERE is_wanted AND attempted_at < $1 AND (attempted_at, wallet_address) > ($2, $3)
ORDER BY attempted_at, wallet_address LIMIT $4
"""
STAGE = """
INSERT INTO wallet_results_staged AS known (
    run_id, wallet_address, token_id, kind, condition_id, outcome, outcome_index, market_title, market_slug, event_slug,
    bought_shares, avg_price, realized_pnl, closed_at, last_event_at
)
SELECT $1, $2, *
FROM unnest(
    $3::text[], $4::text[], $5::text[], $6::text[], $7::smallint[], $8::text[], $9::text[], $10::text[],
    $11::numeric[], $12::numeric[], $13::numeric[], $14::timestamptz[], $15::timestamptz[]
)
ON CONFLICT (run_id, wallet_address, kind, token_id) DO UPDATE SET
    condition_id = excluded.condition_id, outcome = excluded.outcome, outcome_index = excluded.outcome_index,
    market_title = excluded.market_title, market_slug = excluded.market_slug, event_slug = excluded.event_slug,
    bought_shares = excluded.bought_shares, avg_price = excluded.avg_price, realized_pnl = excluded.realized_pnl,
    closed_at = excluded.closed_at, last_event_at = excluded.last_event_at
WHERE excluded.closed_at >= known.closed_at
"""
# What is closed replaces an unredeemed loss and older closes; unless it was bought again later, and lost.
MERGE_CLOSED = """
INSERT INTO wallet_closed_positions AS known (
    wallet_address, token_id, condition_id, outcome, outcome_index, market_title, market_slug, event_slug, bought_shares,
    avg_price, realized_pnl, closed_at, is_unredeemed_loss
)
SELECT $2, token_id, condition_id, outcome, outcome_index, market_title, market_slug, event_slug, bought_shares,
    avg_price, realized_pnl, closed_at, false
FROM wallet_results_staged AS closed
WHERE run_id = $1 AND wallet_address = $2 AND kind = 'closed' AND NOT EXISTS (
    SELECT 1 FROM wallet_results_staged AS lost
    WHERE lost.run_id = $1 AND lost.wallet_address = $2 AND lost.kind = 'lost' AND lost.token_id = closed.token_id
        AND lost.last_event_at > closed.closed_at
)
ON CONFLICT (wallet_address, token_id) DO UPDATE SET
    condition_id = excluded.condition_id, outcome = coalesce(excluded.outcome, known.outcome),
    outcome_index = coalesce(excluded.outcome_index, known.outcome_index),
    market_title = coalesce(excluded.market_title, known.market_title),
    market_slug = coalesce(excluded.market_slug, known.market_slug),
    event_slug = coalesce(excluded.event_slug, known.event_slug), bought_shares = excluded.bought_shares,
    avg_price = excluded.avg_price, realized_pnl = excluded.realized_pnl, closed_at = excluded.closed_at,
    is_unredeemed_loss = false
WHERE (known.is_unredeemed_loss OR excluded.closed_at >= known.closed_at) AND (
    known.condition_id, known.bought_shares, known.avg_price, known.realized_pnl, known.closed_at,
    known.is_unredeemed_loss
) IS DISTINCT FROM (
    excluded.condition_id, excluded.bought_shares, excluded.avg_price, excluded.realized_pnl, excluded.closed_at, false
)
"""
# A loss stays on the day on which it was seen first. One that the venue does not list any more stays, too: absence proves
# nothing, and what became of it will be listed as closed.
MERGE_LOST = """
INSERT INTO wallet_closed_positions AS known (
    wallet_address, token_id, condition_id, outcome, outcome_index, market_title, market_slug, event_slug, bought_shares,
    avg_price, realized_pnl, closed_at, is_unredeemed_loss
)
SELECT $2, token_id, condition_id, outcome, outcome_index, market_title, market_slug, event_slug, bought_shares,
    avg_price, realized_pnl, closed_at, true
FROM wallet_results_staged AS lost
WHERE run_id = $1 AND wallet_address = $2 AND kind = 'lost' AND NOT EXISTS (
    SELECT 1 FROM wallet_closed_positions AS closed
    WHERE closed.wallet_address = $2 AND closed.token_id = lost.token_id AND NOT closed.is_unredeemed_loss
        AND (lost.last_event_at > closed.closed_at) IS NOT TRUE
)
ON CONFLICT (wallet_address, token_id) DO UPDATE SET
    bought_shares = excluded.bought_shares, avg_price = excluded.avg_price, realized_pnl = excluded.realized_pnl,
    closed_at = CASE WHEN known.is_unredeemed_loss THEN known.closed_at ELSE excluded.closed_at END,
    is_unredeemed_loss = true
WHERE (known.bought_shares, known.avg_price, known.realized_pnl, known.is_unredeemed_loss)
    IS DISTINCT FROM (excluded.bought_shares, excluded.avg_price, excluded.realized_pnl, true)
"""
DROP_PAID = """
DELETE FROM wallet_closed_positions AS known USING wallet_results_staged AS paid
WHERE paid.run_id = $1 AND paid.wallet_address = $2 AND paid.kind = 'paid'
    AND known.wallet_address = $2 AND known.token_id = paid.token_id AND known.is_unredeemed_loss
"""
COUNT_DAYS = """
WITH days AS (
    SELECT (closed_at AT TIME ZONE 'UTC')::date AS date, sum(realized_pnl) AS realized, count(*) AS closed,
        count(*) FILTER (WHERE realized_pnl > 0) AS won
    FROM wallet_closed_positions WHERE wallet_address = $1 GROUP BY 1
), gone AS (
    DELETE FROM wallet_realized_pnl_daily WHERE wallet_address = $1 AND date NOT IN (SELECT date FROM days)
)
INSERT INTO wallet_realized_pnl_daily AS known (
    wallet_address, date, realized_pnl, pnl_to_date, closed_positions, won_positions, source
)
SELECT $1, date, realized, sum(realized) OVER (ORDER BY date), closed, won, 'data-api' FROM days
ON CONFLICT (wallet_address, date) DO UPDATE SET
    realized_pnl = excluded.realized_pnl, pnl_to_date = excluded.pnl_to_date,
    closed_positions = excluded.closed_positions, won_positions = excluded.won_positions, source = excluded.source,
    updated_at = now()
WHERE (known.realized_pnl, known.pnl_to_date, known.closed_positions, known.won_positions, known.source) IS DISTINCT FROM
    (excluded.realized_pnl, excluded.pnl_to_date, excluded.closed_positions, excluded.won_positions, excluded.source)
"""
# What the leaderboard says of the volume is more than what positions that ended have cost, or says nothing in USD; trades are
# those that were counted here, and at least one a position. Won is a position that gained (domain.md §6.4).
REFRESH_TRADER = """
UPDATE traders SET volume = now_known.volume, total_trades = now_known.trades, markets_traded = now_known.markets,
    win_rate = now_known.win_rate,
    roi = CASE WHEN now_known.volume >= 1 THEN pnl / now_known.volume ELSE roi END, updated_at = now()
FROM (
    SELECT greatest(
        (SELECT volume FROM traders WHERE wallet_address = $1),
        (SELECT round(sum(bought_shares * avg_price), 6) FROM wallet_closed_positions WHERE wallet_address = $1)
    ) AS volume, greatest(
        (SELECT total_trades FROM traders WHERE wallet_address = $1),
        (SELECT l_count FROM trader_global_stats WHERE wallet_address = $1),
        (SELECT count(*) FROM wallet_closed_positions WHERE wallet_address = $1)
    ) AS trades, coalesce(
        (SELECT round(count(*) FILTER (WHERE realized_pnl > 0)::numeric / nullif(count(*), 0), 5)
            FROM wallet_closed_positions WHERE wallet_address = $1),
        (SELECT win_rate FROM traders WHERE wallet_address = $1)
    ) AS win_rate, (
        SELECT count(*) FROM (
            SELECT condition_id FROM wallet_closed_positions WHERE wallet_address = $1
            UNION SELECT condition_id FROM positions_current WHERE wallet_address = $1
        ) AS held
    ) AS markets
) AS now_known
WHERE traders.wallet_address = $1
    AND (traders.volume, traders.total_trades, traders.markets_traded, traders.win_rate) IS DISTINCT FROM
        (now_known.volume, now_known.trades, now_known.markets, now_known.win_rate)
"""
MARK_READ = """
INSERT INTO wallet_pnl_state (wallet_address, last_backfilled_at, attempted_at, newest_close_at)
VALUES ($1, $2, $2, (
    SELECT max(closed_at) FROM wallet_closed_positions WHERE wallet_address = $1 AND NOT is_unredeemed_loss
))
ON CONFLICT (wallet_address) DO UPDATE SET
    last_backfilled_at = excluded.last_backfilled_at, attempted_at = excluded.attempted_at,
    newest_close_at = excluded.newest_close_at, failures = 0, last_error = NULL, updated_at = now()
"""
MARK_FAILED = """
INSERT INTO wallet_pnl_state AS known (wallet_address, attempted_at, failures, last_error) VALUES ($1, $2, 1, $3)
ON CONFLICT (wallet_address) DO UPDATE SET
    attempted_at = excluded.attempted_at, failures = known.failures + 1, last_error = excluded.last_error,
    updated_at = now()
"""
BOUNDS = """
SELECT min(date) AS first, max(date) AS anchor
FROM wallet_realized_pnl_daily JOIN wallet_pnl_state USING (wallet_address) WHERE is_wanted
"""
UNRANK = "DELETE FROM wallet_realized_pnl_rankings"
FORGET_RANKINGS = "DELETE FROM wallet_rankings_state"
RANK = """
INSERT INTO wallet_realized_pnl_rankings (
    window_key, wallet_address, window_start, window_end, pnl_sum, rank, total_traders
)
SELECT key, wallet_address, first, last, earned,
    row_number() OVER (PARTITION BY key ORDER BY earned DESC, wallet_address), count(*) OVER (PARTITION BY key)
FROM (
    SELECT key, wallet_address, first, last, sum(realized_pnl) AS earned
    FROM unnest($1::text[], $2::date[], $3::date[]) AS asked (key, first, last)
    JOIN wallet_realized_pnl_daily ON date BETWEEN first AND last
    JOIN wallet_pnl_state USING (wallet_address)
    WHERE is_wanted GROUP BY key, wallet_address, first, last
) AS sums
"""
MARK_RANKED = """
INSERT INTO wallet_rankings_state (anchor_date, wallets, wallets_failed, wallets_waiting, read_since)
SELECT $1, count(*), count(*) FILTER (WHERE failures > 0),
    count(*) FILTER (WHERE failures = 0 AND (last_backfilled_at >= $2) IS NOT TRUE), $2
FROM wallet_pnl_state WHERE is_wanted
ON CONFLICT (singleton) DO UPDATE SET
    anchor_date = excluded.anchor_date, wallets = excluded.wallets, wallets_failed = excluded.wallets_failed,
    wallets_waiting = excluded.wallets_waiting, read_since = excluded.read_since, computed_at = now()
RETURNING *
"""
