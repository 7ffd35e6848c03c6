"""Statements that read copies of users."""

# $1 the user, $2 the strategy ids of his orders by hand, $3 one strategy, $4 one account, $5 some tokens. Amounts in micro.
_COLUMNS = """
    scope, token_id, order_id, fill_id, trader, side, shares, price, fee_usd, filled_at, closes, settled_usd, settled_at
"""
_WANTED = """
    ($3::text IS NULL OR strategy_id = $3) AND ($4::text IS NULL OR account = $4)
    AND ($5::text[] IS NULL OR token_id = ANY ($5))
"""
# The fields of `CopiedFill`, in their order.
FILLS = f"""
SELECT scope, token_id, order_id, trader, CASE WHEN closes THEN 'CLOSE' ELSE side END, (shares * 1000000)::bigint,
    (shares * price * 1000000)::bigint, (fee_usd * 1000000)::bigint, (date_part('epoch', filled_at) * 1000000)::bigint,
    settled_usd, CASE WHEN settled_usd IS NOT NULL THEN (date_part('epoch', settled_at) * 1000000)::bigint END
FROM (
    SELECT {_COLUMNS} FROM copied_fills WHERE user_id = $1::text::uuid AND {_WANTED}
    UNION ALL
    SELECT {_COLUMNS} FROM copied_fills WHERE user_id IS NULL AND strategy_id = ANY ($2::text[]) AND {_WANTED}
) AS copied
ORDER BY filled_at, side COLLATE "C", order_id COLLATE "C", fill_id COLLATE "C"
"""  # noqa: S608 - constants only
# Every change of a row gives it another xmin; fills never change without their order. Parameters as above.
STAMPS = f"""
SELECT token_id, count(*) || ' ' || sum(change) AS stamp FROM (
    SELECT token_id, strategy_id, account, xmin::text::bigint AS change FROM lt_orders
    WHERE filled_shares > 0 AND strategy_id IN (
        SELECT strategy_id FROM lt_strategies WHERE user_id = $1::text::uuid UNION ALL SELECT unnest($2::text[])
    )
    UNION ALL
    SELECT coalesce(token_id, market_id || '::' || coalesce(lower(outcome), order_id)), lt_strategy_id, NULL,
        xmin::text::bigint
    FROM orders WHERE copy_user_id = $1::text::uuid
) AS changes WHERE {_WANTED} GROUP BY token_id
"""  # noqa: S608 - constants only
# The fields of `TokenFacts`, in their order. What is resolved needs no price. A token without a mark has the newest price that
# came with a recorded copy: its market was never priced here.
FACTS = """
SELECT wanted.token_id, coalesce(token.condition_id, mark.condition_id), token.outcome, token.outcome_index, market.title,
    market.market_slug, market.event_slug, market.payout, CASE WHEN market.payout IS NOT NULL THEN
        (date_part('epoch', coalesce(market.close_time, mark.resolved_at, market.priced_at)) * 1000000)::bigint END,
    CASE WHEN market.payout IS NULL THEN coalesce(mark.price, own.price) END,
    CASE WHEN market.payout IS NULL THEN (date_part('epoch', coalesce(mark.priced_at, own.priced_at)) * 1000000)::bigint END,
    CASE WHEN market.payout IS NULL THEN market.price END,
    CASE WHEN market.payout IS NULL THEN (date_part('epoch', market.priced_at) * 1000000)::bigint END
FROM unnest($1::text[]) AS wanted (token_id)
LEFT JOIN LATERAL (
    SELECT condition_id, outcome, outcome_index, payout FROM market_tokens
    WHERE market_tokens.token_id = wanted.token_id LIMIT 1
) AS token ON true
LEFT JOIN LATERAL (
    SELECT title, market_slug, event_slug, close_time, outcome_price(outcome_prices, token.outcome_index) AS price,
        coalesce(
            token.payout, CASE WHEN is_resolved THEN outcome_price(outcome_prices, token.outcome_index) END
        ) AS payout,
        coalesce(
            last_price_updated_at, CASE WHEN raw_gamma ->> 'outcomePrices' IS NOT NULL THEN updated_at END
        ) AS priced_at
    FROM markets WHERE markets.condition_id = token.condition_id LIMIT 1
) AS market ON true
LEFT JOIN LATERAL (
    SELECT condition_id, price, priced_at, resolved_at FROM copy_marks WHERE copy_marks.token_id = wanted.token_id LIMIT 1
) AS mark ON true
LEFT JOIN LATERAL (
    SELECT current_price AS price, current_price_at AS priced_at FROM orders
    WHERE mark.price IS NULL AND orders.token_id = wanted.token_id AND current_price IS NOT NULL
        AND user_exit_price IS NULL AND NOT market_resolved
    ORDER BY current_price_at DESC NULLS LAST, order_id LIMIT 1
) AS own ON true
"""
"""$1 tokens."""
# Recorded copies whose token nobody knows have the price of their own rows, the newest that has one.
OWN_PRICES = """
SELECT wanted.token_id, own.condition_id, own.outcome, own.market_title, own.market_slug, own.mark, own.mark_us
FROM unnest($1::text[]) AS wanted (token_id) CROSS JOIN LATERAL (
    SELECT market_id AS condition_id, outcome, copied_market_title AS market_title, market_slug, current_price AS mark,
        (date_part('epoch', current_price_at) * 1000000)::bigint AS mark_us
    FROM orders
    WHERE orders.market_id = split_part(wanted.token_id, '::', 1) AND orders.token_id IS NULL AND (
        lower(orders.outcome) = split_part(wanted.token_id, '::', 2)
        OR (orders.outcome IS NULL AND orders.order_id = split_part(wanted.token_id, '::', 2))
    )
    ORDER BY current_price IS NULL, current_price_at DESC NULLS LAST, order_id LIMIT 1
) AS own
"""
"""$1 tokens of the form `market::outcome`."""
# A row is written when what the venue says has changed; that it said the same again stands with the account, under each name
# that the account ever had.
OFFICIAL = """
SELECT wanted.token_id, sum(said.realized_pnl) AS realized_pnl,
    CASE WHEN count(*) = count(said.bought_shares) THEN sum(said.bought_shares) END AS bought_shares,
    CASE WHEN count(*) = 1 THEN min(said.avg_price) END AS avg_price, bool_or(said.is_held) AS is_held,
    (date_part('epoch', min(greatest(said.synced_at, state.synced_at))) * 1000000)::bigint AS synced_us
FROM unnest($1::text[]) AS wanted (token_id) CROSS JOIN unnest($2::text[]) AS own (wallet)
CROSS JOIN LATERAL (
    SELECT realized_pnl, bought_shares, avg_price, is_held, synced_at FROM official_position_results
    WHERE official_position_results.wallet_address = own.wallet AND official_position_results.token_id = wanted.token_id LIMIT 1
) AS said
CROSS JOIN LATERAL (
    SELECT max(synced_at) AS synced_at FROM official_sync_state WHERE official_sync_state.wallet_address = own.wallet
) AS state
GROUP BY wanted.token_id
"""
"""$1 tokens, $2 wallets."""
# What an import brought, for tokens of which the table above says nothing. Each order of a position repeats it (D79).
OFFICIAL_OF_ORDERS = """
SELECT DISTINCT ON (token_id) token_id, polymarket_realized_pnl AS realized_pnl, polymarket_total_bought AS bought_shares,
    polymarket_avg_price AS avg_price, false AS is_held,
    round(date_part('epoch', coalesce(polymarket_synced_at, updated_at)) * 1000000)::bigint AS synced_us
FROM orders
WHERE copy_user_id = $1::text::uuid AND token_id = ANY ($2::text[]) AND polymarket_realized_pnl IS NOT NULL
ORDER BY token_id, coalesce(polymarket_synced_at, updated_at) DESC, order_id
"""
TRADER_NAMES = """
SELECT wallet, coalesce(
    (SELECT display_name FROM traders WHERE traders.wallet_address = wallet),
    (SELECT copied_trader_username FROM orders WHERE orders.copied_trader_wallet = wallet
        AND copied_trader_username IS NOT NULL ORDER BY created_at DESC LIMIT 1)
) AS name FROM unnest($1::text[]) AS wanted (wallet)
"""
USER_ID = "SELECT id::text FROM profiles WHERE user_name = $1"
# A page of copied orders that were filled, newest first. $1, $2, $3, $4 as above, $5 and $6 the last one of the page before,
# $7 rows, $8 the kind, null for all. Each part is bounded by itself and walks its own index.
_OF_LIVE = """
    SELECT o.lt_order_id::text COLLATE "C" AS order_id, CASE WHEN o.is_manual THEN 'manual' ELSE 'live' END AS kind,
        CASE WHEN o.is_manual THEN NULL ELSE o.strategy_id END AS strategy_id, o.account, o.strategy_id AS scope,
        o.ft_trader_wallet AS trader, o.condition_id, o.token_id, o.token_label AS outcome, o.market_title, o.market_slug,
        o.side, o.filled_shares AS shares, o.filled_usd AS usd, o.fee_usd, o.created_at AS at, lower(o.status) AS status,
        NULL::numeric AS exit_price, NULL::timestamptz AS exit_at, NULL::boolean AS trader_still_has_position
    FROM lt_orders AS o
    WHERE o.strategy_id = own.strategy_id AND o.filled_shares > 0 AND ($4::text IS NULL OR o.account = $4)
        AND ($5::timestamptz IS NULL OR (o.created_at <= $5
            AND (o.created_at < $5 OR o.lt_order_id::text COLLATE "C" < $6)))
    ORDER BY o.created_at DESC, o.lt_order_id DESC LIMIT $7
"""
_OF_RECORDED = """
    SELECT o.order_id, 'recorded' AS kind, o.lt_strategy_id AS strategy_id, NULL AS account,
        coalesce(o.lt_strategy_id, 'recorded:' || coalesce(o.copied_trader_wallet, '')) AS scope,
        o.copied_trader_wallet AS trader, o.market_id AS condition_id,
        coalesce(o.token_id, o.market_id || '::' || coalesce(lower(o.outcome), o.order_id)) AS token_id, o.outcome,
        o.copied_market_title AS market_title, o.market_slug, o.side, one.shares, round(one.shares * one.price, 6) AS usd,
        o.fee_usd, o.created_at AS at, o.status, o.user_exit_price AS exit_price, o.user_closed_at AS exit_at,
        o.trader_still_has_position
    FROM orders AS o
    CROSS JOIN LATERAL (
        SELECT recorded_shares(
            o.status, o.filled_size, o.size, o.amount_invested, coalesce(o.price_when_copied, o.price)
        ) AS shares
    ) AS held
    CROSS JOIN LATERAL (
        SELECT held.shares,
            coalesce(o.price_when_copied, o.price, round(o.amount_invested / nullif(held.shares, 0), 18)) AS price
    ) AS one
    WHERE o.copy_user_id = $1::text::uuid AND one.shares > 0 AND one.price IS NOT NULL AND $4::text IS NULL
        AND ($3::text IS NULL OR o.lt_strategy_id = $3) AND ($8::text IS NULL OR $8 = 'recorded')
        AND ($5::timestamptz IS NULL OR (o.created_at <= $5 AND (o.created_at < $5 OR o.order_id < $6)))
    ORDER BY o.created_at DESC, o.order_id DESC LIMIT $7
"""
ORDERS = f"""
SELECT * FROM (
    SELECT found.* FROM (
        SELECT strategy_id FROM lt_strategies WHERE user_id = $1::text::uuid AND ($3::text IS NULL OR strategy_id = $3)
            AND ($8::text IS NULL OR $8 = 'live')
        UNION ALL SELECT unnest($2::text[]) WHERE ($3::text IS NULL OR $3 = ANY ($2)) AND ($8::text IS NULL OR $8 = 'manual')
    ) AS own (strategy_id) CROSS JOIN LATERAL ({_OF_LIVE}) AS found
    WHERE $3::text IS NULL OR found.scope = $3
    UNION ALL
    SELECT * FROM ({_OF_RECORDED}) AS recorded
) AS listed ORDER BY at DESC, order_id DESC LIMIT $7
"""  # noqa: S608 - constants only
