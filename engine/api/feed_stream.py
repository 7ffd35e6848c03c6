"""Server-sent events over ASGI: one chunk after another, until the client leaves or the server drains."""

from collections.abc import Awaitable, Callable

import trio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

LIFE_S = 3_600.0
"""Then the stream ends and the client comes back with its last event id: no connection is for ever."""


class EventStream(Response):
    """An endless response of `text/event-stream`. Holds one chunk at a time, whatever the client reads or does not."""

    media_type = "text/event-stream"

    def __init__(self, next_chunk: Callable[[], Awaitable[bytes]], *, life_s: float = LIFE_S) -> None:
        """`next_chunk` waits for what to send next; it is asked again only when the connection has taken that."""
        self._next_chunk = next_chunk
        self._life_s = life_s
        self.holds: Callable[[], bool] = lambda: True
        """Whether the client's token or session still holds; asked before each chunk, which else is not sent any more."""
        self.status_code = 200
        self.background = None
        self.init_headers({"x-accel-buffering": "no", "cache-control": "no-store"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Streams. Raises what `send` raises when the client is gone or reads too slowly."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_cancel_when_left, receive, nursery.cancel_scope)
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            end_s = trio.current_time() + self._life_s
            while trio.current_time() < end_s:
                chunk = await self._next_chunk()
                if not self.holds():
                    break
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            nursery.cancel_scope.cancel()


async def _cancel_when_left(receive: Receive, scope: trio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
