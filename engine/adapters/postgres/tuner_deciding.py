"""How a proposal is made and decided: steps of one transaction, in which strategies are `changing`."""

import json

import asyncpg

from actors.rules.tuner.applying import Asked, applied_to
from config.tuner import TunerConfig
from engine.adapters.postgres import tuner_statements as sql
from engine.adapters.postgres.strategy_rows import strategy_of
from engine.adapters.postgres.strategy_store import GET, StrategyConflictError, next_version
from engine.adapters.postgres.tuner_rows import proposal_of
from protocols.strategies import Strategy
from protocols.tuner import Proposal, ProposalKind, ProposalStatus
from protocols.tuner_search import Finding


class TunerConflictError(StrategyConflictError):
    """The proposal has been decided already, or there is none."""


async def current_strategy(raw: asyncpg.Connection, wallet_id: str) -> Strategy | None:
    """Returns a strategy as it is now, or None when it was put away."""
    row = await raw.fetchrow(GET, wallet_id)
    return None if row is None else strategy_of(row)


async def locked(raw: asyncpg.Connection, proposal_id: int) -> Proposal | None:
    """Returns a proposal that nobody else decides before the transaction ends."""
    row = await raw.fetchrow(sql.LOCKED, proposal_id)
    return None if row is None else proposal_of(row)


async def undecided(raw: asyncpg.Connection, proposal_id: int) -> Proposal:
    """Returns one that waits, locked. Raises `TunerConflictError`."""
    proposal = await locked(raw, proposal_id)
    if proposal is None:
        raise TunerConflictError(f"there is no proposal {proposal_id}")
    if proposal.status is not ProposalStatus.WAITING:
        raise TunerConflictError(f"proposal {proposal_id} is {proposal.status.value} already")
    return proposal


async def applied(raw: asyncpg.Connection, proposal: Proposal, by: str, how: str) -> Proposal:
    """Makes the version, or refuses for the reason that holds now; while strategies are `changing`."""
    strategy = await current_strategy(raw, proposal.wallet_id)
    searched = await raw.fetchval(sql.SEARCHED, proposal.wallet_id, proposal.version)
    asked = Asked(
        kind=proposal.kind,
        before=proposal.before,
        after=proposal.after,
        searched={} if searched is None else json.loads(searched),
    )
    settings = applied_to(asked, strategy)
    if isinstance(settings, str) or strategy is None:
        return await decided(raw, proposal.proposal_id, ProposalStatus.REFUSED, str(settings), by, None)
    name = f"tuner proposal {proposal.proposal_id}, {how}"
    made = await next_version(raw, proposal.wallet_id, settings, strategy.version, name)
    if made.version == strategy.version:
        reason = "the strategy has these settings already"
        return await decided(raw, proposal.proposal_id, ProposalStatus.REFUSED, reason, by, None)
    done = await decided(raw, proposal.proposal_id, ProposalStatus.APPLIED, None, by, made.version)
    if (undoes := await raw.fetchval(sql.UNDOES, proposal.proposal_id)) is not None:
        await raw.execute(sql.UNDONE, undoes, f"taken back by {by}")
    return done


async def decided(
    raw: asyncpg.Connection, proposal_id: int, status: ProposalStatus, reason: str | None, by: str, version: int | None
) -> Proposal:
    """Ends the waiting of one and returns it."""
    await raw.execute(sql.DECIDE, proposal_id, status.value, reason, by, version)
    [row] = await raw.fetch(sql.ONE, proposal_id)
    return proposal_of(row)


async def propose(
    raw: asyncpg.Connection,
    kind: ProposalKind,
    finding: Finding,
    evidence: str,
    undoes: int | None,
    config: TunerConfig,
) -> int | None:
    """Makes a proposal and returns its id; None where one waits already."""
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
