"""The venue's trade history over HTTP: Data API v2, or v1 where a server still speaks only that."""

import logging

import attrs

from engine.adapters.upstream import Params, Upstream
from protocols.clock import WallClock
from protocols.errors import MalformedError, RejectedError, TransientError
from protocols.timestamps import epoch_ms
from protocols.venue.data_api import PAGE_ROWS_MAX, V1_OFFSET_MAX, TradePage, decode_trades_v1, decode_trades_v2

_log = logging.getLogger(__name__)
V1_FOR_MS = 3_600_000


@attrs.define(eq=False, kw_only=True)
class DataApiHistory:
    """`TradeHistory` of the Data API. Asks for maker rows too: `taker_only` is true by default over there."""

    api: Upstream
    clock: WallClock
    _v1_until_ms: int = attrs.field(init=False, default=0)
    """Wall-clock time at which v2 is tried again."""
    _requests: int = attrs.field(init=False, default=0)

    async def page(self, *, since_s: int, until_s: int, wallet: str | None, cursor: str | None) -> TradePage:
        """Returns one page, newest first. Raises `TransientError` or `RejectedError`."""
        if (cursor or "").startswith("v1:") or (cursor is None and self.clock.now_ms() < self._v1_until_ms):
            return await self._page_v1(since_s, until_s, wallet, cursor)
        try:
            return await self._page_v2(since_s, until_s, wallet, cursor)
        except RejectedError as error:
            if cursor is not None or not any(f"answered {code}" in str(error) for code in (404, 410)):
                raise
            try:
                page = await self._page_v1(since_s, until_s, wallet, None)
            except RejectedError:
                raise TransientError(f"neither Data API v2 nor v1 here: {error}") from None
            self._v1_until_ms = self.clock.now_ms() + V1_FOR_MS
            _log.warning("no Data API v2 here, going on with v1 for an hour")
            return page

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
        return decode_trades_v2(await self.api.get("/v2/trades", self._fresh(params)))

    async def _page_v1(self, since_s: int, until_s: int, wallet: str | None, cursor: str | None) -> TradePage:
        """v1 knows neither time nor cursor: pages go by offset until a row is older than the window.

        Offsets beyond the cap answer the last page for ever, so paging ends there with `RejectedError`.
        """
        offset = int(cursor.removeprefix("v1:")) if cursor else 0
        if offset > V1_OFFSET_MAX:
            raise RejectedError(f"the window reaches beyond {V1_OFFSET_MAX} rows of history")
        params: list[tuple[str, str | int]] = [("takerOnly", "false"), ("limit", PAGE_ROWS_MAX), ("offset", offset)]
        if wallet is not None:
            params.append(("user", wallet))
        page = decode_trades_v1(await self.api.get("/trades", self._fresh(params)))
        times = [second for item in page.rows if (second := _second(item.row.timestamp)) is not None]
        older = bool(times) and max(times) < since_s
        inside = tuple(item for item in page.rows if since_s <= (_second(item.row.timestamp) or 0) <= until_s)
        more = page.rows_sent > 0 and not older
        next_cursor = f"v1:{offset + page.rows_sent}" if more else None
        return attrs.evolve(page, rows=inside, next_cursor=next_cursor)

    def _fresh(self, params: Params) -> Params:
        """Makes the address unique: answers are cached by address for up to 300 s (venue.md §5.1)."""
        self._requests += 1
        return [*params, ("_", f"{self.clock.now_ms()}{self._requests:04d}")]


def _second(timestamp: int | str) -> int | None:
    try:
        return epoch_ms(timestamp) // 1000
    except MalformedError:
        return None
