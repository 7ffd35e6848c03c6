"""Orders by hand in PostgreSQL: a key of a user is one order, whoever repeats it how often (D42)."""

from decimal import Decimal

import asyncpg
import attrs

from engine.adapters.postgres.database import RunsWork
from engine.adapters.postgres.leases import LOCK_HELD, Leases
from engine.adapters.postgres.live_claims import claim
from engine.adapters.postgres.live_order_rows import ORDER_COLUMNS, order_of
from protocols.live.operating import IntentConflictError
from protocols.live.orders import LiveIntent, LiveOrder

TAKE_KEY = """
INSERT INTO order_idempotency (user_id, order_intent_id, request_hash, lt_order_id)
VALUES ($1::text::uuid, $2, $3, $4::text::uuid) ON CONFLICT DO NOTHING RETURNING 1
"""
KEY = """
SELECT request_hash, lt_order_id::text AS order_id FROM order_idempotency
WHERE user_id = $1::text::uuid AND order_intent_id = $2
"""
ARM = """
INSERT INTO lt_auto_closes (strategy_id, trader, token_id, user_id, slippage_pct)
VALUES ($1, $2, $3, $4::text::uuid, $5)
ON CONFLICT (strategy_id, trader, token_id) DO UPDATE SET user_id = excluded.user_id, slippage_pct = excluded.slippage_pct
"""
ONE = f"SELECT {ORDER_COLUMNS} FROM lt_orders WHERE lt_order_id = $1::text::uuid"  # noqa: S608


@attrs.define(eq=False, kw_only=True)
class PostgresManualStore:
    """`ManualStore`, fenced by the leases of the accounts that are traded here."""

    connection: RunsWork
    leases: Leases

    async def claim_keyed(
        self, user_id: str, key: str, request_hash: str, intent: LiveIntent, *, auto_close_pct: Decimal | None = None
    ) -> tuple[str, bool]:
        """Takes the key and claims the order in one transaction, so that neither is there without the other."""

        async def work(raw: asyncpg.Connection) -> tuple[str | None, bool] | None:
            async with raw.transaction():
                if not await raw.fetchval(LOCK_HELD, *self.leases.columns):
                    return None
                if await raw.fetchval(TAKE_KEY, user_id, key, request_hash, intent.order_id):
                    await claim(raw, [intent])
                    if auto_close_pct is not None:
                        place = (intent.strategy_id, intent.trader, intent.token_id)
                        await raw.execute(ARM, *place, user_id, auto_close_pct)
                    return intent.order_id, True
                known = await raw.fetchrow(KEY, user_id, key)
                assert known is not None
                return known["order_id"] if known["request_hash"] == request_hash else None, False

        found = await self.connection.run(work)
        if found is None:
            raise self.leases.lost()
        order_id, is_new = found
        if order_id is None:
            raise IntentConflictError(f"the key {key} was used for another order")
        return order_id, is_new

    async def find(self, order_id: str) -> LiveOrder | None:
        """Returns an order by its id."""
        row = await self.connection.run(lambda raw: raw.fetchrow(ONE, order_id))
        return None if row is None else order_of(row)
