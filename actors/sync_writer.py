"""Commits trades, exactly once, whatever the database does meanwhile."""

import logging
from collections.abc import Callable, Sequence

import attrs
import trio

from actors.refused_writes import commit_instead
from actors.rules.backoff import Backoff
from actors.rules.gaps import merged
from actors.rules.log_limit import LogLimit
from config.schema import WriterConfig
from protocols.channels import Inbox, Outbox
from protocols.clock import Random
from protocols.errors import RejectedError, StorageFullError, TransientError
from protocols.ingest import GapReason, GapRequest, SpillStore, TradeStore, WriteResult
from protocols.instruments import Observer
from protocols.receipts import Receipt, refused
from protocols.trades import LanedTrade

_log = logging.getLogger(__name__)
NEARLY_EMPTY_BYTES = 64 << 10


@attrs.define(eq=False, kw_only=True)
class SyncWriter:
    """lanes → Postgres. Group commit: the next batch is whatever arrived during the last commit; there is no timer.

    A commit that fails, or does not answer within `patience_ms`, sends its batch and everything after it to the journal on
    disk; a second task replays the journal in order and direct writing goes on when it is empty. A batch is acknowledged
    only when it is committed or in the journal, so a crash of this actor loses nothing.
    """

    trades: Inbox[LanedTrade]
    gaps: Outbox[GapRequest]
    store: TradeStore
    spill: SpillStore
    config: WriterConfig
    rng: Random
    latency: Observer
    forget: Callable[[Sequence[str]], None] = lambda _: None
    """Told the ids of trades that could not be kept, so that they may come again."""
    committed: Callable[[], None] = lambda: None
    """Told after each commit; never waits."""
    decided: Callable[[Sequence[Receipt]], None] = lambda _: None
    """Told what became of decisions, once for each time that one was written or given up; never waits. Of those that a lost
    acknowledgement hides the second writing says `applied=False`; at most one receipt of a decision says that it was."""
    inserted: int = attrs.field(init=False, default=0)
    repeated: int = attrs.field(init=False, default=0)
    rejected: int = attrs.field(init=False, default=0)
    """Rows that the database will never take."""
    spilled: int = attrs.field(init=False, default=0)
    replayed: int = attrs.field(init=False, default=0)
    handed_to_gap: int = attrs.field(init=False, default=0)
    """Rows that neither database nor journal could take; their interval is read again."""
    commits: int = attrs.field(init=False, default=0)
    failures: int = attrs.field(init=False, default=0)
    stored: bool = attrs.field(init=False, default=True)
    """False while the database does not take rows."""
    _spilling: trio.Event = attrs.field(init=False, factory=trio.Event)
    """Set while the journal holds trades."""
    _emptied: trio.Event = attrs.field(init=False, factory=trio.Event)
    _oldest: tuple[LanedTrade, ...] | None = attrs.field(init=False, default=None)
    """The oldest segment of the journal, read once however often its commit fails."""
    _pending_gap: GapRequest | None = attrs.field(init=False, default=None)
    """What neither database nor journal could take; asked for when the database takes rows again."""
    _store_lock: trio.Lock = attrs.field(init=False, factory=trio.Lock)
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Writes until the lanes end; then the journal gets one patience to empty, and what is left stays on disk."""
        self._store_lock = trio.Lock()
        self._oldest = None
        self._spilling = trio.Event()
        if self.spill.size_bytes:
            self._start_spilling()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._replay)
            task_status.started()
            while batch := await self.trades.batch(self.config.batch_max):
                await self._keep(batch, nursery)
            with trio.move_on_after(self.config.patience_ms / 1000):
                if self._spilling.is_set():
                    await self._emptied.wait()
                async with self._store_lock:
                    pass
            self._offer_gap()
            nursery.cancel_scope.cancel()

    async def _keep(self, batch: list[LanedTrade], nursery: trio.Nursery) -> None:
        """Returns when the batch is durable, in the database or in the journal."""
        if self._spilling.is_set() and self.stored and self.spill.size_bytes <= NEARLY_EMPTY_BYTES:
            # Under a steady load the journal would be filled as fast as it is emptied: let the replay win once.
            with trio.move_on_after(self.config.patience_ms / 1000):
                await self._emptied.wait()
        if not self._spilling.is_set():
            attempt = _Attempt()
            nursery.start_soon(self._attempt, batch, attempt)
            with trio.move_on_after(self.config.patience_ms / 1000):
                await attempt.finished.wait()
            if attempt.committed:
                return
            self.stored = False
        await self._to_journal(batch)

    async def _attempt(self, batch: list[LanedTrade], attempt: "_Attempt") -> None:
        try:
            async with self._store_lock:
                await self._commit(batch)
            attempt.committed = True
        except TransientError as error:
            self._failed(error)
        finally:
            attempt.finished.set()

    async def _commit(self, batch: Sequence[LanedTrade]) -> None:
        """Commits a batch. Halves it to find the rows that the database will never take. Raises `TransientError`."""
        try:
            result = await self.store.write(batch)
        except RejectedError as error:
            self._answered()
            # Parts of it count for themselves meanwhile.
            left_out = await commit_instead(batch, error, self._commit, self.decided)
            self.rejected += left_out
            return
        self._count(batch, result)

    def _count(self, batch: Sequence[LanedTrade], result: WriteResult) -> None:
        self.commits += 1
        self.inserted += result.inserted
        self.repeated += result.repeated
        self._answered()
        self.committed()
        if result.receipts:
            self.decided(result.receipts)
        now_s = trio.current_time()
        for laned in batch:
            self.latency.observe(now_s - laned.trade.seen_s)

    def _answered(self) -> None:
        if not self.stored:
            self.stored = True
            _log.info("database takes rows again")
        self._offer_gap()

    def _offer_gap(self) -> None:
        """Hands the pending gap on. Never waits for the gap filler, which may be waiting for us."""
        if self._pending_gap is not None and self.gaps.send_nowait(self._pending_gap):
            self._pending_gap = None

    async def _to_journal(self, batch: list[LanedTrade]) -> None:
        try:
            await self.spill.append(batch)
        except StorageFullError as error:
            self._to_gap(batch, error)
            return
        self.spilled += len(batch)
        self._start_spilling()

    def _to_gap(self, batch: list[LanedTrade], error: StorageFullError) -> None:
        self.handed_to_gap += len(batch)
        self._start_spilling()
        # The filter must not take what is read again for a repeat.
        self.forget([laned.trade.trade_id for laned in batch])
        if dropped := refused(batch):
            self.decided(dropped)
        times = [laned.trade.trade_ms for laned in batch]
        request = GapRequest(reason=GapReason.OVERFLOW, since_ms=min(times), until_ms=max(times))
        self._pending_gap = request if self._pending_gap is None else merged(self._pending_gap, request)
        if self._log_limit.allows("full", trio.current_time()) is not None:
            _log.error("journal full, rows will be read again from history", extra={"error": str(error)})

    async def _replay(self) -> None:
        """Empties the journal into the database, oldest segment first, whenever there is something in it."""
        backoff = Backoff(first_s=self.config.retry_delay_s, max_s=self.config.retry_delay_max_s, rng=self.rng)
        while True:
            await self._spilling.wait()
            try:
                async with self._store_lock:
                    done = await self._replay_oldest()
                    if done and self._pending_gap is not None:
                        # Nothing to replay, so nothing else would tell whether rows can be taken again.
                        await self.store.write(())
                        self._answered()
            except TransientError as error:
                self._failed(error)
                await trio.sleep(backoff.next_s())
                continue
            backoff.reset()
            if done and not self.spill.size_bytes:
                self._spilling = trio.Event()
                self._emptied.set()

    def _start_spilling(self) -> None:
        if not self._spilling.is_set():
            self._emptied = trio.Event()
            self._spilling.set()

    async def _replay_oldest(self) -> bool:
        """Commits the oldest segment of the journal; True when there was none."""
        if self._oldest is None:
            self._oldest = await self.spill.read_oldest()
        if self._oldest is None:
            return True
        for start in range(0, len(self._oldest), self.config.batch_max):
            await self._commit(self._oldest[start : start + self.config.batch_max])
        await self.spill.discard_oldest()
        self.replayed += len(self._oldest)
        self._oldest = None
        return False

    def _failed(self, error: TransientError) -> None:
        self.failures += 1
        self.stored = False
        held = self._log_limit.allows("database", trio.current_time())
        if held is not None:
            _log.warning("database takes no rows, trades go to the journal", extra={"error": str(error), "more": held})


@attrs.define(eq=False)
class _Attempt:
    finished: trio.Event = attrs.field(factory=trio.Event)
    committed: bool = False
