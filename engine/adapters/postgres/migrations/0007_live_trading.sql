-- Live trading: strategies that copy with real money, their orders, fills, obligations to sell, and the ledger.
-- No key and no credential is ever in here.

CREATE TABLE lt_strategies (
    strategy_id text PRIMARY KEY CHECK (strategy_id ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,95}$'),
    user_id uuid NOT NULL REFERENCES profiles (id),
    ft_wallet_id text NOT NULL REFERENCES ft_wallets (wallet_id),
    account text NOT NULL,
    is_active boolean NOT NULL DEFAULT true,
    is_paused boolean NOT NULL DEFAULT true,
    launched_at timestamptz,
    version integer NOT NULL DEFAULT 1,
    display_name text NOT NULL,
    description text NOT NULL,
    order_type text NOT NULL CHECK (order_type IN ('FAK', 'FOK', 'GTC', 'GTD')),
    resting_s integer NOT NULL,
    slippage_tolerance_pct numeric(7, 4) NOT NULL,
    min_order_size_usd numeric(12, 2) NOT NULL,
    max_order_size_usd numeric(12, 2) NOT NULL,
    cooldown_hours numeric(9, 4) NOT NULL,
    max_position_size_usd numeric(14, 2),
    max_total_exposure_usd numeric(14, 2),
    daily_budget_usd numeric(14, 2),
    max_daily_loss_usd numeric(14, 2),
    circuit_breaker_loss_pct numeric(7, 4),
    max_signal_age_s integer NOT NULL,
    max_price_rise_pct numeric(9, 4),
    max_price_fall_pct numeric(9, 4),
    min_book_depth_pct numeric(7, 4),
    max_spread_pct numeric(9, 4),
    max_market_exposure_usd numeric(14, 2),
    max_event_exposure_usd numeric(14, 2),
    max_orders_per_minute integer,
    max_consecutive_failures integer,
    copy_sells boolean NOT NULL,
    stop_loss_pct numeric(7, 4),
    take_profit_pct numeric(11, 4),
    max_hold_hours numeric(11, 4),
    exit_slippage_pct numeric(7, 4) NOT NULL,
    exit_step_pct numeric(7, 4) NOT NULL,
    exit_deadline_s integer NOT NULL,
    -- Why the breaker is latched, and since when; an operator clears it.
    breaker_reason text,
    breaker_at timestamptz,
    consecutive_losses integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK (min_order_size_usd <= max_order_size_usd)
);
-- One mirror of a paper strategy at a time; one that is archived makes room.
CREATE UNIQUE INDEX lt_strategies_one_mirror ON lt_strategies (user_id, ft_wallet_id) WHERE is_active;
CREATE INDEX lt_strategies_by_wallet ON lt_strategies (ft_wallet_id);

-- Every change of a setting or of capital, and by whom.
CREATE TABLE lt_strategy_changes (
    strategy_id text NOT NULL REFERENCES lt_strategies (strategy_id) ON DELETE CASCADE,
    version integer NOT NULL,
    change jsonb NOT NULL,
    changed_by text NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (strategy_id, version)
);

