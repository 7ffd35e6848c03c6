"""Data API v1: bare arrays by offset, camel case (venue.md §5.2). Retired in October 2026, or so the documents say."""

from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Any

import attrs
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from engine.simulator.account_feed import AccountFeed
from engine.simulator.data_api_accounts import by_dollars, by_pnl
from engine.simulator.data_api_v2 import activity_kinds
from engine.simulator.data_requests import DataApiError, Parameters, cached_response, json_response
from engine.simulator.data_rows import deed_v1, trade_v1
from engine.simulator.faults import FaultBoard
from engine.simulator.position_rows import closed_position_v1, position_v1, value_v1
from engine.simulator.positions import Position
from engine.simulator.rankings import Rankings, Standing
from engine.simulator.response_cache import ResponseCache
from engine.simulator.trade_query import TradeFeed, TradeQuery
from engine.simulator.wire_numbers import MICRO, micro_from

OFFSET_MAX = 10_000
CLOSED_OFFSET_MAX = 100_000
CACHE_AGES_S = {"/trades": 300.0, "/activity": 15.0, "/positions": 5.0}
_RANKED_MAX = 1_000
_RANKED_ROWS_MAX = 50
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
_CLOSED_SORTS: dict[str, Callable[[Position], Any]] = {
    "REALIZEDPNL": lambda position: position.realized_micro,
    "TITLE": lambda position: position.market.question,
    "PRICE": lambda position: position.price,
    "AVGPRICE": lambda position: position.average_price,
    "TIMESTAMP": lambda position: position.last_event_s,
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
        self,
        feed: TradeFeed,
        accounts: AccountFeed,
        rankings: Rankings,
        faults: FaultBoard,
        cache: ResponseCache,
        habits: V1Habits,
    ) -> None:
        self._feed = feed
        self._accounts = accounts
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
        limit, start = self._window("/trades", parameters, 100, 10_000)
        return [trade_v1(fill) for fill in islice(self._feed.newest_first(query), start, start + limit)]

    def _activity(self, parameters: Parameters) -> list[Row]:
        wallet = parameters.required_address("user")
        kinds = activity_kinds(parameters)
        query = TradeQuery(
            wallet=wallet,
            condition_ids=parameters.conditions("market"),
            side=parameters.choice("side", "BUY", "SELL"),
            taker_only=False,
            since_s=parameters.optional_whole("start"),
            until_s=parameters.optional_whole("end"),
        )
        ascending = parameters.choice("sortDirection", "ASC", "DESC") == "ASC"
        limit, start = self._window("/activity", parameters, 100, 500)
        deeds = self._accounts.activity(query, kinds, ascending=ascending)
        return [deed_v1(deed) for deed in islice(deeds, start, start + limit)]

    def _window(
        self, path: str, parameters: Parameters, limit_default: int, limit_max: int, offset_max: int = OFFSET_MAX
    ) -> tuple[int, int]:
        """Returns how many rows a page has and with which it begins."""
        limit = min(parameters.whole("limit", limit_default, at_least=0, at_most=1_000_000), limit_max)
        offset = parameters.whole("offset", 0, at_least=0, at_most=10**9)
        if offset > offset_max:
            if self._habits.offset_refused:
                raise DataApiError(400, "", f"max historical trades offset of {offset_max} exceeded", "offset")
            offset = offset_max
        return limit, max(0, offset + self._drift(path, offset))

    def _drift(self, path: str, offset: int) -> int:
        """Returns by how much a page is off under `http_moving`: turn by turn it repeats rows and skips some."""
        moving = self._faults.active_for("http_moving", "data", path)
        if moving is None or not offset:
            return 0
        self._requests += 1
        rows = int(moving.number("rows", 3))
        return -rows if self._requests % 2 else rows

    def _positions(self, parameters: Parameters) -> list[Row]:
        positions = self._accounts.positions(parameters.required_address("user"))
        conditions = parameters.conditions("market")
        threshold = parameters.amount("sizeThreshold")
        least = max(micro_from(threshold), 1) if threshold is not None else MICRO
        found = [
            position
            for position in positions
            if position.size_micro >= least and (not conditions or position.market.condition_id in conditions)
        ]
        found = _sorted(parameters, found, _POSITION_SORTS, "TOKENS")
        limit, start = self._window("/positions", parameters, 100, 500)
        return [position_v1(position) for position in found[start : start + limit]]

    def _closed_positions(self, parameters: Parameters) -> list[Row]:
        positions = self._accounts.positions(parameters.required_address("user"))
        conditions = parameters.conditions("market")
        closed = [
            position
            for position in positions
            if position.status == "CLOSED" and (not conditions or position.market.condition_id in conditions)
        ]
        closed = _sorted(parameters, closed, _CLOSED_SORTS, "REALIZEDPNL")
        limit, start = self._window("/closed-positions", parameters, 10, 50, CLOSED_OFFSET_MAX)
        return [closed_position_v1(position) for position in closed[start : start + limit]]

    def _value(self, parameters: Parameters) -> list[Row]:
        wallet = parameters.required_address("user")
        return [value_v1(wallet, self._accounts.positions(wallet))]

    async def _leaderboard(self, request: Request) -> Response:
        parameters = Parameters(request)
        try:
            period = parameters.choice("timePeriod", *_PERIODS) or "DAY"
            order = by_dollars if parameters.choice("orderBy", "PNL", "VOL") == "VOL" else by_pnl
            limit, start = self._window("/v1/leaderboard", parameters, 25, _RANKED_ROWS_MAX, _RANKED_MAX)
        except DataApiError as error:
            return json_response({"error": error.message}, status=error.status)
        standings = await self._rankings.standings(period, (parameters.text("category") or "OVERALL").upper())
        ranked = sorted(standings, key=lambda standing: (-order(standing), standing.wallet))
        rows = [standing_v1(rank, standing) for rank, standing in enumerate(ranked, start=1)]
        return json_response(rows[start : start + limit])


def _sorted(
    parameters: Parameters, positions: list[Position], sorts: dict[str, Callable[[Position], Any]], default: str
) -> list[Position]:
    """Returns positions in the order asked for, equals by token, so that pages of a list at rest fit together."""
    positions.sort(key=lambda position: position.market.token_ids[position.outcome_index])
    sort_by = parameters.choice("sortBy", *sorts) or default
    descending = parameters.choice("sortDirection", "ASC", "DESC") != "ASC"
    return sorted(positions, key=sorts[sort_by], reverse=descending)


def standing_v1(rank: int, standing: Standing) -> Row:
    """Returns a row of `/v1/leaderboard`; the rank is a text here."""
    return {
        "rank": str(rank),
        "proxyWallet": standing.wallet,
        "userName": standing.profile.name,
        "xUsername": "",
        "verifiedBadge": False,
        "vol": standing.volume_usd_micro / MICRO,
        "pnl": standing.pnl_micro / MICRO,
        "profileImage": standing.profile.profile_image,
    }
