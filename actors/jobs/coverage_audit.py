"""Compares the stream with the venue's history, wallet by wallet, and has recorded late what nobody had."""

import logging
from collections.abc import Callable, Sequence

import attrs
import trio

from actors.coverage_board import CoverageBoard
from actors.coverage_reading import CoverageReading, WindowTooLargeError
from actors.late_trades import LateTrades
from actors.rules.coverage import Window, window_of
from actors.window_audit import WindowAudit, by_second
from config.coverage import CoverageConfig
from protocols.clock import WallClock
from protocols.coverage import AuditedWindow, CoverageStore, DueWallet
from protocols.errors import RejectedError, TransientError
from protocols.ingest import TargetSets, TradeHistory
from protocols.jobs import RunningJob
from protocols.trader_accounts import TraderAccounts
from protocols.trades import Lane

_log = logging.getLogger(__name__)
SYNC_MAX = 5_000
BATCH_MAX = 100
AGAIN_MAX = 200
ROWS_MAX = 10_000
FAILURES_MAX = 3
"""Failures of weather in a row; then it is not the wallet."""
CONFIRM_S = 10.0
SUMMARY_MS = 86_400_000
AGAIN_SHARE = 0.25
"""Of the calls of a run: what can never be recorded must not use up the others."""
TARGETS_SHARE = 0.75
"""Of the calls of a run, while followed wallets wait as well."""


