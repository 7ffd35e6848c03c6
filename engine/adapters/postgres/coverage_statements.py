"""SQL of the coverage audit."""

# One range of wallets in their order: the given ones, no others. New ones begin now, and who comes back begins anew.
FORGET_WALLETS = """
DELETE FROM coverage_wallets
WHERE wallet > $1 AND ($2 OR wallet <= $3) AND wallet <> ALL ($4::text[])
"""
KNOW_WALLETS = """
INSERT INTO coverage_wallets AS old (wallet, lane, audited_until)
SELECT wallet, lane, timestamptz 'epoch' + $3 * interval '1 second'
FROM unnest($1::text[], $2::smallint[]) AS new (wallet, lane)
ON CONFLICT (wallet) DO UPDATE SET lane = excluded.lane WHERE old.lane <> excluded.lane
"""
DUE = """
SELECT wallet, lane, extract(epoch FROM audited_until)::bigint AS audited_until_s FROM coverage_wallets
WHERE lane = $1 AND audited_until <= timestamptz 'epoch' + $2 * interval '1 second'
ORDER BY tried_at NULLS FIRST, wallet LIMIT $3
"""
SOURCES = "SELECT trade_id, source FROM trades_public WHERE trade_id = ANY ($1::text[])"
TRADE_IDS = """
SELECT trade_id FROM trades_public
WHERE trader_wallet = $1 AND trade_timestamp >= timestamptz 'epoch' + $2 * interval '1 second'
    AND trade_timestamp < timestamptz 'epoch' + ($3 + 1) * interval '1 second'
ORDER BY trade_timestamp DESC, trade_id DESC LIMIT $4
"""
KEEP_MISSES = """
WITH kept AS (
    INSERT INTO coverage_misses AS old (trade_id, wallet, source, trade_at)
    SELECT trade_id, wallet, source, timestamptz 'epoch' + trade_ms * interval '1 millisecond'
    FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) AS new (trade_id, wallet, source, trade_ms)
    ON CONFLICT (trade_id) DO UPDATE SET source = 'both' WHERE old.source <> 'both' AND old.source <> excluded.source
    RETURNING xmax = 0 AS is_new
)
SELECT count(*) FILTER (WHERE is_new) FROM kept
"""
CLOSE_WINDOW = """
INSERT INTO coverage_windows (
    wallet, lane, since_at, until_at, skipped_s, expected, by_stream, by_gap, by_poller, by_unknown, missed, unconfirmed,
    malformed
)
SELECT $1, $2, timestamptz 'epoch' + $3 * interval '1 second', timestamptz 'epoch' + $4 * interval '1 second',
    $5, $6, $7, $8, $9, $10, $11, $12, $13
ON CONFLICT (wallet, since_at) DO NOTHING
"""
AUDITED = """
UPDATE coverage_wallets SET audited_until = timestamptz 'epoch' + $2 * interval '1 second',
    tried_at = timestamptz 'epoch' + $3 * interval '1 millisecond', failures = 0, last_error = NULL
WHERE wallet = $1
"""
FAILED = """
UPDATE coverage_wallets SET tried_at = timestamptz 'epoch' + $3 * interval '1 millisecond', failures = failures + 1,
    last_error = $2
WHERE wallet = $1
"""
MARK_RECORDED = """
WITH there AS (
    SELECT miss.miss_id, trade.ingested_at, trade.source
    FROM (
        SELECT miss_id, trade_id FROM coverage_misses WHERE recorded_at IS NULL ORDER BY found_at DESC LIMIT $1
    ) AS miss
    JOIN trades_public AS trade USING (trade_id)
), marked AS (
    UPDATE coverage_misses AS miss SET recorded_at = there.ingested_at, recorded_source = there.source
    FROM there WHERE miss.miss_id = there.miss_id
    RETURNING 1
)
SELECT count(*) FROM marked
"""
UNRECORDED = """
SELECT trade_id, wallet, source, round(extract(epoch FROM trade_at) * 1000)::bigint AS trade_ms
FROM coverage_misses AS miss
WHERE recorded_at IS NULL AND found_at >= timestamptz 'epoch' + $1 * interval '1 millisecond'
    AND EXISTS (SELECT 1 FROM coverage_wallets WHERE coverage_wallets.wallet = miss.wallet)
ORDER BY found_at, miss_id LIMIT $2
"""
PRUNE_WINDOWS = """
DELETE FROM coverage_windows WHERE window_id = ANY (ARRAY (
    SELECT window_id FROM coverage_windows WHERE closed_at < timestamptz 'epoch' + $1 * interval '1 millisecond'
    ORDER BY closed_at LIMIT $2
))
"""
PRUNE_MISSES = """
DELETE FROM coverage_misses WHERE miss_id = ANY (ARRAY (
    SELECT miss_id FROM coverage_misses WHERE found_at < timestamptz 'epoch' + $1 * interval '1 millisecond'
    ORDER BY found_at LIMIT $2
))
"""
_SUMS = """
coalesce(sum(expected), 0)::bigint AS expected, coalesce(sum(by_stream), 0)::bigint AS by_stream,
coalesce(sum(by_gap), 0)::bigint AS by_gap, coalesce(sum(by_poller), 0)::bigint AS by_poller,
coalesce(sum(by_unknown), 0)::bigint AS by_unknown, coalesce(sum(missed), 0)::bigint AS missed,
coalesce(sum(unconfirmed), 0)::bigint AS unconfirmed, coalesce(sum(malformed), 0)::bigint AS malformed
"""
SUMMARY = f"""
SELECT lane, count(DISTINCT wallet) AS wallets, (extract(epoch FROM max(closed_at)) * 1000)::bigint AS closed_ms, {_SUMS}
FROM coverage_windows WHERE closed_at >= timestamptz 'epoch' + $1 * interval '1 millisecond'
GROUP BY lane ORDER BY lane
"""  # noqa: S608 - constants only
WALLETS = f"""
SELECT known.wallet, known.lane, extract(epoch FROM audited_until)::bigint AS audited_until_s,
    (extract(epoch FROM tried_at) * 1000)::bigint AS tried_ms, failures, last_error, sums.*
FROM (SELECT * FROM coverage_wallets WHERE wallet > $2 ORDER BY wallet LIMIT $3) AS known
CROSS JOIN LATERAL (
    SELECT {_SUMS} FROM coverage_windows
    WHERE coverage_windows.wallet = known.wallet AND closed_at >= timestamptz 'epoch' + $1 * interval '1 millisecond'
) AS sums
ORDER BY known.wallet
"""  # noqa: S608 - constants only
MISSES = """
SELECT miss_id, trade_id, wallet, source, round(extract(epoch FROM trade_at) * 1000)::bigint AS trade_ms,
    (extract(epoch FROM found_at) * 1000)::bigint AS found_ms,
    (extract(epoch FROM recorded_at) * 1000)::bigint AS recorded_ms, recorded_source
FROM coverage_misses
WHERE ($1::text IS NULL OR wallet = $1) AND (NOT $2 OR recorded_at IS NULL)
    AND miss_id < coalesce($3::bigint, 9223372036854775807)
ORDER BY miss_id DESC LIMIT $4
"""
