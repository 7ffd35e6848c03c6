"""Data API v1: bare arrays by offset, camel case (venue.md §5.2). Retired in October 2026, or so the documents say."""

from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Any

import attrs
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from engine.simulator.data_api_accounts import by_pnl, by_volume
from engine.simulator.data_requests import DataApiError, Parameters, cached_response, json_response
from engine.simulator.data_rows import activity_v1, trade_v1
from engine.simulator.faults import FaultBoard
from engine.simulator.ledger import Fill
from engine.simulator.position_rows import closed_position_v1, position_v1, value_v1
from engine.simulator.positions import Position, positions_of
from engine.simulator.rankings import Rankings, Standing
from engine.simulator.response_cache import ResponseCache
from engine.simulator.trade_query import TradeFeed, TradeQuery
from engine.simulator.wire_numbers import MICRO, micro_from

OFFSET_MAX = 10_000
CACHE_AGES_S = {"/trades": 300.0, "/activity": 15.0, "/positions": 5.0}
_RANKED_MAX = 1_000
_PERIODS = ("DAY", "WEEK", "MONTH", "ALL")
_POSITION_SORTS: dict[str, Callable[[Position], Any]] = {
    "CURRENT": lambda position: position.value_micro,
    "INITIAL": lambda position: position.cost_micro,
    "TOKENS": lambda position: position.size_micro,
    "CASHPNL": lambda position: position.unrealized_micro,
    "PERCENTPNL": lambda position: position.unrealized_micro / max(position.cost_micro, 1),
    "TITLE": lambda position: position.market.question,
    "RESOLVING": lambda position: position.market.end_ms,
    "PRICE": lambda position: position.price,
    "AVGPRICE": lambda position: position.average_price,
}
Handler = Callable[[Request], Awaitable[Response]]
Row = dict[str, object]


@attrs.frozen(kw_only=True)
class V1Habits:
    """What differs between observations of v1."""

    retired: bool = False
    """Every path answers 404."""
    offset_refused: bool = False
    """An offset beyond the cap answers 400; otherwise the page at the cap again, for ever."""