@attrs.define(eq=False, kw_only=True)
class CoverageAudit:
    """A bounded number of calls a run: targets first, then followed wallets, those that waited longest for a try first.

    A window counts only when both histories were read to its end (D78). What is missing is kept, handed to the ingest of
    this process, and looked for again by this run and the next ones until it is recorded.
    """

    history: TradeHistory
    accounts: TraderAccounts
    store: CoverageStore
    late: Callable[[], LateTrades | None]
    config: CoverageConfig
    clock: WallClock
    board: CoverageBoard
    name: str = "coverage-audit"
    after: Sequence[str] = ()
    _synced: int | None = attrs.field(init=False, default=None)
    """Version of the sets that the database knows."""

    async def run(self, running: RunningJob) -> None:
        """Audits. Raises `TransientError` and `FencedError`; what was compared until then stays so."""
        late = self.late()
        running.report(ingesting=late is not None)
        if late is None:
            return
        reading = CoverageReading(history=self.history, accounts=self.accounts, pages_max=self.config.pages_max)
        audit = WindowAudit(reading=reading, store=self.store, late=late, missed=self.board.missed)
        run = _Run(job=self, running=running, audit=audit, now_s=self.clock.now_ms() // 1000)
        before = self.board.missed.total()
        targets = late.targets.current()
        if targets.version < 0:
            raise TransientError("the sets of wallets have not been read yet")
        if targets.version != self._synced:
            await run.sync(targets)
            self._synced = targets.version
        await run.repeat_misses()
        await run.audit_wallets()
        run.open_misses += self.board.missed.total() - before
        await run.confirm()
        await self.store.prune(
            running.lease, before_ms=(run.now_s - self.config.keep_days * 86_400) * 1000, rows_max=ROWS_MAX
        )
        self.board.publish(await self.store.summary(since_ms=run.now_s * 1000 - SUMMARY_MS), trio.current_time())
        run.judge()


@attrs.define(eq=False, kw_only=True)
class _Run:
    """One run."""

    job: CoverageAudit
    running: RunningJob
    audit: WindowAudit
    now_s: int
    windows: int = 0
    failed: int = 0
    expected: int = 0
    by_stream: int = 0
    recorded: int = 0
    open_misses: int = 0
    failures_in_a_row: int = 0
    _tried: set[str] = attrs.field(init=False, factory=set)
    _last_error: str = ""

    async def sync(self, targets: TargetSets) -> None:
        """Makes the wallets that are audited those of lanes 0 and 1."""
        wanted = sorted((wallet, lane) for wallet, lane in targets.lanes.items() if lane is not Lane.KNOWN)
        after = ""
        for start in range(0, len(wanted) + 1, SYNC_MAX):
            chunk = wanted[start : start + SYNC_MAX]
            at_end = start + SYNC_MAX > len(wanted)
            await self.job.store.sync(self.running.lease, chunk, after=after, at_end=at_end, now_s=self.now_s)
            after = chunk[-1][0] if chunk else after

    async def repeat_misses(self) -> None:
        """What an earlier run found and nobody recorded is handed over again; the row is read anew."""
        store, since_ms = self.job.store, (self.now_s - round(self.job.config.lookback_s)) * 1000
        await store.mark_recorded(self.running.lease, rows_max=ROWS_MAX)
        left = await store.unrecorded(since_ms=since_ms, rows_max=AGAIN_MAX)
        for (wallet, second_s), trade_ids in by_second(left).items():
            if self._calls_left(AGAIN_SHARE) <= 0:
                break
            try:
                await self.audit.again(wallet, second_s, trade_ids)
            except (TransientError, RejectedError) as error:
                # Its own time will come again; the others must not wait for it.
                _log.warning("a missed trade is not read again", extra={"wallet": wallet, "error": str(error)})
                self._weather(error)
            else:
                self.open_misses += len(trade_ids)
                self.failures_in_a_row = 0

    async def audit_wallets(self) -> None:
        """Those of a lane until its share of the calls is used up; targets have what nobody else wants."""
        for lane, share in ((Lane.TARGET, TARGETS_SHARE), (Lane.FOLLOWED, 1.0), (Lane.TARGET, 1.0)):
            while self._calls_left(share) > 0 and (batch := await self._due(lane)):
                for due in batch:
                    if self._calls_left(share) <= 0:
                        break
                    self._tried.add(due.wallet)
                    await self._audit_one(due)

    async def _due(self, lane: Lane) -> list[DueWallet]:
        until_s = self.now_s - round(self.job.config.settle_s + self.job.config.window_min_s)
        due = await self.job.store.due(lane, until_s=until_s, wallets_max=BATCH_MAX)
        # A try goes to the end of the line, so those of this run come last.
        return [one for one in due if one.wallet not in self._tried]

    async def _audit_one(self, due: DueWallet) -> None:
        window = window_of(due.audited_until_s, self.now_s, self.job.config)
        if window is None:
            return
        now_ms = self.job.clock.now_ms()
        try:
            audited = await self._audited(due, window)
        except (TransientError, RejectedError) as error:
            self.failed += 1
            self._last_error = str(error)
            _log.warning("history of a wallet not compared", extra={"wallet": due.wallet, "error": str(error)})
            await self.job.store.failed(self.running.lease, due.wallet, str(error), now_ms=now_ms)
            self._weather(error)
        else:
            await self.job.store.close_window(self.running.lease, audited, now_ms=now_ms)
            self.failures_in_a_row = 0
            self._count(audited)
        self._report()

    async def _audited(self, due: DueWallet, window: Window) -> AuditedWindow:
        """Compares the window, or the half of it that can be read: the rest is due next time."""
        while True:
            try:
                return await self.audit.audit(self.running.lease, due, window)
            except WindowTooLargeError:
                length_s = window.until_s - window.since_s
                if length_s < self.job.config.window_min_s:
                    raise
                window = attrs.evolve(window, until_s=window.since_s + length_s // 2)

    async def confirm(self) -> None:
        """Gives the ingest a moment to record what it was handed; who is late is found by the next run."""
        until_s = trio.current_time() + CONFIRM_S
        while self.recorded < self.open_misses and trio.current_time() < until_s:
            recorded = await self.job.store.mark_recorded(self.running.lease, rows_max=ROWS_MAX)
            self.recorded += recorded
            if self.recorded < self.open_misses:
                await trio.sleep(0.2)
        self._report()

    def judge(self) -> None:
        """Raises `TransientError` for a run that came to nothing: it must not look like a success."""
        if self.failed and not self.windows:
            raise TransientError(f"no history could be compared: {self._last_error}")

    def _weather(self, error: Exception) -> None:
        """Raises `TransientError` when so many fail in a row that it is not the wallet."""
        self.failures_in_a_row = self.failures_in_a_row + 1 if isinstance(error, TransientError) else 0
        if self.failures_in_a_row >= FAILURES_MAX:
            raise TransientError(f"{FAILURES_MAX} wallets in a row: {error}") from None

    def _count(self, audited: AuditedWindow) -> None:
        self.windows += 1
        self.expected += audited.counts.expected
        self.by_stream += audited.counts.by_stream

    def _calls_left(self, share: float) -> float:
        return share * self.job.config.calls_max - self.audit.reading.calls

    def _report(self) -> None:
        self.running.report(
            windows=self.windows,
            failed=self.failed,
            expected=self.expected,
            by_stream=self.by_stream,
            missing=self.open_misses,
            recorded=self.recorded,
            calls=self.audit.reading.calls,
        )
