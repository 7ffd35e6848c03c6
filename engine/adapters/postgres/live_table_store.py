"""What the engine reads of live strategies: all with their paper strategies, the halt and the breakers, in one snapshot."""

from typing import Any

import asyncpg
import attrs

from engine.adapters.postgres.database import RunsWork
from engine.adapters.postgres.live_order_rows import balance_of
from engine.adapters.postgres.strategy_rows import from_column, strategy_of
from protocols.live.settings import Halt, LiveSettings, LiveStrategy, LiveTable

VERSION = "SELECT version FROM lt_control"
CONTROL = """
SELECT version, halted_by, halted_reason, (extract(epoch FROM halted_at) * 1000)::bigint AS halted_ms FROM lt_control
"""
# Archived ones too: what they hold is followed to its end (D20).
STRATEGIES = """
SELECT *, (extract(epoch FROM launched_at) * 1000)::bigint AS launched_ms FROM lt_strategies ORDER BY strategy_id
"""
BALANCES = "SELECT * FROM lt_balances ORDER BY strategy_id"
PAPER = "SELECT * FROM ft_wallets WHERE wallet_id = ANY ($1::text[])"
FIELDS: "tuple[attrs.Attribute[Any], ...]" = tuple(attrs.fields(LiveSettings))


@attrs.define(eq=False)
class PostgresLiveTableStore:
    """`LiveTableStore`."""

    connection: RunsWork

    async def version(self) -> int:
        """Returns a number that changes with live strategies, their paper strategies and the halt. Raises `TransientError`."""

        async def work(raw: asyncpg.Connection) -> int:
            return int(await raw.fetchval(VERSION))

        return await self.connection.run(work)

    async def table(self) -> LiveTable:
        """Returns everything as of one moment. Raises `TransientError`."""
        return await self.connection.run(_table)


async def _table(raw: asyncpg.Connection) -> LiveTable:
    async with raw.transaction(isolation="repeatable_read", readonly=True):
        control = await raw.fetchrow(CONTROL)
        assert control is not None
        rows = await raw.fetch(STRATEGIES)
        balances = [balance_of(row) for row in await raw.fetch(BALANCES)]
        paper = {row["wallet_id"]: row for row in await raw.fetch(PAPER, [row["ft_wallet_id"] for row in rows])}
    halt = None
    if control["halted_by"] is not None:
        halt = Halt(by=control["halted_by"], reason=control["halted_reason"] or "", since_ms=control["halted_ms"])
    return LiveTable(
        version=control["version"],
        strategies=[live_strategy_of(row, paper[row["ft_wallet_id"]]) for row in rows],
        halt=halt,
        breakers={row["strategy_id"]: row["breaker_reason"] for row in rows if row["breaker_reason"] is not None},
        balances=balances,
    )


def live_settings_of(row: asyncpg.Record) -> LiveSettings:
    """Returns the settings in a row of `lt_strategies`."""
    return LiveSettings(**{field.name: from_column(row[field.name], field) for field in FIELDS})


def live_strategy_of(row: asyncpg.Record, paper: asyncpg.Record) -> LiveStrategy:
    """Returns the strategy in a row of `lt_strategies` with `launched_ms`, and the row of its paper strategy."""
    twin = strategy_of(paper)
    return LiveStrategy(
        strategy_id=row["strategy_id"],
        user_id=str(row["user_id"]),
        ft_wallet_id=row["ft_wallet_id"],
        account=row["account"],
        is_active=row["is_active"],
        is_paused=row["is_paused"],
        version=row["version"],
        settings=live_settings_of(row),
        ft_settings=twin.settings,
        ft_version=twin.version,
        launched_ms=row["launched_ms"],
    )
