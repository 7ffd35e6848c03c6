"""What the stream of the feed reads: new trades in commit order, and who follows whom."""

from collections.abc import Collection, Iterable, Mapping, Sequence

import asyncpg
import attrs

from engine.adapters.postgres.database import RunsWork
from engine.adapters.postgres.feed_rows import COLUMNS, DESCRIPTIONS, feed_row
from protocols.feed import FeedBatch, FeedRow

NEWEST = "SELECT coalesce(max(ingest_seq), 0) FROM trades_public"
# Trades of wallets that nobody follows are looked at and left out. One row without a trade when all were.
COMMITTED_AFTER = "".join(
    (
        """
WITH batch AS MATERIALIZED (
    SELECT * FROM trades_public WHERE ingest_seq > $1 ORDER BY ingest_seq LIMIT $2
)
SELECT ends.*, rows.*
FROM (
    SELECT (SELECT max(ingest_seq) FROM batch) AS read_to,
        (SELECT coalesce(max(ingest_seq), 0) FROM trades_public) AS newest,
        (SELECT version FROM target_version) AS follows_version
) AS ends
LEFT JOIN (
    SELECT trades.ingest_seq,
""",
        COLUMNS,
        "FROM batch AS trades",
        DESCRIPTIONS,
        """
    WHERE (SELECT true FROM follows WHERE follows.trader_wallet = trades.trader_wallet AND follows.active LIMIT 1)
) AS rows ON true
ORDER BY rows.ingest_seq
""",
    )
)
# OFFSET 0: along ingest_seq, not wallet by wallet through all that they ever traded.
OF_USER = "".join(
    (
        """
SELECT trades.ingest_seq,
""",
        COLUMNS,
        """
FROM (
    SELECT * FROM (
        SELECT * FROM trades_public WHERE ingest_seq > $2 AND ingest_seq <= $3 ORDER BY ingest_seq OFFSET 0
    ) AS passed
    WHERE (
        SELECT true FROM follows
        WHERE follows.user_id = $1 AND follows.trader_wallet = passed.trader_wallet AND follows.active
        LIMIT 1
    )
    ORDER BY ingest_seq
    LIMIT $4
) AS trades
""",
        DESCRIPTIONS,
        "ORDER BY trades.ingest_seq",
    )
)
CHANGED_FOLLOWS = """
SELECT wanted.user_id::text AS user_id, found.digest, found.wallets
FROM unnest($1::uuid[], $2::text[]) AS wanted (user_id, digest)
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(trader_wallet), '{}') AS wallets,
        count(*) || ' ' || coalesce(bit_xor(hashtextextended(trader_wallet, 0)), 0) AS digest
    FROM follows WHERE follows.user_id = wanted.user_id AND follows.active
) AS found
WHERE found.digest <> wanted.digest
"""


@attrs.define(eq=False)
class PostgresFeedStreamStore:
    """`FeedStreamStore` over a connection or a pool. All methods raise `TransientError`."""

    connection: RunsWork

    async def newest_seq(self) -> int:
        """Returns the highest `ingest_seq`; 0 in an empty database."""

        async def work(raw: asyncpg.Connection) -> int:
            return int(await raw.fetchval(NEWEST))

        return await self.connection.run(work)

    async def committed_after(self, seq: int, rows_max: int) -> FeedBatch:
        """Looks at the next `rows_max` trades in commit order."""

        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            return await raw.fetch(COMMITTED_AFTER, seq, rows_max)

        records = await self.connection.run(work)
        ends = records[0]
        return FeedBatch(
            rows=_numbered(record for record in records if record["trade_id"] is not None),
            read_to=seq if ends["read_to"] is None else ends["read_to"],
            newest=ends["newest"],
            follows_version=ends["follows_version"],
        )

    async def of_user(self, user_id: str, *, after: int, until: int, rows_max: int) -> Sequence[tuple[int, FeedRow]]:
        """Returns the first trades of a user's wallets with after < ingest_seq <= until, rising."""

        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            return await raw.fetch(OF_USER, user_id, after, until, rows_max)

        return _numbered(await self.connection.run(work))

    async def changed_follows(self, known: Mapping[str, str]) -> Mapping[str, tuple[str, Collection[str]]]:
        """Returns digest and wallets of those users whose follows have another digest than the one given."""

        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            return await raw.fetch(CHANGED_FOLLOWS, list(known), list(known.values()))

        records = await self.connection.run(work)
        return {record["user_id"]: (record["digest"], record["wallets"]) for record in records}


def _numbered(records: Iterable[asyncpg.Record]) -> list[tuple[int, FeedRow]]:
    return [(record["ingest_seq"], feed_row(record)) for record in records]
