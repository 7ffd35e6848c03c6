"""Which copies by hand are sold when the copied trader closes his position."""

from collections.abc import Sequence
from decimal import Decimal

import asyncpg
import attrs

from engine.adapters.postgres.database import RunsWork, row_count
from engine.adapters.postgres.live_manual_store import ARM

LIST = """
SELECT substr(strategy_id, 8) AS account, trader AS copied_trader, token_id, trim_scale(slippage_pct) AS slippage_pct, armed_at
FROM lt_auto_closes WHERE user_id = $1::text::uuid ORDER BY armed_at DESC, strategy_id, trader, token_id LIMIT $2
"""
DISARM = "DELETE FROM lt_auto_closes WHERE strategy_id = $1 AND trader = $2 AND token_id = $3"
LISTED_MAX = 10_000


@attrs.define(eq=False)
class AutoCloseStore:
    """Every method raises `TransientError`."""

    database: RunsWork

    async def of_user(self, user_id: str) -> Sequence[asyncpg.Record]:
        """Returns what a user has switched on, newest first."""
        rows: Sequence[asyncpg.Record] = await self.database.run(lambda raw: raw.fetch(LIST, user_id, LISTED_MAX))
        return rows

    async def arm(self, user_id: str, account: str, trader: str, token_id: str, slippage_pct: Decimal) -> None:
        """Switches it on, from now on, or changes the slippage."""
        values = (f"manual:{account}", trader, token_id, user_id, slippage_pct)
        await self.database.run(lambda raw: raw.execute(ARM, *values))

    async def disarm(self, account: str, trader: str, token_id: str) -> bool:
        """Switches it off; an obligation that was made is met. False: it was off."""
        place = (f"manual:{account}", trader, token_id)
        return row_count(await self.database.run(lambda raw: raw.execute(DISARM, *place))) > 0
