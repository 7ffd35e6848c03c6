"""SQL of the tuner. What it may not do is refused by triggers (migration 0018); these statements do not ask for it."""

PROPOSAL = """
SELECT tuner_proposals.*, owner_id::text AS owner_id, user_name AS owner_name, agent_applies, EXISTS (
        SELECT 1 FROM lt_strategies WHERE ft_wallet_id = tuner_proposals.wallet_id AND lt_strategies.is_active
    ) AS mirrored
FROM tuner_proposals JOIN ft_wallets USING (wallet_id) JOIN profiles ON profiles.id = owner_id
"""
ONE = PROPOSAL + " WHERE proposal_id = $1"
LOCKED = PROPOSAL + " WHERE proposal_id = $1 FOR NO KEY UPDATE OF tuner_proposals"
# $1 owner or null, $2 strategy or null, $3 statuses or null, $4 only smaller ids, $5 rows.
PAGE = (
    PROPOSAL
    + """
WHERE ($1::text IS NULL OR owner_id = $1::uuid) AND ($2::text IS NULL OR tuner_proposals.wallet_id = $2)
    AND ($3::text[] IS NULL OR status = ANY ($3)) AND proposal_id < $4
ORDER BY proposal_id DESC LIMIT $5
"""
)
NOTES = """
SELECT tuner_notes.* FROM tuner_notes JOIN ft_wallets USING (wallet_id)
WHERE ($1::text IS NULL OR owner_id = $1::uuid) AND ($2::text IS NULL OR wallet_id = $2) AND note_id < $3
ORDER BY note_id DESC LIMIT $4
"""
EXPIRE = """
UPDATE tuner_proposals SET status = 'EXPIRED', reason = 'nobody decided in time', decided_by = 'tuner', decided_at = now()
WHERE status = 'WAITING' AND expires_at < now() RETURNING proposal_id
"""
DUE_EVALUATIONS = """
SELECT proposal_id FROM tuner_proposals
WHERE status = 'APPLIED' AND kind = 'change' AND applied_at <= now() - interval '24 hours' ORDER BY proposal_id
"""
SELF_APPLICABLE = """
SELECT proposal_id FROM tuner_proposals JOIN ft_wallets USING (wallet_id)
WHERE status = 'WAITING' AND kind = 'change' AND agent_applies AND NOT EXISTS (
    SELECT 1 FROM lt_strategies WHERE ft_wallet_id = tuner_proposals.wallet_id AND lt_strategies.is_active
)
ORDER BY proposal_id
"""
# Whose turn it is; looks are those that have seen validation days from $1 days before today on.
SUBJECTS = """
SELECT wallet_id, version, (
        SELECT count(*) FROM tuner_notes
        WHERE tuner_notes.wallet_id = ft_wallets.wallet_id AND kind = 'observation'
            AND validated_until > date_trunc('day', now(), 'UTC') - $1 * interval '1 day'
    ) AS looks
FROM ft_wallets
WHERE agent_managed AND is_active AND archived_at IS NULL AND NOT tuner_cools_down(wallet_id, 0)
    AND NOT EXISTS (
        SELECT 1 FROM tuner_proposals
        WHERE tuner_proposals.wallet_id = ft_wallets.wallet_id
            AND (status = 'WAITING' OR status = 'APPLIED' AND kind = 'change')
    )
    AND NOT EXISTS (
        SELECT 1 FROM tuner_notes
        WHERE tuner_notes.wallet_id = ft_wallets.wallet_id AND kind = 'observation'
            AND day = (now() AT TIME ZONE 'UTC')::date
    )
ORDER BY (
    SELECT max(day) FROM tuner_notes WHERE tuner_notes.wallet_id = ft_wallets.wallet_id AND kind = 'observation'
) NULLS FIRST, wallet_id
"""
NOW_MS = "SELECT (extract(epoch FROM now()) * 1000)::bigint"
CARED_FOR = "SELECT tuner_cares_for($1) AND NOT tuner_cools_down($1, 0)"
OBSERVE = """
INSERT INTO tuner_notes (wallet_id, day, kind, text, figures, validated_until)
VALUES ($1, (now() AT TIME ZONE 'UTC')::date, 'observation', $2, $3::text::jsonb, $4)
ON CONFLICT DO NOTHING RETURNING note_id
"""
PROPOSE = """
INSERT INTO tuner_proposals (kind, wallet_id, version, before, after, evidence, undoes, expires_at)
VALUES ($1, $2, $3, $4::text::jsonb, $5::text::jsonb, $6::text::jsonb, $7, now() + $8 * interval '1 day')
ON CONFLICT DO NOTHING RETURNING proposal_id
"""
SUPPOSE = """
INSERT INTO tuner_notes (wallet_id, day, kind, text, figures, proposal_id)
VALUES ($1, (now() AT TIME ZONE 'UTC')::date, 'hypothesis', $2, $3::text::jsonb, $4) ON CONFLICT DO NOTHING
"""
SEARCHED = "SELECT settings FROM ft_wallet_versions WHERE wallet_id = $1 AND version = $2"
DECIDE = """
UPDATE tuner_proposals SET status = $2, reason = $3, decided_by = $4, decided_at = now(), applied_version = $5,
    applied_at = CASE WHEN $5::integer IS NOT NULL THEN now() END
WHERE proposal_id = $1
"""
END = """
UPDATE tuner_proposals SET status = $2, reason = $3, evaluation = $4::text::jsonb, ended_at = now() WHERE proposal_id = $1
"""
UNDOES = "SELECT undoes FROM tuner_proposals WHERE proposal_id = $1"
UNDONE = """
UPDATE tuner_proposals SET status = 'ROLLED_BACK', ended_at = now(), reason = $2
WHERE proposal_id = $1 AND status = 'DEGRADED'
"""
# $1 strategy, $2 the moment of the change, $3 its version, $4 whole days since. Days are counted from that moment; an order
# counts when it was placed and over within one of them (actors/rules/tuner/verdict.py).
MEASURE = """
SELECT config_version >= $3 AS is_after, count(*) AS orders, count(*) FILTER (WHERE pnl > 0) AS wins,
    sum(size + fee_usd) AS staked_usd, sum(pnl) AS pnl_usd, sum(pnl * pnl) AS squares,
    sum(pnl * (size + fee_usd)) AS products, sum((size + fee_usd) * (size + fee_usd)) AS staked_squares
FROM ft_orders
WHERE wallet_id = $1 AND outcome <> 'OPEN'
    AND order_time >= $2::timestamptz - $5 * interval '1 day' AND order_time < $2::timestamptz + $4 * interval '1 day'
    AND (order_time >= $2) = (config_version >= $3)
    AND floor(extract(epoch FROM order_time - $2) / 86400) = floor(extract(epoch FROM resolved_time - $2) / 86400)
GROUP BY 1
"""
DAYS_SINCE = "SELECT floor(extract(epoch FROM now() - $1::timestamptz) / 86400)::integer"
PRUNE_NOTES = """
DELETE FROM tuner_notes WHERE note_id IN (
    SELECT note_id FROM tuner_notes WHERE created_at < now() - $1 * interval '1 day' ORDER BY note_id LIMIT $2
)
"""
# What is not decided, or being evaluated, stays.
PRUNE_PROPOSALS = """
DELETE FROM tuner_proposals WHERE proposal_id IN (
    SELECT proposal_id FROM tuner_proposals
    WHERE created_at < now() - $1 * interval '1 day' AND status NOT IN ('WAITING', 'APPLIED')
        AND greatest(decided_at, ended_at) < now() - interval '7 days'
    ORDER BY proposal_id LIMIT $2
)
"""
COUNTS = """
SELECT (SELECT count(*) FROM tuner_proposals WHERE status = 'WAITING') AS waiting,
    (SELECT count(*) FROM tuner_proposals WHERE status = 'APPLIED' AND kind = 'change') AS evaluating,
    (SELECT count(*) FROM ft_wallets WHERE agent_managed AND archived_at IS NULL) AS managed
"""
