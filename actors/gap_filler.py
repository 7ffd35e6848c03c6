"""Reads again from the venue's history what the stream may have missed."""

import logging
from collections import Counter

import attrs
import trio

from actors.history_reading import HistoryReading
from actors.rules.backoff import Backoff
from actors.rules.gap_plan import GapPlan
from actors.rules.gaps import window_s
from config.schema import StreamConfig
from protocols.channels import Inbox, Outbox
from protocols.clock import Random, WallClock
from protocols.errors import RejectedError, TransientError
from protocols.ingest import GapReason, GapRequest, GapStore, TargetView, TradeHistory
from protocols.trades import Lane, RawTrade

_log = logging.getLogger(__name__)
REPLAN_S = 60.0
GAP_MAX_S = 86_400.0
FORGET_AFTER_S = 5.0
FUTURE_MAX_MS = 60_000


@attrs.define(eq=False, kw_only=True)
class GapFiller:
    """gap requests → raw trades: one platform-wide window, read again 15 s later because history is late.

    Only when that fails is the window read wallet by wallet, lane 0 first. A planned recycling lost nothing, so its
    readings stop after one page: two calls, whatever the number of wallets. Gaps are kept in the database until they are
    read: a history that is down may outlive this process.
    """

    requests: Inbox[GapRequest]
    trades: Outbox[RawTrade]
    history: TradeHistory
    store: GapStore
    targets: TargetView
    config: StreamConfig
    clock: WallClock
    rng: Random
    readings: Counter[str] = attrs.field(init=False, factory=Counter)
    """Finished readings by reason."""
    _recalled: bool = attrs.field(init=False, default=False)
    _held: GapRequest | None = attrs.field(init=False, default=None)
    _last_trade_ms: int | None = attrs.field(init=False, default=None)
    """Time of the last trade of the run before."""
    _stored: frozenset[GapRequest] = attrs.field(init=False, factory=frozenset)
    """What the database holds as unread."""
    _plan: GapPlan = attrs.field(init=False)
    _planned: trio.Event = attrs.field(init=False, factory=trio.Event)
    """Set when the plan changed since the last look at it."""
    _changed: trio.Event = attrs.field(init=False, factory=trio.Event)
    """Set when the database has to be told."""
    _reading: HistoryReading = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._plan = GapPlan(reread_s=self.config.gap_reread_s)
        self._reading = HistoryReading(
            history=self.history,
            trades=self.trades,
            targets=self.targets,
            pages_max=self.config.gap_pages_max,
            rng=self.rng,
        )

    @property
    def rows_found(self) -> int:
        """Rows of followed wallets that were sent on."""
        return self._reading.rows_found

    @property
    def all_read(self) -> bool:
        """Whether no gap is known that has to be read once more."""
        return not self._plan.unread()

    @property
    def rows_malformed(self) -> Counter[str]:
        """Rows that were not understood, by reason."""
        return self._reading.rows_malformed

    def hold(self, gap: GapRequest | None) -> None:
        """Has the database keep what the next run would have to read if this process ended now. This one does not read it.

        Never waits. The next call replaces it; None: nothing would be missing.
        """
        if gap != self._held:
            self._held = gap
            self._changed.set()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Fills gaps until the stream of requests ends and all of them are read, or until it is cancelled.

        Has started when it knows the last trade of the run before: later the newest trade is one of this run, and the gap
        between the two runs would seem to be none.
        """
        if not self._recalled:
            await self._recall()
        task_status.started()
        self._changed.set()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._keep_unread)
            async with trio.open_nursery() as work:
                ended = trio.Event()
                work.start_soon(self._take_requests, ended)
                work.start_soon(self._read_on_time, ended)
            nursery.cancel_scope.cancel()

    async def _recall(self) -> None:
        backoff = Backoff(first_s=0.2, max_s=5, rng=self.rng)
        while True:
            try:
                self._last_trade_ms = await self.store.last_trade_ms()
                unread = await self.store.unread_gaps()
                break
            except TransientError as error:
                _log.warning("last committed trade not known yet", extra={"error": str(error)})
                await trio.sleep(backoff.next_s())
        if unread:
            _log.info("gaps of an earlier run are not read yet", extra={"gaps": len(unread)})
        self._stored = frozenset(unread)
        self._plan.add(unread, trio.current_time())
        self._recalled = True

    async def _take_requests(self, ended: trio.Event) -> None:
        while requests := await self.requests.batch(16):
            known = [resolved for one in requests if (resolved := self._resolved(one)) is not None]
            self._plan.add(known, trio.current_time())
            self._planned.set()
            self._changed.set()
        ended.set()
        self._planned.set()

    def _resolved(self, request: GapRequest) -> GapRequest | None:
        """Returns the request with both of its times, or None when there is nothing to read."""
        # A row from the future must not carry the window away from what is missing.
        until_ms = min(request.until_ms, self.clock.now_ms() + FUTURE_MAX_MS)
        since_ms = self._last_trade_ms if request.since_ms is None else request.since_ms
        # With an empty database a start has nothing to read, but what came with it does.
        return None if since_ms is None else attrs.evolve(request, since_ms=min(since_ms, until_ms), until_ms=until_ms)

    async def _read_on_time(self, ended: trio.Event) -> None:
        while True:
            self._planned = trio.Event()
            due_s = self._plan.next_due_s()
            if due_s is None and ended.is_set():
                return
            with trio.move_on_at(float("inf") if due_s is None else due_s):
                await self._planned.wait()
            await self._read_what_is_due()

    async def _read_what_is_due(self) -> None:
        for reading in self._plan.due(trio.current_time()):
            try:
                await self._read(reading.request)
            except TransientError as error:
                _log.warning("gap not read, planned again", extra={"error": str(error), "pause_s": REPLAN_S})
                self._plan.postpone(reading, trio.current_time() + REPLAN_S)
                continue
            # Only now is it done: a crash above leaves it in the plan.
            self._plan.done(reading, trio.current_time())
            self._changed.set()

    async def _keep_unread(self) -> None:
        """Keeps the database's list of unread gaps like ours; while the database is down ours is all there is."""
        backoff = Backoff(first_s=0.5, max_s=5, rng=self.rng)
        while True:
            await self._changed.wait()
            self._changed = trio.Event()
            if self._unread() < self._stored:
                # What was read last may still be on its way to the database.
                with trio.move_on_after(FORGET_AFTER_S):
                    await self._changed.wait()
            unread = self._unread()
            if unread == self._stored:
                continue
            try:
                await self.store.keep_unread_gaps(sorted(unread, key=lambda gap: gap.until_ms))
            except TransientError as error:
                _log.warning("unread gaps not kept yet", extra={"error": str(error)})
                await trio.sleep(backoff.next_s())
                self._changed.set()
                continue
            backoff.reset()
            self._stored = unread

    def _unread(self) -> frozenset[GapRequest]:
        return self._plan.unread() | ({self._held} if self._held else set())

    async def _read(self, request: GapRequest) -> None:
        at_start = request.reason is GapReason.START
        overlap_s = self.config.gap_start_overlap_s if at_start else self.config.gap_overlap_s
        # What an operator limits is the start. Any other gap is as long as it is, but a row with an absurd time in it
        # must not ask for years.
        longest_s = self.config.gap_start_max_s if at_start else max(GAP_MAX_S, self.config.gap_start_max_s)
        window = window_s(request, overlap_ms=round(overlap_s * 1000), longest_ms=round(longest_s * 1000))
        before = self.rows_found
        recycling = request.reason is GapReason.RECYCLE
        try:
            await self._reading.read(*window, wallet=None, first_page_only=recycling)
        except RejectedError as error:
            if recycling:
                _log.warning(
                    "reading after a recycling refused, nothing should be missing", extra={"error": str(error)}
                )
            else:
                _log.warning("platform-wide reading failed, going wallet by wallet", extra={"error": str(error)})
                await self._read_by_wallet(*window)
        self.readings[request.reason.value] += 1
        fields = {"reason": request.reason.value, "window_s": window[1] - window[0], "rows": self.rows_found - before}
        _log.info("gap read", extra=fields)

    async def _read_by_wallet(self, since_s: int, until_s: int) -> None:
        for wallet in self.targets.current().wallets(Lane.TARGET, Lane.FOLLOWED):
            try:
                await self._reading.read(since_s, until_s, wallet=wallet)
            except RejectedError as error:
                _log.error("history of a wallet refused", extra={"wallet": wallet, "error": str(error)})
