"""The statements of `discover_store`. Constants are put together here; no value ever stands in a text.

In lists of traders $1 is the user who looks, $2 how many rows, $3 the least number of trades and $4 the niche (null: any);
the place after which the page begins stands last, and without one it begins at the top.
"""

from engine.adapters.postgres.feed_rows import COLUMNS, DESCRIPTIONS
from engine.adapters.postgres.trader_sources import trades_of

# Of a row named `page` with the column `wallet`.
CARD = """
    page.wallet, coalesce(trader.display_name, newest.trader_name) AS name,
    coalesce(trader.profile_image, newest.trader_image) AS image,
    (SELECT count(*) FROM follows WHERE trader_wallet = page.wallet AND active) AS followers,
    (SELECT true FROM follows WHERE user_id = $1::text::uuid AND trader_wallet = page.wallet AND active LIMIT 1) IS TRUE
        AS is_followed,
    days.sparkline
"""
WHO = f"""
LEFT JOIN LATERAL (
    SELECT display_name, profile_image FROM traders WHERE wallet_address = page.wallet LIMIT 1
) AS trader ON true
LEFT JOIN LATERAL (
    SELECT trader_name, trader_image FROM trades_public WHERE {trades_of("page.wallet")}
    ORDER BY trade_timestamp DESC, trade_id DESC LIMIT 1
) AS newest ON true
"""  # noqa: S608 - constants only
# Scalar subqueries of one row are always looked up by key; a plain EXISTS might be hashed, and read a whole table.
_OF_NICHE = """
(NICHE::text IS NULL OR (SELECT true FROM trader_profile_stats
    WHERE wallet_address = WALLET AND final_niche = NICHE AND resolved_count > 0 LIMIT 1) IS TRUE)
"""
_ENOUGH_TRADES = """
($3::bigint IS NULL OR coalesce(
    (SELECT total_trades FROM traders WHERE wallet_address = WALLET),
    (SELECT l_count FROM trader_global_stats WHERE wallet_address = WALLET)
) >= $3)
"""


# A day without a close is a day without profit only once the venue's list of closed positions has been read after its end.
_RECENT = """
CROSS JOIN LATERAL (
    SELECT coalesce((SELECT anchor_date FROM wallet_rankings_state), TODAY) AS day
) AS anchor
LEFT JOIN LATERAL (
    SELECT last_backfilled_at FROM wallet_pnl_state WHERE wallet_address = page.wallet LIMIT 1
) AS read ON true
CROSS JOIN LATERAL (
    SELECT array_agg(coalesce(daily.realized_pnl, CASE
        WHEN read.last_backfilled_at >= (listed.day + 1)::timestamp AT TIME ZONE 'UTC' THEN 0
    END) ORDER BY listed.day) AS sparkline
    FROM (SELECT anchor.day - 13 + n AS day FROM generate_series(0, 13) AS n) AS listed
    LEFT JOIN LATERAL (
        SELECT realized_pnl FROM wallet_realized_pnl_daily
        WHERE wallet_address = page.wallet AND date = listed.day LIMIT 1
    ) AS daily ON true
) AS days
"""


def recent_days_of(today: str) -> str:
    """Returns the join that has `days.sparkline`: 14 days up to the anchor of the rankings, else up to today."""
    return _RECENT.replace("TODAY", today)


def _of_niche(wallet: str, niche: str = "$4") -> str:
    return _OF_NICHE.replace("WALLET", wallet).replace("NICHE", niche)


def filters_of(wallet: str) -> str:
    """Returns the condition that a wallet trades in the niche and has enough trades; the name of a column goes in."""
    return f"{_of_niche(wallet)} AND {_ENOUGH_TRADES}".replace("WALLET", wallet)


