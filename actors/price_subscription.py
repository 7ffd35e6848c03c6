"""One open stream of prices: the newest quote of each market that its client has not taken yet."""

from collections.abc import Callable, Sequence

import attrs
import trio

from actors.rules.price_wire import missing_event, price_event
from protocols.prices import Quote

KEEP_ALIVE_S = 15.0
CHUNK_BYTES_MAX = 16_384
"""At least one event, however long: the rest stays in the form that is shared by all streams."""


@attrs.define(eq=False, kw_only=True)
class PriceSubscription:
    """Made by `PriceCache.subscribe`. Holds at most one quote a market, and that only by reference."""

    condition_ids: Sequence[str]
    missing: Sequence[str]
    """Ids that no market has; told once."""
    on_close: Callable[["PriceSubscription"], None]
    conflated: int = attrs.field(init=False, default=0)
    """Quotes that were replaced before the client took them."""
    _pending: dict[str, Quote] = attrs.field(init=False, factory=dict)
    _changed: trio.Event = attrs.field(init=False, factory=trio.Event)
    _told_missing: bool = attrs.field(init=False, default=False)

    def offer(self, quote: Quote) -> None:
        """Takes a quote for the client; never waits."""
        condition_id = quote.facts.condition_id
        self.conflated += condition_id in self._pending
        self._pending[condition_id] = quote
        self._changed.set()

    async def chunk(self) -> bytes:
        """Returns the next bytes of the stream: events, or a comment after some silence. Never empty."""
        if self.missing and not self._told_missing:
            self._told_missing = True
            return missing_event(self.missing)
        with trio.move_on_after(KEEP_ALIVE_S):
            await self._changed.wait()
        events, length = list[bytes](), 0
        now_s = trio.current_time()
        while self._pending and (not events or length < CHUNK_BYTES_MAX):
            event = price_event(self._pending.pop(next(iter(self._pending))), now_s)
            events.append(event)
            length += len(event)
        if not self._pending:
            self._changed = trio.Event()
        return b"".join(events) or b": keep-alive\n\n"

    def close(self) -> None:
        """Ends the subscription; ending it twice changes nothing."""
        self.on_close(self)
