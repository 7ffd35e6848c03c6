"""One HTTP/1.1 connection: requests in order, one at a time, until either side has enough."""

import math
from collections.abc import Collection
from typing import NoReturn

import trio

from engine.web.asgi_cycle import Address, AsgiApp, AsgiCycle, http_scope
from engine.web.http_body import RequestBody
from engine.web.http_error import ClientDisconnected, HttpError
from engine.web.http_limits import ServerLimits
from engine.web.http_parser import RequestParser
from engine.web.http_request import RequestHead
from engine.web.http_response import HttpDate, ResponseEncoder, error_response
from engine.web.http_transport import HttpTransport

__all__ = ["CHECK_INTERVAL_S", "HttpConnection", "check_deadlines"]

CHECK_INTERVAL_S = 0.25
"""How late the timeouts of headers and keep-alive may come."""


class HttpConnection:
    """Serves an ASGI application on one stream, and closes the stream."""

    def __init__(
        self,
        *,
        stream: trio.abc.Stream,
        app: AsgiApp,
        limits: ServerLimits,
        date: HttpDate,
        client: Address | None = None,
        server: Address | None = None,
    ) -> None:
        self._app = app
        self._limits = limits
        self._date = date
        self._client = client
        self._server = server
        self._transport = HttpTransport(stream, write_timeout_s=limits.write_timeout_s)
        self._parser = RequestParser(limits)
        self._waiting = trio.CancelScope()
        self._deadline_s = math.inf  # of the next request head; no deadline while the application runs
        self._given_up = False
        self._idle = False
        self._cycle: AsgiCycle | None = None
        self._stopping = False

    async def run(self) -> None:
        """Serve until the connection ends. Raises only what is a defect of the server."""
        try:
            with self._waiting:
                await self._serve_requests()
            if self._waiting.cancelled_caught and self._parser.begun:
                await self._refuse(HttpError(408, "the request headers took too long"))
        except HttpError as error:
            await self._refuse(error)
        except ClientDisconnected:
            pass
        finally:
            await self._transport.close()

    def stop(self) -> None:
        """Shut down: an idle connection ends now, a request in flight is the last one."""
        self._stopping = True
        if self._idle:
            self._give_up()
        if self._cycle is not None:
            self._cycle.stop()

    def check_deadline(self, now_s: float) -> None:
        """Give up a request head that is overdue. The server calls it every `CHECK_INTERVAL_S`."""
        if now_s >= self._deadline_s:
            self._give_up()

    def _give_up(self) -> None:
        self._given_up = True
        self._waiting.cancel()

    async def _serve_requests(self) -> None:
        idle_timeout_s = self._limits.header_timeout_s
        while (head := await self._read_head(idle_timeout_s)) is not None:
            idle_timeout_s = self._limits.keep_alive_timeout_s
            self._cycle = self._make_cycle(head)
            if self._stopping:
                self._cycle.stop()
            try:
                keep = await self._cycle.run(self._app)
            finally:
                self._cycle = None
            if not keep or self._stopping:
                await self._transport.linger()
                return

    async def _refuse(self, error: HttpError) -> None:
        try:
            await self._transport.write(error_response(error.status, error.reason, date=self._date.line()))
        except ClientDisconnected:
            return
        await self._transport.linger()

    def _make_cycle(self, head: RequestHead) -> AsgiCycle:
        date = self._date.line()
        return AsgiCycle(
            scope=http_scope(head, client=self._client, server=self._server),
            body=RequestBody(head=head, parser=self._parser, transport=self._transport, limits=self._limits),
            parser=self._parser,
            transport=self._transport,
            encoder=ResponseEncoder(
                method=head.method, http_version=head.http_version, keep_alive=head.keep_alive, date=date
            ),
            date=date,
        )

    async def _read_head(self, idle_timeout_s: float) -> RequestHead | None:
        """The next request; None: there will be none. Raises HttpError."""
        parser = self._parser
        head = parser.read_head()
        if head is not None:
            await trio.lowlevel.checkpoint()  # a client that pipelines takes turns with the others
            return head
        self._idle = not parser.begun
        self._deadline_s = trio.current_time() + (idle_timeout_s if self._idle else self._limits.header_timeout_s)
        while head is None:
            data = await self._transport.read()
            if not data or self._given_up:
                return None
            parser.feed(data)
            head = parser.read_head()
            if head is None and self._idle:
                self._idle = False
                self._deadline_s = trio.current_time() + self._limits.header_timeout_s
        self._idle = False
        self._deadline_s = math.inf
        return head


async def check_deadlines(connections: Collection[HttpConnection]) -> NoReturn:
    """The clock of all connections: one timer for all costs a request nothing, a deadline of its own 5 us."""
    while True:
        await trio.sleep(CHECK_INTERVAL_S)
        now_s = trio.current_time()
        for connection in connections:
            connection.check_deadline(now_s)