# $5 today, $6 and $7 figure and wallet.
_LEADERS = f"""
SELECT {CARD}, page.rank, page.rank_volume, page.pnl, page.volume, page.roi, page.win_rate,
    coalesce(page.total_trades, (SELECT l_count FROM trader_global_stats WHERE wallet_address = page.wallet)) AS trades
FROM (
    SELECT wallet_address AS wallet, * FROM traders AS leader
    WHERE is_active AND FIGURE IS NOT NULL
        AND (FIGURE, wallet_address) < (coalesce($6::numeric, 'infinity'), coalesce($7::text, ''))
        AND {filters_of("leader.wallet_address")}
    ORDER BY FIGURE DESC, wallet_address DESC LIMIT $2
) AS page
{WHO}
{recent_days_of("$5::date")}
ORDER BY page.FIGURE DESC, page.wallet DESC
"""  # noqa: S608 - constants only
LEADERS = {
    sort: _LEADERS.replace("FIGURE", column)
    for sort, column in (("pnl", "pnl"), ("volume", "volume"), ("roi", "roi"), ("winRate", "win_rate"))
}
ANCHOR = "SELECT anchor_date FROM wallet_rankings_state"
# $5 window, $6 and $7 rank and wallet.
WINNERS = f"""
SELECT {CARD}, page.rank, page.total_traders, page.pnl, earlier.pnl AS previous_pnl, earlier.rank AS previous_rank
FROM (
    SELECT wallet_address AS wallet, rank, total_traders, pnl_sum AS pnl FROM wallet_realized_pnl_rankings AS ranked
    WHERE window_key = $5 AND (rank, wallet_address) > (coalesce($6::integer, 0), coalesce($7::text, '')) AND pnl_sum > 0
        AND {filters_of("ranked.wallet_address")}
    ORDER BY rank, wallet_address LIMIT $2
) AS page
{WHO}
{recent_days_of("NULL::date")}
LEFT JOIN LATERAL (
    SELECT pnl_sum AS pnl, rank FROM wallet_realized_pnl_rankings
    WHERE window_key = $5 || '_PREV' AND wallet_address = page.wallet LIMIT 1
) AS earlier ON true
ORDER BY page.rank, page.wallet
"""  # noqa: S608 - constants only
# $5 the end of the 24 hours, $6 and $7 trades and wallet.
ACTIVE = f"""
SELECT {CARD}, page.trades, page.buys, page.volume, page.last_trade_at
FROM (
    SELECT * FROM (
        SELECT trader_wallet AS wallet, count(*) AS trades, count(*) FILTER (WHERE side = 'BUY') AS buys,
            round(sum(size * price), 6) AS volume, max(trade_timestamp) AS last_trade_at
        FROM trades_public WHERE trade_timestamp > $5::timestamptz - interval '24 hours' AND trade_timestamp <= $5
        GROUP BY trader_wallet HAVING count(*) >= $3
    ) AS counted
    WHERE (trades, wallet) < (coalesce($6::bigint, 9223372036854775807), coalesce($7::text, ''))
        AND {_of_niche("counted.wallet")}
    ORDER BY trades DESC, wallet DESC LIMIT $2
) AS page
{WHO}
{recent_days_of("($5::timestamptz AT TIME ZONE 'UTC')::date")}
ORDER BY page.trades DESC, page.wallet DESC
"""  # noqa: S608 - constants only
# $5 today, $6 least number of days, $7 to $9 share, days and wallet.
CONSISTENT = f"""
SELECT {CARD}, page.winning_days, page.days, page.share, page.pnl
FROM (
    SELECT * FROM (
        SELECT wallet_address AS wallet, count(*) AS days, count(*) FILTER (WHERE realized_pnl > 0) AS winning_days,
            round(count(*) FILTER (WHERE realized_pnl > 0)::numeric / count(*), 6) AS share, sum(realized_pnl) AS pnl
        FROM wallet_realized_pnl_daily
        WHERE date > coalesce((SELECT anchor_date FROM wallet_rankings_state), $5::date) - 30
            AND date <= coalesce((SELECT anchor_date FROM wallet_rankings_state), $5::date) AND closed_positions > 0
        GROUP BY wallet_address HAVING count(*) >= $6 AND sum(realized_pnl) > 0
    ) AS counted
    WHERE (share, days, wallet) < (coalesce($7::numeric, 2), coalesce($8::bigint, 0), coalesce($9::text, ''))
        AND {filters_of("counted.wallet")}
    ORDER BY share DESC, days DESC, wallet DESC LIMIT $2
) AS page
{WHO}
{recent_days_of("$5::date")}
ORDER BY page.share DESC, page.days DESC, page.wallet DESC
"""  # noqa: S608 - constants only
# $5 the moment, $6 the sort, $7 to $9 its figure, the other one, wallet. Strategies that copy everybody, or all of the
# leaderboard, say nothing about one trader.
COPIED = f"""
WITH running AS MATERIALIZED (
    SELECT wallet_id, owner_id, target_mode, target_traders, excluded_traders FROM ft_wallets
    WHERE archived_at IS NULL AND is_active AND (start_date IS NULL OR start_date <= $5)
        AND (end_date IS NULL OR end_date > $5)
), named AS (
    SELECT running.wallet_id, target.wallet FROM running CROSS JOIN LATERAL (
        SELECT unnest(running.target_traders) AS wallet WHERE running.target_mode = 'list'
        UNION
        SELECT trader_wallet FROM follows
        WHERE running.target_mode = 'followed' AND user_id = running.owner_id AND active
    ) AS target
    WHERE NOT target.wallet = ANY (running.excluded_traders)
), copied AS (
    SELECT wallet, sum(fans)::bigint AS fans, sum(strategies)::bigint AS strategies FROM (
        SELECT trader_wallet AS wallet, count(*) AS fans, 0 AS strategies FROM follows WHERE active GROUP BY trader_wallet
        UNION ALL
        SELECT wallet, 0, count(*) FROM named GROUP BY wallet
    ) AS counts GROUP BY wallet
)
SELECT {CARD}, page.strategies
FROM (
    SELECT * FROM (
        SELECT *, CASE $6::text WHEN 'strategies' THEN strategies ELSE fans END AS figure,
            CASE $6::text WHEN 'strategies' THEN fans ELSE strategies END AS other
        FROM copied
    ) AS sorted
    WHERE (figure, other, wallet)
            < (coalesce($7::bigint, 9223372036854775807), coalesce($8::bigint, 0), coalesce($9::text, ''))
        AND figure > 0 AND {filters_of("sorted.wallet")}
    ORDER BY figure DESC, other DESC, wallet DESC LIMIT $2
) AS page
{WHO}
{recent_days_of("($5::timestamptz AT TIME ZONE 'UTC')::date")}
ORDER BY page.figure DESC, page.other DESC, page.wallet DESC
"""  # noqa: S608 - constants only
# Of these: $1 rows, $2 niche, $3 the end of the hour, $4 and $5 notional and trade id.
BIG_TRADES = f"""
SELECT {COLUMNS}, page.notional
FROM (
    SELECT trade_id, notional FROM (
        SELECT trade_id, trader_wallet, round(size * price, 6) AS notional FROM trades_public
        WHERE trade_timestamp > $3::timestamptz - interval '1 hour' AND trade_timestamp <= $3 AND price <= 0.94
            AND size * price >= 10
    ) AS large
    WHERE (notional, trade_id) < (coalesce($4::numeric, 'infinity'), coalesce($5::text, ''))
        AND {_of_niche("large.trader_wallet", "$2")}
    ORDER BY notional DESC, trade_id DESC LIMIT $1
) AS page
CROSS JOIN LATERAL (SELECT * FROM trades_public WHERE trade_id = page.trade_id LIMIT 1) AS trades
{DESCRIPTIONS}
ORDER BY page.notional DESC, page.trade_id DESC
"""  # noqa: S608 - constants only
# $1 earliest time, $2 and $3 position, $4 rows. The limits are those of actors/rules/fire.py, written out: an index exists
# for them, and a plan that knows no parameter could not use it.
FIRE = f"""
WITH hot AS MATERIALIZED (
    SELECT wallet_address AS wallet, d30_win_rate, d30_resolved_count, coalesce(d30_total_roi_pct, l_total_roi_pct) AS roi_pct,
        coalesce(d30_avg_trade_size_usd, l_avg_trade_size_usd) AS average_usd
    FROM trader_global_stats WHERE d30_win_rate >= 0.52 AND d30_resolved_count >= 10
    ORDER BY d30_win_rate DESC, d30_resolved_count DESC, wallet_address LIMIT 100
), page AS MATERIALIZED (
    SELECT own.trade_timestamp, own.trade_id, hot.* FROM hot CROSS JOIN LATERAL (
        SELECT trade_timestamp, trade_id FROM trades_public
        WHERE {trades_of("hot.wallet")} AND trade_timestamp >= $1 AND side = 'BUY'
        ORDER BY trade_timestamp DESC, trade_id DESC LIMIT 10
    ) AS own
    WHERE (own.trade_timestamp, own.trade_id) < ($2, $3)
    ORDER BY own.trade_timestamp DESC, own.trade_id DESC LIMIT $4
)
SELECT {COLUMNS}, trades.price * trades.size AS trade_usd, page.d30_win_rate, page.d30_resolved_count, page.roi_pct,
    page.average_usd
FROM page
CROSS JOIN LATERAL (SELECT * FROM trades_public WHERE trade_id = page.trade_id LIMIT 1) AS trades
{DESCRIPTIONS}
ORDER BY trades.trade_timestamp DESC, trades.trade_id DESC
"""  # noqa: S608 - constants only
