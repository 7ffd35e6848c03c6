"""The outbox of notifications in PostgreSQL. Each method is one transaction; several engines may call them at once."""

from collections.abc import Sequence

import asyncpg
import attrs

from actors.rules.notices.delivery_plan import channels_for
from engine.adapters.postgres import notice_statements as notices
from engine.adapters.postgres.database import RunsWork, row_count
from engine.adapters.postgres.notification_rows import CLAIMED_COLUMNS, claimed_of
from protocols.notifications import URGENT, Backlog, ChannelRule, ClaimedDelivery, NoticeKind, Retry
from protocols.timestamps import utc_datetime

GROUPS_MAX = 32
CLAIMED_MAX = 500
HORIZON_H = 72
"""What could not be delivered for so long is given up, whatever held it up; so is a channel that no engine has any more."""
# One engine at a time turns facts into notices: two would wait for each other's.
ALONE = "SELECT pg_try_advisory_xact_lock(7237126)"
TAKE_FACTS = """
DELETE FROM notification_facts WHERE fact_id = ANY (ARRAY (
    SELECT fact_id FROM notification_facts WHERE NOT is_buried ORDER BY fact_id LIMIT $1 FOR UPDATE
)) RETURNING fact, subject, at
"""
BURY = """
UPDATE notification_facts SET is_buried = true
WHERE fact_id = (SELECT fact_id FROM notification_facts WHERE NOT is_buried ORDER BY fact_id LIMIT 1)
"""
UNROUTED = """
SELECT notification_id, kind, user_id, user_name, email, disabled_at IS NOT NULL AS is_disabled
FROM notifications JOIN profiles ON profiles.id = notifications.user_id
WHERE routed_at IS NULL ORDER BY notification_id LIMIT $1 FOR UPDATE OF notifications SKIP LOCKED
"""
DELIVERIES = """
INSERT INTO notification_deliveries (notification_id, channel, user_id, next_try_at)
SELECT id, channel, user_id::uuid, now() + window_s * interval '1 second'
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::double precision[]) AS new (id, channel, user_id, window_s)
ON CONFLICT DO NOTHING
"""
ROUTED = "UPDATE notifications SET routed_at = now() WHERE notification_id = ANY ($1::bigint[])"
# A claim that ran out was cut short by a crash: that counts as a try.
CLAIM = f"""
WITH due AS (
    SELECT DISTINCT user_id, channel FROM (
        SELECT user_id, channel FROM notification_deliveries
        WHERE status = 'pending' AND next_try_at <= now() AND (claimed_until IS NULL OR claimed_until < now())
            AND channel = ANY ($1::text[])
        ORDER BY next_try_at LIMIT {CLAIMED_MAX}
    ) AS first LIMIT {GROUPS_MAX}
), taken AS (
    SELECT one.notification_id, one.channel FROM notification_deliveries AS one JOIN due USING (user_id, channel)
    WHERE one.status = 'pending' AND one.next_try_at <= now() + $3 * interval '1 second'
        AND (one.claimed_until IS NULL OR one.claimed_until < now())
    ORDER BY one.next_try_at, one.notification_id LIMIT {CLAIMED_MAX} FOR UPDATE OF one SKIP LOCKED
), claimed AS (
    UPDATE notification_deliveries AS one SET claim = claim + 1,
        attempts = attempts + CASE WHEN claimed_until IS NULL THEN 0 ELSE 1 END,
        claimed_until = now() + $2 * interval '1 second'
    FROM taken WHERE one.notification_id = taken.notification_id AND one.channel = taken.channel
    RETURNING one.*
)
SELECT {CLAIMED_COLUMNS}
FROM claimed JOIN notifications USING (notification_id) JOIN profiles ON profiles.id = notifications.user_id
LEFT JOIN notification_preferences AS preferences ON preferences.user_id = notifications.user_id
ORDER BY notification_id, channel
"""  # noqa: S608 - constants only
# Whoever sent it did: also when somebody else has taken it over since.
SENT = """
UPDATE notification_deliveries AS one SET status = 'sent', sent_at = now(), claimed_until = NULL, last_error = NULL
FROM unnest($1::bigint[], $2::text[]) AS new (id, channel)
WHERE one.notification_id = new.id AND one.channel = new.channel AND one.status <> 'sent'
"""
FAILED = """
UPDATE notification_deliveries AS one SET claimed_until = NULL, attempts = attempts + 1, last_error = new.error,
    status = CASE WHEN new.after_s IS NULL THEN 'failed' ELSE 'pending' END,
    next_try_at = now() + coalesce(new.after_s, 0) * interval '1 second'
FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::double precision[])
    AS new (id, channel, claim, error, after_s)
WHERE one.notification_id = new.id AND one.channel = new.channel AND one.claim = new.claim AND one.status = 'pending'
"""
PUT_OFF = """
UPDATE notification_deliveries AS one SET claimed_until = NULL, next_try_at = new.until
FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::timestamptz[]) AS new (id, channel, claim, until)
WHERE one.notification_id = new.id AND one.channel = new.channel AND one.claim = new.claim AND one.status = 'pending'
"""
SUPPRESS = """
UPDATE notification_deliveries AS one SET claimed_until = NULL, status = 'suppressed', last_error = 'not wanted'
FROM unnest($1::bigint[], $2::text[], $3::bigint[]) AS new (id, channel, claim)
WHERE one.notification_id = new.id AND one.channel = new.channel AND one.claim = new.claim AND one.status = 'pending'
"""
EXPIRE = f"""
UPDATE notification_deliveries SET status = 'failed', claimed_until = NULL,
    last_error = 'not delivered within {HORIZON_H} h' || coalesce(': ' || last_error, '')
WHERE status = 'pending' AND created_at < now() - interval '{HORIZON_H} hours'
    AND (claimed_until IS NULL OR claimed_until < now())
"""  # noqa: S608 - constants only
BACKLOG = """
SELECT (SELECT count(*) FROM notification_facts WHERE NOT is_buried) AS facts, count(*) AS pending,
    coalesce(extract(epoch FROM now() - min(created_at) FILTER (WHERE attempts > 0 OR next_try_at <= now())), 0)::float8
        AS oldest_s,
    (
        SELECT count(*) FROM notification_deliveries WHERE status = 'failed' AND created_at > now() - interval '4 days'
    ) AS failed
FROM notification_deliveries WHERE status = 'pending'
"""