-- One row: the global stop. Also holds the version that tells the engine to read live strategies again.
CREATE TABLE lt_control (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    version bigint NOT NULL DEFAULT 1,
    halted_by text,
    halted_reason text,
    halted_at timestamptz,
    CHECK ((halted_by IS NULL) = (halted_at IS NULL))
);
INSERT INTO lt_control DEFAULT VALUES;
-- Every halt and every end of one.
CREATE TABLE lt_halts (
    halt_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    action text NOT NULL CHECK (action IN ('halt', 'resume')),
    by_whom text NOT NULL,
    reason text NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE FUNCTION bump_live_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE lt_control SET version = version + 1;
    NOTIFY polycopy_live;
    RETURN NULL;
END
$$;
CREATE TRIGGER lt_strategies_changed
    AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON lt_strategies
    FOR EACH STATEMENT EXECUTE FUNCTION bump_live_version();
CREATE TRIGGER lt_halts_changed
    AFTER INSERT ON lt_halts
    FOR EACH STATEMENT EXECUTE FUNCTION bump_live_version();
CREATE TRIGGER lt_follows_paper
    AFTER UPDATE ON ft_wallets
    FOR EACH STATEMENT EXECUTE FUNCTION bump_live_version();

CREATE TABLE lt_balances (
    strategy_id text PRIMARY KEY REFERENCES lt_strategies (strategy_id) ON DELETE CASCADE,
    -- Less than 0: profits were taken beyond the capital that was given.
    initial numeric(20, 6) NOT NULL,
    available numeric(20, 6) NOT NULL CHECK (available >= 0),
    locked numeric(20, 6) NOT NULL DEFAULT 0 CHECK (locked >= 0),
    cooldown numeric(20, 6) NOT NULL DEFAULT 0 CHECK (cooldown >= 0),
    realized_pnl numeric(20, 6) NOT NULL DEFAULT 0,
    drift numeric(20, 6) NOT NULL DEFAULT 0 CHECK (drift >= 0),
    peak_equity numeric(20, 6) NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    -- I1.
    CHECK (available + locked + cooldown = initial + realized_pnl + drift)
);

-- Append-only. The cause is unique in its strategy: what was booked is never booked again.
CREATE TABLE lt_ledger (
    entry_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    strategy_id text NOT NULL REFERENCES lt_strategies (strategy_id) ON DELETE CASCADE,
    cause text NOT NULL,
    kind text NOT NULL,
    order_id uuid,
    initial numeric(20, 6) NOT NULL,
    available numeric(20, 6) NOT NULL,
    locked numeric(20, 6) NOT NULL,
    cooldown numeric(20, 6) NOT NULL,
    realized numeric(20, 6) NOT NULL,
    -- Part of the posting that could not be paid and went to drift, or of the drift that it paid back.
    drift numeric(20, 6) NOT NULL DEFAULT 0,
    at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (strategy_id, cause),
    CHECK (available + locked + cooldown = initial + realized + drift)
);
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed', TG_TABLE_NAME;
END
$$;
CREATE TRIGGER lt_ledger_append_only
    BEFORE UPDATE ON lt_ledger FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- One attempt to buy or sell for one cause. Orders placed by hand have no strategy, and strategy_id 'manual:<account>'.
CREATE TABLE lt_orders (
    lt_order_id uuid PRIMARY KEY,
    strategy_id text NOT NULL,
    is_manual boolean GENERATED ALWAYS AS (strategy_id LIKE 'manual:%') STORED,
    account text NOT NULL,
    cause text NOT NULL,
    attempt integer NOT NULL,
    origin text NOT NULL CHECK (origin IN ('copy', 'exit', 'manual')),
    part text NOT NULL,
    members text[] NOT NULL DEFAULT '{}',
    side text NOT NULL CHECK (side IN ('BUY', 'SELL')),
    condition_id text NOT NULL,
    token_id text NOT NULL,
    token_label text,
    market_title text,
    market_slug text,
    event_slug text,
    ft_trader_wallet text,
    ft_wallet_id text,
    ft_order_id uuid,
    signal_price numeric(20, 18) NOT NULL,
    wanted_shares numeric(20, 6),
    wanted_usd numeric(20, 6),
    wanted_order_type text,
    wanted_limit_price numeric(20, 18),
    wanted_expires_at timestamptz,
    post_only boolean NOT NULL DEFAULT false,
    signal_at timestamptz NOT NULL,
    decided_at timestamptz NOT NULL,
    status text NOT NULL DEFAULT 'PLACED'
        CHECK (status IN ('PLACED', 'PENDING', 'PARTIAL', 'FILLED', 'CANCELLED', 'LOST', 'REJECTED')),
    ended boolean NOT NULL DEFAULT false,
    -- The journal: written once, before the order may be sent.
    order_hash text UNIQUE CHECK (order_hash ~ '^0x[0-9a-f]{64}$'),
    signed_body bytea,
    order_type text,
    limit_price numeric(20, 18),
    size_shares numeric(20, 6),
    spend_usd numeric(20, 6),
    lock_usd numeric(20, 6),
    fee_rate numeric(12, 6),
    fee_exponent integer,
    negative_risk boolean,
    signed_at timestamptz,
    -- What the venue said of it.
    venue_ended boolean NOT NULL DEFAULT false,
    venue_matched numeric(20, 6) NOT NULL DEFAULT 0,
    filled_shares numeric(20, 6) NOT NULL DEFAULT 0 CHECK (filled_shares >= 0),
    filled_usd numeric(20, 6) NOT NULL DEFAULT 0,
    fee_usd numeric(20, 6) NOT NULL DEFAULT 0,
    -- Of a BUY: what is open of it, and what came of the rest.
    shares_open numeric(20, 6) NOT NULL DEFAULT 0 CHECK (shares_open >= 0),
    cost_open numeric(20, 6) NOT NULL DEFAULT 0 CHECK (cost_open >= 0),
    realized_usd numeric(20, 6) NOT NULL DEFAULT 0,
    outcome text NOT NULL DEFAULT 'NONE' CHECK (outcome IN ('NONE', 'OPEN', 'WON', 'LOST', 'SOLD', 'VOID')),
    resolved_at timestamptz,
    not_found integer NOT NULL DEFAULT 0,
    not_found_at timestamptz,
    reason text,
    detail text,
    placed_at timestamptz,
    first_fill_at timestamptz,
    ended_at timestamptz,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    -- Claim before place.
    UNIQUE (strategy_id, cause, attempt),
    CHECK ((order_hash IS NULL) = (signed_body IS NULL)),
    CHECK (order_hash IS NOT NULL OR status IN ('PLACED', 'REJECTED')),
    CHECK (ended = (ended_at IS NOT NULL)),
    CHECK (status NOT IN ('FILLED', 'CANCELLED', 'LOST', 'REJECTED') OR ended),
    CHECK (side = 'BUY' OR (shares_open = 0 AND cost_open = 0)),
    CHECK (shares_open > 0 OR cost_open = 0)
);
-- At most one attempt of a cause is alive (I4).
CREATE UNIQUE INDEX lt_orders_alive ON lt_orders (strategy_id, cause) WHERE NOT ended;
CREATE INDEX lt_orders_working ON lt_orders (created_at) WHERE NOT ended;
CREATE INDEX lt_orders_lots ON lt_orders (token_id, strategy_id) WHERE shares_open > 0;
CREATE INDEX lt_orders_by_trader ON lt_orders (ft_trader_wallet, token_id) WHERE side = 'BUY' AND (shares_open > 0 OR NOT ended);
CREATE INDEX lt_orders_lots_by_market ON lt_orders (condition_id) WHERE shares_open > 0;
CREATE INDEX lt_orders_by_strategy ON lt_orders (strategy_id, created_at DESC, lt_order_id DESC);
CREATE INDEX lt_orders_by_time ON lt_orders (created_at DESC, lt_order_id DESC);
CREATE INDEX lt_orders_by_signature ON lt_orders (signed_at) WHERE origin = 'copy';
CREATE INDEX lt_orders_by_cause ON lt_orders (cause);
CREATE INDEX lt_orders_by_twin ON lt_orders (ft_order_id) WHERE ft_order_id IS NOT NULL;

-- Which trades a strategy copied: once, alone or in an aggregate.
CREATE TABLE lt_order_members (
    strategy_id text NOT NULL,
    trade_id text NOT NULL,
    lt_order_id uuid NOT NULL REFERENCES lt_orders (lt_order_id) ON DELETE CASCADE,
    PRIMARY KEY (strategy_id, trade_id)
);

CREATE TABLE lt_fills (
    order_hash text NOT NULL REFERENCES lt_orders (order_hash) ON DELETE CASCADE,
    trade_id text NOT NULL,
    lt_order_id uuid NOT NULL,
    shares numeric(20, 6) NOT NULL CHECK (shares > 0),
    price numeric(20, 18) NOT NULL CHECK (price > 0 AND price <= 1),
    fee_usd numeric(20, 6) NOT NULL CHECK (fee_usd >= 0),
    role text NOT NULL CHECK (role IN ('TAKER', 'MAKER')),
    status text NOT NULL CHECK (status IN ('MATCHED', 'MINED', 'RETRYING', 'CONFIRMED', 'FAILED')),
    transaction_hash text,
    matched_at timestamptz NOT NULL,
    booked_at timestamptz NOT NULL DEFAULT now(),
    settled_at timestamptz,
    PRIMARY KEY (order_hash, trade_id)
);
CREATE INDEX lt_fills_unsettled ON lt_fills (matched_at) WHERE status NOT IN ('CONFIRMED', 'FAILED');
CREATE INDEX lt_fills_by_order ON lt_fills (lt_order_id);

-- Which lots a fill of a SELL sold.
CREATE TABLE lt_lot_sales (
    order_hash text NOT NULL,
    trade_id text NOT NULL,
    lot_order_id uuid NOT NULL REFERENCES lt_orders (lt_order_id) ON DELETE CASCADE,
    shares numeric(20, 6) NOT NULL CHECK (shares > 0),
    cost_released numeric(20, 6) NOT NULL,
    proceeds numeric(20, 6) NOT NULL,
    unwound boolean NOT NULL DEFAULT false,
    PRIMARY KEY (order_hash, trade_id, lot_order_id),
    FOREIGN KEY (order_hash, trade_id) REFERENCES lt_fills (order_hash, trade_id) ON DELETE CASCADE
);
CREATE INDEX lt_lot_sales_by_lot ON lt_lot_sales (lot_order_id);

CREATE TABLE lt_exits (
    exit_id uuid PRIMARY KEY,
    strategy_id text NOT NULL REFERENCES lt_strategies (strategy_id) ON DELETE CASCADE,
    cause text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('trader_sell', 'stop_loss', 'take_profit', 'max_hold', 'flatten')),
    condition_id text NOT NULL,
    token_id text NOT NULL,
    trader text,
    share numeric(20, 18) NOT NULL CHECK (share > 0 AND share <= 1),
    signal_price numeric(20, 18) NOT NULL,
    signal_at timestamptz NOT NULL,
    status text NOT NULL DEFAULT 'OPEN' CHECK (status IN ('OPEN', 'DONE', 'DUST', 'SETTLED', 'VOID')),
    target_shares numeric(20, 6),
    sold_shares numeric(20, 6) NOT NULL DEFAULT 0 CHECK (sold_shares >= 0),
    attempts integer NOT NULL DEFAULT 0,
    deadline_at timestamptz NOT NULL,
    next_try_at timestamptz NOT NULL,
    detail text,
    created_at timestamptz NOT NULL DEFAULT now(),
    closed_at timestamptz,
    UNIQUE (strategy_id, cause, token_id)
);
CREATE INDEX lt_exits_open ON lt_exits (next_try_at) WHERE status = 'OPEN';
CREATE INDEX lt_exits_by_strategy ON lt_exits (strategy_id, created_at DESC);
CREATE INDEX lt_exits_by_cause ON lt_exits (cause);

