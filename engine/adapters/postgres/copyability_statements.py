"""The statements of `copyability_store`. Constants are put together here; no value ever stands in a text."""

from engine.adapters.postgres.discover_statements import CARD, WHO, filters_of, recent_days_of

# $1 places of the leaderboard, $2 results older than this are due, $3 and $4 the place after which the page begins, $5 rows.
# Whom somebody follows or copies goes first, then who may be in the fire feed (actors/rules/fire.py), then the leaderboard;
# only traders of whom a trade is stored.
DUE = """
WITH named AS (
    SELECT trader_wallet AS wallet, 0 AS "group" FROM follows WHERE active
    UNION ALL SELECT unnest(target_traders), 0 FROM ft_wallets WHERE archived_at IS NULL AND is_active
    UNION ALL (
        SELECT wallet_address, 1 FROM trader_global_stats WHERE d30_win_rate >= 0.52 AND d30_resolved_count >= 10
        ORDER BY d30_win_rate DESC, d30_resolved_count DESC, wallet_address LIMIT 100
    )
    UNION ALL (
        SELECT wallet_address, 2 FROM traders WHERE is_active AND rank IS NOT NULL ORDER BY rank, wallet_address LIMIT $1
    )
), wanted AS (
    SELECT wallet, min("group") AS "group" FROM named WHERE wallet ~ '^0x[0-9a-f]{40}$' GROUP BY wallet
)
SELECT wallet, "group" FROM wanted
WHERE ("group", wallet) > ($3::integer, $4::text)
    AND coalesce((SELECT computed_at FROM trader_copyability WHERE wallet_address = wallet), '-infinity') < $2
    AND (SELECT true FROM trades_public WHERE trader_wallet = wallet LIMIT 1)
ORDER BY "group", wallet LIMIT $5
"""
PUT = """
INSERT INTO trader_copyability (
    wallet_address, size_usd, grade, net_return, low, high, capacity, capacity_usd, copied, days, document, computed_at
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (wallet_address) DO UPDATE SET
    size_usd = excluded.size_usd, grade = excluded.grade, net_return = excluded.net_return, low = excluded.low,
    high = excluded.high, capacity = excluded.capacity, capacity_usd = excluded.capacity_usd, copied = excluded.copied,
    days = excluded.days, document = excluded.document, computed_at = excluded.computed_at
"""
DROP_STALE = """
DELETE FROM trader_copyability WHERE wallet_address IN (
    SELECT wallet_address FROM trader_copyability WHERE computed_at < $1 ORDER BY computed_at LIMIT $2
)
RETURNING wallet_address
"""
FIND = "SELECT document FROM trader_copyability WHERE wallet_address = $1"
# $1 who looks, $2 rows, $3 least number of trades, $4 niche, $5 today, $6 and $7 figure and wallet.
_COPYABLE = f"""
SELECT {CARD}, page.size_usd, page.grade, page.net_return, page.low, page.high, page.copied, page.days, page.capacity,
    page.capacity_usd, page.computed_at,
    ARRAY (SELECT flag ->> 'name' FROM jsonb_array_elements(page.document -> 'flags') AS flag) AS flags
FROM (
    SELECT wallet_address AS wallet, * FROM trader_copyability AS scored
    WHERE FIGURE IS NOT NULL AND (FIGURE, wallet_address) < (coalesce($6::numeric, 'infinity'), coalesce($7::text, ''))
        AND {filters_of("scored.wallet_address")}
    ORDER BY FIGURE DESC, wallet_address DESC LIMIT $2
) AS page
{WHO}
{recent_days_of("$5::date")}
ORDER BY page.FIGURE DESC, page.wallet DESC
"""  # noqa: S608 - constants only
COPYABLE = {
    sort: _COPYABLE.replace("FIGURE", column)
    for sort, column in (("low", "low"), ("net", "net_return"), ("capacity", "capacity_usd"))
}
