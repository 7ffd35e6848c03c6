"""Users and their tokens."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg
import attrs

from engine.adapters.postgres.database import RunsWork, Work
from protocols.timestamps import utc_datetime
from protocols.users import Principal, Scope, TokenTable, ValidToken

TOKENS_HELD_MAX = 100
TOKEN_ROWS_MAX = 1_000
USERS = """
SELECT id::text AS user_id, user_name, is_admin, created_at, disabled_at FROM profiles
WHERE user_name COLLATE "C" > $1 ORDER BY user_name COLLATE "C" LIMIT $2
"""
USER = "SELECT id::text AS user_id, user_name, is_admin, created_at, disabled_at FROM profiles WHERE user_name = $1"
ADD_USER = """
INSERT INTO profiles (user_name, is_admin) VALUES ($1, $2) ON CONFLICT (user_name) DO NOTHING
RETURNING id::text AS user_id, user_name, is_admin, created_at, disabled_at
"""
SET_EMAIL = "UPDATE profiles SET email = $2 WHERE user_name = $1 RETURNING 1"
DISABLE_USER = """
UPDATE profiles SET disabled_at = coalesce(disabled_at, now()) WHERE user_name = $1
RETURNING id::text AS user_id, user_name, is_admin, created_at, disabled_at
"""
SET_ADMIN = """
UPDATE profiles SET is_admin = $2 WHERE user_name = $1
RETURNING id::text AS user_id, user_name, is_admin, created_at, disabled_at
"""
TOKENS = """
SELECT token.id::text AS token_id, profiles.id::text AS user_id, profiles.user_name, token.name, token.scopes,
    token.created_at, token.expires_at, token.revoked_at
