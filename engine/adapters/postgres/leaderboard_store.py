"""The traders that leaderboards name, in PostgreSQL."""

from collections.abc import Sequence

import asyncpg
import attrs

from engine.adapters.postgres.database import RunsWork, row_count
from engine.adapters.postgres.job_fence import fenced
from protocols.jobs import JobLease
from protocols.trader_accounts import Board, Standing

# $7: the places are those of the board by profit, else by volume.
KNOWN = """
UPDATE traders SET
    pnl = now_known.pnl, volume = now_known.volume, display_name = now_known.name, profile_image = now_known.image,
    rank = now_known.rank, rank_volume = now_known.rank_volume, leaderboard_at = now(),
    roi = CASE WHEN now_known.volume >= 1 THEN now_known.pnl / now_known.volume ELSE roi END,
    updated_at = CASE WHEN (
        traders.pnl, traders.volume, traders.display_name, traders.profile_image, traders.rank, traders.rank_volume
    ) IS DISTINCT FROM (
        now_known.pnl, now_known.volume, now_known.name, now_known.image, now_known.rank, now_known.rank_volume
    ) THEN now() ELSE updated_at END
FROM (
    SELECT wallet, round(coalesce(profit, pnl), 6) AS pnl, round(greatest(usd, volume), 6) AS volume,
        coalesce(said.name, display_name) AS name, coalesce(said.image, profile_image) AS image,
        CASE WHEN $7 THEN place ELSE rank END AS rank, CASE WHEN $7 THEN rank_volume ELSE place END AS rank_volume
    FROM unnest($1::text[], $2::integer[], $3::numeric[], $4::numeric[], $5::text[], $6::text[])
        AS said (wallet, place, profit, usd, name, image)
    JOIN traders ON wallet_address = wallet
) AS now_known
WHERE wallet_address = now_known.wallet
"""
# The engine reads its wallets again whenever an INSERT was tried, so only those are inserted that are new.
NEW = """
INSERT INTO traders (wallet_address, display_name, profile_image, pnl, volume, roi, rank, rank_volume, leaderboard_at)
SELECT wallet, name, image, profit, usd, CASE WHEN usd >= 1 THEN profit / usd END,
    CASE WHEN $7 THEN place END, CASE WHEN NOT $7 THEN place END, now()
FROM unnest($1::text[], $2::integer[], $3::numeric[], $4::numeric[], $5::text[], $6::text[])
    AS said (wallet, place, profit, usd, name, image)
ON CONFLICT (wallet_address) DO NOTHING
"""
COUNT_KNOWN = "SELECT count(*) FROM traders WHERE wallet_address = ANY ($1::text[])"
GONE = """
UPDATE traders SET rank = CASE WHEN NOT $2 THEN rank END, rank_volume = CASE WHEN $2 THEN rank_volume END
WHERE CASE WHEN $2 THEN rank ELSE rank_volume END IS NOT NULL AND NOT wallet_address = ANY ($1::text[])
"""
COUNT_FOLLOWERS = """
UPDATE traders SET follower_count = counted.followers
FROM (
    SELECT wallet_address AS wallet, count(trader_wallet) AS followers
    FROM traders LEFT JOIN follows ON trader_wallet = wallet_address AND active GROUP BY wallet_address
) AS counted
WHERE wallet_address = counted.wallet AND follower_count IS DISTINCT FROM counted.followers
"""


@attrs.define(eq=False)
class PostgresLeaderboardStore:
    """`LeaderboardStore`."""

    connection: RunsWork

    async def write(self, lease: JobLease, board: Board, standings: Sequence[Standing]) -> int:
        """Writes a whole board and returns how many traders are new. Raises `TransientError` or `FencedError`."""
        rows = [
            (
                one.wallet,
                one.rank,
                one.pnl_usd,
                one.volume if one.volume_is_usd else None,
                one.name,
                one.image,
            )
            for one in {one.wallet: one for one in standings}.values()
        ]
        columns = [list(column) for column in zip(*rows, strict=True)]
        is_pnl = board is Board.PNL

        async def work(raw: asyncpg.Connection) -> int:
            async with fenced(raw, lease):
                await raw.execute(GONE, columns[0], is_pnl)
                await raw.execute(KNOWN, *columns, is_pnl)
                if await raw.fetchval(COUNT_KNOWN, columns[0]) == len(columns[0]):
                    return 0
                return row_count(await raw.execute(NEW, *columns, is_pnl))

        return await self.connection.run(work)

    async def count_followers(self, lease: JobLease) -> int:
        """Counts who follows each trader. Raises `TransientError` or `FencedError`."""

        async def work(raw: asyncpg.Connection) -> str:
            async with fenced(raw, lease):
                return await raw.execute(COUNT_FOLLOWERS)

        return row_count(await self.connection.run(work))
