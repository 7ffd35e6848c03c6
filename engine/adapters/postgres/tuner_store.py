"""What the tuner's job keeps in PostgreSQL, and how a proposal is decided: in one transaction with its version."""

import json
from datetime import datetime

import asyncpg
import attrs
import msgspec

from actors.rules.tuner.applying import Asked, applied_to, rolled_back
from actors.rules.tuner.verdict import DAYS_AFTER_MAX, DAYS_BEFORE, Measured, Outcome, Verdict, verdict_of
from config.tuner import TunerConfig
from engine.adapters.postgres import tuner_statements as sql
from engine.adapters.postgres.database import RunsWork
from engine.adapters.postgres.job_fence import fenced
from engine.adapters.postgres.strategy_rows import strategy_of
from engine.adapters.postgres.strategy_store import GET, StrategyConflictError, changing, next_version
from engine.adapters.postgres.tuner_rows import measured_of, proposal_of
from protocols.jobs import JobLease
from protocols.strategies import Strategy
from protocols.tuner import (
    TUNER,
    Finding,
    Proposal,
    ProposalKind,
    ProposalStatus,
    SearchOrder,
    Subject,
    TunerCounts,
)

BY_TUNER = "applied by the tuner"
TAKEN_BACK = "rolled back by the tuner"


class TunerConflictError(StrategyConflictError):
    """The proposal has been decided already, or there is none."""


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
                proposal_id: int | None = await _propose(raw, ProposalKind.CHANGE, finding, evidence, None, self.config)
                if proposal_id is not None:
                    await raw.execute(sql.SUPPOSE, name, _expectation(finding), json.dumps(finding.after), proposal_id)
                return proposal_id

        return await self.connection.run(work)

    async def apply(self, lease: JobLease, proposal_id: int) -> ProposalStatus | None:
        """Applies one in the tuner's own name, where it may. Raises `FencedError`."""

        async def work(raw: asyncpg.Connection) -> ProposalStatus | None:
            async with fenced(raw, lease), changing(raw):
                proposal = await _locked(raw, proposal_id)
                if proposal is None or proposal.status is not ProposalStatus.WAITING:
                    return None
                if proposal.mirrored or not proposal.applies_itself or proposal.kind is not ProposalKind.CHANGE:
                    return None
                return (await _applied(raw, proposal, TUNER, BY_TUNER)).status

        return await self.connection.run(work)

    async def approve(self, proposal_id: int, by: str) -> Proposal:
        """Applies one, as a person wants it; returns it APPLIED, or REFUSED with the reason.

        Raises `TunerConflictError` when it is decided already or unknown.
        """

        async def work(raw: asyncpg.Connection) -> Proposal:
            async with raw.transaction(), changing(raw):
                return await _applied(raw, await _waiting(raw, proposal_id), by, f"approved by {by}")

        return await self.connection.run(work)

    async def reject(self, proposal_id: int, by: str, reason: str) -> Proposal:
        """Ends one, as a person wants it. Raises `TunerConflictError` when it is decided already or unknown."""

        async def work(raw: asyncpg.Connection) -> Proposal:
            async with raw.transaction():
                await _waiting(raw, proposal_id)
                return await _decided(raw, proposal_id, ProposalStatus.REJECTED, reason or None, by, None)

        return await self.connection.run(work)

    async def evaluate(self, lease: JobLease, proposal_id: int) -> ProposalStatus | None:
        """Decides the outcome of one and takes back what degraded. Raises `FencedError`."""

        async def work(raw: asyncpg.Connection) -> ProposalStatus | None:
            async with fenced(raw, lease), changing(raw):
                proposal = await _locked(raw, proposal_id)
                if proposal is None or proposal.status is not ProposalStatus.APPLIED or proposal.applied_at is None:
                    return None
                days = min(DAYS_AFTER_MAX, await raw.fetchval(sql.DAYS_SINCE, proposal.applied_at))
                if days < 1:
                    return None
                before, after = await _measured(raw, proposal, proposal.applied_at, days)
                verdict = verdict_of(
                    before,
                    after,
                    days_after=days,
                    orders_min=self.config.evaluation_orders_min,
                    errors_min=self.config.evaluation_errors_min,
                )
                if verdict is None:
                    return None
                return await self._end(raw, proposal, verdict, _measure_document(before, after, verdict, days))

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

    async def _end(
        self, raw: asyncpg.Connection, proposal: Proposal, verdict: Verdict, evaluation: str
    ) -> ProposalStatus:
        status, reason = ProposalStatus(verdict.outcome.value), None
        if not verdict.enough:
            reason = (
                f"fewer than {self.config.evaluation_orders_min} orders before or after it in {DAYS_AFTER_MAX} days"
            )
        asks = False
        if verdict.outcome is Outcome.DEGRADED:
            strategy = await _strategy(raw, proposal.wallet_id)
            settings = rolled_back(proposal.before, proposal.after, strategy)
            if isinstance(settings, str):
                reason = f"not rolled back: {settings}"
            elif proposal.mirrored:
                reason, asks = "a live strategy mirrors it: taking it back waits for a person", True
            elif strategy is not None:
                by = f"tuner proposal {proposal.proposal_id}, {TAKEN_BACK}"
                await next_version(raw, proposal.wallet_id, settings, strategy.version, by)
                status = ProposalStatus.ROLLED_BACK
        await raw.execute(sql.END, proposal.proposal_id, status.value, reason, evaluation)
        if asks and proposal.applied_version is not None:
            back = Finding(
                wallet_id=proposal.wallet_id, version=proposal.applied_version, text="", before=dict(proposal.after),
                after=dict(proposal.before), evidence=None,
            )  # fmt: skip
            await _propose(raw, ProposalKind.ROLLBACK, back, evaluation, proposal.proposal_id, self.config)
        return status


