"""Reads again from the venue's history what the stream may have missed."""

import logging
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import attrs
import trio

from actors.rules.backoff import Backoff
from actors.rules.gaps import Reading, coalesced, window_s
from actors.rules.page_edges import CutTransaction, cut_transactions, split_at_edge
from config.schema import StreamConfig
from protocols.channels import Inbox, Outbox
from protocols.clock import Random
from protocols.errors import RejectedError, TransientError
from protocols.ingest import GapReason, GapRequest, TargetView, TradeHistory, TradeStore
from protocols.trades import Lane, RawTrade
from protocols.venue.data_api import PageRow, TradePage

_log = logging.getLogger(__name__)
PAGE_TRIES = 6
REPLAN_S = 60.0
GAP_MAX_S = 86_400.0


@attrs.define(eq=False, kw_only=True)
class GapFiller:
    """gap requests → raw trades: one platform-wide window, read again 15 s later because history is late.

    Only when that fails is the window read wallet by wallet, lane 0 first. A planned recycling lost nothing, so its
    readings stop after one page: two calls, whatever the number of wallets.
    """

    requests: Inbox[GapRequest]
    trades: Outbox[RawTrade]
    history: TradeHistory
    store: TradeStore
    targets: TargetView
    config: StreamConfig
    rng: Random
    readings: Counter[str] = attrs.field(init=False, factory=Counter)
    """Finished readings by reason."""
    rows_found: int = attrs.field(init=False, default=0)
    rows_malformed: Counter[str] = attrs.field(init=False, factory=Counter)
    _last_trade_known: bool = attrs.field(init=False, default=False)
    _last_trade_ms: int | None = attrs.field(init=False, default=None)
    """Time of the last trade of the run before."""
    _responses: int = attrs.field(init=False, default=0)
    _due: list[Reading] = attrs.field(init=False, factory=list)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Fills gaps until the stream of requests ends or it is cancelled.

        Has started when it knows the last trade of the run before: later the newest trade is one of this run, and the gap
        between the two runs would seem to be none.
        """
        if not self._last_trade_known:
            self._last_trade_ms = await self._ask_for_last_trade()
            self._last_trade_known = True
        task_status.started()
        while True:
            if self._due:
                requests = await self._requests_until(min(reading.due_s for reading in self._due))
            else:
                requests = await self.requests.batch(16)
                if not requests:
                    return
            self._plan(requests)
            await self._read_what_is_due()

    async def _requests_until(self, due_s: float) -> list[GapRequest]:
        with trio.move_on_after(max(0.0, due_s - trio.current_time())):
            requests = await self.requests.batch(16)
            if not requests:
                await trio.sleep_forever()
            return requests
        return []

    def _plan(self, requests: list[GapRequest]) -> None:
        now_s = trio.current_time()
        readings = 2 if self.config.gap_reread_s > 0 else 1
        # Resolved one by one first: with an empty database a start has nothing to read, but what came with it does.
        resolved = [known for request in requests if (known := _resolved(request, self._last_trade_ms)) is not None]
        for request in coalesced(resolved, touching_ms=5_000):
            self._due.append(Reading(due_s=now_s, request=request, readings_left=readings))

    async def _ask_for_last_trade(self) -> int | None:
        backoff = Backoff(first_s=0.2, max_s=5, rng=self.rng)
        while True:
            try:
                return await self.store.last_trade_ms()
            except TransientError as error:
                _log.warning("last committed trade not known yet", extra={"error": str(error)})
                await trio.sleep(backoff.next_s())

    async def _read_what_is_due(self) -> None:
        now_s = trio.current_time()
        for reading in [reading for reading in self._due if reading.due_s <= now_s]:
            try:
                await self._read(reading.request)
            except TransientError as error:
                _log.warning("gap not read, planned again", extra={"error": str(error), "pause_s": REPLAN_S})
                self._due.remove(reading)
                self._due.append(attrs.evolve(reading, due_s=trio.current_time() + REPLAN_S))
                continue
            # Only now is it done: a crash above leaves it in the plan.
            self._due.remove(reading)
            if reading.readings_left > 1:
                due_s = trio.current_time() + self.config.gap_reread_s
                left = reading.readings_left - 1
                self._due.append(Reading(due_s=due_s, request=reading.request, readings_left=left))

    async def _read(self, request: GapRequest) -> None:
        at_start = request.reason is GapReason.START
        overlap_s = self.config.gap_start_overlap_s if at_start else self.config.gap_overlap_s
        # What an operator limits is the start. Any other gap is as long as it is, but a row with an absurd time in it
        # must not ask for years.
        longest_s = self.config.gap_start_max_s if at_start else max(GAP_MAX_S, self.config.gap_start_max_s)
        window = window_s(
            request,
            last_trade_ms=None,
            overlap_ms=round(overlap_s * 1000),
            longest_ms=round(longest_s * 1000),
        )
        if window is None:
            return
        before = self.rows_found
        recycling = request.reason is GapReason.RECYCLE
        try:
            await self._read_window(*window, wallet=None, first_page_only=recycling)
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
                await self._read_window(since_s, until_s, wallet=wallet)
            except RejectedError as error:
                _log.error("history of a wallet refused", extra={"wallet": wallet, "error": str(error)})

    async def _read_window(
        self, since_s: int, until_s: int, *, wallet: str | None, first_page_only: bool = False
    ) -> None:
        """Sends on every followed row of the window; a transaction cut by a page edge is read alone as well.

        Each page counts its equal fills for itself, so what two pages have of a cut transaction is a part of what the
        reading alone finds: sending all of it is right, and nothing depends on the extra call.
        """
        edge: list[PageRow] = []
        async with aclosing(self._pages(since_s, until_s, wallet, first_page_only)) as pages:
            async for page in pages:
                self.rows_malformed.update(page.malformed)
                await self._send(page.rows, self._next_scope())
                await self._read_alone(cut_transactions(edge, page.rows))
                edge = split_at_edge([*edge, *page.rows])[1]

    async def _read_alone(self, cuts: list[CutTransaction]) -> None:
        for cut in cuts:
            for owner in sorted(cut.wallets & self.targets.current().lanes.keys()):
                alone = await self._page(cut.trade_s, cut.trade_s, owner, None)
                rows = [item for item in alone.rows if item.row.transaction_hash == cut.transaction_hash]
                await self._send(rows, self._next_scope())

    async def _pages(
        self, since_s: int, until_s: int, wallet: str | None, first_page_only: bool
    ) -> AsyncGenerator[TradePage, None]:
        cursor = None
        for _ in range(self.config.gap_pages_max):
            page = await self._page(since_s, until_s, wallet, cursor)
            yield page
            if page.next_cursor is None or first_page_only:
                return
            if page.next_cursor == cursor:
                raise RejectedError("the history repeats its cursor")
            cursor = page.next_cursor
        raise RejectedError(f"more than {self.config.gap_pages_max} pages")

    async def _page(self, since_s: int, until_s: int, wallet: str | None, cursor: str | None) -> TradePage:
        """Returns a page, trying a few times.

        Raises `RejectedError` when the platform-wide reading goes on failing, so that it is tried by wallet, and
        `TransientError` when a wallet's does, so that the whole reading is planned again.
        """
        backoff = Backoff(first_s=0.5, max_s=30, rng=self.rng)
        while True:
            try:
                return await self.history.page(since_s=since_s, until_s=until_s, wallet=wallet, cursor=cursor)
            except TransientError as error:
                pause_s = backoff.next_s()
                if backoff.failures >= PAGE_TRIES:
                    if wallet is None:
                        raise RejectedError(f"{PAGE_TRIES} times: {error}") from None
                    raise
                fields = {"error": str(error), "pause_s": round(pause_s, 2)}
                _log.warning("history not read, trying again", extra=fields)
                await trio.sleep(pause_s)

    def _next_scope(self) -> str:
        self._responses += 1
        return f"gap:{self._responses}"

    async def _send(self, rows: Sequence[PageRow], scope: str) -> None:
        lanes = self.targets.current().lanes
        now_s = trio.current_time()
        wanted = [
            RawTrade(row=item.row, scope=scope, text=item.text, seen_s=now_s)
            for item in rows
            if item.row.proxy_wallet.lower() in lanes
        ]
        self.rows_found += len(wanted)
        if wanted:
            await self.trades.send_many(wanted)


def _resolved(request: GapRequest, last_trade_ms: int | None) -> GapRequest | None:
    """Returns the request with its start time, or None when there is nothing to read."""
    if request.since_ms is not None:
        return request
    if last_trade_ms is None:
        return None
    return attrs.evolve(request, since_ms=min(last_trade_ms, request.until_ms))
