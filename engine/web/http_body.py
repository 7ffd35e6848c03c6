"""The body of one request, read when somebody wants it."""

import trio

from engine.web.http_error import ClientDisconnected, HttpError
from engine.web.http_limits import ServerLimits
from engine.web.http_parser import RequestParser
from engine.web.http_request import RequestHead
from engine.web.http_transport import HttpTransport

__all__ = ["RequestBody"]

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class RequestBody:
    """Body bytes of the present request, from what was received with the head and then from the connection."""

    def __init__(
        self, *, head: RequestHead, parser: RequestParser, transport: HttpTransport, limits: ServerLimits
    ) -> None:
        self._parser = parser
        self._transport = transport
        self._wait_left_s = limits.body_timeout_s
        self.awaits_continue = head.expects_continue and head.has_body
        """The client may be holding the body back until it is asked for."""

    @property
    def complete(self) -> bool:
        """Whether the whole body has been parsed and handed out."""
        return self._parser.body_complete

    async def read(self) -> bytes:
        """The next part; empty only at the end. Raises HttpError (400, 408, 413) and ClientDisconnected."""
        part = self._parser.read_body()
        while not part and not self._parser.body_complete:
            if self.awaits_continue:
                self.awaits_continue = False
                await self._transport.write(_CONTINUE)
            self._parser.feed(await self._receive())
            part = self._parser.read_body()
        return part

    async def drain(self) -> bool:
        """Discard what the application did not read; False: the connection is of no further use."""
        if self.awaits_continue and not self.complete:
            return False  # body or next request: the next byte may be either
        try:
            while not self.complete:
                await self.read()
        except (HttpError, ClientDisconnected):
            return False
        return True

    async def _receive(self) -> bytes:
        began_s = trio.current_time()
        with trio.move_on_after(self._wait_left_s) as scope:
            data = await self._transport.read()
        self._wait_left_s = max(0.0, self._wait_left_s - (trio.current_time() - began_s))
        if scope.cancelled_caught:
            raise HttpError(408, "the request body took too long")
        if not data:
            raise ClientDisconnected("the client left before the end of its request")
        return data
