-- Which server is written to: a promoted standby may lack the last commits of the one before.

-- The timeline of the write-ahead log that is written now. The file of a segment begins with it; the control file tells it only
-- after the next checkpoint. 0 where a service does not let anybody ask.
DO $$
BEGIN
    PERFORM pg_walfile_name(pg_current_wal_lsn());
    CREATE FUNCTION database_timeline() RETURNS integer LANGUAGE sql STABLE PARALLEL SAFE AS
        'SELECT (''x'' || substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8))::bit(32)::integer';
EXCEPTION WHEN feature_not_supported OR insufficient_privilege OR undefined_function THEN
    CREATE FUNCTION database_timeline() RETURNS integer LANGUAGE sql STABLE PARALLEL SAFE AS 'SELECT 0';
END
$$;

-- A lease is worth something on the timeline that it was taken on: whoever has a lease of before has a memory of before.
ALTER TABLE engine_leases ADD COLUMN timeline integer NOT NULL DEFAULT database_timeline();

-- Every history that engines have written to, the last one is that of now.
CREATE TABLE database_histories (
    history_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    system_id text NOT NULL,
    timeline integer NOT NULL,
    -- Whether commits wait for a standby; kept up to date while this history goes on.
    is_synchronous boolean NOT NULL,
    -- What was found when it was seen first: same (the very first), complete, doubtful.
    continuity text NOT NULL CHECK (continuity IN ('same', 'complete', 'doubtful')),
    reason text,
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
