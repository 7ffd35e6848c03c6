"""Jobs: work that is due at certain times or on demand, at most one run of a job at a time over all engines.

A slot is a moment of a job's cron expression. A run belongs to a slot, or to a request, and is made under a lease.
"""

import enum
from collections.abc import Mapping, Sequence
from typing import Protocol

import attrs

ATTEMPTS_MAX = 3
"""Runs of one slot or request: the first, and two more when engines die in the middle."""
Figures = Mapping[str, int | float | str | bool | None]
"""What a run did, small enough to be looked at: `{"deleted": 12000}`."""


class JobStatus(enum.StrEnum):
    """How a run stands."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """It raised or took too long. It is not run again before its next slot."""
    ABANDONED = "abandoned"
    """Its engine died, stopped or lost the lease; the slot is run again."""
    SKIPPED = "skipped"
    """Decided against: a dependency did not succeed in time, or the job was new."""


@attrs.frozen(kw_only=True)
class JobLease:
    """A job is ours until another owner takes it over. Its writes carry owner and epoch, or may happen twice."""

    job: str
    owner: str
    """Unique to this run."""
    epoch: int
    run_id: int
    slot_ms: int | None
    """None: the run was asked for."""
    attempt: int

    @property
    def name(self) -> str:
        """Returns the name of the lease's row."""
        return lease_name(self.job)


def lease_name(job: str) -> str:
    """Returns the name under which a job's lease is kept."""
    return f"job:{job}"


@attrs.frozen(kw_only=True)
class JobOutcome:
    """How a run ended."""

    status: JobStatus
    error: str | None = None
    figures: Figures = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class JobRun:
    """One run as history has it. Times are the database's."""

    run_id: int
    job: str
    slot_ms: int | None
    attempt: int
    status: JobStatus
    holder: str
    """Who ran it, for people: host and process id."""
    requested_by: str | None
    started_ms: int
    ended_ms: int | None
    error: str | None
    figures: Figures

    @property
    def duration_s(self) -> float | None:
        """Seconds from start to end, or None while it runs."""
        return None if self.ended_ms is None else max(0, self.ended_ms - self.started_ms) / 1000


@attrs.frozen(kw_only=True)
class LastSlot:
    """The latest slot that was decided, and its latest attempt."""

    slot_ms: int
    attempt: int
    status: JobStatus


@attrs.frozen(kw_only=True)
class JobState:
    """What a scheduler has to know of a job."""

    job: str
    last_slot: LastSlot | None = None
    succeeded_slot_ms: int | None = None
    """The latest slot that succeeded."""
    succeeded_ms: int | None = None
    """When the last successful run ended."""
    succeeded_start_ms: int | None = None
    """When the last successful run started."""
    known_ms: int | None = None
    """When the first run on record began: since then the job could have succeeded."""
    held_by: str | None = None
    """Who holds the lease now."""
    orphaned: bool = False
    """A run is recorded as running, and nobody holds its lease."""
    requested_by: str | None = None
    """Who asked for a run that has not started yet."""


class ClaimRefused(enum.StrEnum):
    """Why a job was not claimed."""

    HELD = "held"
    """Somebody else holds the lease."""
    DECIDED = "decided"
    """The slot has been run or skipped."""
    SPENT = "spent"
    """The slot's attempts are used up."""
    NOT_REQUESTED = "not requested"


@attrs.frozen(kw_only=True)
class JobRequest:
    """A run that somebody asked for; `is_new` false: it had been asked for and not been started yet."""

    request_id: int
    is_new: bool


@attrs.frozen(kw_only=True)
class Scheduling:
    """A scheduler that was heard of lately."""

    holder: str
    jobs: Sequence[str]


@attrs.define(eq=False, kw_only=True)
class RunningJob:
    """What a job is given: its lease, and where it says how far it is. Others see the figures within seconds."""

    lease: JobLease
    figures: dict[str, int | float | str | bool | None] = attrs.field(factory=dict)

    def report(self, **figures: float | str | bool | None) -> None:
        """Replaces figures of the same name; what is reported last stays in the history, however the run ends."""
        self.figures.update(figures)


class Job(Protocol):
    """Work of one kind."""

    @property
    def name(self) -> str:
        """Its name in configuration, history and metrics."""
        ...

    @property
    def after(self) -> Sequence[str]:
        """Jobs whose latest slot at or before the slot of this one must have succeeded first."""
        ...

    async def run(self, running: RunningJob) -> None:
        """Does the work, and may be cancelled at any await. Raises to fail, `FencedError` when the lease is lost."""
        ...


class JobStore(Protocol):
    """Where leases, history and requests are kept. All methods raise `TransientError` with the database."""

    async def states(self, jobs: Sequence[str], *, slots_until_ms: int) -> dict[str, JobState]:
        """Returns the state of each job; slots later than a moment are left out."""
        ...

    async def claim(
        self, job: str, *, slot_ms: int | None, owner: str, holder: str, ttl_s: float
    ) -> JobLease | ClaimRefused:
        """Takes the lease and begins a run of a slot, or of what was requested when `slot_ms` is None.

        Every open request of the job is answered by that run. Runs that nobody holds any more are recorded as abandoned.
        """
        ...

    async def extend(self, lease: JobLease, *, ttl_s: float, figures: Figures) -> None:
        """Extends the lease and shows the figures. Raises `FencedError` when it is not ours any more."""
        ...

    async def finish(self, lease: JobLease, outcome: JobOutcome) -> None:
        """Records the end of a run and gives the lease back. Raises `FencedError` when it is not ours any more."""
        ...

    async def skip(self, job: str, slot_ms: int, reason: str, *, holder: str) -> None:
        """Records that a slot is not run, unless it has been decided."""
        ...

    async def request(self, job: str, by: str) -> JobRequest:
        """Asks for a run as soon as possible; at most one request of a job is open."""
        ...

    async def run_of_request(self, request_id: int) -> JobRun | None:
        """Returns the run that answers a request, or None while it has not started. Raises `LookupError`."""
        ...

    async def runs(self, job: str | None, *, before_run_id: int | None, runs_max: int) -> list[JobRun]:
        """Returns runs, newest first."""
        ...

    async def unlock(self, job: str, by: str, *, force: bool) -> str | None:
        """Frees the lease of a dead holder, or with `force` anybody's; returns who still holds it, or None when free."""
        ...

    async def announce(self, owner: str, holder: str, jobs: Sequence[str]) -> None:
        """Says that a scheduler runs; to be repeated."""
        ...

    async def withdraw(self, owner: str) -> None:
        """Says that a scheduler ends."""
        ...

    async def schedulers(self) -> list[Scheduling]:
        """Returns the schedulers that were heard of lately."""
        ...
