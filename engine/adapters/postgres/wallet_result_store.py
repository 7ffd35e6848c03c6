"""What traders earned, in PostgreSQL: positions, days that follow from them, rankings that follow from the days."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import asyncpg
import attrs

from actors.rules.wallet_results import newest_by_token, ranking_windows
from engine.adapters.postgres import wallet_result_statements as sql
from engine.adapters.postgres.database import RunsWork, row_count
from engine.adapters.postgres.job_fence import fenced, fenced_at_end
from protocols.jobs import JobLease
from protocols.timestamps import utc_datetime
from protocols.wallet_results import DuePage, DueWallet, PositionResult, RankingsState

# As asyncpg writes minus infinity.
_FIRST = (datetime.min.replace(tzinfo=UTC), "")
ERROR_CHARS_MAX = 500


@attrs.define(eq=False)
class PostgresWalletResultStore:
    """`WalletResultStore`. Not over the connection that extends the leases of jobs."""

    connection: RunsWork

    async def enlist(self, lease: JobLease) -> int:
        """Finds whose results are wanted. Raises `TransientError` or `FencedError`."""

        async def work(raw: asyncpg.Connection) -> int:
            async with fenced_at_end(raw, lease):
                await raw.execute(sql.FORGET_ALL)
                return int(await raw.fetchval(sql.ENLIST))

        return await self.connection.run(work)

    async def due(self, *, begun_ms: int, after: tuple[datetime, str] | None, wallets_max: int) -> DuePage:
        """Returns wanted wallets that were not tried since a moment. Raises `TransientError`."""

        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            return await raw.fetch(sql.DUE, utc_datetime(begun_ms), *(after or _FIRST), wallets_max)

        rows = await self.connection.run(work)
        more = len(rows) == wallets_max
        return DuePage(
            wallets=[
                DueWallet(
                    wallet=row["wallet_address"],
                    newest_close_ms=milliseconds(row["newest_close_at"]),
                    read_ms=milliseconds(row["last_backfilled_at"]),
                )
                for row in rows
            ],
            after=(rows[-1]["attempted_at"], rows[-1]["wallet_address"]) if more else None,
        )

    async def stage(self, lease: JobLease, wallet: str, results: Sequence[PositionResult]) -> None:
        """Puts aside a part of what a wallet has. Raises `TransientError` or `FencedError`."""

        async def work(raw: asyncpg.Connection) -> None:
            async with fenced(raw, lease):
                await raw.execute(sql.STAGE, lease.run_id, wallet, *_columns(results))

        await self.connection.run(work)

    async def forget(self, lease: JobLease, wallet: str) -> None:
        """Throws away what was put aside of a wallet. Raises `TransientError` or `FencedError`."""

        async def work(raw: asyncpg.Connection) -> None:
            async with fenced(raw, lease):
                await raw.execute(sql.FORGET, lease.run_id, wallet)

        await self.connection.run(work)

    async def commit(self, lease: JobLease, wallet: str, results: Sequence[PositionResult], *, read_ms: int) -> int:
        """Writes all of a wallet and returns how many positions changed. Raises `TransientError` or `FencedError`."""

        async def work(raw: asyncpg.Connection) -> int:
            async with fenced_at_end(raw, lease):
                if results:
                    await raw.execute(sql.STAGE, lease.run_id, wallet, *_columns(results))
                changed = 0
                for statement in (sql.MERGE_CLOSED, sql.MERGE_LOST, sql.DROP_PAID):
                    changed += row_count(await raw.execute(statement, lease.run_id, wallet))
                await raw.execute(sql.FORGET, lease.run_id, wallet)
                await raw.execute(sql.COUNT_DAYS, wallet)
                await raw.execute(sql.REFRESH_TRADER, wallet)
                await raw.execute(sql.MARK_READ, wallet, utc_datetime(read_ms))
                return changed

        return await self.connection.run(work)

    async def fail(self, lease: JobLease, wallet: str, error: str, *, at_ms: int) -> None:
        """Says that a wallet could not be read. Raises `TransientError` or `FencedError`."""

        async def work(raw: asyncpg.Connection) -> None:
            async with fenced(raw, lease):
                await raw.execute(sql.FORGET, lease.run_id, wallet)
                await raw.execute(sql.MARK_FAILED, wallet, utc_datetime(at_ms), error[:ERROR_CHARS_MAX])

        await self.connection.run(work)

    async def rank(self, lease: JobLease, *, begun_ms: int) -> RankingsState | None:
        """Ranks the wanted wallets anew. Raises `TransientError` or `FencedError`."""

        async def work(raw: asyncpg.Connection) -> asyncpg.Record | None:
            async with fenced_at_end(raw, lease):
                await raw.execute(sql.UNRANK)
                bounds = await raw.fetchrow(sql.BOUNDS)
                if bounds is None or bounds["anchor"] is None:
                    await raw.execute(sql.FORGET_RANKINGS)
                    return None
                windows = ranking_windows(bounds["anchor"], bounds["first"])
                await raw.execute(sql.RANK, *(list(column) for column in zip(*windows, strict=True)))
                return await raw.fetchrow(sql.MARK_RANKED, bounds["anchor"], utc_datetime(begun_ms))

        row = await self.connection.run(work)
        return None if row is None else rankings_state_of(row)


def rankings_state_of(row: asyncpg.Record) -> RankingsState:
    """Returns what a row of `wallet_rankings_state` says."""
    return RankingsState(
        anchor=row["anchor_date"],
        wallets=row["wallets"],
        wallets_failed=row["wallets_failed"],
        wallets_waiting=row["wallets_waiting"],
        read_since_ms=round(row["read_since"].timestamp() * 1000),
    )


def milliseconds(moment: datetime | None) -> int | None:
    """Returns a moment as milliseconds since the epoch."""
    return None if moment is None else round(moment.timestamp() * 1000)


def _columns(results: Sequence[PositionResult]) -> list[list[Any]]:
    """One list a column, as `STAGE` wants them; a statement may touch a row only once."""
    rows = [
        (
            one.token_id,
            one.kind.value,
            one.condition_id,
            one.text.outcome,
            one.text.outcome_index,
            one.text.title,
            one.text.slug,
            one.text.event_slug,
            Decimal(one.bought_micro).scaleb(-6),
            one.average_price,
            one.realized_usd,
            utc_datetime(one.closed_ms),
            None if one.last_event_ms is None else utc_datetime(one.last_event_ms),
        )
        for one in newest_by_token(results)
    ]
    return [list(column) for column in zip(*rows, strict=True)]
