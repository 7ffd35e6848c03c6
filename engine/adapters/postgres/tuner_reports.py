"""What people read of the tuner: proposals and notes, newest first."""

from collections.abc import Sequence

import asyncpg
import attrs

from engine.adapters.postgres import tuner_statements as sql
from engine.adapters.postgres.database import RunsWork
from engine.adapters.postgres.tuner_rows import note_of, proposal_of
from protocols.tuner import Note, Proposal, ProposalStatus

NO_MORE = 2**63 - 1


@attrs.define(eq=False)
class PostgresTunerReports:
    """Lists in keyset pages. All methods raise `TransientError`."""

    connection: RunsWork

    async def proposal(self, proposal_id: int) -> Proposal | None:
        """Returns one proposal, or None."""

        async def work(raw: asyncpg.Connection) -> asyncpg.Record | None:
            return await raw.fetchrow(sql.ONE, proposal_id)

        row = await self.connection.run(work)
        return None if row is None else proposal_of(row)

    async def proposals(
        self,
        *,
        owner_id: str | None = None,
        wallet_id: str | None = None,
        statuses: Sequence[ProposalStatus] | None = None,
        before: int = NO_MORE,
        rows_max: int,
    ) -> list[Proposal]:
        """Returns proposals with smaller ids, newest first; of one owner and strategy, or of all."""
        wanted = None if statuses is None else [one.value for one in statuses]

        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            return await raw.fetch(sql.PAGE, owner_id, wallet_id, wanted, before, rows_max)

        return [proposal_of(row) for row in await self.connection.run(work)]

    async def notes(
        self, *, owner_id: str | None = None, wallet_id: str | None = None, before: int = NO_MORE, rows_max: int
    ) -> list[Note]:
        """Returns notes with smaller ids, newest first."""

        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            return await raw.fetch(sql.NOTES, owner_id, wallet_id, before, rows_max)

        return [note_of(row) for row in await self.connection.run(work)]
