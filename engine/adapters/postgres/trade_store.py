"""Trades in PostgreSQL, and what was decided about them: one statement a batch, exactly once, fenced by leases."""

import logging
from collections.abc import Mapping, Sequence
from datetime import date

import asyncpg
import attrs

from engine.adapters.postgres.close_store import apply_closes
from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.decision_statement import (
    WRITE_DECIDED,
    decisions_json,
    ensure_partitions,
    without_overlap,
)
from engine.adapters.postgres.leases import Leases
from engine.adapters.postgres.live_claims import WRITE_CLAIMED, claim_decided, claims_json, claims_of
from engine.adapters.postgres.trade_statement import WRITE_TRADES, trade_columns
from protocols.decisions import Decision
from protocols.ingest import WriteResult
from protocols.live.orders import LiveIntent
from protocols.receipts import ClosedShares, Receipt, decisions_of
from protocols.timestamps import utc_datetime
from protocols.trades import LanedTrade

_log = logging.getLogger(__name__)
Key = tuple[str, str]
DAYS_MAX = 1_000


@attrs.frozen
class _Statement:
    """Decisions that one statement writes, and its values."""

    run: Sequence[Decision]
    values: tuple[object, ...]


@attrs.define
class _Outcome:
    """What a transaction came to; None of it counts when `fences` is 0."""

    fences: int = 0
    inserted: int = 0
    claimed: set[Key] = attrs.field(factory=set)
    opened: set[tuple[Key, str]] = attrs.field(factory=set)
    """Decision and order."""
    closed: dict[Key, list[ClosedShares]] = attrs.field(factory=dict)
    claims: Mapping[Key, Sequence[LiveIntent]] = attrs.field(factory=dict)
    exits: Mapping[Key, Sequence[str]] = attrs.field(factory=dict)

    def add(self, row: asyncpg.Record | None, run: Sequence[Decision]) -> None:
        assert row is not None
        self.fences = row["fences"]
        self.inserted += row["inserted"]
        self.claimed.update((trade_id, part) for trade_id, part in row["claimed"] or ())
        # An order that one decision of the batch could not have may be another's; never within one run.
        made = set(row["opened"] or ())
        self.opened.update((one.key, order.order_id) for one in run for order in one.orders if order.order_id in made)


@attrs.define(eq=False)
class PostgresTradeStore:
    """`TradeStore` over one long-lived connection."""

    connection: Connection
    leases: Leases
    _days: set[date] = attrs.field(init=False, factory=set)
    """Days of decisions whose partition has been asked for."""

    async def write(self, trades: Sequence[LanedTrade]) -> WriteResult:
        """Commits trades and decisions in one transaction. Raises `TransientError`, `RejectedError` or `FencedError`.

        No trades at all is fine: it connects, prepares the statement, and proves that the leases are held.
        """
        # A key twice in one statement is an error of the server; the later observation wins.
        latest = {laned.trade.trade_id: laned for laned in trades}
        decisions = [decision for laned in trades for decision in decisions_of(laned)]
        if decisions:
            return await self._write_decided(trades, latest, decisions)
        columns = trade_columns(list(latest.values()))

        async def work(raw: asyncpg.Connection) -> asyncpg.Record | None:
            return await raw.fetchrow(WRITE_TRADES, *self.leases.columns, *columns)

        row = await self.connection.run(work)
        if row is None or not row["fences"]:
            raise self.leases.lost()
        inserted = int(row["inserted"])
        return WriteResult(inserted=inserted, repeated=len(trades) - inserted)

    async def _write_decided(
        self, trades: Sequence[LanedTrade], latest: Mapping[str, LanedTrade], decisions: Sequence[Decision]
    ) -> WriteResult:
        # What comes twice in a batch is claimed by the first.
        by_key: dict[Key, Decision] = {}
        for decision in decisions:
            by_key.setdefault(decision.key, decision)
        first = list(by_key.values())
        times = {
            decision.key: latest[decision.trade_id].trade.trade_ms if decision.trade_id in latest else decision.trade_ms
            for decision in first
        }
        statements, columns = [], trade_columns(list(latest.values()))
        for run in without_overlap(first):
            text = decisions_json((decision, times[decision.key]) for decision in run)
            statements.append(_Statement(run, (*columns, text)))
            columns = trade_columns(())
        days = {utc_datetime(trade_ms).date() for trade_ms in times.values()}
        beside = [one for one in first if one.closes or one.intents or one.exit_signal is not None]

        async def work(raw: asyncpg.Connection) -> _Outcome:
            await self._ensure_days(raw, days)
            try:
                return await self._commit(raw, statements, beside)
            except (asyncpg.UniqueViolationError, asyncpg.ForeignKeyViolationError):
                # Something was committed while the statement waited for the lease; the second one sees it.
                return await self._commit(raw, statements, beside)

        outcome = await self.connection.run(work)
        if not outcome.fences:
            raise self.leases.lost()
        receipts = tuple(_receipts(decisions, outcome))
        return WriteResult(inserted=outcome.inserted, repeated=len(trades) - outcome.inserted, receipts=receipts)

    async def _commit(
        self, raw: asyncpg.Connection, statements: Sequence["_Statement"], beside: Sequence[Decision]
    ) -> _Outcome:
        outcome, lease = _Outcome(), self.leases.columns
        if len(statements) == 1 and not beside:
            only = statements[0]
            outcome.add(await raw.fetchrow(WRITE_DECIDED, *lease, *only.values), only.run)
            return outcome
        if len(statements) == 1 and (claims := claims_json(beside)) is not None:
            only = statements[0]
            row = await raw.fetchrow(WRITE_CLAIMED, *lease, *only.values, claims)
            outcome.add(row, only.run)
            outcome.claims = claims_of(beside, set(row["live"] or () if row else ()))
            return outcome
        async with raw.transaction():
            for statement in statements:
                outcome.add(await raw.fetchrow(WRITE_DECIDED, *lease, *statement.values), statement.run)
            claimed = [one for one in beside if one.key in outcome.claimed]
            outcome.closed = await apply_closes(raw, claimed)
            outcome.claims, outcome.exits = await claim_decided(raw, claimed)
        return outcome

    async def _ensure_days(self, raw: asyncpg.Connection, days: set[date]) -> None:
        missing = days - self._days
        if not missing:
            return
        try:
            await ensure_partitions(raw, missing)
        except asyncpg.PostgresError as error:
            fields = {"days": sorted(map(str, missing))[:5], "error": str(error)}
            _log.warning("no partition of their own for the decisions of some days", extra=fields)
        if len(self._days) > DAYS_MAX:
            self._days.clear()
        self._days |= missing


def _receipts(decisions: Sequence[Decision], outcome: _Outcome) -> list[Receipt]:
    """Returns one receipt a decision; of two with one key the first is the one that was applied."""
    receipts, left = list[Receipt](), set(outcome.claimed)
    for decision in decisions:
        if decision.key not in left:
            receipts.append(Receipt(key=decision.key, applied=False))
            continue
        left.remove(decision.key)
        ids = (order.order_id for order in decision.orders)
        left_out = tuple(id_ for id_ in ids if (decision.key, id_) not in outcome.opened)
        closed = tuple(outcome.closed.get(decision.key, ()))
        receipts.append(
            Receipt(
                key=decision.key,
                applied=True,
                left_out=left_out,
                closed=closed,
                claims=tuple(outcome.claims.get(decision.key, ())),
                exits=tuple(outcome.exits.get(decision.key, ())),
            )
        )
    return receipts
