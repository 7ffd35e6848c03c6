"""Strategies in PostgreSQL: made, changed and put away, each version kept."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import asyncpg
import attrs

from config.strategy_settings import document_of
from engine.adapters.postgres.database import RunsWork
from engine.adapters.postgres.strategy_rows import SETTING_COLUMNS, column_values, strategy_of
from protocols.errors import EngineError
from protocols.strategies import Strategy, StrategySettings

PAGE_ROWS = 500
_NAMES = ", ".join(SETTING_COLUMNS)
# Built once from the names of settings, which are constants of the program.
_VALUES = ", ".join(f"${number}" for number in range(3, 3 + len(SETTING_COLUMNS)))
_ASSIGNED = ", ".join(f"{name} = ${number}" for number, name in enumerate(SETTING_COLUMNS, 3))
INSERT = "".join(
    (
        "INSERT INTO ft_wallets (wallet_id, owner_id, ",
        _NAMES,
        ") VALUES ($1, $2::uuid, ",
        _VALUES,
        ") ON CONFLICT DO NOTHING RETURNING *",
    )
)
UPDATE = "".join(
    (
        "UPDATE ft_wallets SET version = version + 1, updated_at = now(), ",
        _ASSIGNED,
        " WHERE wallet_id = $1 AND version = $2 AND archived_at IS NULL RETURNING *",
    )
)
INSERT_VERSION = """
INSERT INTO ft_wallet_versions (wallet_id, version, settings, changed_by) VALUES ($1, $2, $3::jsonb, $4)
"""
INSERT_BALANCE = "INSERT INTO ft_balances (wallet_id, starting, cash, peak_equity) VALUES ($1, $2, $2, $2)"
# Only before the first order: what a return was taken of must not change afterwards (D21).
RESTART_BALANCE = """
UPDATE ft_balances SET starting = $2, cash = $2, peak_equity = $2 WHERE wallet_id = $1 AND orders = 0 RETURNING 1
"""
ARCHIVE = """
UPDATE ft_wallets SET archived_at = now(), is_active = false, updated_at = now()
WHERE wallet_id = $1 AND archived_at IS NULL RETURNING *
"""
GET = "SELECT * FROM ft_wallets WHERE wallet_id = $1 AND archived_at IS NULL"
# Changes of strategies come one after another: each ends in the same row of versions, and several at once in other orders would
# wait for each other. NO KEY: who writes an order has the balance already when he looks whether the strategy is there.
LOCK_ALL = "SELECT 1 FROM strategy_version FOR UPDATE"
LOCK = "SELECT * FROM ft_wallets WHERE wallet_id = $1 AND archived_at IS NULL FOR NO KEY UPDATE"
PAGE = """
SELECT * FROM ft_wallets WHERE archived_at IS NULL AND wallet_id > $1 AND ($2::uuid IS NULL OR owner_id = $2)
ORDER BY wallet_id LIMIT $3
"""
VERSIONS = """
SELECT version, settings, changed_by, changed_at FROM ft_wallet_versions
WHERE wallet_id = $1 AND version < $2 ORDER BY version DESC LIMIT $3
"""
USER_ID = "SELECT id::text FROM profiles WHERE user_name = $1"


class StrategyConflictError(EngineError):
    """The change does not fit what is there: somebody was faster, or it may not be changed any more."""


@attrs.frozen(kw_only=True)
class StrategyVersion:
    """One version as it was kept. `settings` is a document as `config.strategy_settings` reads it."""

    version: int
    settings: dict[str, Any]
    changed_by: str
    changed_at: datetime


@attrs.define(eq=False)
class StrategyStore:
    """Strategies over a connection or a pool; one crossing a call. All methods raise `TransientError`."""

    connection: RunsWork

    async def user_id(self, user_name: str) -> str | None:
        """Returns the id of a user."""

        async def work(raw: asyncpg.Connection) -> str | None:
            found: str | None = await raw.fetchval(USER_ID, user_name)
            return found

        return await self.connection.run(work)

    async def create(
        self, strategies: Sequence[tuple[str, StrategySettings]], owner_id: str, by: str
    ) -> list[Strategy]:
        """Makes all of these strategies or none. Raises `StrategyConflictError` when one exists, or has existed."""

        async def work(raw: asyncpg.Connection) -> list[Strategy]:
            async with changing(raw):
                return [await _insert(raw, wallet_id, owner_id, settings, by) for wallet_id, settings in strategies]

        return await self.connection.run(work)

    async def update(self, wallet_id: str, settings: StrategySettings, *, version: int, by: str) -> Strategy:
        """Makes the next version of a strategy whose version is still the one given; no change makes none.

        Raises `StrategyConflictError` when it has another version by now, is gone, or the starting balance would change after
        it has traded.
        """

        async def work(raw: asyncpg.Connection) -> Strategy:
            async with changing(raw):
                return await next_version(raw, wallet_id, settings, version, by)

        return await self.connection.run(work)

    async def apply(
        self, made: Sequence[tuple[str, StrategySettings]], changed: Sequence[Strategy], owner_id: str, by: str
    ) -> None:
        """Makes some strategies and changes others, all or none; `changed` has the version that each is changed from."""

        async def work(raw: asyncpg.Connection) -> None:
            async with changing(raw):
                for wallet_id, settings in made:
                    await _insert(raw, wallet_id, owner_id, settings, by)
                for strategy in changed:
                    await next_version(raw, strategy.wallet_id, strategy.settings, strategy.version, by)

        await self.connection.run(work)

    async def archive(self, wallet_id: str) -> Strategy | None:
        """Puts a strategy away: it copies nothing more, and what is open is settled as ever. None when there is none."""

        async def work(raw: asyncpg.Connection) -> asyncpg.Record | None:
            async with changing(raw):
                return await raw.fetchrow(ARCHIVE, wallet_id)

        row = await self.connection.run(work)
        return None if row is None else strategy_of(row)

    async def get(self, wallet_id: str) -> Strategy | None:
        """Returns a strategy, or None."""

        async def work(raw: asyncpg.Connection) -> asyncpg.Record | None:
            return await raw.fetchrow(GET, wallet_id)

        row = await self.connection.run(work)
        return None if row is None else strategy_of(row)

    async def page(self, after: str = "", *, owner_id: str | None = None, rows_max: int = PAGE_ROWS) -> list[Strategy]:
        """Returns the next strategies in the order of their names; empty at the end."""

        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            return await raw.fetch(PAGE, after, owner_id, rows_max)

        return [strategy_of(row) for row in await self.connection.run(work)]

    async def all(self, *, owner_id: str | None = None) -> list[Strategy]:
        """Returns every strategy, page by page."""
        found: list[Strategy] = []
        while page := await self.page(found[-1].wallet_id if found else "", owner_id=owner_id):
            found += page
        return found

    async def versions(self, wallet_id: str, *, before: int = 2**31 - 1, rows_max: int = 100) -> list[StrategyVersion]:
        """Returns versions before a number, newest first."""

        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            return await raw.fetch(VERSIONS, wallet_id, before, rows_max)

        return [
            StrategyVersion(
                version=row["version"],
                settings=json.loads(row["settings"]),
                changed_by=row["changed_by"],
                changed_at=row["changed_at"],
            )
            for row in await self.connection.run(work)
        ]


@asynccontextmanager
async def changing(raw: asyncpg.Connection) -> AsyncIterator[None]:
    """Opens a transaction, or a part of one, in which strategies change: nobody else changes one until it ends."""
    async with raw.transaction():
        await raw.execute(LOCK_ALL)
        yield


async def _insert(
    raw: asyncpg.Connection, wallet_id: str, owner_id: str, settings: StrategySettings, by: str
) -> Strategy:
    row = await raw.fetchrow(INSERT, wallet_id, owner_id, *column_values(settings))
    if row is None:
        raise StrategyConflictError(f"there is or was a strategy {wallet_id} already")
    await raw.execute(INSERT_VERSION, wallet_id, row["version"], json.dumps(document_of(settings)), by)
    await raw.execute(INSERT_BALANCE, wallet_id, settings.starting_balance)
    return strategy_of(row)


async def next_version(
    raw: asyncpg.Connection, wallet_id: str, settings: StrategySettings, version: int, by: str
) -> Strategy:
    """Makes the next version of a strategy, while it is `changing`. Raises `StrategyConflictError`."""
    before = await raw.fetchrow(LOCK, wallet_id)
    if before is None:
        raise StrategyConflictError(f"there is no strategy {wallet_id}")
    known = strategy_of(before)
    if known.version != version:
        raise StrategyConflictError(f"{wallet_id} has version {known.version} by now, not {version}; look at it again")
    if known.settings == settings:
        return known
    if known.settings.starting_balance != settings.starting_balance and not await raw.fetchval(
        RESTART_BALANCE, wallet_id, settings.starting_balance
    ):
        raise StrategyConflictError(
            f"{wallet_id} has traded: its starting_balance stays {known.settings.starting_balance}"
        )
    row = await raw.fetchrow(UPDATE, wallet_id, version, *column_values(settings))
    assert row is not None, "the row is locked"
    await raw.execute(INSERT_VERSION, wallet_id, row["version"], json.dumps(document_of(settings)), by)
    return strategy_of(row)
