-- What users copied, valued: copies made elsewhere beside the fills of this engine, and what open copies are worth.

-- Names and meaning follow the reference's table: copies that a user recorded by hand or imported. `market_id` is a condition id.
CREATE TABLE orders (
    order_id text COLLATE "C" PRIMARY KEY CHECK (length(order_id) BETWEEN 1 AND 100),
    copy_user_id uuid NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
    copied_trade_id text,
    copied_trader_wallet text CHECK (copied_trader_wallet ~ '^0x[0-9a-f]{40}$'),
    copied_trader_username text,
    copied_market_title text,
    market_id text NOT NULL,
    -- Told by market and outcome where the source has none; null until the market is known.
    token_id text,
    outcome text,
    side text NOT NULL CHECK (side IN ('BUY', 'SELL')),
    order_type text,
    time_in_force text,
    price numeric(20, 18) CHECK (price BETWEEN 0 AND 1),
    size numeric(20, 6) CHECK (size > 0 AND size <> 'NaN'),
    -- Null: nobody knows; the size counts then.
    filled_size numeric(20, 6) CHECK (filled_size >= 0 AND filled_size <> 'NaN'),
    remaining_size numeric(20, 6),
    status text NOT NULL
        CHECK (status IN ('open', 'partial', 'filled', 'matched', 'cancelled', 'expired', 'failed')),
    price_when_copied numeric(20, 18) CHECK (price_when_copied BETWEEN 0 AND 1),
    amount_invested numeric(20, 6) CHECK (amount_invested >= 0 AND amount_invested <> 'NaN'),
    fee_usd numeric(20, 6) NOT NULL DEFAULT 0 CHECK (fee_usd >= 0 AND fee_usd <> 'NaN'),
    trade_method text CHECK (trade_method IN ('quick', 'manual')),
    trader_still_has_position boolean,
    trader_closed_at timestamptz,
    trader_position_size numeric(20, 6),
    -- Written by the job refresh-copy-pnl from the prices of `markets`; `copy_marks` has the same by token.
    current_price numeric(20, 18) CHECK (current_price BETWEEN 0 AND 1),
    current_price_at timestamptz,
    market_resolved boolean NOT NULL DEFAULT false,
    market_resolved_at timestamptz,
    -- Null also of a market that was resolved for nobody.
    resolved_outcome text,
    roi numeric(20, 6),
    notification_closed_sent boolean NOT NULL DEFAULT false,
    notification_resolved_sent boolean NOT NULL DEFAULT false,
    last_checked_at timestamptz,
    user_closed_at timestamptz,
    -- The user sold what was left of this purchase at this price.
    user_exit_price numeric(20, 18) CHECK (user_exit_price BETWEEN 0 AND 1),
    market_slug text,
    market_image text,
    auto_close_on_trader_close boolean NOT NULL DEFAULT false,
    auto_close_slippage_percent numeric(7, 4),
    auto_close_triggered_at timestamptz,
    auto_close_attempted_at timestamptz,
    auto_close_error text,
    auto_close_order_id text,
    lt_strategy_id text,
    -- What the venue said of the whole position, repeated on each order of it: read once a token, never added up.
    polymarket_realized_pnl numeric(20, 6),
    polymarket_avg_price numeric(20, 18),
    polymarket_total_bought numeric(20, 6),
    polymarket_synced_at timestamptz,
    raw jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK (side = 'BUY' OR user_exit_price IS NULL)
);
CREATE UNIQUE INDEX orders_by_trade ON orders (copied_trade_id) WHERE copied_trade_id IS NOT NULL;
CREATE INDEX orders_by_user ON orders (copy_user_id, created_at DESC, order_id DESC);
CREATE INDEX orders_unvalued ON orders (token_id) WHERE user_exit_price IS NULL AND NOT market_resolved;
CREATE INDEX orders_by_market ON orders (market_id);
CREATE INDEX orders_without_token ON orders (market_id) WHERE token_id IS NULL;
CREATE INDEX orders_by_strategy ON orders (lt_strategy_id) WHERE lt_strategy_id IS NOT NULL;
CREATE INDEX orders_by_trader ON orders (copied_trader_wallet, token_id) WHERE copied_trader_wallet IS NOT NULL;

