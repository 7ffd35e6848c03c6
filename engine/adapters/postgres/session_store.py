"""Sessions of browsers, and the passwords of users."""

import re
from collections.abc import Mapping
from typing import Any

import asyncpg
import attrs

from engine.adapters.postgres.database import RunsWork
from protocols.sessions import NewSession, PasswordRow, SessionKind, SessionTable, WebSession
from protocols.timestamps import utc_datetime

SESSIONS_HELD_MAX = 50
"""Of one user; a new one ends the oldest."""
VERSION = "SELECT version FROM web_session_version"
_COLUMNS = """
session.id::text AS session_id, session.user_id::text, profiles.user_name, profiles.is_admin, session.secret_digest,
session.kind, session.created_at, session.last_seen_at, session.expires_at, session.user_agent, session.address
"""
SESSIONS = f"""
SELECT {_COLUMNS} FROM web_sessions AS session JOIN profiles ON profiles.id = session.user_id
WHERE profiles.disabled_at IS NULL AND session.expires_at > now() - interval '1 hour'
"""  # noqa: S608
LOCK_USER = "SELECT 1 FROM profiles WHERE id = $1::text::uuid AND disabled_at IS NULL FOR UPDATE"
REVISION_HOLDS = """
SELECT 1 FROM user_passwords
WHERE user_id = $1::text::uuid AND extract(epoch FROM changed_at)::text = $2 FOR SHARE
"""
PRUNE = """
DELETE FROM web_sessions WHERE user_id = $1::text::uuid AND secret_digest <> $3 AND (
    expires_at < now() OR id IN (
        SELECT id FROM web_sessions WHERE user_id = $1::text::uuid AND secret_digest <> $3
        ORDER BY created_at DESC, id OFFSET $2
    )
)
"""
INSERT = f"""
WITH session AS (
    INSERT INTO web_sessions
        (user_id, secret_digest, kind, created_at, last_seen_at, expires_at, user_agent, address)
    VALUES ($1::text::uuid, $2, $3, $4, $4, $5, $6, $7)
    ON CONFLICT (secret_digest) DO UPDATE SET address = excluded.address
        WHERE web_sessions.user_id = excluded.user_id
    RETURNING *
)
SELECT {_COLUMNS} FROM session JOIN profiles ON profiles.id = session.user_id
"""  # noqa: S608
SEEN = """
UPDATE web_sessions SET last_seen_at = given.at
FROM (SELECT unnest($1::text[])::uuid AS id, unnest($2::timestamptz[]) AS at ORDER BY 1) AS given
WHERE web_sessions.id = given.id AND web_sessions.last_seen_at < given.at
"""
END = "DELETE FROM web_sessions WHERE id = $1::text::uuid AND user_id = $2::text::uuid RETURNING id::text"
END_ALL = """
DELETE FROM web_sessions WHERE user_id = $1::text::uuid AND ($2::text IS NULL OR id <> $2::text::uuid)
RETURNING id::text
"""
USER_WITH_HASH = """
SELECT profiles.id::text AS user_id, user_name, disabled_at IS NOT NULL AS is_disabled, phc,
    extract(epoch FROM changed_at)::text AS revision
FROM profiles LEFT JOIN user_passwords ON user_passwords.user_id = profiles.id WHERE user_name = $1
"""
FIRST_HASH = """
INSERT INTO user_passwords (user_id, phc) VALUES ($1::text::uuid, $2) ON CONFLICT (user_id) DO NOTHING RETURNING 1
"""
CHANGE_HASH = """
UPDATE user_passwords SET phc = $2, changed_at = greatest(clock_timestamp(), changed_at + interval '1 microsecond')
WHERE user_id = $1::text::uuid AND extract(epoch FROM changed_at)::text = $3 RETURNING 1
"""
REHASH = """
UPDATE user_passwords SET phc = $2
WHERE user_id = $1::text::uuid AND extract(epoch FROM changed_at)::text = $3
"""
_UUID = re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@attrs.define(eq=False)
class PostgresSessions:
    """The `SessionStore`."""

    database: RunsWork

    async def version(self) -> int:
        """As the port says."""

        async def work(raw: asyncpg.Connection) -> int:
            return int(await raw.fetchval(VERSION))

        return await self.database.run(work)

    async def sessions(self) -> SessionTable:
        """As the port says; those included that ended within an hour: this clock may not be ours."""

        async def work(raw: asyncpg.Connection) -> SessionTable:
            # The version first: what changes in between is found again by the next poll, never missed.
            version = int(await raw.fetchval(VERSION))
            return SessionTable(version=version, sessions=[_session(row) for row in await raw.fetch(SESSIONS)])

        return await self.database.run(work)

    async def add(self, user_id: str, new: NewSession, *, revision: str | None) -> WebSession | None:
        """As the port says; what has ended is deleted, and of very many sessions the oldest."""
        values = (
            user_id, new.digest, new.kind.value, utc_datetime(new.created_at_ms), utc_datetime(new.expires_at_ms),
            new.user_agent, new.address,
        )  # fmt: skip

        async def work(raw: asyncpg.Connection) -> asyncpg.Record | None:
            async with raw.transaction():
                if await raw.fetchval(LOCK_USER, user_id) is None:
                    return None
                # Held to the end: who changes the password now waits, and then ends this session too.
                if revision is not None and await raw.fetchval(REVISION_HOLDS, user_id, revision) is None:
                    return None
                await raw.execute(PRUNE, user_id, SESSIONS_HELD_MAX - 1, new.digest)
                return await raw.fetchrow(INSERT, *values)

        row = await self.database.run(work)
        return None if row is None else _session(row)

    async def seen(self, at_ms: Mapping[str, int]) -> None:
        """As the port says."""
        times = [utc_datetime(one) for one in at_ms.values()]
        await self.database.run(lambda raw: raw.execute(SEEN, list(at_ms), times))

    async def end(self, session_id: str, *, user_id: str) -> bool:
        """As the port says."""
        if not _UUID.fullmatch(session_id):
            return False
        return bool(await self.database.run(lambda raw: raw.fetch(END, session_id, user_id)))

    async def end_all(self, user_id: str, *, but: str | None = None) -> list[str]:
        """As the port says."""
        return [row[0] for row in await self.database.run(lambda raw: raw.fetch(END_ALL, user_id, but))]


