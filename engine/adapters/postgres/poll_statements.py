"""SQL of the wallet pollers: how far polling has come, what is held, what was closed."""

from engine.adapters.postgres.leases import IDLE_MAX_MS, proof_of_lease

# The lease's row is locked until the transaction ends. It comes last, so that nobody who writes trades under the same lease
# waits longer than for a commit.
FENCE = proof_of_lease(IDLE_MAX_MS)
STATE = """
SELECT snapshots, extract(epoch FROM last_trade_time_seen)::bigint AS activity_s,
    extract(epoch FROM last_history_time_seen)::bigint AS trades_s, last_position_check_at
FROM wallet_poll_state WHERE wallet_address = $1
"""
HELD = """
SELECT token_id, condition_id, (size * 1000000)::bigint AS micro, redeemable, mergeable, last_seen_at, missing_since
FROM positions_current WHERE wallet_address = $1 ORDER BY token_id
"""
BEGIN_STATE = "INSERT INTO wallet_poll_state (wallet_address) VALUES ($1) ON CONFLICT DO NOTHING"
# Whoever else books this wallet waits here, and then sees another number of snapshots.
TAKE_STATE = """
UPDATE wallet_poll_state SET
    snapshots = snapshots + 1, last_position_check_at = $3, last_polled_at = $3,
    failures = 0, last_error = NULL, updated_at = now()
WHERE wallet_address = $1 AND snapshots = $2
RETURNING snapshots
"""
CLOSE = """
WITH gone AS (
    DELETE FROM positions_current USING unnest($2::text[], $3::text[]) AS ended (token, reason)
    WHERE wallet_address = $1 AND token_id = ended.token
    RETURNING positions_current.*, ended.reason
)
INSERT INTO positions_closed (wallet_address, token_id, condition_id, outcome, outcome_index, closed_reason, size, avg_price,
    current_price, realized_pnl, market_title, market_slug, event_slug, market_image, opened_at, opened_snapshot,
    last_seen_at, closed_at, raw)
SELECT wallet_address, token_id, condition_id, outcome, outcome_index, reason, size, avg_price, current_price, realized_pnl,
    market_title, market_slug, event_slug, market_image, opened_at, opened_snapshot, last_seen_at,
    coalesce(missing_since, $4), raw
FROM gone
"""
WRITE = """
INSERT INTO positions_current AS old (wallet_address, token_id, condition_id, outcome, outcome_index, size, avg_price, cost_usd,
    current_price, value_usd, realized_pnl, redeemable, mergeable, market_title, market_slug, event_slug, market_image,
    end_date, raw, opened_at, opened_snapshot, last_seen_at)
SELECT $1, token_id, condition_id, outcome, outcome_index, size, avg_price, cost_usd, current_price, value_usd, realized_pnl,
    redeemable, mergeable, title, slug, event_slug, icon, end_date, raw, $2, $3, $2
FROM unnest($4::text[], $5::text[], $6::text[], $7::smallint[], $8::numeric[], $9::numeric[], $10::numeric[], $11::numeric[],
    $12::numeric[], $13::numeric[], $14::boolean[], $15::boolean[], $16::text[], $17::text[], $18::text[], $19::text[],
    $20::date[], $21::jsonb[])
    AS new (token_id, condition_id, outcome, outcome_index, size, avg_price, cost_usd, current_price, value_usd, realized_pnl,
        redeemable, mergeable, title, slug, event_slug, icon, end_date, raw)
ON CONFLICT (wallet_address, token_id) DO UPDATE SET
    condition_id = excluded.condition_id, outcome = excluded.outcome, outcome_index = excluded.outcome_index,
    size = excluded.size, avg_price = excluded.avg_price, cost_usd = excluded.cost_usd,
    current_price = excluded.current_price, value_usd = excluded.value_usd, realized_pnl = excluded.realized_pnl,
    redeemable = excluded.redeemable, mergeable = excluded.mergeable, market_title = excluded.market_title,
    market_slug = excluded.market_slug, event_slug = excluded.event_slug, market_image = excluded.market_image,
    end_date = excluded.end_date, raw = excluded.raw, last_seen_at = excluded.last_seen_at, missing_since = NULL
"""
MISS = """
UPDATE positions_current SET missing_since = $3
WHERE wallet_address = $1 AND token_id = ANY ($2::text[]) AND missing_since IS NULL
"""
FAILED = """
INSERT INTO wallet_poll_state AS state (wallet_address, last_polled_at, failures, last_error) VALUES ($1, $2, 1, $3)
ON CONFLICT (wallet_address) DO UPDATE SET
    last_polled_at = $2, failures = state.failures + 1, last_error = $3, updated_at = now()
"""
# `greatest` ignores NULL: what is not among the new ones stays, and nothing moves back.
KEEP_WATERMARKS = """
INSERT INTO wallet_poll_state AS state (wallet_address, last_trade_time_seen, last_history_time_seen)
SELECT wallet, to_timestamp(activity_s), to_timestamp(trades_s)
FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS new (wallet, activity_s, trades_s)
ON CONFLICT (wallet_address) DO UPDATE SET
    last_trade_time_seen = greatest(state.last_trade_time_seen, excluded.last_trade_time_seen),
    last_history_time_seen = greatest(state.last_history_time_seen, excluded.last_history_time_seen),
    updated_at = now()
"""
MARKET_ENDS = "SELECT condition_id, closed AS ended FROM markets WHERE condition_id = ANY ($1::text[])"
HOT = "SELECT wallet_address FROM wallet_poll_state WHERE is_hot ORDER BY wallet_address"
# Traders that are kept, and whoever is followed: a user may follow somebody who is in no other list. Polled in the future was
# who was polled by a clock that was ahead.
LEAST_LATELY_POLLED = """
SELECT active.wallet FROM (
    SELECT wallet_address AS wallet FROM traders WHERE is_active
    UNION SELECT trader_wallet FROM follows WHERE active
) AS active
LEFT JOIN wallet_poll_state ON wallet_poll_state.wallet_address = active.wallet
WHERE coalesce(last_polled_at, '-infinity') < $1 OR last_polled_at > now() + interval '1 hour'
ORDER BY coalesce(last_polled_at, '-infinity'), active.wallet LIMIT $2
"""
MARK_HOT = """
WITH known AS (
    INSERT INTO traders (wallet_address) SELECT unnest($1::text[])
    ON CONFLICT (wallet_address) DO UPDATE SET is_active = true WHERE NOT traders.is_active
)
INSERT INTO wallet_poll_state AS state (wallet_address, is_hot) SELECT unnest($1::text[]), true
ON CONFLICT (wallet_address) DO UPDATE SET is_hot = true, updated_at = now() WHERE NOT state.is_hot
RETURNING wallet_address
"""
MARK_COLD = """
UPDATE wallet_poll_state SET is_hot = false, updated_at = now()
WHERE is_hot AND wallet_address = ANY ($1::text[]) RETURNING wallet_address
"""
