"""What the engine reads of strategies: all of them, and whom they mean, in one snapshot."""

import asyncpg
import attrs

from engine.adapters.postgres.database import RunsWork
from engine.adapters.postgres.strategy_rows import strategy_of
from protocols.strategies import StrategyTable, TargetMode

# Both only ever rise, so their sum changes when one of them does.
VERSION = """
SELECT (SELECT version FROM strategy_version) + (SELECT version FROM target_version) AS version
"""
STRATEGIES = "SELECT * FROM ft_wallets WHERE archived_at IS NULL ORDER BY number"
FOLLOWED = "SELECT user_id::text AS owner_id, trader_wallet FROM follows WHERE active AND user_id = ANY ($1::uuid[])"
LEADERBOARD = "SELECT wallet_address FROM traders WHERE is_active"


@attrs.define(eq=False)
class PostgresStrategyTableStore:
    """`StrategyTableStore`."""

    connection: RunsWork

    async def version(self) -> int:
        """Returns a number that changes with strategies, follows and traders. Raises `TransientError`."""

        async def work(raw: asyncpg.Connection) -> int:
            return int(await raw.fetchval(VERSION))

        return await self.connection.run(work)

    async def table(self) -> StrategyTable:
        """Returns everything as of one moment. Raises `TransientError`."""
        return await self.connection.run(_table)


async def _table(raw: asyncpg.Connection) -> StrategyTable:
    async with raw.transaction(isolation="repeatable_read", readonly=True):
        version = int(await raw.fetchval(VERSION))
        strategies = [strategy_of(row) for row in await raw.fetch(STRATEGIES)]
        active = [strategy for strategy in strategies if strategy.settings.is_active]
        owners = {s.owner_id for s in active if s.settings.target_mode is TargetMode.FOLLOWED}
        followed: dict[str, set[str]] = {owner: set() for owner in owners}
        for row in await raw.fetch(FOLLOWED, list(owners)) if owners else ():
            followed[row["owner_id"]].add(row["trader_wallet"])
        needs_leaders = any(s.settings.target_mode is TargetMode.LEADERBOARD for s in active)
        leaders = [row["wallet_address"] for row in await raw.fetch(LEADERBOARD)] if needs_leaders else []
    return StrategyTable(version=version, strategies=strategies, followed=followed, leaderboard=leaders)
