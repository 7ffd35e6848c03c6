"""What a plan asks the database besides strategies and trades: whom strategies mean, and how far back trades go."""

from collections.abc import Sequence

import asyncpg
import attrs

from engine.adapters.postgres.database import RunsWork
from engine.adapters.postgres.strategy_table_store import FOLLOWED, LEADERBOARD

WALLETS_PER_QUERY = 1_000
# One look into the index for each trader.
OLDEST = """
SELECT wanted.wallet, found.trade_timestamp FROM unnest($1::text[]) AS wanted (wallet) CROSS JOIN LATERAL (
    SELECT trade_timestamp FROM trades_public WHERE trader_wallet = wanted.wallet
    ORDER BY trade_timestamp, trade_id LIMIT 1
) AS found
"""


@attrs.define(eq=False)
class PostgresPlanStore:
    """Reads only. All methods raise `TransientError`."""

    reads: RunsWork

    async def followed(self, owner_ids: Sequence[str]) -> dict[str, set[str]]:
        """Returns whom users follow, by user."""
        wanted = sorted({one for one in owner_ids if one})

        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            return await raw.fetch(FOLLOWED, wanted)

        found: dict[str, set[str]] = {owner: set() for owner in wanted}
        for row in await self.reads.run(work) if wanted else ():
            found[row["owner_id"]].add(row["trader_wallet"])
        return found

    async def leaderboard(self) -> set[str]:
        """Returns the traders whom target_mode leaderboard means."""

        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            return await raw.fetch(LEADERBOARD)

        return {row["wallet_address"] for row in await self.reads.run(work)}

    async def oldest(self, wallets: Sequence[str]) -> dict[str, int]:
        """Returns when the oldest stored trade of each trader happened, epoch ms; who has none is not in it."""
        found: dict[str, int] = {}
        for first in range(0, len(wallets), WALLETS_PER_QUERY):
            some = list(wallets[first : first + WALLETS_PER_QUERY])

            async def work(raw: asyncpg.Connection, some: list[str] = some) -> list[asyncpg.Record]:
                return await raw.fetch(OLDEST, some)

            for row in await self.reads.run(work):
                found[row["wallet"]] = round(row["trade_timestamp"].timestamp() * 1000)
        return found
