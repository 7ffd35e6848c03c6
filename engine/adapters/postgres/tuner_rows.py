"""Proposals and notes of the tuner as their rows hold them."""

import json
from typing import Any

import asyncpg

from actors.rules.tuner.verdict import Measured
from protocols.tuner import Note, NoteKind, Proposal, ProposalKind, ProposalStatus

_PLAIN = ("proposal_id", "wallet_id", "owner_id", "owner_name", "version", "reason", "created_at", "expires_at", "decided_by",
          "decided_at", "applied_version", "applied_at", "ended_at", "mirrored")  # fmt: skip
_NONE = Measured(orders=0, wins=0, staked_usd=0, pnl_usd=0, squares=0, products=0, staked_squares=0)


def proposal_of(row: asyncpg.Record) -> Proposal:
    """Returns the proposal in a row of `tuner_statements.PROPOSAL`."""
    return Proposal(
        **{name: row[name] for name in _PLAIN},
        kind=ProposalKind(row["kind"]),
        status=ProposalStatus(row["status"]),
        before=json.loads(row["before"]),
        after=json.loads(row["after"]),
        evidence=json.loads(row["evidence"]),
        evaluation=_json(row["evaluation"]),
        applies_itself=row["agent_applies"],
    )


def note_of(row: asyncpg.Record) -> Note:
    """Returns the note in a row of `tuner_notes`."""
    names = ("note_id", "wallet_id", "day", "text", "proposal_id", "outcome", "created_at", "outcome_at")
    return Note(**{name: row[name] for name in names}, kind=NoteKind(row["kind"]), figures=json.loads(row["figures"]))


def measured_of(rows: list[asyncpg.Record], *, is_after: bool) -> Measured:
    """Returns what was measured on one side; nothing where there is no row. Sums become statistics, and floats, here."""
    for row in rows:
        if row["is_after"] is is_after:
            sums = ("staked_usd", "pnl_usd", "squares", "products", "staked_squares")
            return Measured(orders=row["orders"], wins=row["wins"], **{name: float(row[name]) for name in sums})
    return _NONE


def _json(text: str | None) -> Any:
    return None if text is None else json.loads(text)
