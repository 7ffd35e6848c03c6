"""The feed: trades of the wallets that the caller follows, in pages and as a stream."""

from typing import Protocol

import attrs

from actors.feed_subscription import FeedSubscription
from actors.rules.feed_cursor import TEXT_CHARS_MAX, cursor_text, position_in
from actors.rules.feed_events import event_id
from config.jobs import RetentionConfig
from engine.api.errors import bad_field, not_found
from engine.api.feed_filter_params import filter_of, filter_params
from engine.api.feed_search import FeedSearch
from engine.api.feed_stream import EventStream
from engine.api.params import Param, choice, whole
from engine.api.route import ApiRoute, Call, Struct
from engine.api.signal_routes import SignalledFeed, SignalledRow, with_signals
from engine.api.why_routes import trade_id_param
from protocols.errors import MalformedError
from protocols.feed import FeedQuery, FeedRow
from protocols.timestamps import EARLIEST_MS, LATEST_MS, epoch_ms
from protocols.users import Scope

PAGE_DEFAULT, PAGE_MAX = 50, 200
DAY_MS = 86_400_000
WINDOW_DAYS = 7
SEQ_MAX = 10**18 - 1
LAST_EVENT_ID = "last-event-id"


class FeedAnswer(Struct):
    """One page of the feed, newest first."""

    trades: tuple[FeedRow, ...]
    next_cursor: str | None
    """The `cursor` of the next page; null at the end."""


class Streams(Protocol):
    """The hub, as far as a route needs it."""

    async def subscribe(self, user_id: str, after: int | None) -> FeedSubscription:
        """Returns a stream for a user. Raises `TransientError`."""
        ...


@attrs.define(eq=False)
class _Handlers:
    search: FeedSearch
    streams: Streams
    retention: RetentionConfig

    async def page(self, call: Call) -> FeedAnswer | SignalledFeed:
        params, wanted = call.params, filter_of(call.params)
        now_ms = self.search.clock.now_ms()
        since_ms = now_ms - WINDOW_DAYS * DAY_MS if params["since"] is None else params["since"]
        query = FeedQuery(
            user_id=call.principal.user_id,
            limit=params["limit"],
            since_ms=max(EARLIEST_MS, since_ms, now_ms - self.retention.target_days * DAY_MS),
            before=params["cursor"],
            wallets=tuple(sorted(wanted.wallets)),
            side=wanted.side,
            condition_id=wanted.condition_id,
            is_copied=wanted.wants_copies,
            strategy=wanted.strategy,
        )
        found = await self.search.page(query, wanted)
        if query.strategy is not None and not found.followed:
            raise bad_field("strategy", "is not one of yours")
        if query.wallets and not found.followed and not query.is_copied:
            raise bad_field("wallet", "is not among those you follow")
        cursor = None if found.next is None else cursor_text(found.next)
        if params["signal"] is None:
            return FeedAnswer(trades=found.rows, next_cursor=cursor)
        told = await with_signals(self.search, call.principal.user_id, found.rows)
        return SignalledFeed(trades=told, next_cursor=cursor)

    async def one(self, call: Call) -> SignalledRow:
        row = await self.search.store.trade(call.params["tradeId"])
        if row is None:
            raise not_found("unknown_trade", "there is no such trade, or it is no longer kept")
        [told] = await with_signals(self.search, call.principal.user_id, [row])
        return told

    async def stream(self, call: Call) -> EventStream:
        subscription = await self.streams.subscribe(call.principal.user_id, resumed_after(call))
        return EventStream(subscription.chunk)


def resumed_after(call: Call) -> int | None:
    """Returns the last event that a client of the stream has seen. Raises a 400.

    A client that comes back repeats the address it began with; the header says how far it got.
    """
    resumed = call.headers.get(LAST_EVENT_ID)
    if not resumed:
        after: int | None = call.params["after"]
        return after
    try:
        return event_id(resumed)
    except ValueError as error:
        raise bad_field("Last-Event-ID", str(error)) from None


def feed_routes(search: FeedSearch, streams: Streams, retention: RetentionConfig) -> list[ApiRoute]:
    """Returns the routes of the feed. No page reaches back further than the longest retention."""
    handlers = _Handlers(search, streams, retention)
    return [
        ApiRoute(
            method="GET",
            path="/api/v2/feed/trades",
            handler=handlers.page,
            scope=Scope.READ,
            summary="Trades of the traders I follow, newest first; with `copied` or `strategy` those that strategies of "
            "mine copied. With other filters a page may be short, even empty, while there is a next one: "
            "2,000 trades are looked at",
            answer=SignalledFeed,
            params=(
                whole("limit", "trades on a page", at_least=1, at_most=PAGE_MAX, default=PAGE_DEFAULT),
                _cursor(),
                _since(),
                *filter_params(),
                choice("signal", "1: with the PolySignal of each trade, and which of my strategies copied it", "1"),
            ),
        ),
        ApiRoute(
            method="GET",
            path="/api/v2/feed/stream",
            handler=handlers.stream,
            scope=Scope.READ,
            summary="The same trades as server-sent events, in the order in which they were stored; an event `resync` says "
            "that some were missed",
            answer=FeedRow,
            params=(whole("after", "id of the last event that was seen", at_least=0, at_most=SEQ_MAX),),
            streams=True,
        ),
        ApiRoute(
            method="GET",
            path="/api/v2/feed/trades/{tradeId}",
            handler=handlers.one,
            scope=Scope.READ,
            summary="One stored trade as the feed shows it, with its PolySignal and which of my strategies copied it",
            answer=SignalledRow,
            params=(trade_id_param(in_path=True),),
            refusals={404: "there is no such trade"},
        ),
    ]


def _cursor() -> Param:
    schema = {"type": "string", "maxLength": TEXT_CHARS_MAX}
    return Param(name="cursor", doc="nextCursor of the page before", parse=position_in, schema=schema)


def _since() -> Param:
    return Param(
        name="since",
        doc="earliest time, in seconds since the epoch or ISO 8601; without it seven days ago",
        parse=_since_ms,
        schema={
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": 99_999_999_999},
                {"type": "string", "format": "date-time"},
            ]
        },
    )


def _since_ms(text: str) -> int:
    """Returns milliseconds. A time before the venue existed means everything."""
    if text.isascii() and text.isdigit() and len(text) <= 11:
        return max(EARLIEST_MS, min(LATEST_MS - 1, int(text) * 1000))
    try:
        return epoch_ms(text)
    except MalformedError:
        raise ValueError("must be seconds since the epoch or a time in ISO 8601") from None
