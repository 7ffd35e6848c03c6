"""Target lists that winners fill, in PostgreSQL: through the same versions as every other change of a strategy."""

from collections.abc import Sequence
from datetime import date

import asyncpg
import attrs

from engine.adapters.postgres.database import RunsWork
from engine.adapters.postgres.job_fence import fenced
from engine.adapters.postgres.strategy_rows import strategy_of
from engine.adapters.postgres.strategy_store import GET, changing, next_version
from engine.adapters.postgres.wallet_result_store import rankings_state_of
from protocols.jobs import JobLease
from protocols.strategies import Rotation, StrategySettings, TargetMode
from protocols.wallet_results import RankingsState, RotatingList

_DAYS = {Rotation.DAILY: 1, Rotation.WEEKLY: 7}
STATE = "SELECT * FROM wallet_rankings_state"
LISTS = """
SELECT * FROM ft_wallets
WHERE archived_at IS NULL AND is_active AND target_mode = 'list' AND rotation <> 'none' AND wallet_id > $1
ORDER BY wallet_id LIMIT $2
"""
WINNERS = """
SELECT wallet_address FROM wallet_realized_pnl_daily JOIN wallet_pnl_state USING (wallet_address)
WHERE is_wanted AND date BETWEEN $1 AND $2 AND NOT wallet_address = ANY ($3::text[])
GROUP BY wallet_address HAVING sum(realized_pnl) > 0
ORDER BY sum(realized_pnl) DESC, wallet_address LIMIT $4
"""


@attrs.define(eq=False)
class PostgresRotationStore:
    """`RotationStore`."""

    connection: RunsWork

    async def rankings(self) -> RankingsState | None:
        """Returns what the rankings were computed from. Raises `TransientError`."""

        async def work(raw: asyncpg.Connection) -> asyncpg.Record | None:
            return await raw.fetchrow(STATE)

        row = await self.connection.run(work)
        return None if row is None else rankings_state_of(row)

    async def lists(self, *, after: str, lists_max: int) -> list[RotatingList]:
        """Returns the next strategies that rotate. Raises `TransientError`."""

        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            return await raw.fetch(LISTS, after, lists_max)

        strategies = [strategy_of(row) for row in await self.connection.run(work)]
        return [
            RotatingList(
                wallet_id=one.wallet_id,
                days=_DAYS[one.settings.rotation],
                size=one.settings.rotation_size,
                targets=one.settings.target_traders,
                excluded=one.settings.excluded_traders,
            )
            for one in strategies
        ]

    async def winners(self, first: date, last: date, *, without: Sequence[str], wallets_max: int) -> list[str]:
        """Returns who earned most in some days. Raises `TransientError`."""

        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            return await raw.fetch(WINNERS, first, last, list(without), wallets_max)

        return [row["wallet_address"] for row in await self.connection.run(work)]

    async def write(self, lease: JobLease, wallet_id: str, targets: Sequence[str], *, by: str) -> bool:
        """Makes these the targets of a strategy in a new version. Raises `TransientError` or `FencedError`."""

        async def work(raw: asyncpg.Connection) -> bool:
            async with fenced(raw, lease), changing(raw):
                row = await raw.fetchrow(GET, wallet_id)
                known = None if row is None else strategy_of(row)
                if known is None or not _rotates(known.settings):
                    return False
                # As its owner has it by now, who may have changed it since winners were looked up.
                allowed = [one for one in targets if one not in known.settings.excluded_traders]
                if not allowed:
                    return False
                wanted = attrs.evolve(known.settings, target_traders=tuple(allowed[: known.settings.rotation_size]))
                return await next_version(raw, wallet_id, wanted, known.version, by) != known

        return await self.connection.run(work)


def _rotates(settings: StrategySettings) -> bool:
    is_list = settings.target_mode is TargetMode.LIST
    return is_list and settings.is_active and settings.rotation is not Rotation.NONE
