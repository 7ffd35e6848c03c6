"""Jobs in PostgreSQL: a lease of their own each, history, requests."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg
import attrs

from engine.adapters.postgres import job_statements as sql
from engine.adapters.postgres.database import RunsWork
from engine.adapters.postgres.leases import ACQUIRE
from protocols.errors import FencedError
from protocols.jobs import (
    ATTEMPTS_MAX,
    ClaimRefused,
    Figures,
    JobLease,
    JobOutcome,
    JobRequest,
    JobRun,
    JobState,
    JobStatus,
    LastSlot,
    Scheduling,
    lease_name,
)
from protocols.text import storable
from protocols.timestamps import utc_datetime

RUNS_KEPT = 1_000
ERROR_CHARS_MAX = 1_000
SCHEDULER_SEEN_S = 35.0
DIED = "its engine died or lost the lease"


@attrs.define(eq=False)
class PostgresJobStore:
    """`JobStore`. The connection must not be one that jobs use: a lease is extended while a job works."""

    connection: RunsWork
    runs_kept: int = RUNS_KEPT

    async def states(self, jobs: Sequence[str], *, slots_until_ms: int) -> dict[str, JobState]:
        """Returns the state of each job. Raises `TransientError`."""

        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            return await raw.fetch(sql.STATES, list(jobs), utc_datetime(slots_until_ms))

        return {row["job"]: _state(row) for row in await self.connection.run(work)}

    async def claim(
        self, job: str, *, slot_ms: int | None, owner: str, holder: str, ttl_s: float
    ) -> JobLease | ClaimRefused:
        """Takes the lease and begins a run, in one transaction. Raises `TransientError`."""

        async def work(raw: asyncpg.Connection) -> JobLease | ClaimRefused:
            async with raw.transaction():
                epoch = await raw.fetchval(ACQUIRE, lease_name(job), owner, holder, ttl_s)
                if epoch is None:
                    return ClaimRefused.HELD
                await _abandon(raw, job, DIED)
                begun = await _begin(raw, job, slot_ms, owner, holder)
                if isinstance(begun, ClaimRefused):
                    await raw.execute(sql.FREE, lease_name(job), owner, epoch)
                    return begun
                run_id, attempt = begun
                return JobLease(job=job, owner=owner, epoch=epoch, run_id=run_id, slot_ms=slot_ms, attempt=attempt)

        return await self.connection.run(work)

    async def extend(self, lease: JobLease, *, ttl_s: float, figures: Figures) -> None:
        """Extends the lease and shows the figures. Raises `TransientError` or `FencedError`."""
        shown = json.dumps(dict(figures))

        async def work(raw: asyncpg.Connection) -> Any:
            return await raw.fetchval(
                sql.EXTEND, lease.name, lease.owner, lease.epoch, lease.run_id, float(ttl_s), shown
            )

        if await self.connection.run(work) is None:
            raise _fenced(lease)

    async def finish(self, lease: JobLease, outcome: JobOutcome) -> None:
        """Records the end of a run and frees the lease, in one transaction; once more does no harm.

        Raises `TransientError` or `FencedError`.
        """
        error = None if outcome.error is None else storable(outcome.error)[:ERROR_CHARS_MAX]
        figures = json.dumps(dict(outcome.figures))

        async def work(raw: asyncpg.Connection) -> bool:
            async with raw.transaction():
                if await raw.fetchval(sql.FREE, lease.name, lease.owner, lease.epoch) is None:
                    # The answer to a first try may have been lost.
                    return bool(await raw.fetchval(sql.STATUS_OF_RUN, lease.run_id, lease.owner) == outcome.status)
                await raw.fetchval(sql.END_RUN, lease.run_id, outcome.status.value, error, figures)
                if outcome.status is JobStatus.ABANDONED:
                    await raw.execute(sql.REOPEN_REQUEST, lease.job, [lease.run_id], ATTEMPTS_MAX)
                await raw.execute(sql.PRUNE, lease.job, self.runs_kept)
                return True

        if not await self.connection.run(work):
            raise _fenced(lease)

    async def skip(self, job: str, slot_ms: int, reason: str, *, holder: str) -> None:
        """Records that a slot is not run, unless it has been decided. Raises `TransientError`."""
        slot = utc_datetime(slot_ms)

        async def work(raw: asyncpg.Connection) -> None:
            async with raw.transaction():
                await raw.execute(sql.SKIP, job, slot, holder, reason[:ERROR_CHARS_MAX], ATTEMPTS_MAX)
                await raw.execute(sql.PRUNE, job, self.runs_kept)

        await self.connection.run(work)

    async def request(self, job: str, by: str) -> JobRequest:
        """Asks for a run, or finds the request that is open. Raises `TransientError`."""

        async def work(raw: asyncpg.Connection) -> asyncpg.Record | None:
            return await raw.fetchrow(sql.ASK, job, storable(by)[:ERROR_CHARS_MAX])

        row = await self.connection.run(work)
        assert row is not None
        return JobRequest(request_id=row["request_id"], is_new=row["is_new"])

    async def run_of_request(self, request_id: int) -> JobRun | None:
        """Returns the run that answers a request, or None. Raises `TransientError`, and `LookupError` for no request."""

        async def work(raw: asyncpg.Connection) -> asyncpg.Record | None:
            return await raw.fetchrow(sql.RUN_COLUMNS_OF_REQUEST, request_id)

        row = await self.connection.run(work)
        if row is None:
            raise LookupError(f"there is no request {request_id}")
        return None if row["run_id"] is None else _run(row)

    async def runs(self, job: str | None, *, before_run_id: int | None, runs_max: int) -> list[JobRun]:
        """Returns runs, newest first. Raises `TransientError`."""

        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            return await raw.fetch(sql.RUNS, job, before_run_id, runs_max)

        return [_run(row) for row in await self.connection.run(work)]

    async def unlock(self, job: str, by: str, *, force: bool) -> str | None:
        """Frees a lease that has expired, or with `force` any; returns who still holds it. Raises `TransientError`."""
        note = f"unlocked by {storable(by)}"

        async def work(raw: asyncpg.Connection) -> str | None:
            async with raw.transaction():
                if await raw.fetchval(sql.TAKE_AWAY, lease_name(job), note, force) is None:
                    holder: str | None = await raw.fetchval(sql.WHO_HOLDS, lease_name(job))
                    return holder
                await _abandon(raw, job, note)
                return None

        return await self.connection.run(work)

    async def announce(self, owner: str, holder: str, jobs: Sequence[str]) -> None:
        """Says that a scheduler runs. Raises `TransientError`."""

        async def work(raw: asyncpg.Connection) -> None:
            await raw.execute(sql.FORGET_SCHEDULERS)
            await raw.execute(sql.ANNOUNCE, owner, holder, list(jobs))

        await self.connection.run(work)

    async def withdraw(self, owner: str) -> None:
        """Says that a scheduler ends. Raises `TransientError`."""

        async def work(raw: asyncpg.Connection) -> None:
            await raw.execute(sql.WITHDRAW, owner)

        await self.connection.run(work)

    async def schedulers(self) -> list[Scheduling]:
        """Returns the schedulers that were heard of lately. Raises `TransientError`."""

        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            return await raw.fetch(sql.SCHEDULERS, SCHEDULER_SEEN_S)

        return [Scheduling(holder=row["holder"], jobs=row["jobs"]) for row in await self.connection.run(work)]


async def _abandon(raw: asyncpg.Connection, job: str, why: str) -> None:
    """Ends runs that nobody holds; what had been asked for is open again while attempts are left."""
    abandoned = [row["run_id"] for row in await raw.fetch(sql.ABANDON, job, why)]
    if abandoned:
        await raw.execute(sql.REOPEN_REQUEST, job, abandoned, ATTEMPTS_MAX)


async def _begin(
    raw: asyncpg.Connection, job: str, slot_ms: int | None, owner: str, holder: str
) -> tuple[int, int] | ClaimRefused:
    """Returns (run id, attempt). The lease is held, so nobody else decides about this job."""
    request = await raw.fetchrow(sql.OPEN_REQUEST, job)
    slot = None if slot_ms is None else utc_datetime(slot_ms)
    if slot is not None:
        past = await raw.fetchrow(sql.SLOT_ATTEMPTS, job, slot)
        assert past is not None
        if past["is_decided"]:
            return ClaimRefused.DECIDED
        attempt = past["attempts"] + 1
    elif request is None:
        return ClaimRefused.NOT_REQUESTED
    else:
        attempt = request["attempts"] + 1
    if attempt > ATTEMPTS_MAX:
        return ClaimRefused.SPENT
    by = None if request is None else request["requested_by"]
    run_id: int = await raw.fetchval(sql.BEGIN_RUN, job, slot, attempt, owner, holder, by)
    if request is not None:
        await raw.execute(sql.TAKE_REQUEST, request["request_id"], run_id)
    return run_id, attempt


def _fenced(lease: JobLease) -> FencedError:
    return FencedError(f"the lease {lease.name} of epoch {lease.epoch} is not ours any more")


def _state(row: asyncpg.Record) -> JobState:
    last = None
    if row["last_slot"] is not None:
        last = LastSlot(
            slot_ms=_epoch_ms(row["last_slot"]), attempt=row["last_attempt"], status=JobStatus(row["last_status"])
        )
    return JobState(
        job=row["job"],
        last_slot=last,
        succeeded_slot_ms=_optional_ms(row["succeeded_slot"]),
        succeeded_ms=_optional_ms(row["succeeded"]),
        succeeded_start_ms=_optional_ms(row["succeeded_start"]),
        known_ms=_optional_ms(row["known"]),
        held_by=row["held_by"],
        orphaned=row["orphaned"],
        requested_by=row["requested_by"],
    )


def _run(row: asyncpg.Record) -> JobRun:
    return JobRun(
        run_id=row["run_id"],
        job=row["job"],
        slot_ms=_optional_ms(row["slot"]),
        attempt=row["attempt"],
        status=JobStatus(row["status"]),
        holder=row["holder"],
        requested_by=row["requested_by"],
        started_ms=_epoch_ms(row["started_at"]),
        ended_ms=_optional_ms(row["ended_at"]),
        error=row["error"],
        figures=json.loads(row["figures"]),
    )


def _optional_ms(moment: datetime | None) -> int | None:
    return None if moment is None else _epoch_ms(moment)


def _epoch_ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
