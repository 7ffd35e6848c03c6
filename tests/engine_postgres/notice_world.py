"""Live trading on a real database with the outbox beside it: what bookings come to in notices."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
from engine_adapters.live_worlds import LiveWorld, bought, postgres_live

from engine.adapters.postgres.database import DatabaseOptions, open_connection
from engine.adapters.postgres.notification_store import PostgresNotificationStore
from protocols.notifications import ChannelRule

TRADER = "0x" + "11" * 20
NOTICES = "SELECT kind, subject_key, payload, user_id::text AS user_id FROM notifications ORDER BY notification_id"
MARKET = """
INSERT INTO markets (condition_id, title, outcomes, outcome_prices, closed, resolution_status)
VALUES ('0xc0', $1, '["Yes", "No"]', $2::text::jsonb, $3, $4)
"""
TOKENS = """
INSERT INTO market_tokens (token_id, condition_id, outcome, outcome_index)
VALUES ('77', '0xc0', 'Yes', 0), ('78', '0xc0', 'No', 1)
"""
RESOLVE = """
UPDATE markets SET closed = true, resolution_status = 'resolved', outcome_prices = '["1", "0"]' WHERE condition_id = '0xc0'
"""
CLOSE = """
INSERT INTO positions_closed (wallet_address, token_id, condition_id, outcome, closed_reason, size, opened_at,
    opened_snapshot, last_seen_at, closed_at)
VALUES ($1, $2, '0xc0', 'Yes', $3, 100, now() - $4 * interval '1 hour', $4, now(), now()) RETURNING id
"""


@attrs.define
class NoticeWorld:
    live: LiveWorld
    outbox: PostgresNotificationStore

    async def told(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Payloads of the notices of a kind, after every fact was looked at."""
        while await self.outbox.take_facts(100):
            pass
        rows = await self.live.fetch(NOTICES)
        return [json.loads(row["payload"]) for row in rows if kind is None or row["kind"] == kind]

    async def kinds(self) -> list[str]:
        await self.told()
        return [row["kind"] for row in await self.live.fetch(NOTICES)]

    async def market(self, title: str = "Will it rain?", *, resolved: bool = False) -> None:
        prices, status = ('["1", "0"]', "resolved") if resolved else ('["0.5", "0.5"]', None)
        await self.live.fetch(MARKET, title, prices, resolved, status)
        await self.live.fetch(TOKENS)

    async def facts(self) -> list[tuple[str, str]]:
        return [
            tuple(row) for row in await self.live.fetch("SELECT fact, subject FROM notification_facts ORDER BY 1, 2")
        ]

    async def closes(self, token_id: str = "77", reason: str = "manual_close", hours: int = 1) -> int:
        [row] = await self.live.fetch(CLOSE, TRADER, token_id, reason, hours)
        return row["id"]

    async def user(self, name: str, email: str | None = None) -> str:
        statement = "INSERT INTO profiles (user_name, email) VALUES ($1, $2) RETURNING id::text AS id"
        [row] = await self.live.fetch(statement, name, email)
        return row["id"]

    async def notice(self, user_id: str, kind: str = "order_filled", key: str = "k", **payload: Any) -> int:
        statement = """
        INSERT INTO notifications (user_id, kind, subject_key, payload) VALUES ($1::text::uuid, $2, $3, $4::text::jsonb)
        RETURNING notification_id
        """
        [row] = await self.live.fetch(statement, user_id, kind, key, json.dumps(payload))
        return row["notification_id"]

    async def deliveries(self) -> list[dict[str, Any]]:
        statement = "SELECT * FROM notification_deliveries ORDER BY notification_id, channel"
        return [dict(row) for row in await self.live.fetch(statement)]


OPS = ChannelRule(name="ops")


@asynccontextmanager
async def notice_world(database: DatabaseOptions) -> AsyncIterator[NoticeWorld]:
    """A world with one live strategy of the user admin."""
    async with postgres_live(database) as live, open_connection(database, "outbox") as connection:
        await live.strategy()
        yield NoticeWorld(live, PostgresNotificationStore(connection))


async def owned(world: NoticeWorld, number: int = 1, shares: str = "20", **claim: Any) -> Any:
    """A lot that was bought and told of."""
    one = await bought(world.live, number, shares, claim=claim)
    await world.told()
    return one
