"""Pages of the feed: one statement each, whose cost depends on neither the number of trades nor their age."""

from datetime import timedelta

import asyncpg
import attrs

from engine.adapters.postgres.database import RunsWork
from engine.adapters.postgres.feed_rows import COLUMNS, DESCRIPTIONS, EPOCH, feed_row, position_of
from protocols.feed import FeedPage, FeedPosition, FeedQuery, FeedRow
from protocols.timestamps import LATEST_MS, utc_datetime

# $1 user, $2 rows wanted, $3 earliest time, $4 and $5 position, $6 side, $7 wallets.
#
# The windows widen in rows, not in hours, so that they suit a busy day and a quiet one:
# 1. `recent`: at most the newest 4,000 trades of everybody, until the page is full. They lie side by side, and every user
#    reads the same ones.
# 2. Only if these do not fill the page, `heads`: one index descent for each followed wallet finds its newest trade. A page of
#    n trades comes from the n wallets with the newest heads at most, and when there are n of them from no earlier than the
#    oldest of these heads, so that the rest is read from n short stretches of the index.
# That makes the work of a page proportional to the follows, whatever they traded and when.
#
# Connections run with generic plans, which know no parameter: what bounds the work is therefore written out (4000), looked up
# by `IN (…) IS TRUE`, which is a hashed subplan where a join would be nested loops, or by a LATERAL of one row.
PAGE_KEYS = """
WITH followed AS MATERIALIZED (
    SELECT trader_wallet FROM follows
    WHERE user_id = $1 AND active AND ($7::text[] IS NULL OR trader_wallet = ANY ($7))
), recent AS MATERIALIZED (
    SELECT newest.trade_timestamp, newest.trade_id
    FROM (
        SELECT trade_timestamp, trade_id, trader_wallet, side FROM trades_public
        WHERE trade_timestamp >= $3 AND (trade_timestamp, trade_id) < ($4, $5)
        ORDER BY trade_timestamp DESC, trade_id DESC
        LIMIT 4000
    ) AS newest
    WHERE (newest.trader_wallet IN (SELECT trader_wallet FROM followed)) IS TRUE AND ($6::text IS NULL OR newest.side = $6)
    ORDER BY newest.trade_timestamp DESC, newest.trade_id DESC
    LIMIT $2
), filled AS MATERIALIZED (
    SELECT count(*) = $2 AS yes FROM recent
), heads AS MATERIALIZED (
    SELECT followed.trader_wallet, head.trade_timestamp
    FROM followed CROSS JOIN LATERAL (
        SELECT trades.trade_timestamp, trades.trade_id FROM trades_public AS trades
        WHERE trades.trader_wallet = followed.trader_wallet AND trades.trade_timestamp >= $3
            AND (trades.trade_timestamp, trades.trade_id) < ($4, $5) AND ($6::text IS NULL OR trades.side = $6)
        ORDER BY trades.trade_timestamp DESC, trades.trade_id DESC
        LIMIT 1
    ) AS head
    WHERE NOT (SELECT yes FROM filled)
    ORDER BY head.trade_timestamp DESC, head.trade_id DESC
    LIMIT $2
), oldest AS MATERIALIZED (
    SELECT CASE WHEN count(*) = $2 THEN min(trade_timestamp) ELSE $3 END AS head FROM heads
), page AS MATERIALIZED (
    SELECT trade_timestamp, trade_id FROM recent WHERE (SELECT yes FROM filled)
    UNION ALL
    (
        SELECT own.trade_timestamp, own.trade_id
        FROM heads CROSS JOIN LATERAL (
            SELECT trades.trade_timestamp, trades.trade_id FROM trades_public AS trades
            WHERE trades.trader_wallet = heads.trader_wallet AND trades.trade_timestamp >= (SELECT head FROM oldest)
                AND (trades.trade_timestamp, trades.trade_id) < ($4, $5) AND ($6::text IS NULL OR trades.side = $6)
            ORDER BY trades.trade_timestamp DESC, trades.trade_id DESC
            LIMIT $2
        ) AS own
        ORDER BY own.trade_timestamp DESC, own.trade_id DESC
        LIMIT $2
    )
)
"""
# $8 condition id. OFFSET 0 keeps the planner from walking the trades of everybody by time; a market's own are found by index.
MARKET_KEYS = """
WITH followed AS MATERIALIZED (
    SELECT trader_wallet FROM follows
    WHERE user_id = $1 AND active AND ($7::text[] IS NULL OR trader_wallet = ANY ($7))
), page AS MATERIALIZED (
    SELECT here.trade_timestamp, here.trade_id
    FROM (
        SELECT trade_timestamp, trade_id, trader_wallet, side FROM trades_public
        WHERE condition_id = $8 AND trade_timestamp >= $3 AND trade_timestamp <= $4
        OFFSET 0
    ) AS here
    WHERE (here.trade_timestamp, here.trade_id) < ($4, $5)
        AND ($6::text IS NULL OR here.side = $6) AND (here.trader_wallet IN (SELECT trader_wallet FROM followed)) IS TRUE
    ORDER BY here.trade_timestamp DESC, here.trade_id DESC
    LIMIT $2
)
"""
# $8 strategy. Copies of a strategy lie in the order of their trades (ft_orders.order_time is the trade's own time), so that
# each strategy gives its newest ones and the page is made of these.
COPIED_KEYS = """
WITH followed AS MATERIALIZED (
    SELECT wallet_id FROM ft_wallets WHERE owner_id = $1 AND ($8::text IS NULL OR wallet_id = $8)
), page AS MATERIALIZED (
    SELECT DISTINCT own.trade_timestamp, own.trade_id
    FROM followed CROSS JOIN LATERAL (
        SELECT trades.trade_timestamp, trades.trade_id
        FROM ft_orders CROSS JOIN LATERAL (
            SELECT trade_timestamp, trade_id, side FROM trades_public WHERE trade_id = ft_orders.source_trade_id LIMIT 1
        ) AS trades
        WHERE ft_orders.wallet_id = followed.wallet_id AND ft_orders.order_time >= $3 AND ft_orders.order_time <= $4
            AND (trades.trade_timestamp, trades.trade_id) < ($4, $5) AND ($6::text IS NULL OR trades.side = $6)
            AND ($7::text[] IS NULL OR ft_orders.trader_address = ANY ($7))
        ORDER BY ft_orders.order_time DESC, ft_orders.source_trade_id DESC
        LIMIT $2
    ) AS own
    ORDER BY own.trade_timestamp DESC, own.trade_id DESC
    LIMIT $2
)
"""
# One row without a trade when the page is empty.
PAGE_ROWS = "".join(
    (
        """
SELECT any_follow.found AS followed, rows.*
FROM (SELECT EXISTS (SELECT 1 FROM followed) AS found) AS any_follow
LEFT JOIN (
    SELECT
""",
        COLUMNS,
        """
    FROM page
    CROSS JOIN LATERAL (SELECT * FROM trades_public WHERE trade_id = page.trade_id LIMIT 1) AS trades
""",
        DESCRIPTIONS,
        """
) AS rows ON true
ORDER BY rows.trade_timestamp DESC, rows.trade_id DESC
""",
    )
)
FEED_PAGE = PAGE_KEYS + PAGE_ROWS
FEED_PAGE_OF_MARKET = MARKET_KEYS + PAGE_ROWS
FEED_PAGE_OF_COPIES = COPIED_KEYS + PAGE_ROWS
ONE_TRADE = "".join(
    ("SELECT", COLUMNS, "FROM (SELECT * FROM trades_public WHERE trade_id = $1) AS trades", DESCRIPTIONS)
)
_MICROSECOND = timedelta(microseconds=1)
_NEWER_THAN_ALL = FeedPosition(trade_us=LATEST_MS * 1000, trade_id="")


