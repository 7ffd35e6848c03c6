"""Stores that fail the way the real ones do, on command."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence

import attrs
import trio
from property.supervised import CrashPlan

from engine.adapters.spill_journal import SpillJournal
from protocols.errors import RejectedError, StorageFullError, TransientError
from protocols.ingest import GapRequest, WriteResult
from protocols.receipts import Receipt, decisions_of
from protocols.trades import LanedTrade

OUTCOMES = ("ok", "transient", "hang then ok", "hang then fail", "ack lost", "slow ok", "crash before", "crash after")
WEATHER = tuple(outcome for outcome in OUTCOMES if "crash" not in outcome)


@attrs.define(eq=False)
class FakeTradeStore:
    """Keyed by trade id like the real one; `script` says how each write goes, in order, then all go well."""

    script: deque[str] = attrs.field(factory=deque, converter=deque)
    refused: frozenset[str] = frozenset()
    """Trade ids that no database will ever take."""
    refused_descriptions: frozenset[str] = frozenset()
    """Trade ids that it takes only without `raw`."""
    refused_decisions: frozenset[str] = frozenset()
    """Trade ids that it takes only without decisions."""
    down_until_s: float = 0.0
    down_from_s: float = 0.0
    rows: dict[str, LanedTrade] = attrs.field(factory=dict)
    """In the order of first commits."""
    claimed: set[tuple[str, str]] = attrs.field(factory=set)
    """Decisions that took place."""
    commits: list[int] = attrs.field(factory=list)
    gaps: list[GapRequest] = attrs.field(factory=list)
    """Those that are kept as unread."""
    on_keep: Callable[[Sequence[GapRequest]], None] = lambda _: None
    writing: int = 0

    async def write(self, trades: Sequence[LanedTrade]) -> WriteResult:
        self.writing += 1
        assert self.writing == 1, "two transactions at once"
        try:
            return await self._write(list(trades))
        finally:
            self.writing -= 1

    async def _write(self, trades: list[LanedTrade]) -> WriteResult:
        await trio.lowlevel.checkpoint()
        self._check_up()
        outcome = self.script.popleft() if self.script else "ok"
        if outcome == "transient":
            raise TransientError("scripted")
        if outcome == "crash before":
            raise RuntimeError("a bug of ours")
        if outcome.startswith("hang"):
            await trio.sleep(2.5)
        if outcome == "slow ok":
            await trio.sleep(0.3)
        if outcome == "hang then fail":
            raise TransientError("time-out")
        result = self._commit(trades)
        if outcome == "ack lost":
            raise TransientError("connection lost during commit")
        if outcome == "crash after":
            raise RuntimeError("a bug of ours")
        return result

    def _check_up(self) -> None:
        if self.down_from_s <= trio.current_time() < self.down_until_s:
            raise TransientError("down")

    def _commit(self, trades: list[LanedTrade]) -> WriteResult:
        if any(laned.trade.trade_id in self.refused for laned in trades):
            raise RejectedError("value out of range")
        if any(laned.trade.trade_id in self.refused_descriptions and laned.trade.raw != "{}" for laned in trades):
            raise RejectedError("value overflows numeric format")
        if any(laned.trade.trade_id in self.refused_decisions and decisions_of(laned) for laned in trades):
            raise RejectedError("no cash for it")
        before, receipts = len(self.rows), []
        for laned in trades:
            self.rows.setdefault(laned.trade.trade_id, laned)
            for decision in decisions_of(laned):
                receipts.append(Receipt(key=decision.key, applied=decision.key not in self.claimed))
                self.claimed.add(decision.key)
        self.commits.append(len(trades))
        inserted = len(self.rows) - before
        return WriteResult(inserted=inserted, repeated=len(trades) - inserted, receipts=tuple(receipts))

    async def last_trade_ms(self) -> int | None:
        await trio.lowlevel.checkpoint()
        self._check_up()
        return max((laned.trade.trade_ms for laned in self.rows.values()), default=None)

    async def unread_gaps(self) -> list[GapRequest]:
        await trio.lowlevel.checkpoint()
        self._check_up()
        return list(self.gaps)

    async def keep_unread_gaps(self, gaps: Sequence[GapRequest]) -> None:
        await trio.lowlevel.checkpoint()
        self._check_up()
        assert all(gap.since_ms is not None and gap.since_ms <= gap.until_ms for gap in gaps)
        self.gaps = list(gaps)
        self.on_keep(gaps)


@attrs.define(eq=False)
class MemorySpill:
    """A journal in memory with small segments; crashes at chosen calls, before or after the effect."""

    trades_max: int = 10**9
    segment_trades: int = 4
    plan: CrashPlan = attrs.field(factory=lambda: CrashPlan(frozenset()))
    after_effect: bool = False
    segments: list[list[LanedTrade]] = attrs.field(factory=list)
    sealed: int = 0
    reads: int = 0

    @property
    def size_bytes(self) -> int:
        return sum(map(len, self.segments)) * 100

    async def append(self, trades: Sequence[LanedTrade]) -> None:
        due = await self._step()
        if sum(map(len, self.segments)) + len(trades) > self.trades_max:
            raise StorageFullError("full")
        if len(self.segments) <= self.sealed or len(self.segments[-1]) >= self.segment_trades:
            self.segments.append([])
        self.segments[-1].extend(trades)
        self._done(due)

    async def read_oldest(self) -> tuple[LanedTrade, ...] | None:
        due = await self._step()
        self.reads += 1
        if not self.segments:
            return None
        self.sealed = max(self.sealed, 1)
        self._done(due)
        return tuple(self.segments[0])

    async def discard_oldest(self) -> None:
        due = await self._step()
        self.segments.pop(0)
        self.sealed = max(0, self.sealed - 1)
        self._done(due)

    async def _step(self) -> bool:
        await trio.lowlevel.checkpoint()
        due = self.plan.due()
        if due and not self.after_effect:
            self.plan.crash()
        return due

    def _done(self, due: bool) -> None:
        if due:
            self.plan.crash()


@attrs.define(eq=False)
class InlineJournal:
    """The real journal without its threads, which do not know of virtual time."""

    journal: SpillJournal

    @property
    def size_bytes(self) -> int:
        return self.journal.size_bytes

    async def append(self, trades: Sequence[LanedTrade]) -> None:
        await trio.lowlevel.checkpoint()
        self.journal._append(encoded(trades))

    async def read_oldest(self) -> tuple[LanedTrade, ...] | None:
        await trio.lowlevel.checkpoint()
        return self.journal._read_oldest()

    async def discard_oldest(self) -> None:
        await trio.lowlevel.checkpoint()
        self.journal._discard_oldest()


def encoded(trades: Iterable[LanedTrade]) -> bytes:
    from engine.adapters.spill_journal import _record

    return b"".join(map(_record, trades))


@attrs.define(eq=False)
class Latencies:
    values: list[float] = attrs.field(factory=list)

    def observe(self, value: float) -> None:
        self.values.append(value)
