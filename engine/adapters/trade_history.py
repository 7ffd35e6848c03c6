"""The venue's trade history over HTTP: Data API v2, or v1 where a server still speaks only that."""

from functools import partial

import attrs

from engine.adapters.data_api import V1_CURSOR, VersionedDataApi
from engine.adapters.upstream import Upstream
from protocols.clock import WallClock
from protocols.errors import MalformedError, RejectedError
from protocols.timestamps import epoch_ms
from protocols.venue.data_api import PAGE_ROWS_MAX, V1_OFFSET_MAX, TradePage, decode_trades_v1, decode_trades_v2


@attrs.define(eq=False, kw_only=True)
class DataApiHistory:
    """`TradeHistory` of the Data API. Asks for maker rows too: `taker_only` is true by default over there."""

    api: Upstream
    clock: WallClock
    _data: VersionedDataApi = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._data = VersionedDataApi(api=self.api, clock=self.clock, what="trades")

    async def page(self, *, since_s: int, until_s: int, wallet: str | None, cursor: str | None) -> TradePage:
        """Returns one page, newest first. Raises `TransientError` or `RejectedError`."""
        by_v2 = partial(self._page_v2, since_s, until_s, wallet)
        by_v1 = partial(self._page_v1, since_s, until_s, wallet)
        return await self._data.page(cursor, by_v2, by_v1)

    async def _page_v2(self, since_s: int, until_s: int, wallet: str | None, cursor: str | None) -> TradePage:
        params: list[tuple[str, str | int]] = [
            ("taker_only", "false"),
            ("start", since_s),
            ("end", until_s),
            ("limit", PAGE_ROWS_MAX),
        ]
        if wallet is not None:
            params.append(("user", wallet))
        if cursor is not None:
            params.append(("cursor", cursor))
        return decode_trades_v2(await self._data.get("/v2/trades", params))

    async def _page_v1(self, since_s: int, until_s: int, wallet: str | None, cursor: str | None) -> TradePage:
        """v1 knows neither time nor cursor: pages go by offset until a row is older than the window.

        Offsets beyond the cap answer the last page for ever, so paging ends there with `RejectedError`.
        """
        offset = int(cursor.removeprefix(V1_CURSOR)) if cursor else 0
        if offset > V1_OFFSET_MAX:
            raise RejectedError(f"the window reaches beyond {V1_OFFSET_MAX} rows of history")
        params: list[tuple[str, str | int]] = [("takerOnly", "false"), ("limit", PAGE_ROWS_MAX), ("offset", offset)]
        if wallet is not None:
            params.append(("user", wallet))
        page = decode_trades_v1(await self._data.get("/trades", params))
        times = [second for item in page.rows if (second := _second(item.row.timestamp)) is not None]
        older = bool(times) and max(times) < since_s
        inside = tuple(item for item in page.rows if since_s <= (_second(item.row.timestamp) or 0) <= until_s)
        more = page.rows_sent > 0 and not older
        next_cursor = f"{V1_CURSOR}{offset + page.rows_sent}" if more else None
        return attrs.evolve(page, rows=inside, next_cursor=next_cursor)


def _second(timestamp: int | str) -> int | None:
    try:
        return epoch_ms(timestamp) // 1000
    except MalformedError:
        return None
