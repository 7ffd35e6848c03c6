"""Data API v2: trades, activity and resolutions by cursor (venue.md §5.1). Positions and rankings are next door."""

from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from engine.simulator.account_events import AccountEvent
from engine.simulator.account_feed import ACTIVITY_TYPES, DEPOSITS_WITHDRAWALS, AccountFeed
from engine.simulator.cursors import CursorError, CursorSigner
from engine.simulator.data_requests import (
    DataApiError,
    Parameters,
    bad_parameter,
    cached_response,
    error_response,
    page,
)
from engine.simulator.data_rows import deed_v2, trade_v2
from engine.simulator.faults import FaultBoard
from engine.simulator.ledger import Fill
from engine.simulator.market import Market, MarketDirectory, MarketState
from engine.simulator.response_cache import ResponseCache
from engine.simulator.seeds import digest, hash_hex
from engine.simulator.series import key_at
from engine.simulator.trade_query import TradeFeed, TradeQuery
from protocols.clock import Random

PAGE_ROWS_MAX = 1_000
_PAGE_ROWS = 100
CACHE_AGES_S = {"/v2/trades": 300.0, "/v2/oi": 300.0, "/v2/activity": 15.0, "/v2/positions": 5.0}

Handler = Callable[[Request], Awaitable[Response]]
Row = dict[str, object]
_Deed = TypeVar("_Deed", bound=Fill | AccountEvent)


def answering_errors(rng: Random, handler: Callable[[Request], Response]) -> Handler:
    """Returns an endpoint that renders `DataApiError` with a trace id."""

    async def endpoint(request: Request) -> Response:
        try:
            return handler(request)
        except DataApiError as error:
            return error_response(error, hash_hex(rng, 128)[2:])

    return endpoint


def activity_kinds(parameters: Parameters, without_transfers: str = "") -> frozenset[str]:
    """Returns the types of activity that a request means: all, unless it names some."""
    text = parameters.text("type")
    kinds = (
        frozenset(each.strip().upper() for each in text.split(",")) if text is not None else frozenset(ACTIVITY_TYPES)
    )
    if not kinds <= set(ACTIVITY_TYPES):
        raise bad_parameter("type", f"type must be some of {', '.join(ACTIVITY_TYPES)}")
    if without_transfers and parameters.flag(without_transfers, default=False):
        return kinds - DEPOSITS_WITHDRAWALS
    return kinds


