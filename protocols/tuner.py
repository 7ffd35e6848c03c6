"""The tuner's proposals and notes, and what its job needs of the database.

A proposal changes at most three settings of one strategy that is under the tuner's care (`agent_managed`).
"""

import enum
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Protocol

import attrs

from protocols.jobs import JobLease
from protocols.tuner_search import Finding, SearchOrder

PARAMETERS_MAX = 3
"""Settings that one proposal may change (domain.md §7.7)."""
COOL_DOWN_DAYS = 7
"""Between two changes of one strategy, and before it is asked about again (domain.md §7.7)."""
TUNER = "tuner"
"""Who decides when no person does."""


class ProposalKind(enum.StrEnum):
    """What a proposal is for."""

    CHANGE = "change"
    ROLLBACK = "rollback"
    """Back to what was before one that degraded, where that is not done without asking."""


class ProposalStatus(enum.StrEnum):
    """How a proposal stands. The first two are not the end."""

    WAITING = "WAITING"
    APPLIED = "APPLIED"
    """Under evaluation, but for a rollback."""
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    REFUSED = "REFUSED"
    """The strategy had changed, or left the tuner's care, when it was to be applied."""
    IMPROVED = "IMPROVED"
    NEUTRAL = "NEUTRAL"
    DEGRADED = "DEGRADED"
    """And not rolled back, for the reason that is said."""
    ROLLED_BACK = "ROLLED_BACK"


class NoteKind(enum.StrEnum):
    """What a note says."""

    OBSERVATION = "observation"
    """What a look at a strategy came to."""
    HYPOTHESIS = "hypothesis"
    """What a proposal expects; its outcome is the proposal's."""


@attrs.frozen(kw_only=True)
class Proposal:
    """One proposal as it is kept."""

    proposal_id: int
    kind: ProposalKind
    wallet_id: str
    owner_id: str
    owner_name: str
    version: int
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    status: ProposalStatus
    reason: str | None
    """Why it was rejected, refused or not rolled back; what the evaluation found."""
    evidence: Mapping[str, Any]
    created_at: datetime
    expires_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    applied_version: int | None
    applied_at: datetime | None
    evaluation: Mapping[str, Any] | None
    ended_at: datetime | None
    mirrored: bool
    """A live strategy copies with this one's settings now: it is not changed without a person."""
    applies_itself: bool
    """The strategy lets the tuner apply proposals."""


@attrs.frozen(kw_only=True)
class Note:
    """One note as it is kept."""

    note_id: int
    wallet_id: str
    day: date
    kind: NoteKind
    text: str
    figures: Mapping[str, Any]
    proposal_id: int | None
    outcome: str | None
    """Of a hypothesis: a `ProposalStatus` once it is decided."""
    created_at: datetime
    outcome_at: datetime | None


@attrs.frozen(kw_only=True)
class TunerCounts:
    """What stands where, for the metrics."""

    waiting: int
    evaluating: int
    managed: int
    """Strategies under the tuner's care."""


class TunerJobStore(Protocol):
    """What the job needs of the database. Times are the database's. Raises `TransientError`, writes `FencedError`."""

    async def expire(self, lease: JobLease) -> int:
        """Ends proposals that nobody decided in time, and returns how many."""
        ...

    async def due_evaluations(self) -> list[int]:
        """Returns ids of proposals that were applied at least a day ago and have no outcome."""
        ...

    async def evaluate(self, lease: JobLease, proposal_id: int) -> ProposalStatus | None:
        """Decides the outcome of one, rolls back what degraded, and returns it; None while there are too few orders."""
        ...

    async def self_applicable(self) -> list[int]:
        """Returns ids of waiting proposals of strategies that let the tuner apply them and that no live strategy mirrors."""
        ...

    async def apply(self, lease: JobLease, proposal_id: int) -> ProposalStatus | None:
        """Applies one in the tuner's own name; returns APPLIED or REFUSED, None when a person has to decide it."""
        ...

    async def subjects(self) -> SearchOrder:
        """Returns the strategies whose turn it is, and the time."""
        ...

    async def record(self, lease: JobLease, finding: Finding) -> int | None:
        """Keeps what a look found, once a day and strategy; returns the id of the proposal that it made."""
        ...

    async def prune(self, lease: JobLease, *, rows_max: int) -> int:
        """Deletes some of what is too old, and returns how many rows."""
        ...

    async def counts(self) -> TunerCounts:
        """Returns what stands where."""
        ...
