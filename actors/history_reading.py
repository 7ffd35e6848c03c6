"""Reads one window of the venue's history, page by page. Part of gap_filler."""

import logging
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import attrs
import trio

from actors.rules.backoff import Backoff
from actors.rules.page_edges import CutTransaction, cut_transactions, split_at_edge
from protocols.channels import Outbox
from protocols.clock import Random
from protocols.errors import RejectedError, TransientError
from protocols.ingest import TargetView, TradeHistory
from protocols.trades import RawTrade
from protocols.venue.data_api import PageRow, TradePage, raw_trades, rows_of

_log = logging.getLogger(__name__)
PAGE_TRIES = 6
EMPTY_PAGES_MAX = 3


@attrs.define(eq=False, kw_only=True)
class HistoryReading:
    """history → raw trades of followed wallets."""

    history: TradeHistory
    trades: Outbox[RawTrade]
    targets: TargetView
    pages_max: int
    rng: Random
    rows_found: int = attrs.field(init=False, default=0)
    rows_malformed: Counter[str] = attrs.field(init=False, factory=Counter)
    _responses: int = attrs.field(init=False, default=0)

    async def read(self, since_s: int, until_s: int, *, wallet: str | None, first_page_only: bool = False) -> None:
        """Sends on every followed row of the window; a transaction cut by a page edge is read alone as well.

        Each page counts its equal fills for itself, so what two pages have of a cut transaction is a part of what the
        reading alone finds: sending all of it is right, and nothing depends on the extra call.

        Raises `RejectedError` when this kind of reading is refused, endless or, platform-wide, goes on failing, and
        `TransientError` when a wallet's goes on failing.
        """
        edge: list[PageRow] = []
        async with aclosing(self._pages(since_s, until_s, wallet, first_page_only)) as pages:
            async for page in pages:
                self.rows_malformed.update(page.malformed)
                await self._send(page.rows)
                await self._read_alone(cut_transactions(edge, page.rows))
                edge = split_at_edge([*edge, *page.rows])[1]

    async def _read_alone(self, cuts: list[CutTransaction]) -> None:
        for cut in cuts:
            for owner in sorted(cut.wallets & self.targets.current().lanes.keys()):
                alone = await self._page(cut.trade_s, cut.trade_s, owner, None)
                await self._send([item for item in alone.rows if item.row.transaction_hash == cut.transaction_hash])

    async def _pages(
        self, since_s: int, until_s: int, wallet: str | None, first_page_only: bool
    ) -> AsyncGenerator[TradePage, None]:
        cursor, empty = None, 0
        for _ in range(self.pages_max):
            page = await self._page(since_s, until_s, wallet, cursor)
            yield page
            if page.next_cursor is None or first_page_only:
                return
            if page.next_cursor == cursor:
                raise RejectedError("the history repeats its cursor")
            empty = 0 if page.rows or page.malformed else empty + 1
            if empty == EMPTY_PAGES_MAX:
                raise RejectedError(f"{empty} pages without a row, and more announced")
            cursor = page.next_cursor
        raise RejectedError(f"more than {self.pages_max} pages")

    async def _page(self, since_s: int, until_s: int, wallet: str | None, cursor: str | None) -> TradePage:
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

    async def _send(self, rows: Sequence[PageRow]) -> None:
        self._responses += 1
        wanted = rows_of(rows, self.targets.current().lanes)
        self.rows_found += len(wanted)
        if wanted:
            await self.trades.send_many(raw_trades(wanted, f"gap:{self._responses}", trio.current_time()))