-- What a token that somebody copied was worth when its market was priced last.
CREATE TABLE copy_marks (
    token_id text PRIMARY KEY,
    condition_id text NOT NULL,
    price numeric(20, 18) NOT NULL CHECK (price BETWEEN 0 AND 1),
    priced_at timestamptz NOT NULL,
    source text NOT NULL CHECK (source IN ('markets', 'quote', 'payout')),
    -- When it was seen resolved first, for markets that do not say when they closed.
    resolved_at timestamptz
);

-- The shares and the price of a recorded copy, or nulls for one that holds nothing.
CREATE FUNCTION recorded_shares(
    status text, filled_size numeric, size numeric, amount_invested numeric, price numeric
) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN filled_size > 0 THEN filled_size
        WHEN filled_size IS NULL AND status NOT IN ('cancelled', 'expired', 'failed')
            THEN coalesce(size, round(amount_invested / nullif(price, 0), 6))
    END
$$;

-- Every fill of everything that users copied, in one shape. `user_id` is null for orders by hand of this engine: the
-- configuration says whose their `account` is. `closes`: sells what is left of the same order, at most these shares.
CREATE VIEW copied_fills AS
SELECT s.user_id, 'live' AS kind, o.strategy_id AS scope, o.strategy_id, o.account, o.lt_order_id::text AS order_id,
    f.trade_id AS fill_id, o.ft_trader_wallet AS trader, o.condition_id, o.token_id, o.token_label AS outcome, o.side,
    f.shares, f.price, round(f.shares * f.price, 6) AS usd, f.fee_usd, f.matched_at AS filled_at, false AS closes,
    CASE o.outcome WHEN 'WON' THEN 1 WHEN 'LOST' THEN 0 END AS settled_usd, o.resolved_at AS settled_at
FROM lt_strategies AS s JOIN lt_orders AS o USING (strategy_id) JOIN lt_fills AS f USING (lt_order_id)
WHERE f.status <> 'FAILED'
UNION ALL
SELECT NULL::uuid, 'manual', o.strategy_id, o.strategy_id, o.account, o.lt_order_id::text,
    f.trade_id, o.ft_trader_wallet, o.condition_id, o.token_id, o.token_label, o.side,
    f.shares, f.price, round(f.shares * f.price, 6), f.fee_usd, f.matched_at, false,
    CASE o.outcome WHEN 'WON' THEN 1 WHEN 'LOST' THEN 0 END, o.resolved_at
FROM lt_orders AS o JOIN lt_fills AS f USING (lt_order_id)
WHERE o.is_manual AND f.status <> 'FAILED'
UNION ALL
SELECT o.copy_user_id, 'recorded', coalesce(o.lt_strategy_id, 'recorded:' || coalesce(o.copied_trader_wallet, '')),
    o.lt_strategy_id, NULL, o.order_id, part.fill_id, o.copied_trader_wallet, o.market_id,
    -- Outcomes that nobody knows are not taken for the same one.
    coalesce(o.token_id, o.market_id || '::' || coalesce(lower(o.outcome), o.order_id)), o.outcome, part.side,
    one.shares, part.price, round(one.shares * part.price, 6), part.fee_usd, part.filled_at, part.closes,
    -- Names of other outcomes were lost by the reference: only between yes and no is "another one" a loss.
    CASE WHEN o.market_resolved AND lower(o.resolved_outcome) = lower(o.outcome) THEN 1
        WHEN o.market_resolved AND lower(o.resolved_outcome) IN ('yes', 'no') AND lower(o.outcome) IN ('yes', 'no') THEN 0 END,
    coalesce(o.market_resolved_at, o.updated_at)
FROM orders AS o
CROSS JOIN LATERAL (
    SELECT recorded_shares(
        o.status, o.filled_size, o.size, o.amount_invested, coalesce(o.price_when_copied, o.price)
    ) AS shares
) AS one
CROSS JOIN LATERAL (
    SELECT 'own' AS fill_id, o.side, o.fee_usd, o.created_at AS filled_at, false AS closes,
        coalesce(o.price_when_copied, o.price, round(o.amount_invested / nullif(one.shares, 0), 18)) AS price
    UNION ALL
    SELECT 'close', 'SELL', 0, greatest(o.created_at, coalesce(o.user_closed_at, o.updated_at)), true, o.user_exit_price
    WHERE o.user_exit_price IS NOT NULL
) AS part
WHERE one.shares > 0 AND part.price IS NOT NULL;
