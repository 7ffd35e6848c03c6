-- Notifications: facts, what they mean to whom, and on which channels that was said.

-- What happened, written by the transaction in which it happened. Append-only and without any key but its number, so that a
-- booking never waits for another one here and never fails: who has to hear of it is found afterwards.
CREATE TABLE notification_facts (
    fact_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    fact text NOT NULL,
    subject text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    -- It cannot be understood; it stays for whoever looks and holds up nothing.
    is_buried boolean NOT NULL DEFAULT false
);

-- The outbox. A user hears of a thing once, whoever finds it how often; sent marks are those of deliveries alone (D81).
CREATE TABLE notifications (
    notification_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
    kind text NOT NULL CHECK (kind IN (
        'market_resolved', 'trader_closed', 'auto_close_executed', 'auto_close_failed', 'order_filled', 'order_rejected',
        'order_lost', 'strategy_halted', 'drift', 'welcome', 'daily_summary', 'test'
    )),
    subject_key text NOT NULL,
    payload jsonb NOT NULL DEFAULT '{}',
    happened_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    -- When its channels were chosen. Null: not yet.
    routed_at timestamptz,
    UNIQUE (user_id, kind, subject_key)
);
CREATE INDEX notifications_unrouted ON notifications (notification_id) WHERE routed_at IS NULL;
CREATE INDEX notifications_by_user ON notifications (user_id, notification_id DESC);
CREATE INDEX notifications_by_time ON notifications (created_at);

CREATE TABLE notification_deliveries (
    notification_id bigint NOT NULL REFERENCES notifications (notification_id) ON DELETE CASCADE,
    channel text NOT NULL,
    user_id uuid NOT NULL,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'sent', 'failed', 'suppressed')),
    -- That failed, or were cut short by a crash.
    attempts integer NOT NULL DEFAULT 0,
    next_try_at timestamptz NOT NULL DEFAULT now(),
    -- Somebody is sending it; after this moment he is taken for dead.
    claimed_until timestamptz,
    -- Counts claims: a claim that was taken over changes nothing any more.
    claim bigint NOT NULL DEFAULT 0,
    -- In words of the engine's own: never a text of the channel, which may repeat a credential.
    last_error text,
    sent_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (notification_id, channel),
    CHECK ((status = 'sent') = (sent_at IS NOT NULL)),
    CHECK (status = 'pending' OR claimed_until IS NULL)
);
CREATE INDEX notification_deliveries_due ON notification_deliveries (next_try_at) WHERE status = 'pending';
CREATE INDEX notification_deliveries_of_user ON notification_deliveries (user_id, channel) WHERE status = 'pending';
CREATE INDEX notification_deliveries_failed ON notification_deliveries (created_at) WHERE status = 'failed';

-- A user without a row wants everything, at any hour.
CREATE TABLE notification_preferences (
    user_id uuid PRIMARY KEY REFERENCES profiles (id) ON DELETE CASCADE,
    email_notifications_enabled boolean NOT NULL DEFAULT true,
    market_resolves boolean NOT NULL DEFAULT true,
    trader_closes_position boolean NOT NULL DEFAULT true,
    auto_close boolean NOT NULL DEFAULT true,
    order_filled boolean NOT NULL DEFAULT true,
    order_rejected boolean NOT NULL DEFAULT true,
    order_lost boolean NOT NULL DEFAULT true,
    strategy_halted boolean NOT NULL DEFAULT true,
    drift boolean NOT NULL DEFAULT true,
    daily_summary boolean NOT NULL DEFAULT true,
    quiet_from time,
    quiet_to time,
    timezone text NOT NULL DEFAULT 'UTC' CHECK (length(timezone) BETWEEN 1 AND 64),
    default_buy_slippage numeric(7, 4),
    default_sell_slippage numeric(7, 4) NOT NULL DEFAULT 3,
    -- Changes are limited by the hour.
    hour_began timestamptz NOT NULL DEFAULT now(),
    changes_in_hour integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((quiet_from IS NULL) = (quiet_to IS NULL)),
    CHECK (quiet_from <> quiet_to)
);

-- Copies by hand that are sold when the copied trader leaves: all that an account has of him in a token.
CREATE TABLE lt_auto_closes (
    strategy_id text NOT NULL CHECK (strategy_id LIKE 'manual:%'),
    trader text NOT NULL CHECK (trader ~ '^0x[0-9a-f]{40}$'),
    token_id text NOT NULL,
    user_id uuid NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
    slippage_pct numeric(7, 4) NOT NULL CHECK (slippage_pct BETWEEN 0 AND 100),
    armed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (strategy_id, trader, token_id)
);
-- So an obligation may be one of orders by hand, which have no row in lt_strategies; all others still need theirs.
ALTER TABLE lt_exits
    DROP CONSTRAINT lt_exits_strategy_id_fkey,
    -- Of its first limit below the price of the signal; null: as the strategy says.
    ADD COLUMN slippage_pct numeric(7, 4) CHECK (slippage_pct BETWEEN 0 AND 100),
    ADD COLUMN owning_strategy text GENERATED ALWAYS AS (CASE WHEN strategy_id NOT LIKE 'manual:%' THEN strategy_id END) STORED
        REFERENCES lt_strategies (strategy_id) ON DELETE CASCADE;
