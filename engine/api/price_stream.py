"""Prices as server-sent events."""

from starlette.types import Receive, Scope, Send

from actors.price_subscription import PriceSubscription
from engine.api.feed_stream import EventStream


class PriceStream(EventStream):
    """Each event is the JSON of one market; markets that do not exist are told once, by an event `missing`."""

    def __init__(self, subscription: PriceSubscription) -> None:
        """Ends the subscription when the stream ends, however that is."""
        super().__init__(subscription.chunk)
        self._subscription = subscription

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Streams."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._subscription.close()
