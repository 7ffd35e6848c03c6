"""Which stored markets are to be asked for anew."""

from collections.abc import Sequence

import asyncpg
import attrs

from engine.adapters.postgres.database import RunsWork

DUE = """
SELECT condition_id FROM markets
WHERE NOT is_resolved AND EXISTS (
    SELECT 1 FROM trades_public
    WHERE trades_public.condition_id = markets.condition_id
        AND trade_timestamp > now() - $1 * interval '24 hours'
)
ORDER BY refresh_asked_at, condition_id LIMIT $2
"""
# Locked in the order of their ids, see `insert_markets`.
ASKED = """
UPDATE markets SET refresh_asked_at = now() WHERE condition_id IN (
    SELECT condition_id FROM markets WHERE condition_id = ANY ($1::text[]) ORDER BY condition_id FOR NO KEY UPDATE
)
"""


@attrs.define(eq=False)
class PostgresMarketRefreshStore:
    """`MarketRefreshStore`."""

    connection: RunsWork

    async def due(self, *, traded_days: int, markets_max: int) -> list[str]:
        """Returns unresolved markets with a trade in the last days, least lately asked first. Raises `TransientError`."""

        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            return await raw.fetch(DUE, traded_days, markets_max)

        return [row["condition_id"] for row in await self.connection.run(work)]

    async def asked(self, condition_ids: Sequence[str]) -> None:
        """Says that these markets were asked for now. Raises `TransientError`."""

        async def work(raw: asyncpg.Connection) -> None:
            await raw.execute(ASKED, list(condition_ids))

        await self.connection.run(work)