FROM api_tokens AS token JOIN profiles ON profiles.id = token.user_id
WHERE ($1::text IS NULL OR profiles.user_name = $1) AND token.revoked_at IS NULL
ORDER BY profiles.user_name COLLATE "C", token.created_at, token.id
"""
LOCK_USER = "SELECT id FROM profiles WHERE user_name = $1 AND disabled_at IS NULL FOR UPDATE"
PRUNE = "DELETE FROM api_tokens WHERE user_id = $1 AND least(revoked_at, expires_at) < now() - interval '30 days'"
COUNT = """
SELECT count(*) FILTER (WHERE revoked_at IS NULL), count(*) FROM api_tokens WHERE user_id = $1
"""
INSERT_DIGEST = """
INSERT INTO api_tokens (user_id, name, token_digest, scopes, expires_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (token_digest) DO UPDATE SET name = excluded.name WHERE api_tokens.user_id = excluded.user_id
RETURNING id::text AS token_id, user_id::text, name, scopes, created_at, expires_at, revoked_at
"""
REVOKE = """
UPDATE api_tokens SET revoked_at = now()
WHERE id = $1::text::uuid AND revoked_at IS NULL AND ($2::text IS NULL OR user_id = $2::text::uuid)
"""
VERSION = "SELECT version FROM token_version"
VALID = """
SELECT token.token_digest, token.id::text AS token_id, token.scopes, token.expires_at,
    profiles.id::text AS user_id, profiles.user_name
FROM api_tokens AS token JOIN profiles ON profiles.id = token.user_id
WHERE token.revoked_at IS NULL AND profiles.disabled_at IS NULL
AND (token.expires_at IS NULL OR token.expires_at > now() - interval '1 day')
"""
ADMIN_ID = "SELECT id::text FROM profiles WHERE user_name = 'admin'"
_UUID = re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@attrs.frozen(kw_only=True)
class UserRow:
    """One user."""

    user_id: str
    user_name: str
    is_admin: bool
    created_at: datetime
    disabled_at: datetime | None


@attrs.frozen(kw_only=True)
class TokenRow:
    """One token, without anything that could be used in its place."""

    token_id: str
    user_id: str
    user_name: str
    name: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class TooManyTokensError(Exception):
    """A user has as many tokens as one may have."""


@attrs.define(eq=False)
class UserStore:
    """Users, their tokens, and the `TokenStore` of the registry. Every method raises `TransientError` with the database."""

    database: RunsWork

    async def users(self, *, after: str = "", limit: int = 100) -> list[UserRow]:
        """Returns the next users in the byte order of their names."""
        return [UserRow(**row) for row in await self.database.run(_rows(USERS, after, limit))]

    async def user(self, user_name: str) -> UserRow | None:
        """Returns a user, also a disabled one."""
        return _user(await self.database.run(_rows(USER, user_name)))

    async def add_user(self, user_name: str, *, is_admin: bool = False) -> UserRow | None:
        """Returns the new user, or None when the name is taken."""
        return _user(await self.database.run(_rows(ADD_USER, user_name, is_admin)))

    async def set_email(self, user_name: str, email: str | None) -> bool:
        """Sets the address that notices of a user are mailed to, or takes it away; False when there is no such user."""
        return bool(await self.database.run(_rows(SET_EMAIL, user_name, email)))

    async def set_admin(self, user_name: str, *, is_admin: bool) -> UserRow | None:
        """Makes a user an administrator, or not, and returns him; None when there is no such user."""
        return _user(await self.database.run(_rows(SET_ADMIN, user_name, is_admin)))

    async def disable_user(self, user_name: str) -> UserRow | None:
        """Shuts a user out, whose tokens hold no longer, and returns him; None when there is no such user."""
        return _user(await self.database.run(_rows(DISABLE_USER, user_name)))

    async def tokens(self, user_name: str | None = None) -> list[TokenRow]:
        """Returns the tokens of a user, or of all, that are not revoked; expired ones too."""
        return [_token(row) for row in await self.database.run(_rows(TOKENS, user_name))]

    async def add_token(
        self, user_name: str, *, name: str, digest: bytes, scopes: Sequence[Scope], expires_at_ms: int | None = None
    ) -> TokenRow | None:
        """Keeps a token by its SHA-256; None when there is no such user, or he is disabled.

        May be repeated. Raises `TooManyTokensError`. What was revoked or has expired a month ago is deleted.
        """
        expires_at = None if expires_at_ms is None else utc_datetime(expires_at_ms)
        texts = sorted({scope.value for scope in scopes})

        async def work(raw: asyncpg.Connection) -> asyncpg.Record | None:
            async with raw.transaction():
                user_id = await raw.fetchval(LOCK_USER, user_name)
                if user_id is None:
                    return None
                await raw.execute(PRUNE, user_id)
                ((held, stored),) = await raw.fetch(COUNT, user_id)
                if held >= TOKENS_HELD_MAX or stored >= TOKEN_ROWS_MAX:
                    raise TooManyTokensError(f"{user_name} has as many tokens as one may have")
                return await raw.fetchrow(INSERT_DIGEST, user_id, name, digest, texts, expires_at)

        row = await self.database.run(work)
        return None if row is None else _token({**row, "user_name": user_name})

    async def revoke_token(self, token_id: str, *, user_id: str | None = None) -> bool:
        """Ends a token, of one user only if given; returns whether there was such a token that still held."""
        if not _UUID.fullmatch(token_id):
            return False

        async def work(raw: asyncpg.Connection) -> str:
            return await raw.execute(REVOKE, token_id, user_id)

        return not (await self.database.run(work)).endswith(" 0")

    async def version(self) -> int:
        """Returns a number that changes with the set of valid tokens."""

        async def work(raw: asyncpg.Connection) -> int:
            return int(await raw.fetchval(VERSION))

        return await self.database.run(work)

    async def valid_tokens(self) -> TokenTable:
        """Returns all tokens that hold, those included that expired within a day: this clock may not be ours."""

        async def work(raw: asyncpg.Connection) -> TokenTable:
            # The version first: what changes in between is found again by the next poll, never missed.
            version = int(await raw.fetchval(VERSION))
            tokens = [_valid(row) for row in await raw.fetch(VALID)]
            return TokenTable(version=version, tokens=tokens, admin_id=await raw.fetchval(ADMIN_ID))

        return await self.database.run(work)


def _rows(statement: str, *values: object) -> Work[list[asyncpg.Record]]:
    async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
        return await raw.fetch(statement, *values)

    return work


def _user(rows: Sequence[Any]) -> UserRow | None:
    return UserRow(**rows[0]) if rows else None


def _token(row: Any) -> TokenRow:
    return TokenRow(**{**row, "scopes": _scopes(row)})


def _scopes(row: Any) -> tuple[Scope, ...]:
    return tuple(scope for scope in Scope if scope.value in row["scopes"])


def _valid(row: Any) -> ValidToken:
    expires_at = row["expires_at"]
    principal = Principal(
        user_id=row["user_id"],
        user_name=row["user_name"],
        token_id=row["token_id"],
        scopes=frozenset(_scopes(row)),
        expires_at_ms=None if expires_at is None else int(expires_at.timestamp() * 1000),
    )
    return ValidToken(digest=bytes(row["token_digest"]), principal=principal)