CREATE INDEX lt_exits_by_owning_strategy ON lt_exits (owning_strategy);

-- Whose an order by hand is, and what a user has in a market.
CREATE INDEX order_idempotency_by_order ON order_idempotency (lt_order_id);
CREATE INDEX lt_orders_settled_by_market ON lt_orders (condition_id) WHERE outcome IN ('WON', 'LOST', 'VOID');
CREATE VIEW lt_order_owners AS
SELECT lt_orders.lt_order_id, coalesce(lt_strategies.user_id, by_hand.user_id, closing.user_id) AS user_id
FROM lt_orders LEFT JOIN lt_strategies USING (strategy_id)
LEFT JOIN LATERAL (
    SELECT user_id FROM order_idempotency WHERE order_idempotency.lt_order_id = lt_orders.lt_order_id LIMIT 1
) AS by_hand ON lt_orders.is_manual
LEFT JOIN lt_auto_closes AS closing ON lt_orders.is_manual AND lt_orders.origin = 'exit'
    AND closing.strategy_id = lt_orders.strategy_id AND closing.trader = lt_orders.ft_trader_wallet
    AND closing.token_id = lt_orders.token_id;
CREATE VIEW lt_exit_owners AS
SELECT lt_exits.exit_id, coalesce(lt_strategies.user_id, closing.user_id) AS user_id
FROM lt_exits LEFT JOIN lt_strategies USING (strategy_id)
LEFT JOIN lt_auto_closes AS closing ON closing.strategy_id = lt_exits.strategy_id AND closing.trader = lt_exits.trader
    AND closing.token_id = lt_exits.token_id;

-- TG_ARGV: the fact, and the column of its subject. It has to be this simple: it runs inside of bookings.
CREATE FUNCTION note_fact() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO notification_facts (fact, subject) VALUES (TG_ARGV[0], to_jsonb(NEW) ->> TG_ARGV[1]);
    RETURN NULL;
END
$$;
CREATE FUNCTION note_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO notification_facts (fact, subject) VALUES (TG_ARGV[0], NEW.lt_order_id::text);
    RETURN NULL;
END
$$;
CREATE FUNCTION note_market() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO notification_facts (fact, subject) VALUES ('market', NEW.condition_id);
    RETURN NULL;
END
$$;

-- Claims that a rule declined never had a hash, and are no news by themselves.
CREATE TRIGGER lt_orders_noted AFTER UPDATE ON lt_orders FOR EACH ROW
    WHEN (
        NEW.order_hash IS NOT NULL AND (
            (NEW.status <> OLD.status AND NEW.status IN ('FILLED', 'REJECTED', 'LOST'))
            OR (NEW.ended AND NOT OLD.ended AND NEW.filled_shares > 0)
        )
    )
    EXECUTE FUNCTION note_order('order');
CREATE TRIGGER lt_orders_settled_noted AFTER UPDATE ON lt_orders FOR EACH ROW
    WHEN (NEW.outcome <> OLD.outcome AND NEW.outcome IN ('WON', 'LOST', 'VOID'))
    EXECUTE FUNCTION note_order('settled');
CREATE TRIGGER markets_resolved_noted AFTER UPDATE ON markets FOR EACH ROW
    WHEN (NEW.is_resolved AND NOT OLD.is_resolved) EXECUTE FUNCTION note_market();
CREATE TRIGGER markets_added_resolved_noted AFTER INSERT ON markets FOR EACH ROW
    WHEN (NEW.is_resolved) EXECUTE FUNCTION note_market();
CREATE TRIGGER positions_closed_noted AFTER INSERT ON positions_closed FOR EACH ROW
    WHEN (NEW.closed_reason = 'manual_close') EXECUTE FUNCTION note_fact('closed', 'id');
CREATE TRIGGER lt_exits_noted AFTER UPDATE ON lt_exits FOR EACH ROW
    WHEN (NEW.status = 'DONE' AND OLD.status <> 'DONE') EXECUTE FUNCTION note_fact('exit', 'exit_id');
CREATE TRIGGER lt_halts_noted AFTER INSERT ON lt_halts FOR EACH ROW
    WHEN (NEW.action = 'halt') EXECUTE FUNCTION note_fact('halt', 'halt_id');
CREATE TRIGGER lt_strategies_breaker_noted AFTER UPDATE ON lt_strategies FOR EACH ROW
    WHEN (NEW.breaker_reason IS NOT NULL AND OLD.breaker_reason IS NULL)
    EXECUTE FUNCTION note_fact('breaker', 'strategy_id');
CREATE TRIGGER lt_balances_drift_noted AFTER UPDATE ON lt_balances FOR EACH ROW
    WHEN (NEW.drift > 0 AND OLD.drift = 0) EXECUTE FUNCTION note_fact('drift', 'strategy_id');
