"""What traders hold, over HTTP: Data API v2, or v1 where a server still speaks only that."""

from decimal import Decimal

import attrs

from engine.adapters.data_api import VersionedDataApi
from engine.adapters.upstream import Upstream
from protocols.clock import WallClock
from protocols.errors import RejectedError
from protocols.venue.positions import decode_positions_v1, decode_positions_v2, decode_value_v1, decode_value_v2

PAGE_ROWS = 500
PAGES_MAX = 20


@attrs.define(eq=False, kw_only=True)
class DataApiHoldings:
    """`TraderHoldings` of the Data API. Holdings below a tenth of a share are hidden over there."""

    api: Upstream
    clock: WallClock
    _data: VersionedDataApi = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._data = VersionedDataApi(api=self.api, clock=self.clock, what="positions")

    async def holding_micro(self, wallet: str, condition_id: str, token_id: str) -> int:
        """Returns micro-shares of a token; 0 when he holds none. Raises `TransientError` and `RejectedError`."""
        return await self._data.ask(
            lambda: self._holding_v2(wallet, condition_id, token_id),
            lambda: self._holding_v1(wallet, condition_id, token_id),
        )

    async def portfolio_usd(self, wallet: str) -> Decimal:
        """Returns the value of his open positions. Raises `TransientError` and `RejectedError`."""

        async def by_v2() -> Decimal:
            return decode_value_v2(await self._data.get("/v2/value", [("user", wallet)]))

        async def by_v1() -> Decimal:
            return decode_value_v1(await self._data.get("/value", [("user", wallet)]))

        return await self._data.ask(by_v2, by_v1)

    async def _holding_v2(self, wallet: str, condition_id: str, token_id: str) -> int:
        cursor: str | None = None
        for _ in range(PAGES_MAX):
            params: list[tuple[str, str | int]] = [("user", wallet), ("condition_id", condition_id), ("status", "OPEN")]
            params.append(("limit", PAGE_ROWS))
            if cursor is not None:
                params.append(("cursor", cursor))
            page = decode_positions_v2(await self._data.get("/v2/positions", params))
            if token_id in page.micro_by_token or page.next_cursor is None:
                return page.micro_by_token.get(token_id, 0)
            cursor = page.next_cursor
        raise RejectedError(f"more than {PAGES_MAX} pages of positions in one market")

    async def _holding_v1(self, wallet: str, condition_id: str, token_id: str) -> int:
        for number in range(PAGES_MAX):
            params: list[tuple[str, str | int]] = [("user", wallet), ("market", condition_id), ("sizeThreshold", 0)]
            params += [("limit", PAGE_ROWS), ("offset", number * PAGE_ROWS)]
            page = decode_positions_v1(await self._data.get("/positions", params))
            if token_id in page.micro_by_token or page.rows_sent < PAGE_ROWS:
                return page.micro_by_token.get(token_id, 0)
        raise RejectedError(f"more than {PAGES_MAX} pages of positions in one market")
