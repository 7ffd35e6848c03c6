"""What users see of notifications and want of them."""

from collections.abc import Mapping, Sequence
from datetime import time
from decimal import Decimal
from typing import Any

import asyncpg
import attrs

from engine.adapters.postgres.database import RunsWork, row_count

CHANGES_PER_HOUR = 20
TESTS_PER_HOUR = 10
_SWITCHES = (
    "email_notifications_enabled", "market_resolves", "trader_closes_position", "auto_close", "order_filled",
    "order_rejected", "order_lost", "strategy_halted", "drift", "daily_summary",
)  # fmt: skip
COLUMNS = (*_SWITCHES, "quiet_from", "quiet_to", "timezone", "default_buy_slippage", "default_sell_slippage")
_LISTED = ", ".join(COLUMNS)
PREFERENCES = f"SELECT {_LISTED} FROM notification_preferences WHERE user_id = $1::text::uuid"  # noqa: S608
ENSURE = "INSERT INTO notification_preferences (user_id) VALUES ($1::text::uuid) ON CONFLICT DO NOTHING"
LOCK = f"""
SELECT {_LISTED}, hour_began < now() - interval '1 hour' AS hour_is_over, changes_in_hour
FROM notification_preferences WHERE user_id = $1::text::uuid FOR UPDATE
"""  # noqa: S608
CHANGE = f"""
UPDATE notification_preferences SET updated_at = now(),
    hour_began = CASE WHEN $2 THEN now() ELSE hour_began END,
    changes_in_hour = CASE WHEN $2 THEN 1 ELSE changes_in_hour + 1 END,
    {", ".join(f"{name} = ${number}" for number, name in enumerate(COLUMNS, 3))}
WHERE user_id = $1::text::uuid
"""  # noqa: S608
PAGE = """
SELECT notification_id, kind, payload, happened_at, created_at, routed_at, (
    SELECT coalesce(jsonb_agg(jsonb_build_object(
        'channel', channel, 'status', status, 'attempts', attempts, 'error', last_error, 'nextTryAt', next_try_at,
        'sentAt', sent_at
    ) ORDER BY channel), '[]') FROM notification_deliveries AS one
    WHERE one.notification_id = notifications.notification_id
) AS deliveries
FROM notifications WHERE user_id = $1::text::uuid AND ($2::bigint IS NULL OR notification_id < $2)
ORDER BY notification_id DESC LIMIT $3
"""
ONE = PAGE.replace("notification_id < $2", "notification_id = $2")
TESTS = """
SELECT count(*) FROM notifications
WHERE user_id = $1::text::uuid AND kind = 'test' AND created_at > now() - interval '1 hour'
"""
LOCK_USER = "SELECT id FROM profiles WHERE id = $1::text::uuid FOR UPDATE"
ADD_TEST = """
INSERT INTO notifications (user_id, kind, subject_key, payload)
VALUES ($1::text::uuid, 'test', gen_random_uuid()::text, jsonb_build_object('user', $2::text)) RETURNING notification_id
"""
CHANNELS = """
SELECT channel, count(*) FILTER (WHERE status = 'pending') AS pending, count(*) FILTER (WHERE status = 'sent') AS sent,
    count(*) FILTER (WHERE status = 'failed') AS failed, count(*) FILTER (WHERE status = 'suppressed') AS suppressed,
    min(created_at) FILTER (WHERE status = 'pending') AS oldest_pending, max(sent_at) AS last_sent,
    (array_agg(last_error ORDER BY next_try_at DESC) FILTER (WHERE status <> 'sent' AND last_error IS NOT NULL))[1] AS error
FROM notification_deliveries WHERE created_at > now() - $1 * interval '1 day' GROUP BY channel ORDER BY channel
"""
RETRY = """
UPDATE notification_deliveries SET status = 'pending', attempts = 0, next_try_at = now(), created_at = now()
WHERE status = 'failed' AND ($1::text IS NULL OR channel = $1)
"""


class TooOftenError(Exception):
    """A user has changed or tried as much as one may within an hour."""


@attrs.frozen(kw_only=True)
class PreferenceRow:
    """What a user wants; the defaults are those of a user without a row."""

    email_notifications_enabled: bool = True
    market_resolves: bool = True
    trader_closes_position: bool = True
    auto_close: bool = True
    order_filled: bool = True
    order_rejected: bool = True
    order_lost: bool = True
    strategy_halted: bool = True
    drift: bool = True
    daily_summary: bool = True
    quiet_from: time | None = None
    quiet_to: time | None = None
    timezone: str = "UTC"
    default_buy_slippage: Decimal | None = None
    default_sell_slippage: Decimal = Decimal(3)


@attrs.define(eq=False)
class NotificationUserStore:
    """Preferences, notices and tests of single users. Every method raises `TransientError` with the database."""

    database: RunsWork

    async def preferences(self, user_id: str) -> PreferenceRow:
        """Returns what a user wants."""
        row = await self.database.run(lambda raw: raw.fetchrow(PREFERENCES, user_id))
        return PreferenceRow() if row is None else PreferenceRow(**row)

    async def change(self, user_id: str, changes: Mapping[str, Any]) -> PreferenceRow:
        """Changes some of what a user wants and returns all of it. Raises `TooOftenError`."""

        async def work(raw: asyncpg.Connection) -> PreferenceRow:
            async with raw.transaction():
                await raw.execute(ENSURE, user_id)
                row = await raw.fetchrow(LOCK, user_id)
                assert row is not None
                if not row["hour_is_over"] and row["changes_in_hour"] >= CHANGES_PER_HOUR:
                    raise TooOftenError
                changed = attrs.evolve(PreferenceRow(**{name: row[name] for name in COLUMNS}), **changes)
                values = [getattr(changed, name) for name in COLUMNS]
                await raw.execute(CHANGE, user_id, row["hour_is_over"], *values)
                return changed

        return await self.database.run(work)

    async def page(self, user_id: str, *, before: int | None, rows_max: int) -> Sequence[asyncpg.Record]:
        """Returns notices of a user, newest first."""
        rows: Sequence[asyncpg.Record] = await self.database.run(lambda raw: raw.fetch(PAGE, user_id, before, rows_max))
        return rows

    async def one(self, user_id: str, notification_id: int) -> asyncpg.Record | None:
        """Returns a notice of a user."""
        return await self.database.run(lambda raw: raw.fetchrow(ONE, user_id, notification_id, 1))

    async def add_test(self, user_id: str, user_name: str) -> int:
        """Puts a test into the outbox and returns its id. Raises `TooOftenError`."""

        async def work(raw: asyncpg.Connection) -> int:
            async with raw.transaction():
                # One at a time for each user, so that the limit holds.
                await raw.fetchval(LOCK_USER, user_id)
                if await raw.fetchval(TESTS, user_id) >= TESTS_PER_HOUR:
                    raise TooOftenError
                return int(await raw.fetchval(ADD_TEST, user_id, user_name))

        return await self.database.run(work)

    async def channels(self, *, days: int) -> Sequence[asyncpg.Record]:
        """Returns how the deliveries of the last days stand, by channel."""
        rows: Sequence[asyncpg.Record] = await self.database.run(lambda raw: raw.fetch(CHANNELS, days))
        return rows

    async def retry(self, channel: str | None) -> int:
        """Lets deliveries that were given up be tried again, of one channel or of all; returns how many."""
        return row_count(await self.database.run(lambda raw: raw.execute(RETRY, channel)))