@attrs.define(eq=False)
class PostgresNotificationStore:
    """`NotificationStore`."""

    connection: RunsWork

    async def take_facts(self, facts_max: int) -> int:
        """Turns facts into notices; they are deleted in the same transaction. Raises `RejectedError`, keeping them."""

        async def work(raw: asyncpg.Connection) -> int:
            async with raw.transaction():
                if not await raw.fetchval(ALONE):
                    return 0
                rows = await raw.fetch(TAKE_FACTS, facts_max)
                by_fact: dict[str, list[asyncpg.Record]] = {}
                for row in rows:
                    by_fact.setdefault(row["fact"], []).append(row)
                for fact, found in by_fact.items():
                    for statement in notices.BY_FACT.get(fact, ()):
                        await raw.execute(statement, [row["subject"] for row in found], [row["at"] for row in found])
                return len(rows)

        return await self.connection.run(work)

    async def bury_fact(self) -> None:
        """Puts the oldest fact aside."""
        await self.connection.run(lambda raw: raw.execute(BURY))

    async def note_overdue_exits(self) -> int:
        """Makes notices of obligations to sell whose deadline has passed; gives up what has waited for days."""

        async def work(raw: asyncpg.Connection) -> int:
            async with raw.transaction():
                if not await raw.fetchval(ALONE):
                    return 0
                await raw.execute(EXPIRE)
                return row_count(await raw.execute(notices.OVERDUE))

        return await self.connection.run(work)

    async def route(self, channels: Sequence[ChannelRule], *, window_s: float, notices_max: int) -> int:
        """Chooses channels for notices that have none yet; without any channel a notice is there for the API alone."""

        async def work(raw: asyncpg.Connection) -> int:
            async with raw.transaction():
                rows = await raw.fetch(UNROUTED, notices_max)
                wanted = [
                    (row["notification_id"], channel, str(row["user_id"]), 0.0 if kind in URGENT else window_s)
                    for row in rows
                    if not row["is_disabled"]
                    for kind in (NoticeKind(row["kind"]),)
                    for channel in channels_for(kind, row["user_name"], row["email"], channels)
                ]
                if wanted:
                    await raw.execute(DELIVERIES, *(list(column) for column in zip(*wanted, strict=True)))
                if rows:
                    await raw.execute(ROUTED, [row["notification_id"] for row in rows])
                return len(rows)

        return await self.connection.run(work)

    async def claim(self, channels: Sequence[str], *, lease_s: float, window_s: float) -> Sequence[ClaimedDelivery]:
        """Takes what is due, with what follows within the window on the same channel to the same user."""
        rows = await self.connection.run(lambda raw: raw.fetch(CLAIM, list(channels), float(lease_s), float(window_s)))
        return [claimed_of(row) for row in rows]

    async def mark_sent(self, deliveries: Sequence[ClaimedDelivery]) -> None:
        """Says that deliveries were taken by their channels."""
        await self._write(SENT, [one.key for one in deliveries])

    async def mark_failed(self, retries: Sequence[Retry]) -> None:
        """Says what failed, and when it is tried again."""
        await self._write(FAILED, [(*_claim(one.delivery), one.error, one.after_s) for one in retries])

    async def put_off(self, deliveries: Sequence[tuple[ClaimedDelivery, int]]) -> None:
        """Gives deliveries back until a moment."""
        await self._write(PUT_OFF, [(*_claim(one), utc_datetime(until_ms)) for one, until_ms in deliveries])

    async def suppress(self, deliveries: Sequence[ClaimedDelivery]) -> None:
        """Says that deliveries are not wanted."""
        await self._write(SUPPRESS, [_claim(one) for one in deliveries])

    async def backlog(self) -> Backlog:
        """Returns what waits."""
        row = await self.connection.run(lambda raw: raw.fetchrow(BACKLOG))
        assert row is not None
        return Backlog(**row)

    async def _write(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        if rows:
            columns = [list(column) for column in zip(*rows, strict=True)]
            await self.connection.run(lambda raw: raw.execute(statement, *columns))


def _claim(one: ClaimedDelivery) -> tuple[int, str, int]:
    return (*one.key, one.claim)
