"""The stream of the feed as drawn cards: the same trades as `/api/v2/feed/stream`, each drawn once for everybody."""

from collections import OrderedDict
from decimal import Decimal

import attrs
import msgspec

from actors.rules.feed_events import event_id
from engine.api.errors import bad_field
from engine.api.feed_routes import LAST_EVENT_ID, SEQ_MAX, Streams
from engine.api.feed_stream import EventStream
from engine.api.params import whole
from engine.api.route import ApiRoute, Call
from engine.pages.rendering import Renderer
from protocols.users import Scope

KEPT_CARDS = 512
CARD = "feed_card.html"
_decode = msgspec.json.Decoder(float_hook=Decimal).decode


@attrs.define(eq=False)
class CardStream:
    """Turns events with a trade's JSON into events with its card; all others pass as they are."""

    renderer: Renderer
    drawn: int = attrs.field(init=False, default=0)
    _cards: OrderedDict[bytes, bytes] = attrs.field(init=False, factory=OrderedDict)
    """By the line with the event's id."""

    def translated(self, chunk: bytes) -> bytes:
        """Returns the chunk for a browser."""
        return b"".join([self._event(event) + b"\n\n" for event in chunk.split(b"\n\n") if event])

    def _event(self, event: bytes) -> bytes:
        head, separator, data = event.partition(b"\ndata: ")
        if not separator or b"event:" in head:
            return event
        card = self._cards.get(head)
        if card is None:
            text = self.renderer.page(CARD, {"trade": _decode(data), "is_new": True})
            # A line break within data begins another line of it (WHATWG HTML, section 9.2.6).
            lines = b"".join([b"\ndata: " + line.encode() for line in text.splitlines() if line.strip()])
            card = self._cards[head] = head + lines
            self.drawn += 1
            if len(self._cards) > KEPT_CARDS:
                self._cards.popitem(last=False)
        return card


def feed_card_routes(streams: Streams, renderer: Renderer) -> list[ApiRoute]:
    """Returns the route that the feed page listens to."""
    cards = CardStream(renderer)

    async def stream(call: Call) -> EventStream:
        after = call.params["after"]
        resumed = call.headers.get(LAST_EVENT_ID)
        if resumed:
            try:
                after = event_id(resumed)
            except ValueError as error:
                raise bad_field("Last-Event-ID", str(error)) from None
        subscription = await streams.subscribe(call.principal.user_id, after)

        async def chunk() -> bytes:
            return cards.translated(await subscription.chunk())

        return EventStream(chunk)

    return [
        ApiRoute(
            method="GET",
            path="/api/v2/feed/cards",
            handler=stream,
            scope=Scope.READ,
            summary="The stream of the feed as the cards that the feed page shows, in HTML",
            answer=str,
            params=(whole("after", "id of the last event that was seen", at_least=0, at_most=SEQ_MAX),),
            streams=True,
        )
    ]