@attrs.define(eq=False)
class PostgresFeedStore:
    """`FeedStore` over a connection or a pool."""

    connection: RunsWork

    async def page(self, query: FeedQuery) -> FeedPage:
        """Reads one page with one statement. Raises `TransientError`."""
        before = query.before or _NEWER_THAN_ALL
        # One more than wanted tells whether there is a next page.
        arguments = (
            query.user_id,
            query.limit + 1,
            utc_datetime(query.since_ms),
            EPOCH + before.trade_us * _MICROSECOND,
            before.trade_id,
            query.side,
            list(query.wallets) or None,
        )

        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            if query.is_copied:
                return await raw.fetch(FEED_PAGE_OF_COPIES, *arguments, query.strategy)
            if query.condition_id is not None:
                return await raw.fetch(FEED_PAGE_OF_MARKET, *arguments, query.condition_id)
            return await raw.fetch(FEED_PAGE, *arguments)

        records = await self.connection.run(work)
        rows = [record for record in records if record["trade_id"] is not None]
        last = rows[query.limit - 1] if len(rows) > query.limit else None
        return FeedPage(
            rows=tuple(feed_row(record) for record in rows[: query.limit]),
            next=None if last is None else position_of(last),
            followed=records[0]["followed"],
            trade_us=tuple((record["trade_timestamp"] - EPOCH) // _MICROSECOND for record in rows[: query.limit]),
        )

    async def trade(self, trade_id: str) -> FeedRow | None:
        """Returns one stored trade, whoever follows its trader. Raises `TransientError`."""

        async def work(raw: asyncpg.Connection) -> asyncpg.Record | None:
            return await raw.fetchrow(ONE_TRADE, trade_id)

        record = await self.connection.run(work)
        return None if record is None else feed_row(record)
