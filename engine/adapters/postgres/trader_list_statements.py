"""The statements behind the lists of a trader's profile. $1 is his wallet, in lower case.

Connections run with generic plans, which know no parameter: single rows are looked up by LATERAL subqueries of one row, and
pages are bounded by the key that an index is sorted by where the list may be long.
"""

from engine.adapters.postgres.feed_rows import COLUMNS, DESCRIPTIONS
from engine.adapters.postgres.trader_sources import HELD, IS_OBSERVED, OBSERVED, days_of_trades, trades_of

# $2 sort, $3 and $4 the place after which the page begins (no $4: at the top), $5 rows.
AFTER_FIGURE = "($4::text IS NULL OR (coalesce(figure, '-infinity'), id) < (coalesce($3::numeric, '-infinity'), $4))"
BY_FIGURE = f"WHERE {AFTER_FIGURE} ORDER BY coalesce(figure, '-infinity') DESC, id DESC LIMIT $5"
OPEN = f"""
SELECT page.token_id, page.condition_id, coalesce(page.outcome, token.outcome) AS outcome,
    coalesce(page.market_title, market.title) AS title, coalesce(page.market_slug, market.market_slug) AS slug,
    coalesce(page.event_slug, market.event_slug) AS event_slug, coalesce(page.market_image, market.image) AS image,
    trim_scale(page.size) AS size, trim_scale(page.avg_price) AS avg_price, trim_scale(page.current_price) AS price,
    page.cost, page.value, page.value - page.cost AS unrealized_pnl, page.realized_pnl, page.redeemable, page.end_date,
    page.opened_at, page.last_seen_at
FROM (
    SELECT * FROM (
        SELECT *, token_id AS id,
            CASE $2::text WHEN 'opened' THEN (extract(epoch FROM opened_at) * 1000000)::numeric ELSE value END AS figure
        FROM ({HELD}) AS held
    ) AS figured {BY_FIGURE}
) AS page
LEFT JOIN LATERAL (
    SELECT title, market_slug, event_slug, image FROM markets WHERE condition_id = page.condition_id LIMIT 1
) AS market ON true
LEFT JOIN LATERAL (SELECT outcome FROM market_tokens WHERE token_id = page.token_id LIMIT 1) AS token ON true
ORDER BY coalesce(page.figure, '-infinity') DESC, page.id DESC
"""  # noqa: S608 - constants only
# $2 and $3 the place after which the page begins (null: at the top), $4 rows. The two sources tell one time apart by
# minutes: what this engine has observed is looked at as far back as the venue's part of the page reaches, and the last page
# to the end. A token stands here once: as the venue tells it, else its last end that was observed.
CLOSED = f"""
WITH venue AS MATERIALIZED (
    SELECT token_id, condition_id, outcome, market_title, market_slug, event_slug, bought_shares, avg_price, realized_pnl,
        closed_at, is_unredeemed_loss
    FROM wallet_closed_positions
    WHERE wallet_address = $1 AND closed_at <= coalesce($2, 'infinity'::timestamptz)
        AND (closed_at < coalesce($2, 'infinity'::timestamptz) OR token_id > $3)
    ORDER BY closed_at DESC, token_id LIMIT $4
), reach AS MATERIALIZED (
    SELECT CASE WHEN count(*) = $4 THEN min(closed_at) ELSE '-infinity' END AS since FROM venue
), observed AS MATERIALIZED (
    SELECT token_id, condition_id, outcome, market_title, market_slug, event_slug, avg_price, realized_pnl, closed_at
    FROM positions_closed AS ended
    WHERE wallet_address = $1 AND closed_at <= coalesce($2, 'infinity'::timestamptz)
        AND closed_at >= (SELECT since FROM reach)
        AND (closed_at < coalesce($2, 'infinity'::timestamptz) OR token_id > $3)
        AND {IS_OBSERVED}
    ORDER BY closed_at DESC, token_id LIMIT $4
), page AS (
    SELECT *, 'venue' AS source FROM venue
    UNION ALL
    SELECT token_id, condition_id, outcome, market_title, market_slug, event_slug, NULL, avg_price, realized_pnl, closed_at,
        false, 'observed'
    FROM observed
    ORDER BY closed_at DESC, token_id LIMIT $4
)
SELECT page.token_id, page.condition_id, coalesce(page.outcome, token.outcome) AS outcome,
    coalesce(page.market_title, market.title) AS title, coalesce(page.market_slug, market.market_slug) AS slug,
    coalesce(page.event_slug, market.event_slug) AS event_slug, trim_scale(page.bought_shares) AS bought_shares,
    trim_scale(page.avg_price) AS avg_price, page.realized_pnl, page.closed_at, page.is_unredeemed_loss,
    ended.closed_reason AS reason, ended.opened_at, trim_scale(ended.size) AS last_size, page.source
FROM page
LEFT JOIN LATERAL (
    SELECT closed_reason, opened_at, size FROM positions_closed
    WHERE wallet_address = $1 AND token_id = page.token_id ORDER BY opened_at DESC LIMIT 1
) AS ended ON true
LEFT JOIN LATERAL (
    SELECT title, market_slug, event_slug FROM markets WHERE condition_id = page.condition_id LIMIT 1
) AS market ON true
LEFT JOIN LATERAL (SELECT outcome FROM market_tokens WHERE token_id = page.token_id LIMIT 1) AS token ON true
ORDER BY page.closed_at DESC, page.token_id
"""  # noqa: S608 - constants only
# $2 and $3 position, $4 rows.
TRADES = f"""
SELECT {COLUMNS} FROM (
    SELECT * FROM trades_public WHERE {trades_of("$1")} AND (trade_timestamp, trade_id) < ($2, $3)
    ORDER BY trade_timestamp DESC, trade_id DESC LIMIT $4
) AS trades {DESCRIPTIONS}
ORDER BY trades.trade_timestamp DESC, trades.trade_id DESC
"""  # noqa: S608 - constants only
DAY_COLUMNS = "date, realized_pnl, pnl_to_date, closed_positions AS closed, won_positions AS won"
# $2 first day, $3 the last day of the page before, $4 rows.
DAYS = f"""
SELECT {DAY_COLUMNS} FROM wallet_realized_pnl_daily
WHERE wallet_address = $1 AND date >= $2 AND ($3::date IS NULL OR date > $3) ORDER BY date LIMIT $4
"""  # noqa: S608 - constants only
NEWEST_DAYS = f"""
SELECT * FROM (
    SELECT {DAY_COLUMNS} FROM wallet_realized_pnl_daily WHERE wallet_address = $1 ORDER BY wallet_realized_pnl_daily.date DESC
    LIMIT $2
) AS newest ORDER BY date
"""  # noqa: S608 - constants only
# As OPEN. A position counts once: of one that is told as closed, what it realised while it is held again is in there. All of
# his positions are added up for each page: what is long, the venue's list, comes sorted by market from an index that has all
# of it; its texts are looked up for the page only.
MARKETS = f"""
WITH told AS (
    SELECT condition_id, count(*) AS closed, count(*) FILTER (WHERE realized_pnl > 0) AS won,
        count(avg_price) AS priced, sum(bought_shares * avg_price) AS bought, sum(realized_pnl) AS realized,
        max(closed_at) AS at
    FROM wallet_closed_positions WHERE wallet_address = $1 GROUP BY condition_id
), sums AS (
    SELECT condition_id AS id, sum(closed)::integer AS closed_positions, sum(won)::integer AS won_positions,
        CASE WHEN sum(closed) = sum(priced) AND sum(closed) > 0 THEN round(sum(bought), 6) END AS bought,
        sum(realized) AS realized_pnl, sum(held)::integer AS open_positions,
        CASE WHEN sum(held) = count(cost) AND sum(held) > 0 THEN sum(cost) END AS open_cost,
        CASE WHEN sum(held) = count(value) AND sum(held) > 0 THEN sum(value) END AS open_value,
        sum(value - cost) AS unrealized_pnl, sum(buys)::bigint AS pending_buys, sum(buy_usd) AS pending_buy_usd,
        max(at) AS last_at, min(title) AS title, min(slug) AS slug, min(event_slug) AS event_slug
    FROM (
        SELECT condition_id, closed, won, priced, bought, realized, 0 AS held, NULL::numeric AS cost, NULL::numeric AS value,
            0::bigint AS buys, 0::numeric AS buy_usd, at, NULL::text AS title, NULL::text AS slug, NULL::text AS event_slug
        FROM told
        UNION ALL
        SELECT condition_id, 1, coalesce(realized_pnl > 0, false)::integer, 0, NULL, realized_pnl, 0, NULL, NULL, 0, 0,
            closed_at, market_title, market_slug, event_slug
        FROM ({OBSERVED}) AS observed
        UNION ALL
        SELECT condition_id, 0, 0, 0, NULL, CASE WHEN earlier.yes IS NULL THEN realized_pnl END, 1, cost, value, 0, 0,
            opened_at, market_title, market_slug, event_slug
        FROM ({HELD}) AS held LEFT JOIN LATERAL (
            SELECT true AS yes FROM wallet_closed_positions
            WHERE wallet_address = $1 AND token_id = held.token_id LIMIT 1
        ) AS earlier ON true
        UNION ALL
        SELECT condition_id, 0, 0, 0, NULL, NULL, 0, NULL, NULL, trades, usd, NULL, NULL, NULL, NULL
        FROM trader_open_buys WHERE wallet_address = $1
    ) AS positions
    GROUP BY condition_id
), page AS (
    SELECT * FROM (
        SELECT *, CASE $2::text WHEN 'realized' THEN realized_pnl WHEN 'bought' THEN bought
            ELSE (extract(epoch FROM last_at) * 1000000)::numeric END AS figure
        FROM sums
    ) AS figured {BY_FIGURE}
)
SELECT page.id AS condition_id, coalesce(market.title, closed.title, page.title) AS title,
    coalesce(market.slug, closed.slug, page.slug) AS slug,
    coalesce(market.event_slug, closed.event_slug, page.event_slug) AS event_slug, page.closed_positions, page.won_positions,
    page.bought, page.realized_pnl, page.open_positions, page.open_cost, page.open_value, page.unrealized_pnl,
    page.pending_buys, page.pending_buy_usd, page.last_at
FROM page
LEFT JOIN LATERAL (
    SELECT title, market_slug AS slug, event_slug FROM markets WHERE condition_id = page.id LIMIT 1
) AS market ON true
LEFT JOIN LATERAL (
    SELECT market_title AS title, market_slug AS slug, event_slug FROM wallet_closed_positions
    WHERE wallet_address = $1 AND condition_id = page.id LIMIT 1
) AS closed ON true
ORDER BY coalesce(page.figure, '-infinity') DESC, page.id DESC
"""  # noqa: S608 - constants only
# $2 days before this one (null: all), $3 rows.
ACTIVITY = f"""
WITH RECURSIVE {days_of_trades("coalesce($2::date::timestamp AT TIME ZONE 'UTC', timestamptz 'infinity')")},
days AS MATERIALIZED (
    SELECT day FROM (
        (SELECT day FROM traded LIMIT $3)
        UNION
        (SELECT day FROM trader_stats_daily
            WHERE wallet_address = $1 AND trades > 0 AND day < coalesce($2, date 'infinity')
            GROUP BY day ORDER BY day DESC LIMIT $3)
        UNION
        (SELECT date FROM wallet_realized_pnl_daily
            WHERE wallet_address = $1 AND closed_positions > 0 AND date < coalesce($2, date 'infinity')
            ORDER BY date DESC LIMIT $3)
    ) AS found ORDER BY day DESC LIMIT $3
)
SELECT days.day, stored.trades, counted.buys, counted.buy_usd, coalesce(daily.closed_positions, 0) AS closed,
    coalesce(daily.won_positions, 0) AS won, daily.realized_pnl
FROM days
CROSS JOIN LATERAL (
    SELECT count(*) AS trades FROM trades_public
    WHERE {trades_of("$1")} AND trade_timestamp >= days.day::timestamp AT TIME ZONE 'UTC'
        AND trade_timestamp < (days.day + 1)::timestamp AT TIME ZONE 'UTC'
) AS stored
CROSS JOIN LATERAL (
    SELECT coalesce(sum(trades), 0)::bigint AS buys, coalesce(sum(usd), 0) AS buy_usd FROM trader_stats_daily
    WHERE wallet_address = $1 AND day = days.day
) AS counted
LEFT JOIN LATERAL (
    SELECT closed_positions, won_positions, realized_pnl FROM wallet_realized_pnl_daily
    WHERE wallet_address = $1 AND date = days.day LIMIT 1
) AS daily ON true
ORDER BY days.day DESC
"""  # noqa: S608 - constants only
