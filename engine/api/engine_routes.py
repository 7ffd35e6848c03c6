"""`/api/admin/engine`: the graph of actors and the state of the process, once and as a stream."""

from typing import Protocol

import attrs
import trio
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from engine.api.engine_bodies import EngineAnswer
from engine.api.feed_stream import EventStream
from engine.api.route import ApiRoute, Call, Rate
from protocols.users import Scope

KEEP_ALIVE_S = 15.0


class EngineReader(Protocol):
    """Who reads the engine (`EngineWatch`)."""

    clients: int
    number: int
    """Of the newest reading; it may be old while nobody listens."""

    def read(self) -> EngineAnswer:
        """Returns the engine as it is now."""

    async def event_after(self, number: int) -> tuple[int, bytes]:
        """Waits for a reading that is newer than `number`; returns the newest one with its number."""


def engine_watch_routes(watch: EngineReader) -> list[ApiRoute]:
    """Returns the routes of the Engine page."""

    async def read(call: Call) -> EngineAnswer:
        return watch.read()

    async def stream(call: Call) -> EventStream:
        return EngineStream(watch)

    return [
        ApiRoute(
            method="GET",
            path="/api/admin/engine",
            handler=read,
            scope=Scope.ADMIN,
            summary="Actors, channels, memory, loop lag, the venue's stream and calls to it, as they are now",
            answer=EngineAnswer,
            rate=Rate.ADMIN,
        ),
        ApiRoute(
            method="GET",
            path="/api/admin/engine/stream",
            handler=stream,
            scope=Scope.ADMIN,
            summary="The same once a second; a slow client gets the newest reading",
            answer=None,
            rate=Rate.ADMIN,
            streams=True,
        ),
    ]


class EngineStream(EventStream):
    """Each event is the document of `/api/admin/engine`. Its clients share the bytes; one that reads slowly misses some."""

    def __init__(self, watch: EngineReader) -> None:
        """Counts as a client while the stream is open, however that ends."""
        super().__init__(_Newest(watch=watch, number=watch.number).chunk)
        self._watch = watch

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Streams."""
        self._watch.clients += 1
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._watch.clients -= 1


@attrs.define(eq=False, kw_only=True)
class _Newest:
    watch: EngineReader
    number: int

    async def chunk(self) -> bytes:
        with trio.move_on_after(KEEP_ALIVE_S):
            self.number, event = await self.watch.event_after(self.number)
            return event
        return b": keep-alive\n\n"
