"""SQL of the cluster's members. All times are the server's own."""

# "cluster" as a number. Shares are settled by one member at a time; a lock of the transaction passes through poolers.
LOCK_KEY = 0x636C7573746572
LOCK = "SELECT pg_advisory_xact_lock($1)"
MEMBERS = """
SELECT member_id, holder, roles, working, version, address, beat, left_at IS NOT NULL AS has_left, queue_depth, queue_ratio,
    loop_lag_ms, heap_bytes, stream_age_s, stream_covered_s, data_share, gamma_share, clob_share,
    extract(epoch FROM seen_at - started_at)::float8 AS up_s,
    extract(epoch FROM clock_timestamp() - seen_at)::float8 AS seen_age_s,
    extract(epoch FROM expires_at - clock_timestamp())::float8 AS left_s
FROM cluster_members ORDER BY started_at, member_id
"""
BEAT = """
INSERT INTO cluster_members (member_id, holder, roles, working, version, address, beat, queue_depth, queue_ratio, loop_lag_ms,
    heap_bytes, stream_age_s, stream_covered_s, data_share, gamma_share, clob_share, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
    clock_timestamp() + $17 * interval '1 second')
ON CONFLICT (member_id) DO UPDATE SET
    holder = excluded.holder, roles = excluded.roles, working = excluded.working, version = excluded.version,
    address = excluded.address, beat = excluded.beat, seen_at = clock_timestamp(), expires_at = excluded.expires_at,
    left_at = NULL, queue_depth = excluded.queue_depth, queue_ratio = excluded.queue_ratio,
    loop_lag_ms = excluded.loop_lag_ms, heap_bytes = excluded.heap_bytes, stream_age_s = excluded.stream_age_s,
    stream_covered_s = excluded.stream_covered_s,
    data_share = excluded.data_share, gamma_share = excluded.gamma_share, clob_share = excluded.clob_share
"""
LEAVE = """
UPDATE cluster_members SET left_at = clock_timestamp(), expires_at = clock_timestamp(), working = '{}',
    data_share = 0, gamma_share = 0, clob_share = 0
WHERE member_id = $1
"""
# Longer than a process that is cut off may use its last share.
PRUNE = "DELETE FROM cluster_members WHERE expires_at < clock_timestamp() - interval '1 hour'"
LEASES = """
SELECT name, owner, holder, epoch, extract(epoch FROM expires_at - clock_timestamp())::float8 AS left_s
FROM engine_leases ORDER BY name
"""
HISTORY = """
SELECT timeline, is_synchronous, continuity, reason,
    extract(epoch FROM clock_timestamp() - seen_at)::float8 AS age_s,
    (SELECT halted_reason || ' (' || halted_by || ')' FROM lt_control) AS halted
FROM database_histories ORDER BY history_id DESC LIMIT 1
"""
