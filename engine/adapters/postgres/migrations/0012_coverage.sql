-- How much of the venue's history the stream had: who brought each trade, what was compared, and what nobody had.

-- stream, gap, poller or audit; null for rows from before. Adding it rewrites nothing.
ALTER TABLE trades_public ADD COLUMN source text;

-- One row a wallet of lanes 0 and 1, from the moment that an audit saw it first: nothing before is anybody's fault.
CREATE TABLE coverage_wallets (
    wallet text PRIMARY KEY,
    lane smallint NOT NULL CHECK (lane BETWEEN 0 AND 1),
    -- All seconds until here, this one included, have been compared or given up.
    audited_until timestamptz NOT NULL,
    -- The last try, whatever it came to: who fails waits his turn like the others.
    tried_at timestamptz,
    failures integer NOT NULL DEFAULT 0,
    last_error text
);
CREATE INDEX coverage_wallets_by_turn ON coverage_wallets (lane, tried_at NULLS FIRST, wallet);

-- One row for each interval of a wallet that was compared as a whole.
CREATE TABLE coverage_windows (
    window_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    wallet text NOT NULL,
    lane smallint NOT NULL,
    -- Seconds of trade time, both included.
    since_at timestamptz NOT NULL,
    until_at timestamptz NOT NULL CHECK (until_at >= since_at),
    -- Trades of the venue's history, by who brought them.
    expected integer NOT NULL CHECK (expected = by_stream + by_gap + by_poller + by_unknown + missed),
    by_stream integer NOT NULL,
    by_gap integer NOT NULL,
    by_poller integer NOT NULL,
    -- From before the column `source`.
    by_unknown integer NOT NULL,
    -- Nobody but the audit had them.
    missed integer NOT NULL,
    -- Trades of ours that the history does not show, or not yet.
    unconfirmed integer NOT NULL,
    -- Rows of the history that were not understood.
    malformed integer NOT NULL,
    -- Seconds before `since_at` that were too long ago to be read.
    skipped_s integer NOT NULL,
    closed_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (wallet, since_at)
);
CREATE INDEX coverage_windows_by_time ON coverage_windows (closed_at);

CREATE TABLE coverage_misses (
    miss_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    trade_id text NOT NULL UNIQUE,
    wallet text NOT NULL,
    -- Which history has it: trades, activity or both.
    source text NOT NULL CHECK (source IN ('trades', 'activity', 'both')),
    trade_at timestamptz NOT NULL,
    found_at timestamptz NOT NULL DEFAULT now(),
    -- When an audit saw it in trades_public; null while it is not there.
    recorded_at timestamptz,
    -- Who brought it in the end.
    recorded_source text
);
CREATE INDEX coverage_misses_open ON coverage_misses (found_at) WHERE recorded_at IS NULL;
CREATE INDEX coverage_misses_by_time ON coverage_misses (found_at);
CREATE INDEX coverage_misses_by_wallet ON coverage_misses (wallet, miss_id DESC);
