"""What the tuner's job keeps in PostgreSQL, and how a proposal is decided: in one transaction with its version."""

import json

import asyncpg
import attrs
import msgspec

from config.tuner import TunerConfig
from engine.adapters.postgres import tuner_statements as sql
from engine.adapters.postgres.database import RunsWork
from engine.adapters.postgres.job_fence import fenced
from engine.adapters.postgres.strategy_store import changing
from engine.adapters.postgres.tuner_deciding import applied, decided, locked, propose, undecided
from engine.adapters.postgres.tuner_judging import judged
from protocols.jobs import JobLease
from protocols.text import storable
from protocols.tuner import TUNER, Proposal, ProposalKind, ProposalStatus, TunerCounts
from protocols.tuner_search import Finding, SearchOrder, Subject

BY_TUNER = "applied by the tuner"


@attrs.define(eq=False)
class PostgresTunerStore:
    """`TunerJobStore`, and decisions of people. All methods raise `TransientError`."""

    connection: RunsWork
    config: TunerConfig

    async def expire(self, lease: JobLease) -> int:
        """Ends what nobody decided in time, and returns how many. Raises `FencedError`."""

        async def work(raw: asyncpg.Connection) -> int:
            async with fenced(raw, lease):
                return len(await raw.fetch(sql.EXPIRE))

        return await self.connection.run(work)

    async def due_evaluations(self) -> list[int]:
        """Returns ids of what was applied at least a day ago and has no outcome."""
        return await self._ids(sql.DUE_EVALUATIONS)

    async def self_applicable(self) -> list[int]:
        """Returns ids of what the tuner may apply itself."""
        return await self._ids(sql.SELF_APPLICABLE)

    async def subjects(self) -> SearchOrder:
        """Returns the strategies whose turn it is, and the database's time."""

        async def work(raw: asyncpg.Connection) -> SearchOrder:
            async with raw.transaction(isolation="repeatable_read", readonly=True):
                rows = await raw.fetch(sql.SUBJECTS, self.config.validation_days)
                now_ms: int = await raw.fetchval(sql.NOW_MS)
            return SearchOrder(subjects=[Subject(**row) for row in rows], now_ms=now_ms)

        return await self.connection.run(work)

    async def record(self, lease: JobLease, finding: Finding) -> int | None:
        """Keeps what a look found, once a day; returns the id of the proposal that it made. Raises `FencedError`."""
        evidence = "{}" if finding.evidence is None else msgspec.json.encode(finding.evidence).decode()
        validation = None if finding.evidence is None else finding.evidence.validation
        validated_until = None if validation is None else validation.until

        async def work(raw: asyncpg.Connection) -> int | None:
            async with fenced(raw, lease), changing(raw):
                name = finding.wallet_id
                if not await raw.fetchval(sql.CARED_FOR, name):
                    return None
                if await raw.fetchval(sql.OBSERVE, name, finding.text, evidence, validated_until) is None:
                    return None
                if not finding.after:
                    return None
                proposal_id: int | None = await propose(raw, ProposalKind.CHANGE, finding, evidence, None, self.config)
                if proposal_id is not None:
                    await raw.execute(sql.SUPPOSE, name, _expectation(finding), json.dumps(finding.after), proposal_id)
                return proposal_id

        return await self.connection.run(work)

    async def apply(self, lease: JobLease, proposal_id: int) -> ProposalStatus | None:
        """Applies one in the tuner's own name, where it may. Raises `FencedError`."""

        async def work(raw: asyncpg.Connection) -> ProposalStatus | None:
            async with fenced(raw, lease), changing(raw):
                proposal = await locked(raw, proposal_id)
                if proposal is None or proposal.status is not ProposalStatus.WAITING:
                    return None
                if proposal.mirrored or not proposal.applies_itself or proposal.kind is not ProposalKind.CHANGE:
                    return None
                return (await applied(raw, proposal, TUNER, BY_TUNER)).status

        return await self.connection.run(work)

    async def approve(self, proposal_id: int, by: str) -> Proposal:
        """Applies one, as a person wants it; returns it APPLIED, or REFUSED with the reason.

        Raises `TunerConflictError` when it is decided already or unknown.
        """

        async def work(raw: asyncpg.Connection) -> Proposal:
            async with raw.transaction(), changing(raw):
                return await applied(raw, await undecided(raw, proposal_id), by, f"approved by {by}")

        return await self.connection.run(work)

    async def reject(self, proposal_id: int, by: str, reason: str) -> Proposal:
        """Ends one, as a person wants it. Raises `TunerConflictError` when it is decided already or unknown."""

        async def work(raw: asyncpg.Connection) -> Proposal:
            async with raw.transaction():
                await undecided(raw, proposal_id)
                return await decided(raw, proposal_id, ProposalStatus.REJECTED, storable(reason) or None, by, None)

        return await self.connection.run(work)

    async def evaluate(self, lease: JobLease, proposal_id: int) -> ProposalStatus | None:
        """Decides the outcome of one and takes back what degraded. Raises `FencedError`."""

        async def work(raw: asyncpg.Connection) -> ProposalStatus | None:
            async with fenced(raw, lease), changing(raw):
                proposal = await locked(raw, proposal_id)
                return None if proposal is None else await judged(raw, proposal, self.config)

        return await self.connection.run(work)

    async def prune(self, lease: JobLease, *, rows_max: int) -> int:
        """Deletes some of what is too old, and returns how many rows. Raises `FencedError`."""

        async def work(raw: asyncpg.Connection) -> int:
            async with fenced(raw, lease):
                statements = (sql.PRUNE_NOTES, sql.PRUNE_PROPOSALS)
                tags = [await raw.execute(one, self.config.keep_days, rows_max) for one in statements]
            return sum(int(tag.rpartition(" ")[2]) for tag in tags)

        return await self.connection.run(work)

    async def counts(self) -> TunerCounts:
        """Returns what stands where."""

        async def work(raw: asyncpg.Connection) -> TunerCounts:
            [row] = await raw.fetch(sql.COUNTS)
            return TunerCounts(**row)

        return await self.connection.run(work)

    async def _ids(self, statement: str) -> list[int]:
        async def work(raw: asyncpg.Connection) -> list[int]:
            return [row["proposal_id"] for row in await raw.fetch(statement)]

        return await self.connection.run(work)


def _expectation(finding: Finding) -> str:
    moves = ", ".join(f"{name} {finding.before[name]} → {finding.after[name]}" for name in finding.after)
    return f"{moves}. {finding.text}"