class DataApiV1:
    """The old spelling of the same truth."""

    def __init__(
        self, feed: TradeFeed, rankings: Rankings, faults: FaultBoard, cache: ResponseCache, habits: V1Habits
    ) -> None:
        self._feed = feed
        self._rankings = rankings
        self._faults = faults
        self._cache = cache
        self._habits = habits
        self._requests = 0

    def routes(self) -> list[Route]:
        """Returns the endpoints; none of them exists once v1 is retired."""
        if self._habits.retired:
            return []
        cached: dict[str, Callable[[Parameters], object]] = {
            "/trades": self._trades,
            "/activity": self._activity,
            "/positions": self._positions,
            "/closed-positions": self._closed_positions,
            "/value": self._value,
        }
        routes = [Route(path, self._endpoint(make)) for path, make in cached.items()]
        return [*routes, Route("/v1/leaderboard", self._leaderboard)]

    def _endpoint(self, make: Callable[[Parameters], object]) -> Handler:
        async def endpoint(request: Request) -> Response:
            try:
                return cached_response(request, self._cache, lambda: make(Parameters(request)))
            except DataApiError as error:
                return json_response({"error": error.message}, status=error.status)

        return endpoint

    def _trades(self, parameters: Parameters) -> list[Row]:
        filter_type = parameters.choice("filterType", "CASH", "TOKENS")
        amount = parameters.amount("filterAmount")
        query = TradeQuery(
            wallet=parameters.address("user"),
            condition_ids=parameters.conditions("market"),
            side=parameters.choice("side", "BUY", "SELL"),
            taker_only=parameters.flag("takerOnly", default=True),
            cash_min=amount if filter_type == "CASH" else None,
            tokens_min=amount if filter_type == "TOKENS" else None,
        )
        return self._fills(parameters, query, trade_v1, limit_max=10_000)

    def _activity(self, parameters: Parameters) -> list[Row]:
        wallet = parameters.required_address("user")
        wanted = (parameters.text("type") or "TRADE").upper().split(",")
        if "TRADE" not in wanted:
            return []
        query = TradeQuery(
            wallet=wallet,
            condition_ids=parameters.conditions("market"),
            side=parameters.choice("side", "BUY", "SELL"),
            taker_only=False,
            since_s=parameters.optional_whole("start"),
            until_s=parameters.optional_whole("end"),
        )
        ascending = parameters.choice("sortDirection", "ASC", "DESC") == "ASC"
        return self._fills(parameters, query, activity_v1, limit_max=500, ascending=ascending)

    def _fills(
        self,
        parameters: Parameters,
        query: TradeQuery,
        render: Callable[[Fill], Row],
        *,
        limit_max: int,
        ascending: bool = False,
    ) -> list[Row]:
        limit, offset = self._window(parameters, 100, limit_max)
        fills = self._feed.oldest_first(query) if ascending else self._feed.newest_first(query)
        start = max(0, offset + self._drift(offset))
        return [render(fill) for fill in islice(fills, start, start + limit)]

    def _drift(self, offset: int) -> int:
        """Returns by how much a page is off under `http_moving`: turn by turn it repeats rows and skips some."""
        moving = self._faults.active_for("http_moving", "data", "/trades")
        if moving is None or not offset:
            return 0
        self._requests += 1
        rows = int(moving.number("rows", 3))
        return -rows if self._requests % 2 else rows

    def _window(self, parameters: Parameters, limit_default: int, limit_max: int) -> tuple[int, int]:
        limit = min(parameters.whole("limit", limit_default, at_least=0, at_most=1_000_000), limit_max)
        offset = parameters.whole("offset", 0, at_least=0, at_most=10**9)
        if offset > OFFSET_MAX:
            if self._habits.offset_refused:
                raise DataApiError(400, "", f"max historical trades offset of {OFFSET_MAX} exceeded", "offset")
            offset = OFFSET_MAX
        return limit, offset

    def _positions(self, parameters: Parameters) -> list[Row]:
        positions = positions_of(self._feed.of_wallet(parameters.required_address("user")))
        conditions = parameters.conditions("market")
        threshold = parameters.amount("sizeThreshold")
        least = max(micro_from(threshold), 1) if threshold is not None else MICRO
        sort_by = parameters.choice("sortBy", *_POSITION_SORTS) or "TOKENS"
        found = [
            position
            for position in positions
            if position.size_micro >= least and (not conditions or position.market.condition_id in conditions)
        ]
        found.sort(key=_POSITION_SORTS[sort_by], reverse=parameters.choice("sortDirection", "ASC", "DESC") != "ASC")
        limit, offset = self._window(parameters, 100, 500)
        return [position_v1(position) for position in found[offset : offset + limit]]

    def _closed_positions(self, parameters: Parameters) -> list[Row]:
        positions = positions_of(self._feed.of_wallet(parameters.required_address("user")))
        closed = [position for position in positions if position.status == "CLOSED"]
        closed.sort(key=lambda position: position.realized_micro, reverse=True)
        limit, offset = self._window(parameters, 10, 50)
        return [closed_position_v1(position) for position in closed[offset : offset + limit]]

    def _value(self, parameters: Parameters) -> list[Row]:
        wallet = parameters.required_address("user")
        return [value_v1(wallet, positions_of(self._feed.of_wallet(wallet)))]

    async def _leaderboard(self, request: Request) -> Response:
        parameters = Parameters(request)
        try:
            period = parameters.choice("timePeriod", *_PERIODS) or "DAY"
            order = by_volume if parameters.choice("orderBy", "PNL", "VOL") == "VOL" else by_pnl
            limit = parameters.whole("limit", 25, at_least=1, at_most=50)
            offset = parameters.whole("offset", 0, at_least=0, at_most=_RANKED_MAX)
        except DataApiError as error:
            return json_response({"error": error.message}, status=error.status)
        standings = await self._rankings.standings(period, (parameters.text("category") or "OVERALL").upper())
        ranked = sorted(standings, key=order, reverse=True)
        rows = [standing_v1(rank, standing) for rank, standing in enumerate(ranked, start=1)]
        return json_response(rows[offset : offset + limit])


def standing_v1(rank: int, standing: Standing) -> Row:
    """Returns a row of `/v1/leaderboard`; the rank is a text here."""
    return {
        "rank": str(rank),
        "proxyWallet": standing.wallet,
        "userName": standing.profile.name,
        "xUsername": "",
        "verifiedBadge": False,
        "vol": standing.volume_micro / MICRO,
        "pnl": standing.pnl_micro / MICRO,
        "profileImage": standing.profile.profile_image,
    }
