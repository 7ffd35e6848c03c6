-- Which engines there are, what each of them does, and how they divide what the venue allows to all of them together.

CREATE TABLE cluster_members (
    -- Unique to a process; the `owner` of its leases in `engine_leases`.
    member_id text PRIMARY KEY CHECK (length(member_id) BETWEEN 1 AND 64),
    -- Who that is, for people: host and process id.
    holder text NOT NULL CHECK (length(holder) <= 300),
    -- What it was started for, and what of it it does now: a standby ingests only when it holds the lease.
    roles text[] NOT NULL,
    working text[] NOT NULL CHECK (working <@ roles),
    version text NOT NULL CHECK (length(version) <= 60),
    -- host:port of its HTTP, as far as it is known.
    address text NOT NULL CHECK (length(address) <= 300),
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- All times are those of this server. Nobody compares the clocks of machines.
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL,
    -- When it said good-bye; null of one that is there, or that died.
    left_at timestamptz,
    -- What it says of itself: items that wait in its channels, and how full the fullest is.
    queue_depth bigint NOT NULL CHECK (queue_depth >= 0),
    queue_ratio real NOT NULL CHECK (queue_ratio >= 0),
    loop_lag_ms real NOT NULL CHECK (loop_lag_ms >= 0),
    heap_bytes bigint NOT NULL CHECK (heap_bytes >= 0),
    -- Age of the last trade frame; null of one that does not listen.
    stream_age_s real CHECK (stream_age_s >= 0),
    -- Of its last heartbeat: one that arrives after a later one is nothing.
    beat bigint NOT NULL,
    -- Thousandths of what the venue's APIs allow that this member may be using; see actors/rules/api_shares.py.
    data_share smallint NOT NULL DEFAULT 0 CHECK (data_share BETWEEN 0 AND 1000),
    gamma_share smallint NOT NULL DEFAULT 0 CHECK (gamma_share BETWEEN 0 AND 1000),
    clob_share smallint NOT NULL DEFAULT 0 CHECK (clob_share BETWEEN 0 AND 1000)
);