@attrs.define(eq=False)
class PostgresPasswords:
    """The `PasswordStore`."""

    database: RunsWork

    async def password(self, user_name: str) -> PasswordRow | None:
        """As the port says."""
        if "\x00" in user_name:
            return None
        row = await self.database.run(lambda raw: raw.fetchrow(USER_WITH_HASH, user_name))
        return None if row is None else PasswordRow(**row)

    async def set_password(
        self, user_id: str, phc: str, *, revision: str | None, but_session: str | None = None
    ) -> list[str] | None:
        """As the port says."""

        async def work(raw: asyncpg.Connection) -> list[str] | None:
            async with raw.transaction():
                # In the same order as a login, or the two could wait for each other.
                if await raw.fetchval(LOCK_USER, user_id) is None:
                    return None
                if revision is None:
                    done = await raw.fetchval(FIRST_HASH, user_id, phc)
                else:
                    done = await raw.fetchval(CHANGE_HASH, user_id, phc, revision)
                if done is None:
                    return None
                return [row[0] for row in await raw.fetch(END_ALL, user_id, but_session)]

        return await self.database.run(work)

    async def rehash(self, user_id: str, phc: str, *, revision: str) -> None:
        """As the port says."""
        await self.database.run(lambda raw: raw.execute(REHASH, user_id, phc, revision))


def _session(row: Any) -> WebSession:
    return WebSession(
        session_id=row["session_id"],
        user_id=row["user_id"],
        user_name=row["user_name"],
        is_admin=row["is_admin"],
        digest=bytes(row["secret_digest"]),
        kind=SessionKind(row["kind"]),
        created_at_ms=_ms(row["created_at"]),
        last_seen_at_ms=_ms(row["last_seen_at"]),
        expires_at_ms=_ms(row["expires_at"]),
        user_agent=row["user_agent"],
        address=row["address"],
    )


def _ms(at: Any) -> int:
    return int(at.timestamp() * 1000)
