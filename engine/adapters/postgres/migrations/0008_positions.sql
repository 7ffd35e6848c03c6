-- What traders hold, as the venue said it last, and how far polling them has come.

CREATE TABLE wallet_poll_state (
    wallet_address text PRIMARY KEY CHECK (wallet_address ~ '^0x[0-9a-f]{40}$'),
    -- Polled as often as wallets that somebody follows.
    is_hot boolean NOT NULL DEFAULT false,
    -- Every trade of /activity up to here has been handed to the ingest and had time to be committed; trades of this very
    -- second are read again.
    last_trade_time_seen timestamptz,
    -- The same of /trades: the two are read in turn, since neither is complete for everybody.
    last_history_time_seen timestamptz,
    -- When the last poll ended, well or not. Who was polled longest ago is polled first.
    last_polled_at timestamptz,
    -- Of the last snapshot that was complete.
    last_position_check_at timestamptz,
    -- How many snapshots have been booked. One that was begun under another number is void.
    snapshots bigint NOT NULL DEFAULT 0,
    -- In a row.
    failures integer NOT NULL DEFAULT 0,
    last_error text,
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX wallet_poll_state_hot ON wallet_poll_state (wallet_address) WHERE is_hot;

CREATE TABLE positions_current (
    wallet_address text NOT NULL,
    token_id text NOT NULL,
    condition_id text NOT NULL,
    outcome text,
    outcome_index smallint,
    size numeric(20, 6) NOT NULL CHECK (size > 0 AND size <> 'NaN'),
    avg_price numeric(20, 18),
    cost_usd numeric(20, 6),
    current_price numeric(20, 18),
    value_usd numeric(20, 6),
    realized_pnl numeric(20, 6),
    redeemable boolean NOT NULL DEFAULT false,
    mergeable boolean NOT NULL DEFAULT false,
    market_title text,
    market_slug text,
    event_slug text,
    market_image text,
    end_date date,
    -- When it was seen first; a position that is opened again is another one.
    opened_at timestamptz NOT NULL,
    -- Number of the wallet's snapshot that saw it first. Times may repeat, these do not.
    opened_snapshot bigint NOT NULL,
    -- Of a snapshot that had it: rewritten with every change, else every few minutes. Until when it is known to be held says
    -- wallet_poll_state.last_position_check_at.
    last_seen_at timestamptz NOT NULL,
    -- Of the first snapshot that lacked it, while nothing explains why.
    missing_since timestamptz,
    raw jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (wallet_address, token_id)
);
CREATE INDEX positions_current_by_market ON positions_current (condition_id);

CREATE TABLE positions_closed (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    wallet_address text NOT NULL,
    token_id text NOT NULL,
    condition_id text NOT NULL,
    outcome text,
    outcome_index smallint,
    closed_reason text NOT NULL CHECK (closed_reason IN ('manual_close', 'market_closed', 'redeemed')),
    -- What was held when it was seen last.
    size numeric(20, 6) NOT NULL,
    avg_price numeric(20, 18),
    current_price numeric(20, 18),
    realized_pnl numeric(20, 6),
    market_title text,
    market_slug text,
    event_slug text,
    market_image text,
    opened_at timestamptz NOT NULL,
    opened_snapshot bigint NOT NULL,
    last_seen_at timestamptz NOT NULL,
    -- Of the first snapshot that lacked it.
    closed_at timestamptz NOT NULL,
    raw jsonb NOT NULL DEFAULT '{}',
    -- Closed once.
    UNIQUE (wallet_address, token_id, opened_snapshot)
);
CREATE INDEX positions_closed_by_wallet ON positions_closed (wallet_address, closed_at DESC, id DESC);
