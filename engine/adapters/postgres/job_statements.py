"""SQL of the jobs: leases, runs, requests. A lease is taken by `leases.ACQUIRE` under an owner of its own for each run."""

from engine.adapters.postgres.leases import MINE

STATES = """
SELECT wanted.job,
    last.slot AS last_slot, last.attempt AS last_attempt, last.status AS last_status,
    succeeded.slot AS succeeded_slot, success.started_at AS succeeded_start, success.ended_at AS succeeded,
    (SELECT started_at FROM job_runs WHERE job_runs.job = wanted.job ORDER BY run_id LIMIT 1) AS known,
    lease.holder AS held_by,
    lease.holder IS NULL AND EXISTS (
        SELECT 1 FROM job_runs WHERE job_runs.job = wanted.job AND status = 'running'
    ) AS orphaned,
    (SELECT requested_by FROM job_requests WHERE job_requests.job = wanted.job AND run_id IS NULL) AS requested_by
FROM unnest($1::text[]) AS wanted (job)
LEFT JOIN LATERAL (
    SELECT slot, attempt, status FROM job_runs
    WHERE job_runs.job = wanted.job AND slot <= $2 ORDER BY slot DESC, attempt DESC LIMIT 1
) AS last ON true
LEFT JOIN LATERAL (
    SELECT slot FROM job_runs
    WHERE job_runs.job = wanted.job AND slot <= $2 AND status = 'succeeded' ORDER BY slot DESC LIMIT 1
) AS succeeded ON true
LEFT JOIN LATERAL (
    SELECT started_at, ended_at FROM job_runs
    WHERE job_runs.job = wanted.job AND status = 'succeeded' ORDER BY run_id DESC LIMIT 1
) AS success ON true
LEFT JOIN engine_leases AS lease ON lease.name = 'job:' || wanted.job AND lease.expires_at > now()
"""
# Whoever holds the lease knows that a run of another owner has no engine any more.
ABANDON = """
UPDATE job_runs SET status = 'abandoned', ended_at = clock_timestamp(), error = coalesce(error, $2)
WHERE job = $1 AND status = 'running' RETURNING run_id
"""
REOPEN_REQUEST = """
UPDATE job_requests SET run_id = NULL
WHERE request_id = (
    SELECT min(request_id) FROM job_requests WHERE run_id = ANY ($2::bigint[]) AND attempts < $3
) AND NOT EXISTS (SELECT 1 FROM job_requests WHERE job = $1 AND run_id IS NULL)
"""
SLOT_ATTEMPTS = """
SELECT count(*) AS attempts, coalesce(bool_or(status <> 'abandoned'), false) AS is_decided
FROM job_runs WHERE job = $1 AND slot = $2
"""
OPEN_REQUEST = (
    "SELECT request_id, attempts, requested_by FROM job_requests WHERE job = $1 AND run_id IS NULL FOR UPDATE"
)
BEGIN_RUN = """
INSERT INTO job_runs (job, slot, attempt, status, owner, holder, requested_by)
VALUES ($1, $2, $3, 'running', $4, $5, $6) RETURNING run_id
"""
TAKE_REQUEST = "UPDATE job_requests SET run_id = $2, attempts = attempts + 1 WHERE request_id = $1"
# The epoch goes on as well, so that an extension that is still on its way finds nothing.
FREE = f"""
UPDATE engine_leases SET expires_at = now(), epoch = epoch + 1
WHERE {MINE} RETURNING 1
"""  # noqa: S608 - constants only
EXTEND = f"""
WITH extended AS (
    UPDATE engine_leases SET expires_at = now() + $5 * interval '1 second'
    WHERE {MINE} RETURNING 1
)
UPDATE job_runs SET figures = $6::jsonb FROM extended WHERE run_id = $4 AND status = 'running' RETURNING 1
"""  # noqa: S608 - constants only
END_RUN = """
UPDATE job_runs SET status = $2, ended_at = clock_timestamp(), error = $3, figures = $4::jsonb
WHERE run_id = $1 AND status = 'running' RETURNING job
"""
STATUS_OF_RUN = "SELECT status FROM job_runs WHERE run_id = $1 AND owner = $2"
# The latest success stays, however long ago it was: its age is an alarm.
PRUNE = """
DELETE FROM job_runs
WHERE job = $1 AND status <> 'running'
AND run_id <= (SELECT run_id FROM job_runs WHERE job = $1 ORDER BY run_id DESC OFFSET $2 LIMIT 1)
AND run_id <> (
    SELECT coalesce(max(run_id), 0) FROM job_runs WHERE job = $1 AND status = 'succeeded'
)
"""
SKIP = """
INSERT INTO job_runs (job, slot, attempt, status, owner, holder, ended_at, error)
SELECT $1, $2, 1 + count(*), 'skipped', '', $3, clock_timestamp(), $4
FROM job_runs WHERE job = $1 AND slot = $2 HAVING count(*) < $5
ON CONFLICT DO NOTHING
"""
ASK = """
INSERT INTO job_requests (job, requested_by) VALUES ($1, $2)
ON CONFLICT (job) WHERE run_id IS NULL DO UPDATE SET requested_by = job_requests.requested_by
RETURNING request_id, xmax = 0 AS is_new
"""
RUN_COLUMNS_OF_REQUEST = """
SELECT run.*, job_requests.request_id FROM job_requests LEFT JOIN job_runs AS run USING (run_id) WHERE request_id = $1
"""
RUNS = """
SELECT * FROM job_runs
WHERE ($1::text IS NULL OR job = $1) AND run_id < coalesce($2::bigint, 9223372036854775807)
ORDER BY run_id DESC LIMIT $3
"""
TAKE_AWAY = """
UPDATE engine_leases SET owner = '', holder = $2, expires_at = now(), epoch = epoch + 1
WHERE name = $1 AND (expires_at <= now() OR $3)
RETURNING 1
"""
WHO_HOLDS = """
SELECT holder FROM engine_leases WHERE name = $1 AND expires_at > now()
"""
ANNOUNCE = """
INSERT INTO job_schedulers (owner, holder, jobs) VALUES ($1, $2, $3::text[])
ON CONFLICT (owner) DO UPDATE SET seen_at = now(), jobs = excluded.jobs
"""
FORGET_SCHEDULERS = "DELETE FROM job_schedulers WHERE seen_at < now() - interval '1 day'"
WITHDRAW = "DELETE FROM job_schedulers WHERE owner = $1"
SCHEDULERS = """
SELECT holder, jobs FROM job_schedulers WHERE seen_at > now() - $1 * interval '1 second' ORDER BY holder
"""
