"""A store of jobs in memory, with the promises of the real one; its leases run out on trio's clock."""

from collections.abc import Sequence
from typing import Any

import attrs
import trio

from protocols.errors import FencedError
from protocols.jobs import (
    ATTEMPTS_MAX,
    ClaimRefused,
    JobLease,
    JobOutcome,
    JobRequest,
    JobRun,
    JobState,
    JobStatus,
    LastSlot,
    Scheduling,
)

START_MS = 1_795_219_200_000  # a midnight


def database_ms() -> int:
    return START_MS + round(trio.current_time() * 1000)


@attrs.define(eq=False, kw_only=True)
class Row:
    run_id: int
    job: str
    slot_ms: int | None
    attempt: int
    status: JobStatus
    owner: str = ""
    requested: int | None = None
    error: str | None = None
    started_ms: int = 0
    ended_ms: int | None = None


@attrs.define(eq=False, kw_only=True)
class FakeJobStore:
    """What `PostgresJobStore` promises, in memory; leases run out on trio's clock."""

    rows: list[Row] = attrs.field(factory=list)
    leases: dict[str, tuple[str, str, int, float]] = attrs.field(factory=dict)
    """job → owner, holder, epoch, end"""
    requests: dict[str, int] = attrs.field(factory=dict)
    """job → attempts of its open request"""
    announced: dict[str, Scheduling] = attrs.field(factory=dict)

    def held(self, job: str) -> tuple[str, str, int, float] | None:
        lease = self.leases.get(job)
        return lease if lease is not None and lease[3] > trio.current_time() else None

    def steal(self, job: str) -> None:
        if job in self.leases:
            owner, _, epoch, _ = self.leases[job]
            self.leases[job] = (f"thief of {owner}", "thief", epoch + 1, trio.current_time())
            self._abandon(job)

    def slots(self, job: str, *statuses: JobStatus) -> list[int]:
        return [
            row.slot_ms for row in self.rows if row.job == job and row.status in statuses and row.slot_ms is not None
        ]

    async def states(self, jobs: Sequence[str], *, slots_until_ms: int) -> dict[str, JobState]:
        return {job: self._state(job, slots_until_ms) for job in jobs}

    def _state(self, job: str, until_ms: int) -> JobState:
        rows = [row for row in self.rows if row.job == job]
        slots = sorted((r.slot_ms, r.attempt, r) for r in rows if r.slot_ms is not None and r.slot_ms <= until_ms)
        good = [row for row in rows if row.status is JobStatus.SUCCEEDED]
        held = self.held(job)
        last = slots[-1][2] if slots else None
        return JobState(
            job=job,
            last_slot=None
            if last is None
            else LastSlot(slot_ms=last.slot_ms, attempt=last.attempt, status=last.status),
            succeeded_slot_ms=max((s for s, _, r in slots if r.status is JobStatus.SUCCEEDED), default=None),
            succeeded_ms=max((row.ended_ms or 0 for row in good), default=None),
            succeeded_start_ms=max((row.started_ms for row in good), default=None),
            known_ms=rows[0].started_ms if rows else None,
            held_by=None if held is None else held[1],
            orphaned=held is None and any(row.status is JobStatus.RUNNING for row in rows),
            requested_by="somebody" if job in self.requests else None,
        )

    async def claim(
        self, job: str, *, slot_ms: int | None, owner: str, holder: str, ttl_s: float
    ) -> JobLease | ClaimRefused:
        if self.held(job) is not None:
            return ClaimRefused.HELD
        self._abandon(job)
        same = [row for row in self.rows if row.job == job and row.slot_ms == slot_ms]
        attempt = 1 + (len(same) if slot_ms is not None else self.requests.get(job, 0))
        if slot_ms is not None and any(row.status is not JobStatus.ABANDONED for row in same):
            return ClaimRefused.DECIDED
        if slot_ms is None and job not in self.requests:
            return ClaimRefused.NOT_REQUESTED
        if attempt > ATTEMPTS_MAX:
            return ClaimRefused.SPENT
        epoch = self.leases[job][2] + 1 if job in self.leases else 1
        self.leases[job] = (owner, holder, epoch, trio.current_time() + ttl_s)
        requested = self.requests.pop(job, None)
        row = Row(
            run_id=len(self.rows) + 1,
            job=job,
            slot_ms=slot_ms,
            attempt=attempt,
            status=JobStatus.RUNNING,
            owner=owner,
            requested=None if requested is None else requested + 1,
            started_ms=database_ms(),
        )
        self.rows.append(row)
        return JobLease(job=job, owner=owner, epoch=epoch, run_id=row.run_id, slot_ms=slot_ms, attempt=attempt)

    async def extend(self, lease: JobLease, *, ttl_s: float, figures: Any) -> None:
        owner, holder, epoch, _ = self._fence(lease)
        self.leases[lease.job] = (owner, holder, epoch, trio.current_time() + ttl_s)

    async def finish(self, lease: JobLease, outcome: JobOutcome) -> None:
        owner, holder, epoch, _ = self._fence(lease)
        self.leases[lease.job] = (owner, holder, epoch + 1, trio.current_time())
        self._end(self.rows[lease.run_id - 1], outcome.status, outcome.error)

    async def skip(self, job: str, slot_ms: int, reason: str, *, holder: str) -> None:
        same = [row for row in self.rows if row.job == job and row.slot_ms == slot_ms]
        if len(same) < ATTEMPTS_MAX and all(row.status is JobStatus.ABANDONED for row in same):
            row = Row(
                run_id=len(self.rows) + 1,
                job=job,
                slot_ms=slot_ms,
                attempt=len(same) + 1,
                status=JobStatus.RUNNING,
                started_ms=database_ms(),
            )
            self.rows.append(row)
            self._end(row, JobStatus.SKIPPED, reason)

    async def request(self, job: str, by: str) -> JobRequest:
        is_new = job not in self.requests
        self.requests.setdefault(job, 0)
        return JobRequest(request_id=1, is_new=is_new)

    async def announce(self, owner: str, holder: str, jobs: Sequence[str]) -> None:
        self.announced[owner] = Scheduling(holder=holder, jobs=jobs)

    async def withdraw(self, owner: str) -> None:
        self.announced.pop(owner, None)

    async def run_of_request(self, request_id: int) -> JobRun | None:
        raise NotImplementedError

    async def runs(self, job: str | None, *, before_run_id: int | None, runs_max: int) -> list[JobRun]:
        raise NotImplementedError

    async def unlock(self, job: str, by: str, *, force: bool) -> str | None:
        raise NotImplementedError

    async def schedulers(self) -> list[Scheduling]:
        return list(self.announced.values())

    def _fence(self, lease: JobLease) -> tuple[str, str, int, float]:
        held = self.leases[lease.job]
        if (held[0], held[2]) != (lease.owner, lease.epoch):
            raise FencedError("not yours")
        return held

    def _abandon(self, job: str) -> None:
        for row in self.rows:
            if row.job == job and row.status is JobStatus.RUNNING:
                self._end(row, JobStatus.ABANDONED, "died")

    def _end(self, row: Row, status: JobStatus, error: str | None) -> None:
        row.status, row.error, row.ended_ms = status, error, database_ms()
        again = status is JobStatus.ABANDONED and row.requested is not None and row.requested < ATTEMPTS_MAX
        if again:
            self.requests.setdefault(row.job, row.requested or 0)
