"""What traders hold, over HTTP: Data API v2, or v1 where a server still speaks only that."""

import logging
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import TypeVar

import attrs

from engine.adapters.upstream import Params, Upstream
from protocols.clock import WallClock
from protocols.errors import RejectedError, TransientError
from protocols.venue.positions import decode_positions_v1, decode_positions_v2, decode_value_v1, decode_value_v2

_log = logging.getLogger(__name__)
T = TypeVar("T")
V1_FOR_MS = 3_600_000
PAGE_ROWS = 500
PAGES_MAX = 20


@attrs.define(eq=False, kw_only=True)
class DataApiHoldings:
    """`TraderHoldings` of the Data API. Holdings below a tenth of a share are hidden over there."""

    api: Upstream
    clock: WallClock
    _v1_until_ms: int = attrs.field(init=False, default=0)
    """Wall-clock time at which v2 is tried again."""
    _requests: int = attrs.field(init=False, default=0)

    async def holding_micro(self, wallet: str, condition_id: str, token_id: str) -> int:
        """Returns micro-shares of a token; 0 when he holds none. Raises `TransientError` and `RejectedError`."""
        return await self._by_version(
            lambda: self._holding_v2(wallet, condition_id, token_id),
            lambda: self._holding_v1(wallet, condition_id, token_id),
        )

    async def portfolio_usd(self, wallet: str) -> Decimal:
        """Returns the value of his open positions. Raises `TransientError` and `RejectedError`."""

        async def by_v2() -> Decimal:
            return decode_value_v2(await self.api.get("/v2/value", self._fresh([("user", wallet)])))

        async def by_v1() -> Decimal:
            return decode_value_v1(await self.api.get("/value", self._fresh([("user", wallet)])))

        return await self._by_version(by_v2, by_v1)

    async def _by_version(self, by_v2: Callable[[], Awaitable[T]], by_v1: Callable[[], Awaitable[T]]) -> T:
        if self.clock.now_ms() < self._v1_until_ms:
            return await by_v1()
        try:
            return await by_v2()
        except RejectedError as error:
            if not any(f"answered {code}" in str(error) for code in (404, 410)):
                raise
            try:
                found = await by_v1()
            except RejectedError:
                raise TransientError(f"neither Data API v2 nor v1 here: {error}") from None
        self._v1_until_ms = self.clock.now_ms() + V1_FOR_MS
        _log.warning("no positions by Data API v2 here, going on with v1 for an hour")
        return found

    async def _holding_v2(self, wallet: str, condition_id: str, token_id: str) -> int:
        cursor: str | None = None
        for _ in range(PAGES_MAX):
            params: list[tuple[str, str | int]] = [("user", wallet), ("condition_id", condition_id), ("status", "OPEN")]
            params.append(("limit", PAGE_ROWS))
            if cursor is not None:
                params.append(("cursor", cursor))
            page = decode_positions_v2(await self.api.get("/v2/positions", self._fresh(params)))
            if token_id in page.micro_by_token or page.next_cursor is None:
                return page.micro_by_token.get(token_id, 0)
            cursor = page.next_cursor
        raise RejectedError(f"more than {PAGES_MAX} pages of positions in one market")

    async def _holding_v1(self, wallet: str, condition_id: str, token_id: str) -> int:
        for number in range(PAGES_MAX):
            params: list[tuple[str, str | int]] = [("user", wallet), ("market", condition_id), ("sizeThreshold", 0)]
            params += [("limit", PAGE_ROWS), ("offset", number * PAGE_ROWS)]
            page = decode_positions_v1(await self.api.get("/positions", self._fresh(params)))
            if token_id in page.micro_by_token or page.rows_sent < PAGE_ROWS:
                return page.micro_by_token.get(token_id, 0)
        raise RejectedError(f"more than {PAGES_MAX} pages of positions in one market")

    def _fresh(self, params: Params) -> Params:
        """Makes the address unique: answers are cached by address (venue.md §5.1)."""
        self._requests += 1
        return [*params, ("_", f"{self.clock.now_ms()}{self._requests:04d}")]
