-- Jobs: their history, what was asked for, who schedules them; and what the first jobs need of trades and markets.

CREATE TABLE job_runs (
    run_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job text NOT NULL,
    -- A moment of the job's cron expression; null when the run was asked for.
    slot timestamptz,
    attempt smallint NOT NULL CHECK (attempt BETWEEN 1 AND 3),
    status text NOT NULL CHECK (status IN ('running', 'succeeded', 'failed', 'abandoned', 'skipped')),
    owner text NOT NULL,
    holder text NOT NULL,
    requested_by text,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz,
    error text,
    figures jsonb NOT NULL DEFAULT '{}',
    CHECK ((status = 'running') = (ended_at IS NULL)),
    UNIQUE (job, slot, attempt)
);
-- A slot is run to its end at most once, and a job never beside itself, whatever engines believe.
CREATE UNIQUE INDEX job_runs_slot_once ON job_runs (job, slot) WHERE status <> 'abandoned';
CREATE UNIQUE INDEX job_runs_one_at_a_time ON job_runs (job) WHERE status = 'running';
CREATE INDEX job_runs_by_job ON job_runs (job, run_id DESC);
CREATE INDEX job_runs_succeeded ON job_runs (job, run_id DESC) WHERE status = 'succeeded';

CREATE TABLE job_requests (
    request_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job text NOT NULL,
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT now(),
    attempts smallint NOT NULL DEFAULT 0,
    -- The run that answers it; null until one has started.
    run_id bigint REFERENCES job_runs (run_id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX job_requests_one_open ON job_requests (job) WHERE run_id IS NULL;
CREATE INDEX job_requests_by_run ON job_requests (run_id);

CREATE TABLE job_schedulers (
    owner text PRIMARY KEY,
    holder text NOT NULL,
    jobs text[] NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT now()
);

-- Retention walks each lane from its oldest trade.
CREATE INDEX trades_public_by_lane ON trades_public (lane, trade_timestamp);
-- The trades of a market in time, for retention and refreshing; does what the index on condition_id alone did.
CREATE INDEX trades_public_by_market_time ON trades_public (condition_id, trade_timestamp);
DROP INDEX trades_public_by_market;

-- Closed, with prices that add up to one, and the venue says resolved; or says nothing and one outcome has all but won.
-- A price near 1 in an open or disputed market is no resolution, nor are the prices 0 and 0 of some old ones.
CREATE FUNCTION market_is_resolved(closed boolean, resolution_status text, outcome_prices jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN closed IS NOT TRUE OR jsonb_typeof(outcome_prices) IS DISTINCT FROM 'array' THEN false
        WHEN coalesce(resolution_status, 'resolved') NOT IN ('resolved', 'settled') THEN false
        ELSE (
            SELECT count(*) = count(value) AND coalesce(sum(value) BETWEEN 0.99 AND 1.01, false)
                AND (resolution_status IS NOT NULL OR coalesce(max(value) >= 0.99, false))
            FROM (
                SELECT CASE WHEN price ~ '^[0-9]+([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN price::numeric END AS value
                FROM jsonb_array_elements_text(
                    CASE WHEN jsonb_typeof(outcome_prices) = 'array' THEN outcome_prices ELSE '[]'::jsonb END
                ) AS price
            ) AS listed
        )
    END
$$;
ALTER TABLE markets
    ADD COLUMN is_resolved boolean NOT NULL
        GENERATED ALWAYS AS (market_is_resolved(closed, resolution_status, outcome_prices)) STORED,
    -- When the venue was last asked for it, whatever it answered; a new row was asked for just now.
    ADD COLUMN refresh_asked_at timestamptz NOT NULL DEFAULT now();
CREATE INDEX markets_resolved ON markets (condition_id) WHERE is_resolved;
CREATE INDEX markets_to_refresh ON markets (refresh_asked_at, condition_id) WHERE NOT is_resolved;