async def _strategy(raw: asyncpg.Connection, wallet_id: str) -> Strategy | None:
    row = await raw.fetchrow(GET, wallet_id)
    return None if row is None else strategy_of(row)


async def _locked(raw: asyncpg.Connection, proposal_id: int) -> Proposal | None:
    row = await raw.fetchrow(sql.LOCKED, proposal_id)
    return None if row is None else proposal_of(row)


async def _waiting(raw: asyncpg.Connection, proposal_id: int) -> Proposal:
    proposal = await _locked(raw, proposal_id)
    if proposal is None:
        raise TunerConflictError(f"there is no proposal {proposal_id}")
    if proposal.status is not ProposalStatus.WAITING:
        raise TunerConflictError(f"proposal {proposal_id} is {proposal.status.value} already")
    return proposal


async def _applied(raw: asyncpg.Connection, proposal: Proposal, by: str, how: str) -> Proposal:
    """Makes the version, or refuses for the reason that holds now; while strategies are `changing`."""
    strategy = await _strategy(raw, proposal.wallet_id)
    searched = await raw.fetchval(sql.SEARCHED, proposal.wallet_id, proposal.version)
    asked = Asked(
        kind=proposal.kind,
        before=proposal.before,
        after=proposal.after,
        searched={} if searched is None else json.loads(searched),
    )
    settings = applied_to(asked, strategy)
    if isinstance(settings, str) or strategy is None:
        return await _decided(raw, proposal.proposal_id, ProposalStatus.REFUSED, str(settings), by, None)
    name = f"tuner proposal {proposal.proposal_id}, {how}"
    made = await next_version(raw, proposal.wallet_id, settings, strategy.version, name)
    if made.version == strategy.version:
        reason = "the strategy has these settings already"
        return await _decided(raw, proposal.proposal_id, ProposalStatus.REFUSED, reason, by, None)
    done = await _decided(raw, proposal.proposal_id, ProposalStatus.APPLIED, None, by, made.version)
    if (undoes := await raw.fetchval(sql.UNDOES, proposal.proposal_id)) is not None:
        await raw.execute(sql.UNDONE, undoes, f"taken back by {by}")
    return done


async def _decided(
    raw: asyncpg.Connection, proposal_id: int, status: ProposalStatus, reason: str | None, by: str, version: int | None
) -> Proposal:
    await raw.execute(sql.DECIDE, proposal_id, status.value, reason, by, version)
    [row] = await raw.fetch(sql.ONE, proposal_id)
    return proposal_of(row)


async def _propose(
    raw: asyncpg.Connection,
    kind: ProposalKind,
    finding: Finding,
    evidence: str,
    undoes: int | None,
    config: TunerConfig,
) -> int | None:
    proposal_id: int | None = await raw.fetchval(
        sql.PROPOSE,
        kind.value,
        finding.wallet_id,
        finding.version,
        json.dumps(finding.before),
        json.dumps(finding.after),
        evidence,
        undoes,
        config.expire_days,
    )
    return proposal_id


async def _measured(
    raw: asyncpg.Connection, proposal: Proposal, applied_at: datetime, days: int
) -> tuple[Measured, Measured]:
    rows = await raw.fetch(sql.MEASURE, proposal.wallet_id, applied_at, proposal.applied_version, days, DAYS_BEFORE)
    return measured_of(rows, is_after=False), measured_of(rows, is_after=True)


def _measure_document(before: Measured, after: Measured, verdict: Verdict, days: int) -> str:
    sides = {
        name: {"orders": one.orders, "wins": one.wins, "winRate": one.win_rate, "roi": one.roi}
        for name, one in (("before", before), ("after", after))
    }
    changes = {"winRateChange": verdict.win_rate, "roiChange": verdict.roi}
    return json.dumps({"daysBefore": DAYS_BEFORE, "daysAfter": days, "enough": verdict.enough, **sides, **changes})


def _expectation(finding: Finding) -> str:
    moves = ", ".join(f"{name} {finding.before[name]} → {finding.after[name]}" for name in finding.after)
    return f"{moves}. {finding.text}"