CREATE TABLE lt_cooldown_queue (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    strategy_id text NOT NULL REFERENCES lt_strategies (strategy_id) ON DELETE CASCADE,
    cause text NOT NULL,
    lt_order_id uuid REFERENCES lt_orders (lt_order_id) ON DELETE SET NULL,
    amount numeric(20, 6) NOT NULL,
    -- Null: waits for its redemption.
    available_at timestamptz,
    condition_id text,
    token_id text,
    shares numeric(20, 6),
    created_at timestamptz NOT NULL DEFAULT now(),
    released_at timestamptz,
    UNIQUE (strategy_id, cause)
);
CREATE INDEX lt_cooldown_due ON lt_cooldown_queue (available_at) WHERE released_at IS NULL;
CREATE INDEX lt_cooldown_by_strategy ON lt_cooldown_queue (strategy_id) WHERE released_at IS NULL;

-- By UTC day of the fill, sale or settlement.
CREATE TABLE lt_daily (
    strategy_id text NOT NULL REFERENCES lt_strategies (strategy_id) ON DELETE CASCADE,
    day date NOT NULL,
    spent_usd numeric(20, 6) NOT NULL DEFAULT 0,
    lost_usd numeric(20, 6) NOT NULL DEFAULT 0,
    pnl_usd numeric(20, 6) NOT NULL DEFAULT 0,
    PRIMARY KEY (strategy_id, day)
);

