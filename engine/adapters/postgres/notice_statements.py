"""What facts mean, and to whom: each statement turns the subjects of one kind of fact into notices of users.

Every one looks at how things stand now, so that it does not matter in which order facts came (D81), and does nothing for a
notice that exists. `$1` are subjects, `$2` when each happened.
"""

_INTO = "INSERT INTO notifications (user_id, kind, subject_key, payload, happened_at)"
_ONCE = "ON CONFLICT (user_id, kind, subject_key) DO NOTHING"
_SUBJECTS = "unnest($1::text[], $2::timestamptz[]) AS new (subject, at)"
# An obligation to sell tries again by itself: of its orders only a lost one is news.
ORDER = f"""
{_INTO}
SELECT owner.user_id,
    CASE one.status WHEN 'LOST' THEN 'order_lost' WHEN 'REJECTED' THEN 'order_rejected' ELSE 'order_filled' END,
    one.lt_order_id::text, jsonb_strip_nulls(jsonb_build_object(
        'order_id', one.lt_order_id, 'strategy', one.strategy_id, 'account', one.account, 'side', one.side,
        'status', one.status, 'outcome', one.token_label, 'market', one.market_title, 'condition_id', one.condition_id,
        'shares', trim_scale(one.filled_shares)::text, 'usd', trim_scale(one.filled_usd)::text,
        'limit', trim_scale(one.limit_price)::text, 'reason', one.reason, 'detail', one.detail,
        'trader', one.ft_trader_wallet
    )), new.at
FROM {_SUBJECTS} JOIN lt_orders AS one ON one.lt_order_id = new.subject::uuid
JOIN lt_order_owners AS owner ON owner.lt_order_id = one.lt_order_id AND owner.user_id IS NOT NULL
WHERE one.status = 'LOST' OR (one.origin <> 'exit' AND (
    (one.status = 'REJECTED' AND one.order_hash IS NOT NULL)
    OR (one.status <> 'REJECTED' AND one.ended AND one.filled_shares > 0)
))
{_ONCE}
"""  # noqa: S608 - constants only
# What was settled before the market's row said so, and what is open in a market whose row does: both, in any order.
_OF_MARKETS = f"""
, held AS (
    SELECT owner.user_id, lot.condition_id, lot.token_id, lot.token_label, lot.market_title, lot.shares_open, lot.cost_open,
        lot.realized_usd, lot.outcome, wanted.at, markets.title, markets.is_resolved,
        CASE WHEN markets.is_resolved AND priced.price ~ '^[0-9.]+$' THEN priced.price::numeric END AS payout
    FROM wanted CROSS JOIN LATERAL (
        SELECT * FROM lt_orders WHERE lt_orders.condition_id = wanted.condition_id AND lt_orders.shares_open > 0
        UNION ALL
        SELECT * FROM lt_orders WHERE lt_orders.condition_id = wanted.condition_id AND outcome IN ('WON', 'LOST', 'VOID')
            AND lt_orders.shares_open = 0
    ) AS lot
    JOIN lt_order_owners AS owner ON owner.lt_order_id = lot.lt_order_id AND owner.user_id IS NOT NULL
    LEFT JOIN markets ON markets.condition_id = lot.condition_id
    LEFT JOIN market_tokens AS token ON token.token_id = lot.token_id
    LEFT JOIN LATERAL (SELECT markets.outcome_prices ->> token.outcome_index AS price) AS priced ON true
    WHERE lot.side = 'BUY'
)
{_INTO}
SELECT user_id, 'market_resolved', condition_id, jsonb_strip_nulls(jsonb_build_object(
    'condition_id', condition_id, 'market', coalesce(max(market_title), max(title)),
    'outcomes', jsonb_agg(DISTINCT token_label) FILTER (WHERE token_label IS NOT NULL),
    'winner', coalesce(
        max(token_label) FILTER (WHERE outcome = 'WON'),
        (
            SELECT max(token.outcome) FROM market_tokens AS token JOIN markets USING (condition_id)
            WHERE token.condition_id = held.condition_id AND markets.is_resolved
                AND markets.outcome_prices ->> token.outcome_index ~ '^(1|1\\.0+|0\\.99[0-9]*)$'
        )
    ),
    'pnl', trim_scale(round(sum(realized_usd + coalesce(shares_open * payout - cost_open, 0)), 6))::text,
    'copies', count(*), 'unsettled', count(*) FILTER (WHERE shares_open > 0 AND payout IS NULL)
)), max(at)
FROM held
GROUP BY user_id, condition_id
HAVING bool_or(is_resolved) OR bool_or(outcome IN ('WON', 'LOST', 'VOID'))
{_ONCE}
"""  # noqa: S608 - constants only
MARKET = f"""
WITH wanted AS (SELECT new.subject AS condition_id, max(new.at) AS at FROM {_SUBJECTS} GROUP BY 1) {_OF_MARKETS}
"""  # noqa: S608 - constants only
SETTLED = f"""
WITH wanted AS (
    SELECT one.condition_id, max(new.at) AS at FROM {_SUBJECTS} JOIN lt_orders AS one ON one.lt_order_id = new.subject::uuid
    GROUP BY 1
) {_OF_MARKETS}
"""  # noqa: S608 - constants only
# Once its market is resolved, that is the news.
CLOSED = f"""
{_INTO}
SELECT owner.user_id, 'trader_closed', closed.id::text, jsonb_strip_nulls(jsonb_build_object(
    'condition_id', closed.condition_id, 'market', coalesce(closed.market_title, max(lot.market_title)),
    'outcome', coalesce(closed.outcome, max(lot.token_label)), 'trader', closed.wallet_address,
    'trader_name', (SELECT display_name FROM traders WHERE traders.wallet_address = closed.wallet_address),
    'shares', trim_scale(sum(lot.shares_open))::text, 'strategies', jsonb_agg(DISTINCT lot.strategy_id)
)), closed.closed_at
FROM {_SUBJECTS} JOIN positions_closed AS closed ON closed.id = new.subject::bigint
CROSS JOIN LATERAL (
    SELECT * FROM lt_orders WHERE lt_orders.ft_trader_wallet = closed.wallet_address AND lt_orders.token_id = closed.token_id
        AND lt_orders.side = 'BUY' AND lt_orders.shares_open > 0
) AS lot
JOIN lt_order_owners AS owner ON owner.lt_order_id = lot.lt_order_id AND owner.user_id IS NOT NULL
WHERE closed.closed_reason = 'manual_close'
    AND NOT EXISTS (SELECT 1 FROM markets WHERE markets.condition_id = closed.condition_id AND is_resolved)
GROUP BY owner.user_id, closed.id
{_ONCE}
"""  # noqa: S608 - constants only
# Copies that a user made elsewhere and recorded, or that were imported: what is open of them.
_RECORDED = """
    one.side = 'BUY' AND one.status IN ('open', 'partial', 'filled', 'matched') AND one.user_closed_at IS NULL
    AND one.user_exit_price IS NULL AND coalesce(one.filled_size, one.size, 1) > 0
"""
RECORDED_MARKET = f"""
{_INTO}
SELECT copy.copy_user_id, 'market_resolved', copy.condition_id, jsonb_strip_nulls(jsonb_build_object(
    'condition_id', copy.condition_id, 'market', coalesce(max(copy.title), max(copy.copied_market_title)),
    'outcomes', jsonb_agg(DISTINCT copy.outcome) FILTER (WHERE copy.outcome IS NOT NULL), 'winner', max(copy.winner),
    'copies', count(*)
)), max(copy.at)
FROM (
    SELECT one.*, markets.condition_id, markets.title, new.at, (
        SELECT max(token.outcome) FROM market_tokens AS token
        WHERE token.condition_id = markets.condition_id
            AND markets.outcome_prices ->> token.outcome_index ~ '^(1|1\\.0+|0\\.99[0-9]*)$'
    ) AS winner
    FROM {_SUBJECTS} JOIN markets ON markets.condition_id = new.subject AND markets.is_resolved
    JOIN orders AS one ON one.market_id = markets.condition_id AND {_RECORDED}
) AS copy
GROUP BY copy.copy_user_id, copy.condition_id
{_ONCE}
"""  # noqa: S608 - constants only
RECORDED_CLOSED = f"""
{_INTO}
SELECT one.copy_user_id, 'trader_closed', closed.id::text, jsonb_strip_nulls(jsonb_build_object(
    'condition_id', closed.condition_id, 'market', coalesce(closed.market_title, max(one.copied_market_title)),
    'outcome', coalesce(closed.outcome, max(one.outcome)), 'trader', closed.wallet_address,
    'trader_name', (SELECT display_name FROM traders WHERE traders.wallet_address = closed.wallet_address),
    'shares', trim_scale(sum(coalesce(one.filled_size, one.size)))::text
)), closed.closed_at
FROM {_SUBJECTS} JOIN positions_closed AS closed ON closed.id = new.subject::bigint
JOIN orders AS one
    ON one.copied_trader_wallet = closed.wallet_address AND one.token_id = closed.token_id AND {_RECORDED}
WHERE closed.closed_reason = 'manual_close'
    AND NOT EXISTS (SELECT 1 FROM markets WHERE markets.condition_id = closed.condition_id AND is_resolved)
GROUP BY one.copy_user_id, closed.id
{_ONCE}
"""  # noqa: S608 - constants only
_EXIT_PAYLOAD = """
jsonb_strip_nulls(jsonb_build_object(
    'exit_id', one.exit_id, 'strategy', one.strategy_id, 'why', one.kind, 'condition_id', one.condition_id,
    'market', coalesce(lot.market_title, markets.title), 'outcome', lot.token_label, 'trader', one.trader,
    'sold', trim_scale(one.sold_shares)::text, 'target', trim_scale(one.target_shares)::text, 'attempts', one.attempts,
    'detail', one.detail, 'usd', (
        SELECT trim_scale(sum(filled_usd))::text FROM lt_orders WHERE lt_orders.cause = one.exit_id::text AND side = 'SELL'
    )
))
"""
_EXIT_SOURCES = """
JOIN lt_exit_owners AS owner ON owner.exit_id = one.exit_id AND owner.user_id IS NOT NULL
LEFT JOIN markets ON markets.condition_id = one.condition_id
LEFT JOIN LATERAL (
    SELECT market_title, token_label FROM lt_orders
    WHERE lt_orders.strategy_id = one.strategy_id AND lt_orders.token_id = one.token_id AND side = 'BUY' LIMIT 1
) AS lot ON true
"""
EXIT = f"""
{_INTO}
SELECT owner.user_id, 'auto_close_executed', one.exit_id::text, {_EXIT_PAYLOAD}, coalesce(one.closed_at, new.at)
FROM {_SUBJECTS} JOIN lt_exits AS one ON one.exit_id = new.subject::uuid {_EXIT_SOURCES}
WHERE one.status = 'DONE'
{_ONCE}
"""  # noqa: S608 - constants only
# Nobody writes that a deadline passes: this is looked for.
OVERDUE = f"""
{_INTO}
SELECT owner.user_id, 'auto_close_failed', one.exit_id::text, {_EXIT_PAYLOAD}, one.deadline_at
FROM lt_exits AS one {_EXIT_SOURCES}
WHERE one.status = 'OPEN' AND one.deadline_at < now()
    AND NOT EXISTS (
        SELECT 1 FROM notifications WHERE notifications.user_id = owner.user_id AND kind = 'auto_close_failed'
            AND subject_key = one.exit_id::text
    )
{_ONCE}
"""  # noqa: S608 - constants only
BREAKER = f"""
{_INTO}
SELECT one.user_id, 'strategy_halted', one.strategy_id || ':' || extract(epoch FROM coalesce(one.breaker_at, new.at))::text,
    jsonb_strip_nulls(jsonb_build_object('strategy', one.strategy_id, 'reason', one.breaker_reason, 'by', 'its breaker')),
    coalesce(one.breaker_at, new.at)
FROM {_SUBJECTS} JOIN lt_strategies AS one ON one.strategy_id = new.subject
WHERE one.breaker_reason IS NOT NULL
{_ONCE}
"""  # noqa: S608 - constants only
# Whoever has a strategy that was started, and administrators.
HALT = f"""
{_INTO}
SELECT profiles.id, 'strategy_halted', 'halt:' || one.halt_id,
    jsonb_build_object('reason', one.reason, 'by', one.by_whom), one.at
FROM {_SUBJECTS} JOIN lt_halts AS one ON one.halt_id = new.subject::bigint AND one.action = 'halt'
CROSS JOIN profiles
WHERE profiles.is_admin OR EXISTS (
    SELECT 1 FROM lt_strategies WHERE lt_strategies.user_id = profiles.id AND is_active AND launched_at IS NOT NULL
)
{_ONCE}
"""  # noqa: S608 - constants only
DRIFT = f"""
{_INTO}
SELECT strategy.user_id, 'drift', one.strategy_id || ':' || extract(epoch FROM new.at)::text, jsonb_build_object(
    'strategy', one.strategy_id, 'account', strategy.account, 'drift', trim_scale(one.drift)::text
), new.at
FROM {_SUBJECTS} JOIN lt_balances AS one ON one.strategy_id = new.subject AND one.drift > 0
JOIN lt_strategies AS strategy ON strategy.strategy_id = one.strategy_id
{_ONCE}
"""  # noqa: S608 - constants only
BY_FACT = {
    "order": (ORDER,), "settled": (SETTLED,), "market": (MARKET, RECORDED_MARKET), "closed": (CLOSED, RECORDED_CLOSED),
    "exit": (EXIT,), "breaker": (BREAKER,), "halt": (HALT,), "drift": (DRIFT,),
}  # fmt: skip
"""By `notification_facts.fact`, as the triggers of migration 11 write it. A user is told once by whichever comes first."""
# What no trigger has written, after a restore or an import, is written as if one had. A fact that was told is told once.
SWEEP = """
INSERT INTO notification_facts (fact, subject, at)
SELECT 'order', lt_order_id::text, ended_at FROM lt_orders
WHERE ended_at > $1 AND order_hash IS NOT NULL AND (status IN ('LOST', 'REJECTED') OR filled_shares > 0) AND NOT EXISTS (
    SELECT 1 FROM notifications WHERE subject_key = lt_order_id::text AND kind LIKE 'order\\_%'
        AND notifications.created_at > $1
)
UNION ALL
SELECT 'settled', min(lt_order_id::text), max(resolved_at) FROM lt_orders
WHERE resolved_at > $1 AND outcome IN ('WON', 'LOST', 'VOID') GROUP BY condition_id
UNION ALL
SELECT DISTINCT 'market', condition_id, now() FROM lt_orders JOIN markets USING (condition_id)
WHERE shares_open > 0 AND is_resolved
UNION ALL
SELECT DISTINCT 'market', market_id, now() FROM orders WHERE market_resolved AND market_resolved_at > $1
UNION ALL
SELECT 'closed', closed.id::text, closed.closed_at FROM positions_closed AS closed
WHERE closed.closed_at > $1 AND closed.closed_reason = 'manual_close' AND EXISTS (
    SELECT 1 FROM lt_orders WHERE ft_trader_wallet = closed.wallet_address AND lt_orders.token_id = closed.token_id
        AND side = 'BUY' AND shares_open > 0
    UNION ALL
    SELECT 1 FROM orders WHERE copied_trader_wallet = closed.wallet_address AND orders.token_id = closed.token_id
)
UNION ALL
SELECT 'exit', exit_id::text, closed_at FROM lt_exits WHERE status = 'DONE' AND closed_at > $1
UNION ALL
SELECT 'breaker', strategy_id, breaker_at FROM lt_strategies WHERE breaker_reason IS NOT NULL AND breaker_at > $1
UNION ALL
SELECT 'halt', halt_id::text, at FROM lt_halts WHERE action = 'halt' AND at > $1
UNION ALL
SELECT 'drift', strategy_id, now() FROM lt_balances WHERE drift > 0 AND NOT EXISTS (
    SELECT 1 FROM notifications WHERE kind = 'drift' AND payload ->> 'strategy' = lt_balances.strategy_id
)
"""
