"""Audits of the stream's coverage in PostgreSQL, and what people read of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
import attrs

from engine.adapters.postgres import coverage_statements as sql
from engine.adapters.postgres.database import RunsWork
from engine.adapters.postgres.job_fence import fenced
from protocols.coverage import (
    AuditedWindow,
    CoverageCounts,
    CoverageSummary,
    DueWallet,
    Miss,
    RecordedMiss,
    WalletCoverage,
)
from protocols.jobs import JobLease
from protocols.text import storable
from protocols.trades import Lane

ERROR_CHARS_MAX = 300
_COUNTS = tuple(field.name for field in attrs.fields(CoverageCounts))


@attrs.define(eq=False)
class PostgresCoverageStore:
    """`CoverageStore` and `CoverageReports`. Not over the connection that extends the leases of jobs."""

    connection: RunsWork

    async def sync(
        self, lease: JobLease, wallets: Sequence[tuple[str, Lane]], *, after: str, at_end: bool, now_s: int
    ) -> None:
        """Makes the known wallets of a range those given. Raises `TransientError` or `FencedError`."""
        names = [wallet for wallet, _ in wallets]
        last = names[-1] if names else after

        async def work(raw: asyncpg.Connection) -> None:
            async with fenced(raw, lease):
                await raw.execute(sql.FORGET_WALLETS, after, at_end, last, names)
                await raw.execute(sql.KNOW_WALLETS, names, [lane.value for _, lane in wallets], now_s)

        await self.connection.run(work)

    async def due(self, lane: Lane, *, until_s: int, wallets_max: int) -> list[DueWallet]:
        """Returns wallets whose turn it is. Raises `TransientError`."""
        rows = await self._rows(sql.DUE, lane.value, until_s, wallets_max)
        return [
            DueWallet(wallet=row["wallet"], lane=Lane(row["lane"]), audited_until_s=row["audited_until_s"])
            for row in rows
        ]

    async def sources(self, trade_ids: Sequence[str]) -> Mapping[str, str | None]:
        """Returns who brought each of these trades. Raises `TransientError`."""
        return {row["trade_id"]: row["source"] for row in await self._rows(sql.SOURCES, list(trade_ids))}

    async def trade_ids(self, wallet: str, since_s: int, until_s: int, *, ids_max: int) -> list[str]:
        """Returns ids of our trades of a wallet. Raises `TransientError`."""
        return [row["trade_id"] for row in await self._rows(sql.TRADE_IDS, wallet, since_s, until_s, ids_max)]

    async def keep_misses(self, lease: JobLease, misses: Sequence[Miss]) -> int:
        """Keeps misses and returns how many are new. Raises `TransientError` or `FencedError`."""
        columns = (
            [one.trade_id for one in misses],
            [one.wallet for one in misses],
            [one.source for one in misses],
            [one.trade_ms for one in misses],
        )
        return int(await self._fenced(lease, sql.KEEP_MISSES, *columns))

    async def close_window(self, lease: JobLease, window: AuditedWindow, *, now_ms: int) -> None:
        """Keeps a window and how far its wallet is audited, or neither. Raises `TransientError` or `FencedError`."""
        counts = window.counts

        async def work(raw: asyncpg.Connection) -> None:
            async with fenced(raw, lease):
                await raw.execute(
                    sql.CLOSE_WINDOW,
                    window.wallet,
                    window.lane.value,
                    window.since_s,
                    window.until_s,
                    window.skipped_s,
                    *(getattr(counts, name) for name in _COUNTS),
                )
                await raw.execute(sql.AUDITED, window.wallet, window.until_s, now_ms)

        await self.connection.run(work)

    async def failed(self, lease: JobLease, wallet: str, error: str, *, now_ms: int) -> None:
        """Notes a try that came to nothing. Raises `TransientError` or `FencedError`."""
        await self._fenced(lease, sql.FAILED, wallet, storable(error)[:ERROR_CHARS_MAX], now_ms)

    async def mark_recorded(self, lease: JobLease, *, rows_max: int) -> int:
        """Marks misses that are in the database now. Raises `TransientError` or `FencedError`."""
        return int(await self._fenced(lease, sql.MARK_RECORDED, rows_max))

    async def unrecorded(self, *, since_ms: int, rows_max: int) -> list[Miss]:
        """Returns misses that are still missing. Raises `TransientError`."""
        return [Miss(**row) for row in await self._rows(sql.UNRECORDED, since_ms, rows_max)]

    async def prune(self, lease: JobLease, *, before_ms: int, rows_max: int) -> int:
        """Forgets some windows and misses from before a moment. Raises `TransientError` or `FencedError`."""

        async def work(raw: asyncpg.Connection) -> int:
            async with fenced(raw, lease):
                tags = [
                    await raw.execute(statement, before_ms, rows_max)
                    for statement in (sql.PRUNE_WINDOWS, sql.PRUNE_MISSES)
                ]
                return sum(int(tag.rpartition(" ")[2]) for tag in tags)

        return await self.connection.run(work)

    async def summary(self, *, since_ms: int) -> Mapping[Lane, CoverageSummary]:
        """Returns what the windows closed since a moment come to, by lane. Raises `TransientError`."""
        return {
            Lane(row["lane"]): CoverageSummary(counts=_counts(row), wallets=row["wallets"], closed_ms=row["closed_ms"])
            for row in await self._rows(sql.SUMMARY, since_ms)
        }

    async def wallets(self, *, since_ms: int, after: str, rows_max: int) -> list[WalletCoverage]:
        """Returns wallets in their order. Raises `TransientError`."""
        return [
            WalletCoverage(
                wallet=row["wallet"],
                lane=Lane(row["lane"]),
                audited_until_s=row["audited_until_s"],
                tried_ms=row["tried_ms"],
                failures=row["failures"],
                last_error=row["last_error"],
                counts=_counts(row),
            )
            for row in await self._rows(sql.WALLETS, since_ms, after, rows_max)
        ]

    async def misses(
        self, *, wallet: str | None, only_open: bool, before: int | None, rows_max: int
    ) -> list[RecordedMiss]:
        """Returns misses, newest found first. Raises `TransientError`."""
        return [
            RecordedMiss(
                miss_id=row["miss_id"],
                miss=Miss(**{name: row[name] for name in ("trade_id", "wallet", "source", "trade_ms")}),
                found_ms=row["found_ms"],
                recorded_ms=row["recorded_ms"],
                recorded_source=row["recorded_source"],
            )
            for row in await self._rows(sql.MISSES, wallet, only_open, before, rows_max)
        ]

    async def _rows(self, statement: str, *values: Any) -> list[asyncpg.Record]:
        return await self.connection.run(lambda raw: raw.fetch(statement, *values))

    async def _fenced(self, lease: JobLease, statement: str, *values: Any) -> Any:
        async def work(raw: asyncpg.Connection) -> Any:
            async with fenced(raw, lease):
                return await raw.fetchval(statement, *values)

        return await self.connection.run(work)


def _counts(row: asyncpg.Record) -> CoverageCounts:
    return CoverageCounts(**{name: row[name] for name in _COUNTS})
