"""How a copy of the reference's users is written into our table `orders`."""

# The token is told by the payload or by the outcome's name, as far as the market knows them; the payload is believed where the
# market is not stored. A copy that this engine made itself is in its own tables.
INSERT_ORDERS = """
INSERT INTO orders (
    order_id, copy_user_id, copied_trade_id, copied_trader_wallet, copied_trader_username, copied_market_title,
    market_id, token_id, outcome, side, order_type, time_in_force, price, size, filled_size, remaining_size, status,
    price_when_copied, amount_invested, trade_method, trader_still_has_position, trader_closed_at,
    trader_position_size, current_price, current_price_at, market_resolved, market_resolved_at, resolved_outcome, roi,
    notification_closed_sent, notification_resolved_sent, last_checked_at, user_closed_at, user_exit_price,
    market_slug, market_image, auto_close_on_trader_close, auto_close_slippage_percent, auto_close_triggered_at,
    auto_close_attempted_at, auto_close_error, auto_close_order_id, lt_strategy_id, polymarket_realized_pnl,
    polymarket_avg_price, polymarket_total_bought, polymarket_synced_at, raw, created_at, updated_at
)
SELECT
    new.order_id, new.copy_user_id, new.copied_trade_id, new.copied_trader_wallet, new.copied_trader_username,
    new.copied_market_title, new.market_id, coalesce(named.token_id, CASE WHEN named.tokens = 0 THEN new.token_id
    END), new.outcome, new.side, new.order_type, new.time_in_force, new.price, new.size, new.filled_size,
    new.remaining_size, new.status, new.price_when_copied, new.amount_invested, new.trade_method,
    new.trader_still_has_position, new.trader_closed_at, new.trader_position_size, new.current_price,
    new.current_price_at, new.market_resolved, new.market_resolved_at, new.resolved_outcome, new.roi,
    new.notification_closed_sent, new.notification_resolved_sent, new.last_checked_at, new.user_closed_at,
    new.user_exit_price, new.market_slug, new.market_image, new.auto_close_on_trader_close,
    new.auto_close_slippage_percent, new.auto_close_triggered_at, new.auto_close_attempted_at, new.auto_close_error,
    new.auto_close_order_id, new.lt_strategy_id, new.polymarket_realized_pnl, new.polymarket_avg_price,
    new.polymarket_total_bought, new.polymarket_synced_at, new.raw::jsonb, coalesce(new.created_at, new.updated_at,
    now()), coalesce(new.updated_at, new.created_at, now())
FROM jsonb_to_recordset($1::jsonb) AS new (
    order_id text, copy_user_id uuid, copied_trade_id text, copied_trader_wallet text, copied_trader_username text,
    copied_market_title text, market_id text, token_id text, outcome text, side text, order_type text, time_in_force
    text, price numeric, size numeric, filled_size numeric, remaining_size numeric, status text, price_when_copied
    numeric, amount_invested numeric, trade_method text, trader_still_has_position boolean, trader_closed_at
    timestamptz, trader_position_size numeric, current_price numeric, current_price_at timestamptz, market_resolved
    boolean, market_resolved_at timestamptz, resolved_outcome text, roi numeric, notification_closed_sent boolean,
    notification_resolved_sent boolean, last_checked_at timestamptz, user_closed_at timestamptz, user_exit_price
    numeric, market_slug text, market_image text, auto_close_on_trader_close boolean, auto_close_slippage_percent
    numeric, auto_close_triggered_at timestamptz, auto_close_attempted_at timestamptz, auto_close_error text,
    auto_close_order_id text, lt_strategy_id text, polymarket_realized_pnl numeric, polymarket_avg_price numeric,
    polymarket_total_bought numeric, polymarket_synced_at timestamptz, raw text, created_at timestamptz, updated_at
    timestamptz
)
CROSS JOIN LATERAL (
    SELECT count(*) AS tokens, CASE
        WHEN count(*) FILTER (WHERE token_id = new.token_id) = 1 THEN new.token_id
        WHEN count(*) FILTER (WHERE lower(market_tokens.outcome) = lower(new.outcome)) = 1
            THEN min(token_id) FILTER (WHERE lower(market_tokens.outcome) = lower(new.outcome)) END AS token_id
    FROM market_tokens WHERE market_tokens.condition_id = new.market_id
) AS named
WHERE NOT EXISTS (SELECT FROM lt_orders WHERE lt_orders.order_hash = lower(new.order_id))
ON CONFLICT DO NOTHING
"""
