"""Reads one window of a wallet from both of the venue's histories, response by response. Part of coverage-audit."""

from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing

import attrs
import trio

from actors.rules.page_edges import CutTransaction, cut_transactions, split_at_edge
from protocols.coverage import HistoryApi
from protocols.errors import RejectedError, TransientError
from protocols.ingest import TradeHistory
from protocols.trader_accounts import TraderAccounts
from protocols.venue.data_api import PageRow

NOT_A_TRADE = "not_a_trade"
"""Reason of rows that are something else: they are no fault of the history."""
PAGE_TRIES = 3
RETRY_S = 1.0
EMPTY_PAGES_MAX = 3


class WindowTooLargeError(RejectedError):
    """More pages than a window may have: a shorter one can be read."""


@attrs.frozen(kw_only=True)
class Response:
    """The trades of one response; equal fills are counted within it."""

    api: HistoryApi
    rows: Sequence[PageRow]
    malformed: int


@attrs.frozen(kw_only=True)
class _Page:
    rows: tuple[PageRow, ...]
    malformed: Counter[str]
    rows_sent: int
    next_cursor: str | None


_Ask = Callable[[str, int, int, str | None], Awaitable[_Page]]


@attrs.define(eq=False, kw_only=True)
class CoverageReading:
    """histories → responses, one held in memory at a time."""

    history: TradeHistory
    accounts: TraderAccounts
    pages_max: int
    calls: int = attrs.field(init=False, default=0)
    """Made so far, repeated ones too."""

    async def responses(self, wallet: str, since_s: int, until_s: int) -> AsyncGenerator[Response, None]:
        """Yields every response of a window; a transaction cut by a page edge is read alone as well.

        Raises `TransientError` when a page goes on failing: then the window was not read. `RejectedError` when it never can
        be, `WindowTooLargeError` when a shorter one may.
        """
        for api, ask in ((HistoryApi.TRADES, self._trades), (HistoryApi.ACTIVITY, self._activity)):
            edge: list[PageRow] = []
            async with aclosing(self._pages(ask, wallet, since_s, until_s)) as pages:
                async for page in pages:
                    not_understood = page.malformed.total() - page.malformed[NOT_A_TRADE]
                    yield Response(api=api, rows=page.rows, malformed=not_understood)
                    for cut in _own(cut_transactions(edge, page.rows), wallet):
                        alone = await self._page(ask, wallet, cut.trade_s, cut.trade_s, None)
                        rows = [item for item in alone.rows if item.row.transaction_hash == cut.transaction_hash]
                        yield Response(api=api, rows=rows, malformed=0)
                    edge = split_at_edge([*edge, *page.rows])[1]

    async def _pages(self, ask: _Ask, wallet: str, since_s: int, until_s: int) -> AsyncGenerator[_Page, None]:
        cursor, empty = None, 0
        for _ in range(self.pages_max):
            page = await self._page(ask, wallet, since_s, until_s, cursor)
            yield page
            if page.next_cursor is None:
                return
            if page.next_cursor == cursor:
                raise RejectedError("the history repeats its cursor")
            empty = 0 if page.rows_sent else empty + 1
            if empty == EMPTY_PAGES_MAX:
                raise RejectedError(f"{empty} pages without a row, and more announced")
            cursor = page.next_cursor
        raise WindowTooLargeError(f"more than {self.pages_max} pages")

    async def _page(self, ask: _Ask, wallet: str, since_s: int, until_s: int, cursor: str | None) -> _Page:
        for tries in range(1, PAGE_TRIES + 1):
            self.calls += 1
            try:
                return await ask(wallet, since_s, until_s, cursor)
            except TransientError:
                if tries == PAGE_TRIES:
                    raise
            await trio.sleep(RETRY_S * tries)
        raise AssertionError

    async def _trades(self, wallet: str, since_s: int, until_s: int, cursor: str | None) -> _Page:
        page = await self.history.page(since_s=since_s, until_s=until_s, wallet=wallet, cursor=cursor)
        return _Page(rows=page.rows, malformed=page.malformed, rows_sent=page.rows_sent, next_cursor=page.next_cursor)

    async def _activity(self, wallet: str, since_s: int, until_s: int, cursor: str | None) -> _Page:
        page = await self.accounts.activity_page(wallet, since_s=since_s, until_s=until_s, cursor=cursor)
        return _Page(rows=page.trades, malformed=page.malformed, rows_sent=page.rows_sent, next_cursor=page.next_cursor)


def _own(cuts: list[CutTransaction], wallet: str) -> list[CutTransaction]:
    return [cut for cut in cuts if wallet in cut.wallets]
