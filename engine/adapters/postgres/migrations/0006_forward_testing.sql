-- Forward testing: strategies, what they decided, their virtual orders and money, and the records of traders.

-- A strategy. Every setting is a typed column; which values make sense together is checked on write by the program.
CREATE TABLE ft_wallets (
    wallet_id text PRIMARY KEY CHECK (wallet_id ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$'),
    -- Short id of the same, for `decisions`.
    number integer GENERATED ALWAYS AS IDENTITY UNIQUE,
    owner_id uuid NOT NULL REFERENCES profiles (id),
    version integer NOT NULL DEFAULT 1,
    display_name text NOT NULL,
    description text NOT NULL,
    hypothesis text NOT NULL,
    thesis_tier text NOT NULL,
    strategy_name text NOT NULL,
    is_active boolean NOT NULL,
    start_date timestamptz,
    end_date timestamptz,
    target_mode text NOT NULL CHECK (target_mode IN ('list', 'followed', 'leaderboard', 'everyone')),
    target_traders text[] NOT NULL,
    excluded_traders text[] NOT NULL,
    copy_sells boolean NOT NULL,
    max_trade_age_s integer NOT NULL,
    trade_live_only boolean NOT NULL,
    price_min numeric(5, 4) NOT NULL CHECK (price_min BETWEEN 0 AND 1),
    price_max numeric(5, 4) NOT NULL CHECK (price_max BETWEEN 0 AND 1),
    min_trader_win_rate numeric(7, 6),
    min_edge numeric(7, 6),
    min_trader_resolved_count integer NOT NULL,
    min_conviction numeric(13, 6),
    max_trader_win_rate numeric(7, 6),
    max_edge numeric(7, 6),
    max_conviction numeric(13, 6),
    market_categories text[] NOT NULL,
    bet_structures text[] NOT NULL,
    exclude_market_keywords text[] NOT NULL,
    min_original_trade_usd numeric(12, 2),
    max_original_trade_usd numeric(12, 2),
    wr_source text NOT NULL CHECK (wr_source IN ('GLOBAL', 'PROFILE')),
    use_model boolean NOT NULL,
    model_threshold numeric(7, 6),
    absent_score text NOT NULL CHECK (absent_score IN ('reject', 'ignore')),
    starting_balance numeric(12, 2) NOT NULL CHECK (starting_balance > 0),
    bet_size numeric(10, 2) NOT NULL,
    bet_allocation_weight numeric(10, 4) NOT NULL,
    allocation_method text NOT NULL,
    kelly_fraction numeric(5, 4) NOT NULL,
    min_bet numeric(10, 2) NOT NULL,
    max_bet numeric(10, 2) NOT NULL,
    proportional_pct numeric(10, 4) NOT NULL,
    proportional_basis text NOT NULL CHECK (proportional_basis IN ('notional', 'portfolio')),
    aggregate text NOT NULL CHECK (aggregate IN ('none', 'transaction', 'window')),
    aggregate_window_s integer NOT NULL,
    entry_model text NOT NULL CHECK (entry_model IN ('slip', 'book', 'observed')),
    fill_delay_ms integer NOT NULL,
    fill_slippage_max_pct numeric(7, 4) NOT NULL,
    dead_market_guard boolean NOT NULL,
    dead_market_floor numeric(5, 4) NOT NULL,
    dead_market_max_drift_pct numeric(7, 4) NOT NULL,
    agent_managed boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    archived_at timestamptz,
    CHECK (price_min <= price_max),
    CHECK (min_bet <= max_bet),
    CHECK (NOT use_model OR model_threshold IS NOT NULL)
);
CREATE INDEX ft_wallets_by_owner ON ft_wallets (owner_id);

-- Every version that ever was; decisions name it.
CREATE TABLE ft_wallet_versions (
    wallet_id text NOT NULL REFERENCES ft_wallets (wallet_id) ON DELETE CASCADE,
    version integer NOT NULL,
    settings jsonb NOT NULL,
    changed_by text NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (wallet_id, version)
);

-- Changes whenever strategies may have changed; together with target_version it says when the engine reads them again.
CREATE TABLE strategy_version (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    version bigint NOT NULL DEFAULT 1
);
INSERT INTO strategy_version DEFAULT VALUES;
CREATE FUNCTION bump_strategy_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE strategy_version SET version = version + 1;
    UPDATE target_version SET version = version + 1;
    NOTIFY polycopy_targets;
    RETURN NULL;
END
$$;
CREATE TRIGGER ft_wallets_changed
    AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON ft_wallets
    FOR EACH STATEMENT EXECUTE FUNCTION bump_strategy_version();

-- The running account of a strategy. Written by whoever holds the lease `ingest`, in the transaction of what changed it.
CREATE TABLE ft_balances (
    wallet_id text PRIMARY KEY REFERENCES ft_wallets (wallet_id) ON DELETE CASCADE,
    starting numeric(20, 6) NOT NULL,
    cash numeric(20, 6) NOT NULL CHECK (cash >= 0),
    open_cost numeric(20, 6) NOT NULL DEFAULT 0 CHECK (open_cost >= 0),
    realized_pnl numeric(20, 6) NOT NULL DEFAULT 0,
    fees numeric(20, 6) NOT NULL DEFAULT 0,
    orders bigint NOT NULL DEFAULT 0,
    open_orders bigint NOT NULL DEFAULT 0 CHECK (open_orders >= 0),
    won bigint NOT NULL DEFAULT 0,
    lost bigint NOT NULL DEFAULT 0,
    sold bigint NOT NULL DEFAULT 0,
    void bigint NOT NULL DEFAULT 0,
    stakes numeric(20, 6) NOT NULL DEFAULT 0,
    final_pnl_sum numeric(20, 6) NOT NULL DEFAULT 0,
    final_pnl_squares numeric(38, 12) NOT NULL DEFAULT 0,
    peak_equity numeric(20, 6) NOT NULL,
    max_drawdown numeric(20, 6) NOT NULL DEFAULT 0,
    max_drawdown_ratio numeric(20, 12) NOT NULL DEFAULT 0,
    CHECK (cash + open_cost = starting + realized_pnl),
    CHECK (orders = open_orders + won + lost + sold + void)
);

CREATE TABLE ft_orders (
    order_id uuid PRIMARY KEY,
    wallet_id text NOT NULL REFERENCES ft_wallets (wallet_id) ON DELETE CASCADE,
    config_version integer NOT NULL,
    order_type text NOT NULL DEFAULT 'FT',
    side text NOT NULL DEFAULT 'BUY' CHECK (side = 'BUY'),
    condition_id text NOT NULL,
    token_id text NOT NULL,
    token_label text,
    market_slug text,
    market_title text,
    market_end_time timestamptz,
    source_trade_id text NOT NULL,
    members text[] NOT NULL DEFAULT '{}',
    trader_address text NOT NULL,
    signal_price numeric(20, 18) NOT NULL,
    entry_price numeric(20, 18) NOT NULL CHECK (entry_price > 0 AND entry_price <= 1),
    -- Stake in USD.
    size numeric(20, 6) NOT NULL CHECK (size > 0),
    shares numeric(20, 6) NOT NULL CHECK (shares > 0),
    fee_usd numeric(20, 6) NOT NULL CHECK (fee_usd >= 0),
    entry_model text NOT NULL,
    fill_inputs jsonb NOT NULL,
    trader_win_rate numeric(7, 6) NOT NULL,
    trader_resolved_count integer NOT NULL,
    trader_roi numeric(20, 6),
    model_probability numeric(7, 6),
    edge_pct numeric(20, 18) NOT NULL,
    conviction numeric(20, 6) NOT NULL,
    outcome text NOT NULL DEFAULT 'OPEN' CHECK (outcome IN ('OPEN', 'WON', 'LOST', 'SOLD', 'VOID')),
    shares_open numeric(20, 6) NOT NULL CHECK (shares_open >= 0),
    cost_open numeric(20, 6) NOT NULL CHECK (cost_open >= 0),
    -- Of what was sold or settled so far.
    pnl numeric(20, 6) NOT NULL DEFAULT 0,
    exit_price numeric(20, 18),
    close_reason text,
    winning_label text,
    order_time timestamptz NOT NULL,
    decided_at timestamptz NOT NULL,
    resolved_time timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (wallet_id, source_trade_id),
    CHECK ((outcome = 'OPEN') = (shares_open > 0)),
    CHECK (outcome = 'OPEN' OR (cost_open = 0 AND resolved_time IS NOT NULL))
);
CREATE INDEX ft_orders_by_time ON ft_orders (wallet_id, order_time DESC, order_id DESC);
CREATE INDEX ft_orders_resolved ON ft_orders (wallet_id, resolved_time DESC, order_id DESC) WHERE outcome <> 'OPEN';
CREATE INDEX ft_orders_open ON ft_orders (condition_id, wallet_id) WHERE outcome = 'OPEN';
CREATE INDEX ft_orders_open_by_wallet ON ft_orders (wallet_id) WHERE outcome = 'OPEN';
CREATE INDEX ft_orders_open_by_trader ON ft_orders (trader_address, token_id) WHERE outcome = 'OPEN';
CREATE INDEX ft_orders_by_source ON ft_orders (source_trade_id);

-- Which trades an order copies: a trade is copied once by a strategy, alone or as a member of an aggregate.
CREATE TABLE ft_order_members (
    wallet_id text NOT NULL,
    trade_id text NOT NULL,
    order_id uuid NOT NULL REFERENCES ft_orders (order_id) ON DELETE CASCADE,
    PRIMARY KEY (wallet_id, trade_id)
);
CREATE INDEX ft_order_members_by_order ON ft_order_members (order_id);

CREATE TABLE ft_closes (
    order_id uuid NOT NULL REFERENCES ft_orders (order_id) ON DELETE CASCADE,
    source_trade_id text NOT NULL,
    wallet_id text NOT NULL,
    -- Part of the trader's holding that he sold.
    share numeric(20, 18) NOT NULL CHECK (share > 0 AND share <= 1),
    shares numeric(20, 6) NOT NULL CHECK (shares > 0),
    price numeric(20, 18) NOT NULL,
    fee_usd numeric(20, 6) NOT NULL,
    proceeds numeric(20, 6) NOT NULL,
    cost_released numeric(20, 6) NOT NULL,
    pnl numeric(20, 6) NOT NULL,
    trade_time timestamptz NOT NULL,
    closed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (order_id, source_trade_id)
);
CREATE INDEX ft_closes_by_wallet ON ft_closes (wallet_id, closed_at DESC);
CREATE INDEX ft_closes_by_source ON ft_closes (source_trade_id);

-- By UTC day of settlement or sale.
CREATE TABLE ft_daily_stats (
    wallet_id text NOT NULL REFERENCES ft_wallets (wallet_id) ON DELETE CASCADE,
    day date NOT NULL,
    won bigint NOT NULL DEFAULT 0,
    lost bigint NOT NULL DEFAULT 0,
    sold bigint NOT NULL DEFAULT 0,
    void bigint NOT NULL DEFAULT 0,
    pnl numeric(20, 6) NOT NULL DEFAULT 0,
    PRIMARY KEY (wallet_id, day)
);

CREATE TABLE ft_performance_snapshots (
    wallet_id text NOT NULL REFERENCES ft_wallets (wallet_id) ON DELETE CASCADE,
    snapshot_at timestamptz NOT NULL,
    starting_balance numeric(20, 6) NOT NULL,
    cash numeric(20, 6) NOT NULL,
    realized_pnl numeric(20, 6) NOT NULL,
    -- Of open positions that have a price; null when there are open positions and none of them has one. `unmarked_positions`
    -- says how many have none: these stand at their cost.
    unrealized_pnl numeric(20, 6),
    total_pnl numeric(20, 6),
    return_pct numeric(20, 4),
    open_exposure numeric(20, 6) NOT NULL,
    total_trades bigint NOT NULL,
    open_positions bigint NOT NULL,
    unmarked_positions bigint NOT NULL,
    PRIMARY KEY (wallet_id, snapshot_at)
);
CREATE INDEX ft_performance_snapshots_by_time ON ft_performance_snapshots (snapshot_at);

-- One row a trade of lane 0, and one more for each kind of waiting that some strategies needed (`part`). The key is the claim:
-- whoever decides a trade a second time finds it taken, and nothing of the second decision happens. By day of the trade.
CREATE SEQUENCE decisions_seq;
CREATE TABLE decisions (
    trade_day date NOT NULL,
    trade_id text NOT NULL,
    part text NOT NULL,
    -- In the order of commits.
    seq bigint NOT NULL DEFAULT nextval('decisions_seq'),
    trade_time timestamptz NOT NULL,
    decided_at timestamptz NOT NULL,
    members text[] NOT NULL,
    snapshot jsonb NOT NULL,
    -- Parallel: strategy number, its version, the result, and its bankroll where that was looked at.
    strategies integer[] NOT NULL,
    versions integer[] NOT NULL,
    reasons text[] NOT NULL,
    bankrolls numeric[] NOT NULL,
    PRIMARY KEY (trade_day, trade_id, part)
) PARTITION BY RANGE (trade_day);
CREATE INDEX decisions_by_seq ON decisions (seq);
CREATE INDEX decisions_by_trade ON decisions (trade_id);
CREATE TABLE decisions_other PARTITION OF decisions DEFAULT;

-- Members of aggregates, so that a restart knows which trades belong to one that was decided.
CREATE TABLE decision_members (
    trade_id text NOT NULL,
    part text NOT NULL,
    first_trade_id text NOT NULL,
    trade_day date NOT NULL,
    PRIMARY KEY (trade_id, part)
);
CREATE INDEX decision_members_by_day ON decision_members (trade_day);

-- Makes the partition of a day; safe to call from anywhere at any time.
CREATE FUNCTION ensure_decisions_partition(wanted date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    name text := 'decisions_' || to_char(wanted, 'YYYYMMDD');
BEGIN
    IF to_regclass(name) IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(7237123);
    IF to_regclass(name) IS NULL AND NOT EXISTS (SELECT 1 FROM decisions_other WHERE trade_day = wanted) THEN
        EXECUTE format('CREATE TABLE %I PARTITION OF decisions FOR VALUES FROM (%L) TO (%L)', name, wanted, wanted + 1);
    END IF;
END
$$;

-- Drops the oldest partition of a day before `cutoff`, if there is one. It needs the table for itself for a moment.
CREATE FUNCTION drop_decisions_before(cutoff date) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    name text;
BEGIN
    SELECT child.relname INTO name FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid
    WHERE inhparent = 'decisions'::regclass AND child.relname ~ '^decisions_[0-9]{8}$'
        AND child.relname::text COLLATE "C" < 'decisions_' || to_char(cutoff, 'YYYYMMDD')
    ORDER BY child.relname LIMIT 1;
    IF name IS NULL THEN
        RETURN 0;
    END IF;
    EXECUTE format('DROP TABLE %I', name);
    RETURN 1;
END
$$;

-- What traders held when they were copied first, as the venue said.
CREATE TABLE ft_holdings (
    trader_wallet text NOT NULL,
    token_id text NOT NULL,
    shares numeric(20, 6) NOT NULL,
    as_of timestamptz NOT NULL,
    PRIMARY KEY (trader_wallet, token_id)
);

-- How far incremental statistics have come, by ingest_seq or decisions.seq.
CREATE TABLE ft_cursors (
    name text PRIMARY KEY,
    position bigint NOT NULL,
    moved_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE ft_reason_counts (
    strategy integer NOT NULL,
    day date NOT NULL,
    reason text NOT NULL,
    trades bigint NOT NULL,
    PRIMARY KEY (strategy, day, reason)
);

-- BUY trades whose market is not resolved yet, summed up; moved into trader_stats_daily when it is.
CREATE TABLE trader_open_buys (
    wallet_address text NOT NULL,
    token_id text NOT NULL,
    bracket text NOT NULL CHECK (bracket IN ('LOW', 'MID', 'HIGH')),
    condition_id text NOT NULL,
    trades bigint NOT NULL,
    shares numeric(30, 6) NOT NULL,
    usd numeric(30, 6) NOT NULL,
    PRIMARY KEY (wallet_address, token_id, bracket)
);
CREATE INDEX trader_open_buys_by_market ON trader_open_buys (condition_id);

-- What traders did, by UTC day: `trades` and `usd` by the day of the trade, the rest by the day of the resolution.
CREATE TABLE trader_stats_daily (
    wallet_address text NOT NULL,
    day date NOT NULL,
    niche text NOT NULL,
    structure text NOT NULL,
    bracket text NOT NULL,
    trades bigint NOT NULL DEFAULT 0,
    usd numeric(30, 6) NOT NULL DEFAULT 0,
    resolved_trades bigint NOT NULL DEFAULT 0,
    -- Sum of payouts of one share each: 1 a win, 0 a loss, a half for a void market.
    wins numeric(20, 6) NOT NULL DEFAULT 0,
    resolved_usd numeric(30, 6) NOT NULL DEFAULT 0,
    -- Exact, so that it does not matter in which portions it was added up.
    payout_usd numeric(40, 12) NOT NULL DEFAULT 0,
    PRIMARY KEY (wallet_address, day, niche, structure, bracket)
);
CREATE INDEX trader_stats_daily_by_day ON trader_stats_daily (day);

-- Whose figures are older than his counted trades: written with the counts, taken away with the new figures.
CREATE TABLE trader_stats_stale (
    wallet_address text PRIMARY KEY
);

CREATE SEQUENCE trader_global_stats_seq;
CREATE TABLE trader_global_stats (
    wallet_address text PRIMARY KEY,
    -- Rises with every change, so that readers see what is new.
    seq bigint NOT NULL DEFAULT nextval('trader_global_stats_seq'),
    l_win_rate numeric(7, 6), l_count bigint NOT NULL, l_resolved_count bigint NOT NULL, l_total_roi_pct numeric(20, 6),
    l_avg_trade_size_usd numeric(20, 6),
    d30_win_rate numeric(7, 6), d30_count bigint NOT NULL, d30_resolved_count bigint NOT NULL,
    d30_total_roi_pct numeric(20, 6), d30_avg_trade_size_usd numeric(20, 6),
    d7_win_rate numeric(7, 6), d7_count bigint NOT NULL, d7_resolved_count bigint NOT NULL,
    d7_total_roi_pct numeric(20, 6), d7_avg_trade_size_usd numeric(20, 6),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX trader_global_stats_by_seq ON trader_global_stats (seq);

CREATE TABLE trader_profile_stats (
    wallet_address text NOT NULL,
    final_niche text NOT NULL,
    structure text NOT NULL,
    bracket text NOT NULL,
    win_rate numeric(7, 6) NOT NULL,
    resolved_count bigint NOT NULL,
    PRIMARY KEY (wallet_address, final_niche, structure, bracket)
);

-- What a resolved market pays for a share, by token, as the venue's own resolution said it.
ALTER TABLE market_tokens ADD COLUMN payout numeric(7, 6) CHECK (payout BETWEEN 0 AND 1);

-- The price of an outcome in a market's list of prices, or null: the list may be absent or of another shape.
CREATE FUNCTION outcome_price(outcome_prices jsonb, outcome_index integer) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN jsonb_typeof(outcome_prices) IS DISTINCT FROM 'array' THEN NULL
        WHEN outcome_prices ->> outcome_index ~ '^[0-9]+([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$'
            THEN (outcome_prices ->> outcome_index)::numeric
    END
$$;
