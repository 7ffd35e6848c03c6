-- What traders earned, by position and by UTC day, and how they rank.

ALTER TABLE traders
    ADD COLUMN markets_traded bigint,
    -- Place on the leaderboard by volume; `rank` is the one by profit.
    ADD COLUMN rank_volume integer,
    ADD COLUMN leaderboard_at timestamptz;

CREATE TABLE wallet_pnl_state (
    wallet_address text PRIMARY KEY CHECK (wallet_address ~ '^0x[0-9a-f]{40}$'),
    -- When all of its closed positions had been read last.
    last_backfilled_at timestamptz,
    -- The next reading begins with the UTC day of this close.
    newest_close_at timestamptz,
    -- When it was tried last, with success or without: whoever waited longest is next, and who always fails holds up nobody.
    attempted_at timestamptz NOT NULL DEFAULT '-infinity',
    -- Somebody wants to know of it: the last run found it among traders, follows, copied wallets or trades that are kept.
    is_wanted boolean NOT NULL DEFAULT true,
    -- Readings that failed since the last one that did not.
    failures integer NOT NULL DEFAULT 0,
    last_error text,
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX wallet_pnl_state_by_attempt ON wallet_pnl_state (attempted_at, wallet_address) WHERE is_wanted;

-- One row a wallet and token, as the venue says it; what is said later replaces it, so that nothing is added up twice.
CREATE TABLE wallet_closed_positions (
    wallet_address text NOT NULL,
    token_id text NOT NULL,
    condition_id text NOT NULL,
    outcome text,
    outcome_index smallint,
    market_title text,
    market_slug text,
    event_slug text,
    bought_shares numeric(20, 6) NOT NULL,
    avg_price numeric(20, 18),
    realized_pnl numeric(20, 6) NOT NULL,
    -- Of an unredeemed loss: the day on which it was lost, as far as the venue says it; it never moves while the loss stands.
    closed_at timestamptz NOT NULL,
    -- Resolved against the holder and never redeemed: the venue keeps it among the open ones.
    is_unredeemed_loss boolean NOT NULL DEFAULT false,
    PRIMARY KEY (wallet_address, token_id)
);
CREATE INDEX wallet_closed_positions_by_time ON wallet_closed_positions (wallet_address, closed_at DESC, token_id);

-- What a run has read of wallets that it has not finished. Lost in a crash and of no use after the run: never seen by readers.
CREATE UNLOGGED TABLE wallet_results_staged (
    run_id bigint NOT NULL,
    wallet_address text NOT NULL,
    token_id text NOT NULL,
    -- 'paid': resolved, held and worth something; no loss, whatever was said before.
    kind text NOT NULL CHECK (kind IN ('closed', 'lost', 'paid')),
    condition_id text NOT NULL,
    outcome text,
    outcome_index smallint,
    market_title text,
    market_slug text,
    event_slug text,
    bought_shares numeric(20, 6) NOT NULL,
    avg_price numeric(20, 18),
    realized_pnl numeric(20, 6) NOT NULL,
    closed_at timestamptz NOT NULL,
    last_event_at timestamptz,
    PRIMARY KEY (run_id, wallet_address, kind, token_id)
);

CREATE TABLE wallet_realized_pnl_daily (
    wallet_address text NOT NULL,
    date date NOT NULL,
    realized_pnl numeric(20, 6) NOT NULL,
    pnl_to_date numeric(20, 6) NOT NULL,
    closed_positions integer NOT NULL,
    won_positions integer NOT NULL,
    source text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (wallet_address, date)
);
CREATE INDEX wallet_realized_pnl_by_date ON wallet_realized_pnl_daily (date);

-- Windows end at the newest day of the data; *_PREV are the windows of equal length before.
CREATE TABLE wallet_realized_pnl_rankings (
    window_key text NOT NULL CHECK (window_key IN (
        '1D', '7D', '30D', '3M', '6M', 'ALL', '1D_PREV', '7D_PREV', '30D_PREV', '3M_PREV', '6M_PREV'
    )),
    wallet_address text NOT NULL,
    window_start date NOT NULL,
    window_end date NOT NULL,
    pnl_sum numeric(20, 6) NOT NULL,
    rank integer NOT NULL,
    total_traders integer NOT NULL,
    PRIMARY KEY (window_key, wallet_address)
);
CREATE INDEX wallet_realized_pnl_rankings_by_rank ON wallet_realized_pnl_rankings (window_key, rank);

-- One row: what the rankings were computed from. Whoever rotates by them looks here first.
CREATE TABLE wallet_rankings_state (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    anchor_date date NOT NULL,
    -- Wallets that were to be read, and of these: whose last reading failed, and whose turn had not come in the last run.
    wallets integer NOT NULL,
    wallets_failed integer NOT NULL,
    wallets_waiting integer NOT NULL,
    -- All others were read after this.
    read_since timestamptz NOT NULL,
    computed_at timestamptz NOT NULL DEFAULT now()
);

-- What the venue says of users' own accounts, once a token: never spread over orders, never added up twice (D79).
CREATE TABLE official_position_results (
    wallet_address text NOT NULL CHECK (wallet_address ~ '^0x[0-9a-f]{40}$'),
    token_id text NOT NULL,
    condition_id text NOT NULL,
    -- Of everything that was sold or redeemed of it so far, held or not.
    realized_pnl numeric(20, 6) NOT NULL,
    avg_price numeric(20, 18),
    -- Null while it is held: the venue says then what is held, not what was bought.
    bought_shares numeric(20, 6),
    is_held boolean NOT NULL,
    -- When the venue said so last.
    synced_at timestamptz NOT NULL,
    PRIMARY KEY (wallet_address, token_id)
);

CREATE TABLE official_sync_state (
    account text PRIMARY KEY,
    wallet_address text NOT NULL,
    -- What happened to the account after this has not been read yet.
    synced_at timestamptz,
    newest_close_at timestamptz,
    last_error text,
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- Whose list of targets is filled with the winners of the last day or week.
ALTER TABLE ft_wallets
    ADD COLUMN rotation text NOT NULL DEFAULT 'none' CHECK (rotation IN ('none', 'daily', 'weekly')),
    ADD COLUMN rotation_size integer NOT NULL DEFAULT 10;
