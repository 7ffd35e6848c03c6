"""Results of copyability in PostgreSQL: whom to look at, what came of it, and who is worth copying."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg
import attrs
import msgspec

from engine.adapters.postgres import copyability_statements as sql
from engine.adapters.postgres.database import RunsWork
from engine.adapters.postgres.job_fence import fenced
from protocols.copyability import Copyability, DueTraders
from protocols.jobs import JobLease

_decode = msgspec.json.Decoder(Copyability).decode
_encode = msgspec.json.Encoder().encode


@attrs.define(eq=False)
class PostgresCopyabilityStore:
    """`CopyabilityStore`."""

    connection: RunsWork

    async def due(
        self, *, top: int, computed_before: datetime, after: tuple[int, str] | None, wallets_max: int
    ) -> DueTraders:
        """Returns the next traders whose result is older. Raises `TransientError`."""
        group, wallet = after or (-1, "")
        rows = await self.connection.run(
            lambda raw: raw.fetch(sql.DUE, top, computed_before, group, wallet, wallets_max)
        )
        last = (rows[-1]["group"], rows[-1]["wallet"]) if len(rows) == wallets_max else None
        return DueTraders(wallets=[row["wallet"] for row in rows], after=last)

    async def put(self, lease: JobLease, results: Sequence[Copyability]) -> int:
        """Keeps results in one transaction. Raises `TransientError` or `FencedError`."""

        async def work(raw: asyncpg.Connection) -> int:
            async with fenced(raw, lease):
                await raw.executemany(sql.PUT, [row_of(one) for one in results])
            return len(results)

        return await self.connection.run(work)

    async def drop_stale(self, lease: JobLease, computed_before: datetime, rows_max: int) -> int:
        """Deletes results that nobody has renewed. Raises `TransientError` or `FencedError`."""

        async def work(raw: asyncpg.Connection) -> int:
            async with fenced(raw, lease):
                return len(await raw.fetch(sql.DROP_STALE, computed_before, rows_max))

        return await self.connection.run(work)


@attrs.define(eq=False)
class PostgresCopyabilityReports:
    """`CopyabilityReports`, over a connection or a pool."""

    connection: RunsWork

    async def find(self, wallet: str) -> Copyability | None:
        """Returns the kept result of a trader. Raises `TransientError`."""
        text: str | None = await self.connection.run(lambda raw: raw.fetchval(sql.FIND, wallet))
        return None if text is None else _decode(text)


def row_of(one: Copyability) -> tuple[Any, ...]:
    """Returns the values of `PUT`."""
    return (
        one.wallet,
        one.size_usd,
        one.grade,
        one.net_return,
        one.low,
        one.high,
        one.capacity,
        one.capacity_usd,
        one.copied,
        one.days,
        _encode(one).decode(),
        one.computed_at,
    )
