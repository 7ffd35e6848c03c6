"""What the routes of the tuner take and answer."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any

import msgspec

from engine.api.route import Struct
from protocols.tuner import Note, Proposal, ProposalKind
from protocols.tuner_search import Evidence

REASON_CHARS_MAX = 500


class Rejection(Struct):
    """Why a proposal is turned down."""

    reason: Annotated[str, msgspec.Meta(max_length=REASON_CHARS_MAX)] = ""


class MeasuredSide(Struct):
    """Orders that were placed and over within the days that are compared."""

    orders: int
    wins: int
    win_rate: float | None
    roi: float | None
    """Profit of a USD at stake."""


class EvaluationAnswer(Struct):
    """What a change came to, a day or more later."""

    days_before: int
    days_after: int
    enough: bool
    """Both sides had enough orders; without them the outcome is NEUTRAL."""
    before: MeasuredSide
    after: MeasuredSide
    win_rate_change: float | None
    roi_change: float | None


class ProposalAnswer(Struct):
    """One proposal."""

    proposal_id: int
    kind: str
    """`change`, or `rollback`: back to what was before a change that degraded, where that waits for a person."""
    wallet_id: str
    owner: str
    version: int
    """Of the strategy, that the search began with."""
    before: dict[str, Any]
    """Settings by their names in snake_case; null: the gate is off."""
    after: dict[str, Any]
    status: str
    """WAITING, APPLIED (under evaluation), REJECTED, EXPIRED, REFUSED, IMPROVED, NEUTRAL, DEGRADED or ROLLED_BACK."""
    reason: str | None
    evidence: Evidence | None
    """None of a rollback, which rests on its `evaluation`."""
    evaluation: EvaluationAnswer | None
    created_at: datetime
    expires_at: datetime
    decided_by: str | None
    """A user, a command's operator, or `tuner`."""
    decided_at: datetime | None
    applied_version: int | None
    applied_at: datetime | None
    ended_at: datetime | None
    mirrored: bool
    """A live strategy copies with the strategy's settings: nothing is applied without a person."""
    applies_itself: bool
    """The strategy lets the tuner apply proposals."""


class ProposalPage(Struct):
    """Proposals, newest first."""

    proposals: list[ProposalAnswer]
    next_cursor: int | None


class NoteAnswer(Struct):
    """An observation of a look, or the hypothesis of a proposal with what became of it."""

    note_id: int
    wallet_id: str
    day: date
    kind: str
    text: str
    proposal_id: int | None
    outcome: str | None
    """Of a hypothesis: the status of its proposal once it is decided."""
    created_at: datetime
    outcome_at: datetime | None


class NotePage(Struct):
    """Notes, newest first."""

    notes: list[NoteAnswer]
    next_cursor: int | None


def proposal_answer(proposal: Proposal) -> ProposalAnswer:
    """Returns a proposal as it is answered."""
    is_change = proposal.kind is ProposalKind.CHANGE
    measured = proposal.evaluation if is_change else proposal.evidence
    return ProposalAnswer(
        proposal_id=proposal.proposal_id,
        kind=proposal.kind.value,
        wallet_id=proposal.wallet_id,
        owner=proposal.owner_name,
        version=proposal.version,
        before=dict(proposal.before),
        after=dict(proposal.after),
        status=proposal.status.value,
        reason=proposal.reason,
        evidence=_evidence(proposal.evidence) if is_change else None,
        evaluation=None if measured is None else msgspec.convert(measured, EvaluationAnswer),
        created_at=proposal.created_at,
        expires_at=proposal.expires_at,
        decided_by=proposal.decided_by,
        decided_at=proposal.decided_at,
        applied_version=proposal.applied_version,
        applied_at=proposal.applied_at,
        ended_at=proposal.ended_at,
        mirrored=proposal.mirrored,
        applies_itself=proposal.applies_itself,
    )


def note_answer(note: Note) -> NoteAnswer:
    """Returns a note as it is answered."""
    return NoteAnswer(
        note_id=note.note_id,
        wallet_id=note.wallet_id,
        day=note.day,
        kind=note.kind.value,
        text=note.text,
        proposal_id=note.proposal_id,
        outcome=note.outcome,
        created_at=note.created_at,
        outcome_at=note.outcome_at,
    )


def _evidence(kept: Mapping[str, Any]) -> Evidence | None:
    return msgspec.convert(kept, Evidence) if kept else None
