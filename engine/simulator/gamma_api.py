"""Gamma: the catalogue of markets (venue.md §3)."""

import base64
import binascii
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from engine.simulator.data_requests import json_response
from engine.simulator.gamma_market import gamma_market
from engine.simulator.market import Market, MarketDirectory, MarketState
from protocols.clock import WallClock

_PAGE_ROWS = 20
_LEGACY_ROWS_MAX = 500
_KEYSET_ROWS_MAX = 100
# Legacy lists still answer, and say that they will not for ever.
_LEGACY_HEADERS = {
    "deprecation": "true",
    "sunset": "Fri, 01 May 2026 00:00:00 GMT",
    "warning": '299 - "This endpoint is deprecated, use /markets/keyset"',
    "cache-control": "public, max-age=300",
}
_ORDERS = {"volumenum": "volume", "volume": "volume", "startdate": "start", "enddate": "end", "id": "id"}


class GammaApi:
    """Lists and single markets."""

    def __init__(self, markets: MarketDirectory, *, clock: WallClock, open_only: bool) -> None:
        self._markets = markets
        self._clock = clock
        self._open_only = open_only

    def routes(self) -> list[Route]:
        """Returns the endpoints."""
        return [
            Route("/markets", self._list),
            Route("/markets/keyset", self._keyset),
            Route("/markets/slug/{slug}", self._by_slug),
            Route("/markets/{market_id}", self._by_id),
        ]

    async def _list(self, request: Request) -> Response:
        query = request.query_params
        limit = _whole(query.get("limit"), _PAGE_ROWS)
        offset = _whole(query.get("offset"), 0)
        if limit is None or offset is None:
            return _unprocessable("limit and offset must be non-negative integers")
        found = self._found(query)
        rows = found[offset : offset + min(limit, _LEGACY_ROWS_MAX)]
        return json_response(self._rendered(rows, query), headers=_LEGACY_HEADERS)

    async def _keyset(self, request: Request) -> Response:
        query = request.query_params
        if "offset" in query:
            return _unprocessable("offset is not supported, use after_cursor")
        limit = _whole(query.get("limit"), _PAGE_ROWS)
        if limit is None or not 1 <= limit <= _KEYSET_ROWS_MAX:
            return _unprocessable(f"limit must be between 1 and {_KEYSET_ROWS_MAX}")
        found = self._found(query)
        start = 0
        cursor = query.get("after_cursor")
        if cursor:
            after = _decoded_cursor(cursor)
            place = next((place for place, market in enumerate(found) if market.market_id == after), None)
            if place is None:
                return _unprocessable("after_cursor is invalid")
            start = place + 1
        rows = found[start : start + limit]
        answer: dict[str, object] = {"markets": self._rendered(rows, query)}
        if len(found) > start + limit:
            answer["next_cursor"] = base64.urlsafe_b64encode(f"id:{rows[-1].market_id}".encode()).decode()
        return json_response(answer)

    async def _by_slug(self, request: Request) -> Response:
        return self._single(self._markets.with_slug(request.path_params["slug"]))

    async def _by_id(self, request: Request) -> Response:
        return self._single(self._markets.with_id(request.path_params["market_id"]))

    def _single(self, market: Market | None) -> Response:
        if market is None:
            return json_response({"type": "not found error", "error": "id not found"}, status=404)
        return json_response(gamma_market(market, self._clock.now_ms()))

    def _rendered(self, markets: Iterable[Market], query: QueryParams) -> list[dict[str, object]]:
        now_ms, with_tags = self._clock.now_ms(), _flag(query.get("include_tag")) is True
        return [gamma_market(market, now_ms, with_tags=with_tags) for market in markets]

    def _found(self, query: QueryParams) -> list[Market]:
        """Returns the markets that known filters leave. An unknown filter is ignored: unrelated markets come back."""
        markets = self._named(query)
        closed = _flag(query.get("closed"))
        if closed is None and self._open_only:
            closed = False
        if closed is not None:
            markets = [market for market in markets if (market.state is not MarketState.OPEN) is closed]
        status = query.get("uma_resolution_status")
        if status:
            wanted = MarketState.RESOLVED if status == "resolved" else MarketState.CLOSED
            markets = [market for market in markets if market.state is wanted]
        volume_min = _number(query.get("volume_num_min"))
        if volume_min is not None:
            markets = [market for market in markets if Decimal(market.volume_micro).scaleb(-6) >= volume_min]
        return _ordered(markets, query)

    def _named(self, query: QueryParams) -> list[Market]:
        """Returns the markets that ids name, or all. Several kinds of ids narrow each other down."""
        look_ups = (
            ("id", self._markets.with_id),
            ("slug", self._markets.with_slug),
            ("condition_ids", self._markets.with_condition),
            ("clob_token_ids", self._markets.with_token),
        )
        named: dict[str, Market] | None = None
        for name, look_up in look_ups:
            wanted = query.getlist(name)
            if not wanted:
                continue
            found = {market.market_id: market for each in wanted if (market := look_up(each)) is not None}
            named = found if named is None else {key: found[key] for key in named if key in found}
        if named is None:
            return list(self._markets)
        return sorted(named.values(), key=lambda market: int(market.market_id))


def _ordered(markets: list[Market], query: QueryParams) -> list[Market]:
    order = _ORDERS.get(query.get("order", "").lower())
    if order is None:
        return markets
    keys = {
        "volume": lambda market: market.volume_micro,
        "start": lambda market: market.start_ms,
        "end": lambda market: market.end_ms,
        "id": lambda market: int(market.market_id),
    }
    return sorted(markets, key=keys[order], reverse=_flag(query.get("ascending")) is not True)


def _decoded_cursor(cursor: str) -> str | None:
    try:
        text = base64.urlsafe_b64decode(cursor.encode()).decode()
    except (binascii.Error, UnicodeError):
        return None
    return text.removeprefix("id:") if text.startswith("id:") else None


def _flag(value: str | None) -> bool | None:
    return None if value is None else value.lower() in ("true", "1")


def _whole(value: str | None, default: int) -> int | None:
    if not value:
        return default
    return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else None


def _number(value: str | None) -> Decimal | None:
    try:
        return Decimal(value) if value else None
    except InvalidOperation:
        return None


def _unprocessable(message: str) -> Response:
    return json_response({"type": "validation error", "error": message}, status=422)
