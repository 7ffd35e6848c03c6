"""Proposals, notes and findings of the tuner for a terminal."""

from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import msgspec

from engine.cli.figures import moment_text
from engine.cli.terminal import plain
from protocols.tuner import Note, Proposal, ProposalKind
from protocols.tuner_search import Finding


def proposal_document(proposal: Proposal) -> dict[str, Any]:
    """Returns a proposal as JSON: names in snake_case, the evidence as it is kept."""
    return attrs.asdict(proposal)


def waiting_row(proposal: Proposal) -> tuple[object, ...]:
    """Returns the cells of one that waits."""
    gain = (proposal.evidence.get("validation") or {}).get("gain") or {}
    level = proposal.evidence.get("level")
    remark = "mirrored live" if proposal.mirrored else "applies itself" if proposal.applies_itself else ""
    if proposal.kind is ProposalKind.ROLLBACK:
        remark = f"takes back what degraded {remark}".strip()
    return (
        proposal.proposal_id,
        proposal.wallet_id,
        moves(proposal.before, proposal.after),
        _points(gain.get("roi")),
        _small(gain.get("p")),
        _small(level),
        moment_text(proposal.expires_at),
        remark,
    )


def history_row(proposal: Proposal) -> tuple[object, ...]:
    """Returns the cells of one that was decided."""
    when = proposal.ended_at or proposal.decided_at
    return (
        proposal.proposal_id,
        proposal.wallet_id,
        moves(proposal.before, proposal.after),
        proposal.status.value,
        plain(proposal.decided_by or ""),
        "-" if when is None else moment_text(when),
        plain(proposal.reason or _measured(proposal.evaluation), 100),
    )


def note_row(note: Note) -> tuple[object, ...]:
    """Returns the cells of a note."""
    return note.day.isoformat(), note.wallet_id, f"{note.kind.value}: {plain(note.text, 160)}", note.outcome or ""


def proposal_lines(proposal: Proposal) -> Iterator[str]:
    """Yields everything of a proposal."""
    yield f"{proposal.wallet_id}: proposal {proposal.proposal_id}, {proposal.status.value}"
    if proposal.reason:
        yield f"  {plain(proposal.reason)}"
    yield f"  {moves(proposal.before, proposal.after)}"
    if proposal.mirrored:
        yield "  A live strategy mirrors it: approving changes what real money does, and nothing is applied without a person."
    yield f"  made {moment_text(proposal.created_at)} for version {proposal.version}, ends {moment_text(proposal.expires_at)}"
    if proposal.decided_at is not None:
        version = f", version {proposal.applied_version}" if proposal.applied_version else ""
        yield f"  decided by {plain(proposal.decided_by)} {moment_text(proposal.decided_at)}{version}"
    if proposal.evaluation:
        yield f"  {_measured(proposal.evaluation)}"
    yield from _evidence_lines(proposal.evidence)


def finding_lines(finding: Finding) -> Iterator[str]:
    """Yields what a look found."""
    yield f"{finding.wallet_id} v{finding.version}: {finding.text}"
    if finding.after:
        yield f"  would propose {moves(finding.before, finding.after)}"
    if finding.evidence is not None:
        yield from _evidence_lines(msgspec.to_builtins(finding.evidence))


def moves(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Returns the changes in one line."""
    return ", ".join(f"{name} {_value(before.get(name))} → {_value(after[name])}" for name in after)


def _evidence_lines(evidence: Mapping[str, Any]) -> Iterator[str]:
    for title, name in (("searched on", "train"), ("proved on", "validation")):
        part = evidence.get(name)
        if not part:
            continue
        some = f", {part['marketShare']:.0%} of the markets" if part.get("marketShare", 1) < 1 else ""
        yield f"  {title} {str(part['since'])[:10]} to {str(part['until'])[:10]}{some}"
        for label, side in (("before", part.get("before")), ("after", part.get("after"))):
            if side:
                yield (
                    f"    {label:<6} {side['orders']:>6} orders, return {_range(side, 'roi')}, "
                    f"win rate {_range(side, 'winRate')}, profit {float(side['pnlUsd']):,.2f} USD"
                )
        if gain := part.get("gain"):
            yield f"    gain   {_points(gain['roi'])} points ({_points(gain['roiLow'])} to {_points(gain['roiHigh'])}), t {gain['t']:.2f}, p {_small(gain['p'])}"  # noqa: E501
    if "tries" in evidence:
        yield (
            f"  {evidence['tries']} tries (luck of the best: p {_small(evidence['luck'])}), {evidence['looks']} looks at these "
            f"days, level {_small(evidence['level'])}, seed {evidence['seed']}, version {evidence['codeVersion']}"
        )


def _range(side: Mapping[str, Any], name: str) -> str:
    value, low, high = (side.get(f"{name}{end}") for end in ("", "Low", "High"))
    if value is None:
        return "-"
    return f"{value * 100:.1f} %" + (
        f" ({low * 100:.1f} to {high * 100:.1f})" if low is not None and high is not None else ""
    )


def _measured(evaluation: Mapping[str, Any] | None) -> str:
    if not evaluation:
        return ""
    before, after = evaluation["before"], evaluation["after"]
    return (
        f"{after['orders']} orders in {evaluation['daysAfter']} days against {before['orders']} before: "
        f"win rate {_points(evaluation['winRateChange'])}, return {_points(evaluation['roiChange'])} points"
    )


def _points(value: float | None) -> str:
    return "-" if value is None else f"{value * 100:+.1f}"


def _small(value: float | None) -> str:
    return "-" if value is None else f"{value:.2g}"


def _value(value: object) -> str:
    return "off" if value is None else str(value)
