"""The stream of the feed as drawn cards: the same trades as `/api/v2/feed/stream`, each drawn once for everybody."""

import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from decimal import Decimal

import attrs
import msgspec
import trio

from actors.rules.feed_filter import FeedFilter
from actors.rules.polysignal import PolySignal
from engine.api.answer import encode
from engine.api.feed_filter_params import filter_of, filter_params
from engine.api.feed_routes import SEQ_MAX, Streams, resumed_after
from engine.api.feed_search import FeedSearch
from engine.api.feed_stream import EventStream
from engine.api.params import whole
from engine.api.route import ApiRoute, Call
from engine.api.signal_routes import SignalledRow
from engine.pages.rendering import Renderer
from protocols.errors import TransientError
from protocols.feed import FeedRow, TradeCopy
from protocols.users import Scope

KEPT_CARDS = 512
RETRY_S = 1.0
CARD = "feed_card.html"
_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_document = msgspec.json.Decoder(float_hook=Decimal).decode
_row = msgspec.json.Decoder(FeedRow).decode


@attrs.frozen
class DrawnTrade:
    """A trade as an event with its card: one for those whose strategies copied it, each, and one for everybody else."""

    row: FeedRow
    common: bytes
    own: Mapping[str, bytes]
    """By user id."""


@attrs.define(eq=False)
class CardStream:
    """Turns events with a trade's JSON into events with its card; all others pass as they are."""

    renderer: Renderer
    search: FeedSearch
    drawn: int = attrs.field(init=False, default=0)
    _cards: OrderedDict[bytes, DrawnTrade] = attrs.field(init=False, factory=OrderedDict)
    """By the line with the event's id."""
    _drawing: trio.Lock = attrs.field(init=False, factory=trio.Lock)
    """Whoever comes first draws, the others find it drawn."""

    async def translated(self, chunk: bytes, user_id: str, wanted: FeedFilter) -> bytes:
        """Returns the chunk for a browser of this user. A trade that does not pass leaves its id alone behind."""
        events = [event for event in chunk.split(b"\n\n") if event]
        new = [event for event in events if _is_trade(event) and _head(event) not in self._cards]
        drawn = {_head(event): self._cards[_head(event)] for event in events if _head(event) in self._cards}
        if new:
            await self.renderer.prepare(CARD)
            async with self._drawing:
                drawn |= await self._drawn(new)
        passing = await self._passing([one.row for one in drawn.values()], user_id, wanted)
        return b"".join([_for(user_id, event, drawn.get(_head(event)), passing) + b"\n\n" for event in events])

    async def _passing(self, rows: Sequence[FeedRow], user_id: str, wanted: FeedFilter) -> set[str]:
        """Returns ids of trades. Waits while the database does not answer: the stream has them only once."""
        while rows and not wanted.is_empty:
            try:
                rows = await self.search.passing(user_id, rows, wanted)
                break
            except TransientError:
                await trio.sleep(RETRY_S)
        return {row.trade_id for row in rows}

    async def _drawn(self, events: Sequence[bytes]) -> Mapping[bytes, DrawnTrade]:
        drawn = {_head(event): self._cards[_head(event)] for event in events if _head(event) in self._cards}
        rows = {_head(event): _row(_data(event)) for event in events if _head(event) not in drawn}
        try:
            signals, copies = await self.search.told(list(rows.values()))
        except TransientError:
            # A card without its signal is better than none; nobody else gets this one.
            return drawn | {head: self._draw(head, row, {}, ()) for head, row in rows.items()}
        for head, row in rows.items():
            drawn[head] = self._cards[head] = self._draw(head, row, signals, copies.get(row.trade_id, ()))
        while len(self._cards) > KEPT_CARDS:
            self._cards.popitem(last=False)
        return drawn

    def _draw(
        self, head: bytes, row: FeedRow, signals: Mapping[str, PolySignal], copies: Sequence[tuple[str, TradeCopy]]
    ) -> DrawnTrade:
        def event(*mine: TradeCopy) -> bytes:
            told = SignalledRow(**msgspec.structs.asdict(row), signal=signals.get(row.trade_id), copied_by=mine)
            text = self.renderer.page(CARD, {"trade": _document(encode(told)), "is_new": True})
            self.drawn += 1
            # A line break within data begins another line of it (WHATWG HTML, section 9.2.6). Only these are line breaks there:
            # names have others, of Unicode, which stay.
            return head + b"".join([b"\ndata: " + line.encode() for line in _LINE_BREAK.split(text)])

        owners = {owner for owner, _ in copies}
        own = {owner: event(*[copy for one, copy in copies if one == owner]) for owner in owners}
        return DrawnTrade(row, event(), own)


def _head(event: bytes) -> bytes:
    return event.partition(b"\ndata: ")[0]


def _data(event: bytes) -> bytes:
    return event.partition(b"\ndata: ")[2]


def _is_trade(event: bytes) -> bool:
    return b"\ndata: " in event and b"event:" not in _head(event)


def _for(user_id: str, event: bytes, drawn: DrawnTrade | None, passing: set[str]) -> bytes:
    if drawn is None:
        return event
    # An id without data sets the client's last event id and is no event.
    return drawn.own.get(user_id, drawn.common) if drawn.row.trade_id in passing else _head(event)


def feed_card_routes(streams: Streams, search: FeedSearch, renderer: Renderer) -> list[ApiRoute]:
    """Returns the route that the feed page listens to."""
    cards = CardStream(renderer, search)

    async def stream(call: Call) -> EventStream:
        wanted, user_id = filter_of(call.params), call.principal.user_id
        subscription = await streams.subscribe(user_id, resumed_after(call))

        async def chunk() -> bytes:
            return await cards.translated(await subscription.chunk(), user_id, wanted)

        return EventStream(chunk)

    return [
        ApiRoute(
            method="GET",
            path="/api/v2/feed/cards",
            handler=stream,
            scope=Scope.READ,
            summary="The stream of the feed as the cards that the feed page shows, in HTML, with the filters of its pages",
            answer=str,
            params=(
                whole("after", "id of the last event that was seen", at_least=0, at_most=SEQ_MAX),
                *filter_params(),
            ),
            streams=True,
        )
    ]