-- What somebody asked for with a key: the same key again gives the same answer (D42).
CREATE TABLE order_idempotency (
    user_id uuid NOT NULL REFERENCES profiles (id),
    order_intent_id text NOT NULL,
    request_hash text NOT NULL,
    lt_order_id uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, order_intent_id)
);

CREATE TABLE lt_execute_logs (
    log_day date NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    created_at timestamptz NOT NULL,
    level text NOT NULL,
    message text NOT NULL,
    stage text NOT NULL,
    trace_id text NOT NULL,
    execution_id text NOT NULL,
    strategy_id text,
    ft_wallet_id text,
    ft_order_id uuid,
    lt_order_id uuid,
    order_id text,
    elapsed_ms double precision,
    source_trade_id text,
    extra jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (log_day, id)
) PARTITION BY RANGE (log_day);
CREATE INDEX lt_execute_logs_by_time ON lt_execute_logs (created_at DESC, id DESC);
CREATE INDEX lt_execute_logs_by_trace ON lt_execute_logs (trace_id, created_at);
CREATE INDEX lt_execute_logs_by_strategy ON lt_execute_logs (strategy_id, created_at DESC);
CREATE TABLE lt_execute_logs_other PARTITION OF lt_execute_logs DEFAULT;
CREATE FUNCTION ensure_lt_logs_partition(wanted date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    name text := 'lt_execute_logs_' || to_char(wanted, 'YYYYMMDD');
BEGIN
    IF to_regclass(name) IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(7237124);
    IF to_regclass(name) IS NULL AND NOT EXISTS (SELECT 1 FROM lt_execute_logs_other WHERE log_day = wanted) THEN
        EXECUTE format(
            'CREATE TABLE %I PARTITION OF lt_execute_logs FOR VALUES FROM (%L) TO (%L)', name, wanted, wanted + 1
        );
    END IF;
END
$$;

-- Drops the oldest day of logs before a day; 0: there is none.
CREATE FUNCTION drop_lt_logs_before(cutoff date) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    name text;
BEGIN
    SELECT child.relname INTO name FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid
    WHERE inhparent = 'lt_execute_logs'::regclass AND child.relname ~ '^lt_execute_logs_[0-9]{8}$'
        AND child.relname::text COLLATE "C" < 'lt_execute_logs_' || to_char(cutoff, 'YYYYMMDD')
    ORDER BY child.relname LIMIT 1;
    IF name IS NULL THEN
        RETURN 0;
    END IF;
    EXECUTE format('DROP TABLE %I', name);
    RETURN 1;
END
$$;

-- What the last comparison with the venue found, by account.
CREATE TABLE lt_reconciliations (
    account text PRIMARY KEY,
    at timestamptz NOT NULL,
    collateral_usd numeric(20, 6),
    report jsonb NOT NULL
);