class DataApiV2:
    """Feeds by cursor."""

    def __init__(
        self,
        feed: TradeFeed,
        accounts: AccountFeed,
        markets: MarketDirectory,
        faults: FaultBoard,
        cache: ResponseCache,
        cursors: CursorSigner,
        *,
        rng: Random,
    ) -> None:
        self._feed = feed
        self._accounts = accounts
        self._markets = markets
        self._faults = faults
        self._cache = cache
        self._cursors = cursors
        self._rng = rng

    def routes(self) -> list[Route]:
        """Returns the endpoints of this part."""
        handlers = {
            "/v2/trades": self._trades,
            "/v2/activity": self._activity,
            "/v2/resolutions": self._resolutions,
        }
        return [Route(path, answering_errors(self._rng, handler)) for path, handler in handlers.items()]

    def _trades(self, request: Request) -> Response:
        return cached_response(request, self._cache, lambda: self._trades_page(Parameters(request)))

    def _activity(self, request: Request) -> Response:
        return cached_response(request, self._cache, lambda: self._activity_page(Parameters(request)))

    def _resolutions(self, request: Request) -> Response:
        return cached_response(request, self._cache, lambda: self._resolutions_page(Parameters(request)))

    def _trades_page(self, parameters: Parameters) -> dict[str, Any]:
        filter_type = parameters.choice("filter_type", "CASH", "TOKENS")
        amount = parameters.amount("filter_amount")
        if (filter_type is None) != (amount is None):
            raise bad_parameter("filter_amount", "filter_type and filter_amount go together")
        query = TradeQuery(
            wallet=parameters.address("user"),
            condition_ids=parameters.conditions("condition_id"),
            side=parameters.choice("side", "BUY", "SELL"),
            taker_only=parameters.flag("taker_only", default=True),
            cash_min=amount if filter_type == "CASH" else None,
            tokens_min=amount if filter_type == "TOKENS" else None,
            since_s=parameters.optional_whole("start"),
            until_s=parameters.optional_whole("end"),
        )
        limit, delivered, key = self._position("trades", parameters)
        fills = self._feed.newest_first(query, key)
        return self._feed_page("trades", fills, trade_v2, limit=limit, delivered=delivered)

    def _activity_page(self, parameters: Parameters) -> dict[str, Any]:
        kinds = activity_kinds(parameters, "exclude_deposits_withdrawals")
        ascending = parameters.choice("sort_direction", "ASC", "DESC") == "ASC"
        query = TradeQuery(
            wallet=parameters.required_address("user"),
            condition_ids=parameters.conditions("condition_id"),
            side=parameters.choice("side", "BUY", "SELL"),
            taker_only=False,
            since_s=parameters.optional_whole("start"),
            until_s=parameters.optional_whole("end"),
        )
        limit, delivered, key = self._position("activity", parameters)
        deeds = self._accounts.activity(query, kinds, ascending=ascending, from_key=key)
        return self._feed_page("activity", deeds, deed_v2, limit=limit, delivered=delivered)

    def _feed_page(
        self, kind: str, feed: Iterator[_Deed], render: Callable[[_Deed], Row], *, limit: int, delivered: int
    ) -> dict[str, Any]:
        found = list(islice(self._moved(kind, feed, delivered), limit + 1))
        rows = found[:limit]
        cursor = None
        if len(found) > limit:
            last = rows[-1]
            place = {"l": limit, "ts": last.block_s, "sq": str(last.sequence), "d": delivered + limit}
            cursor = self._cursors.issue(kind, place)
        return page([render(each) for each in rows], limit=limit, offset=0, next_cursor=cursor)

    def _position(self, kind: str, parameters: Parameters) -> tuple[int, int, int | None]:
        """Returns the page size, the rows delivered before, and the key of the last of them."""
        text = parameters.text("cursor")
        limit = parameters.whole("limit", _PAGE_ROWS, at_least=1, at_most=PAGE_ROWS_MAX)
        if text is None:
            return limit, 0, None
        try:
            place = self._cursors.read(kind, text)
            return int(place["l"]), int(place["d"]), key_at(int(place["ts"]), int(place["sq"]))
        except (CursorError, KeyError, ValueError):
            raise DataApiError(400, "invalid_cursor", "cursor is invalid or was issued elsewhere", "cursor") from None

    def _moved(self, kind: str, feed: Iterator[_Deed], delivered: int) -> Iterator[_Deed]:
        """Skips rows between pages under `http_moving` aimed at v2: a cursor repeats nothing, a rebuilt feed may skip."""
        moving = self._faults.active_for("http_moving", "data", f"/v2/{kind}") if delivered else None
        if moving is None or not moving.text("path", "").startswith("/v2"):
            return feed
        return islice(feed, int(moving.number("rows", 3)), None)

    def _resolutions_page(self, parameters: Parameters) -> dict[str, Any]:
        wanted = parameters.conditions("condition_id")
        markets = [market for market in self._markets if market.state is not MarketState.OPEN]
        if wanted:
            markets = [market for market in markets if market.condition_id in wanted]
        limit = parameters.whole("limit", _PAGE_ROWS, at_least=1, at_most=PAGE_ROWS_MAX)
        text = parameters.text("cursor")
        try:
            skip = int(self._cursors.read("resolutions", text)["d"]) if text is not None else 0
        except (CursorError, KeyError, ValueError):
            raise DataApiError(400, "invalid_cursor", "cursor is invalid or was issued elsewhere", "cursor") from None
        # Newest first, so that a walk over the pages meets a market that resolves meanwhile twice rather than never.
        rows = [resolution_row(market) for market in reversed(markets)][skip : skip + limit]
        more = len(markets) > skip + limit
        cursor = self._cursors.issue("resolutions", {"l": limit, "d": skip + limit}) if more else None
        return page(rows, limit=limit, offset=0, next_cursor=cursor)


def resolution_row(market: Market) -> Row:
    """Returns a row of `/v2/resolutions`; without payouts until the market is resolved."""
    closed = datetime.fromtimestamp((market.closed_ms or market.end_ms) / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    row: Row = {
        "condition_id": market.condition_id,
        "status": "resolved" if market.payouts is not None else "posed",
        "extended_review": False,
        "was_disputed": False,
        "new_version_q": False,
        "transaction_hash": market.resolution_transaction,
        "log_index": str(digest("log", market.condition_id)[0] * 4),
        "last_update_timestamp": closed,
    }
    if market.payouts is not None:
        row |= {
            "payouts": list(market.payouts),
            "resolution_source": "reported",
            "resolved_block": 95_000_000 + (market.closed_ms or 0) // 1_500 % 1_000_000,
            "resolved_at": closed,
        }
    return row
