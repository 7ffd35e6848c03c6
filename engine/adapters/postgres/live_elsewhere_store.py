"""What deciding and trading hear of each other in PostgreSQL, when they are different processes."""

from collections.abc import Sequence

import attrs

from engine.adapters.postgres.database import RunsWork
from protocols.live.elsewhere import HeldCopy

CLAIMS_CHANNEL = "polycopy_claims"
HELD = """
SELECT DISTINCT ft_trader_wallet AS trader, condition_id, token_id, ft_wallet_id FROM lt_orders
WHERE side = 'BUY' AND (shares_open > 0 OR NOT ended) AND ft_trader_wallet IS NOT NULL AND ft_wallet_id IS NOT NULL
"""
RING = f"NOTIFY {CLAIMS_CHANNEL}"
WAITING = """
SELECT lt_order_id::text FROM lt_orders WHERE NOT ended AND order_hash IS NULL AND account = ANY ($1::text[])
UNION ALL
SELECT exit_id::text FROM lt_exits WHERE status = 'OPEN' AND live_account(strategy_id) = ANY ($1::text[])
"""


@attrs.define(eq=False)
class PostgresHeldCopies:
    """`HeldCopyStore`."""

    connection: RunsWork

    async def held(self) -> Sequence[HeldCopy]:
        """Returns everything that is open or being bought. Raises `TransientError`."""
        rows = await self.connection.run(lambda raw: raw.fetch(HELD))
        return [HeldCopy(**row) for row in rows]

    async def ring(self) -> None:
        """Tells who trades that claims were committed. Raises `TransientError`."""
        await self.connection.run(lambda raw: raw.execute(RING))


@attrs.define(eq=False)
class PostgresOpenWork:
    """`OpenWork` of some accounts."""

    connection: RunsWork
    accounts: Sequence[str]

    async def waiting(self) -> Sequence[str]:
        """Returns ids of claims and obligations that are open. Raises `TransientError`."""
        rows = await self.connection.run(lambda raw: raw.fetch(WAITING, list(self.accounts)))
        return [row[0] for row in rows]
