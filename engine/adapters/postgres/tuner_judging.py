"""How a change is judged a day later, and taken back where it degraded: steps of one transaction."""

import json
from datetime import datetime

import asyncpg

from actors.rules.tuner.applying import rolled_back
from actors.rules.tuner.verdict import DAYS_AFTER_MAX, DAYS_BEFORE, Measured, Outcome, Verdict, verdict_of
from config.tuner import TunerConfig
from engine.adapters.postgres import tuner_statements as sql
from engine.adapters.postgres.strategy_store import next_version
from engine.adapters.postgres.tuner_deciding import current_strategy, propose
from engine.adapters.postgres.tuner_rows import measured_of
from protocols.tuner import Proposal, ProposalKind, ProposalStatus
from protocols.tuner_search import Finding

TAKEN_BACK = "rolled back by the tuner"
LIVE = "a live strategy mirrors it: taking it back waits for a person"


async def judged(raw: asyncpg.Connection, proposal: Proposal, config: TunerConfig) -> ProposalStatus | None:
    """Ends the evaluation of an applied proposal and returns its outcome; None while it is too early to tell."""
    if proposal.applied_at is None or proposal.status is not ProposalStatus.APPLIED:
        return None
    days = min(DAYS_AFTER_MAX, await raw.fetchval(sql.DAYS_SINCE, proposal.applied_at))
    if days < 1:
        return None
    before, after = await _measured(raw, proposal, proposal.applied_at, days)
    verdict = verdict_of(
        before,
        after,
        days_after=days,
        orders_min=config.evaluation_orders_min,
        errors_min=config.evaluation_errors_min,
    )
    if verdict is None:
        return None
    status, reason = ProposalStatus(verdict.outcome.value), None
    if not verdict.enough:
        reason = f"fewer than {config.evaluation_orders_min} orders before or after it in {DAYS_AFTER_MAX} days"
    if verdict.outcome is Outcome.DEGRADED:
        reason = await _taken_back(raw, proposal)
        status = ProposalStatus.ROLLED_BACK if reason is None else status
    evaluation = _document(before, after, verdict, days)
    await raw.execute(sql.END, proposal.proposal_id, status.value, reason, evaluation)
    if reason == LIVE:
        await _ask_back(raw, proposal, evaluation, config)
    return status


async def _taken_back(raw: asyncpg.Connection, proposal: Proposal) -> str | None:
    """Makes the version without the change, or returns why that is not done."""
    strategy = await current_strategy(raw, proposal.wallet_id)
    settings = rolled_back(proposal.before, proposal.after, strategy)
    if isinstance(settings, str) or strategy is None:
        return f"not rolled back: {settings}"
    if proposal.mirrored:
        return LIVE
    by = f"tuner proposal {proposal.proposal_id}, {TAKEN_BACK}"
    await next_version(raw, proposal.wallet_id, settings, strategy.version, by)
    return None


async def _ask_back(raw: asyncpg.Connection, proposal: Proposal, evaluation: str, config: TunerConfig) -> None:
    back = Finding(
        wallet_id=proposal.wallet_id,
        version=proposal.applied_version or proposal.version,
        text="",
        before=dict(proposal.after),
        after=dict(proposal.before),
        evidence=None,
    )
    await propose(raw, ProposalKind.ROLLBACK, back, evaluation, proposal.proposal_id, config)


async def _measured(
    raw: asyncpg.Connection, proposal: Proposal, applied_at: datetime, days: int
) -> tuple[Measured, Measured]:
    rows = await raw.fetch(sql.MEASURE, proposal.wallet_id, applied_at, proposal.applied_version, days, DAYS_BEFORE)
    return measured_of(rows, is_after=False), measured_of(rows, is_after=True)


def _document(before: Measured, after: Measured, verdict: Verdict, days: int) -> str:
    sides = {
        name: {"orders": one.orders, "wins": one.wins, "winRate": one.win_rate, "roi": one.roi}
        for name, one in (("before", before), ("after", after))
    }
    changes = {"winRateChange": verdict.win_rate, "roiChange": verdict.roi}
    return json.dumps({"daysBefore": DAYS_BEFORE, "daysAfter": days, "enough": verdict.enough, **sides, **changes})
