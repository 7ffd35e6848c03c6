-- Ingest: who is followed, what they traded, in which markets. Names and meaning follow the reference's schema.

CREATE TABLE engine_meta (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    database_id uuid NOT NULL DEFAULT gen_random_uuid()
);
INSERT INTO engine_meta DEFAULT VALUES;

-- A lease is a row. Whoever takes it over gets a higher epoch, and every write carries the epoch it was made under.
CREATE TABLE engine_leases (
    name text PRIMARY KEY,
    owner text NOT NULL,
    holder text NOT NULL,
    epoch bigint NOT NULL,
    expires_at timestamptz NOT NULL
);

-- Intervals of the stream that may be incomplete and have not been read again from history yet.
CREATE TABLE ingest_gaps (
    reason text NOT NULL,
    since_at timestamptz NOT NULL,
    until_at timestamptz NOT NULL CHECK (until_at >= since_at),
    noted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (since_at, until_at, reason)
);

CREATE TABLE profiles (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_name text NOT NULL UNIQUE,
    email text,
    is_admin boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO profiles (user_name, is_admin) VALUES ('admin', true);

CREATE TABLE traders (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    wallet_address text NOT NULL UNIQUE CHECK (wallet_address ~ '^0x[0-9a-f]{40}$'),
    display_name text,
    profile_image text,
    pnl numeric(20, 6),
    volume numeric(20, 6),
    roi numeric(20, 6),
    win_rate numeric(6, 5),
    total_trades bigint,
    rank integer,
    follower_count integer,
    is_active boolean NOT NULL DEFAULT true,
    last_seen_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE follows (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
    trader_wallet text NOT NULL CHECK (trader_wallet ~ '^0x[0-9a-f]{40}$'),
    active boolean NOT NULL DEFAULT true,
    -- Lane 0 until strategies name their targets themselves.
    is_target boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (user_id, trader_wallet)
);
CREATE INDEX follows_by_wallet ON follows (trader_wallet) WHERE active;

-- Changes whenever the sets of wallets may have changed; the engine polls it and re-reads only then.
CREATE TABLE target_version (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    version bigint NOT NULL DEFAULT 1
);
INSERT INTO target_version DEFAULT VALUES;

CREATE FUNCTION bump_target_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE target_version SET version = version + 1;
    NOTIFY polycopy_targets;
    RETURN NULL;
END
$$;
CREATE TRIGGER follows_changed
    AFTER INSERT OR DELETE OR TRUNCATE OR UPDATE OF trader_wallet, active, is_target ON follows
    FOR EACH STATEMENT EXECUTE FUNCTION bump_target_version();
CREATE TRIGGER traders_changed
    AFTER INSERT OR DELETE OR TRUNCATE OR UPDATE OF wallet_address, is_active ON traders
    FOR EACH STATEMENT EXECUTE FUNCTION bump_target_version();

CREATE TABLE trades_public (
    trade_id text PRIMARY KEY,
    ingest_seq bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    lane smallint NOT NULL CHECK (lane BETWEEN 0 AND 2),
    trader_wallet text NOT NULL,
    trader_id uuid,
    transaction_hash text NOT NULL,
    asset text NOT NULL,
    condition_id text NOT NULL,
    side text NOT NULL CHECK (side IN ('BUY', 'SELL')),
    size numeric(20, 6) NOT NULL CHECK (size > 0 AND size <> 'NaN'),
    price numeric(20, 18) NOT NULL CHECK (price >= 0 AND price <= 1),
    trade_timestamp timestamptz NOT NULL,
    outcome text,
    outcome_index smallint,
    market_slug text,
    event_slug text,
    market_title text,
    market_image text,
    trader_name text,
    trader_image text,
    raw jsonb NOT NULL,
    ingested_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX trades_public_by_trader ON trades_public (trader_wallet, trade_timestamp DESC, trade_id DESC);
CREATE INDEX trades_public_by_time ON trades_public (trade_timestamp DESC, trade_id DESC);
CREATE INDEX trades_public_by_market ON trades_public (condition_id);

CREATE TABLE markets (
    condition_id text PRIMARY KEY,
    gamma_market_id text,
    market_slug text,
    event_slug text,
    title text,
    category text,
    outcomes jsonb NOT NULL DEFAULT '[]',
    outcome_prices jsonb,
    start_time timestamptz,
    end_time timestamptz,
    close_time timestamptz,
    active boolean,
    closed boolean NOT NULL DEFAULT false,
    accepting_orders boolean,
    resolution_status text,
    negative_risk boolean,
    protocol_version text,
    tick_size numeric(10, 6),
    order_size_min numeric(20, 6),
    image text,
    last_price_updated_at timestamptz,
    last_requested_at timestamptz,
    raw_gamma jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX markets_by_slug ON markets (market_slug);
CREATE INDEX markets_open ON markets (last_price_updated_at) WHERE NOT closed;

-- Outcomes are told by token, never by position.
CREATE TABLE market_tokens (
    token_id text PRIMARY KEY,
    condition_id text NOT NULL REFERENCES markets (condition_id) ON DELETE CASCADE,
    outcome text NOT NULL,
    outcome_index smallint NOT NULL,
    UNIQUE (condition_id, outcome_index)
);
