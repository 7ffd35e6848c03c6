"""One request and its response: the ASGI 3 side (scope, receive, send) of one HTTP exchange."""

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

import trio

from engine.web.http_body import RequestBody
from engine.web.http_error import ClientDisconnected, ConnectionAbandoned, HttpError
from engine.web.http_parser import RequestParser
from engine.web.http_request import RequestHead
from engine.web.http_response import ResponseEncoder, error_response
from engine.web.http_transport import READ_BYTES, HttpTransport

__all__ = ["Address", "AsgiApp", "AsgiCycle", "Message", "Receive", "Scope", "Send", "http_scope"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Address = tuple[str, int]

_logger = logging.getLogger(__name__)


def http_scope(head: RequestHead, *, client: Address | None, server: Address | None) -> Scope:
    """The connection scope of one request.

    Specification 2.3 is announced, not 2.4: below 2.4 Starlette listens for the end of the connection while it streams,
    so that an idle stream ends when its client leaves, not when the next event fails to be written.
    """
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": head.http_version,
        "method": head.method,
        "scheme": "http",
        "path": head.path,
        "raw_path": head.raw_path,
        "query_string": head.query,
        "root_path": "",
        "headers": head.headers,
        "client": client,
        "server": server,
    }


class AsgiCycle:
    """Runs the application for one request.

    The application is never cancelled because its client left: an order that is being placed has to be finished. It is
    told by `http.disconnect`, or by ClientDisconnected when it sends.
    """

    def __init__(
        self,
        *,
        scope: Scope,
        body: RequestBody,
        parser: RequestParser,
        transport: HttpTransport,
        encoder: ResponseEncoder,
        date: bytes,
    ) -> None:
        self._scope = scope
        self._body = body
        self._parser = parser
        self._transport = transport
        self._encoder = encoder
        self._date = date
        self._body_delivered = False
        self._refused = False
        self._disconnected = False
        self._stopping = False
        self._reading: trio.Lock | None = None
        self._waits: list[trio.CancelScope] = []

    async def run(self, app: AsgiApp) -> bool:
        """Serve the request; True: the connection can carry another one. Raises ClientDisconnected."""
        try:
            await app(self._scope, self.receive, self.send)
        except ConnectionAbandoned:
            return False
        except Exception as error:
            await self._answer_failure(error)
            return False
        encoder = self._encoder
        if encoder.complete:
            reusable = encoder.keep_alive and not self._transport.broken
            return reusable and (self._body.complete or await self._body.drain())
        if self._stream_was_stopped:
            await self._transport.write(encoder.end_stream())
        elif not self._is_over:
            _logger.error("application ended without a complete response", extra=self._log_fields())
            await self._answer_500()
        return False

    def stop(self) -> None:
        """The server shuts down: end an event stream now, and let other responses be the last of their connection."""
        self._stopping = True
        self._encoder.keep_alive = False
        if self._is_over:
            self._wake()

    async def receive(self) -> Message:
        """ASGI `receive`: parts of the body, then `http.disconnect` when client, response or server are through."""
        if not self._body_delivered and not self._is_over:
            if not self._body.complete:
                return await self._receive_body()
            self._body_delivered = True
            return {"type": "http.request", "body": await self._body.read(), "more_body": False}
        if not self._is_over and not self._has_left():
            await self._wait_for_end()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """ASGI `send`. Raises ClientDisconnected, and ValueError when the message cannot be sent."""
        if self._refused:
            raise ClientDisconnected("the request was refused while its body was read")
        kind = message["type"]
        if kind == "http.response.start":
            if self._stopping or self._body.awaits_continue:
                self._encoder.keep_alive = False
            data = self._encoder.start(message["status"], message.get("headers", ()))
        elif kind == "http.response.body":
            more = message.get("more_body", False)
            if more:
                # A write need not wait, and an endless stream must not starve the other tasks.
                await trio.lowlevel.checkpoint()
            data = self._encoder.body(message.get("body", b""), more=more)
        else:
            raise ValueError(f"{kind} is not a message of the HTTP protocol")
        if data:
            await self._transport.write(data)
        if self._encoder.complete:
            self._wake()

    @property
    def _stream_was_stopped(self) -> bool:
        return self._stopping and self._encoder.is_event_stream and not self._transport.broken

    @property
    def _is_over(self) -> bool:
        return (
            self._encoder.complete
            or self._refused
            or self._disconnected
            or self._transport.broken
            or (self._stopping and self._encoder.is_event_stream)
        )

    async def _receive_body(self) -> Message:
        try:
            async with self._reading_lock:
                part = await self._body.read()
        except HttpError as error:
            self._refused = True
            with suppress(ClientDisconnected):
                await self._answer(error.status, error.reason)
            return {"type": "http.disconnect"}
        except ClientDisconnected:
            self._disconnected = True
            return {"type": "http.disconnect"}
        self._body_delivered = self._body.complete
        return {"type": "http.request", "body": part, "more_body": not self._body_delivered}

    @property
    def _reading_lock(self) -> trio.Lock:
        if self._reading is None:
            self._reading = trio.Lock()
        return self._reading

    def _has_left(self) -> bool:
        """Whether the client is known to have closed its side, without waiting.

        Some applications only ask: they call `receive` in a scope cancelled beforehand.
        """
        if self._reading is None or not self._reading.locked():
            while not self._disconnected and self._parser.pending_bytes < READ_BYTES:
                data = self._transport.read_now()
                if data is None:
                    break
                self._take_early(data)
        return self._disconnected

    def _take_early(self, data: bytes) -> None:
        """Input after the present request: the next one, of a client that pipelines, or the end."""
        if data:
            self._parser.feed(data)
        else:
            self._disconnected = True

    async def _wait_for_end(self) -> None:
        """Until the client closes its side, the response is complete, or an event stream is stopped."""
        with trio.CancelScope() as scope:
            self._waits.append(scope)
            try:
                async with self._reading_lock:
                    while not self._disconnected:
                        if self._parser.pending_bytes >= READ_BYTES:
                            await trio.sleep_forever()  # so much is waiting that reading on, to see an end, is too dear
                        self._take_early(await self._transport.read())
            finally:
                self._waits.remove(scope)

    def _wake(self) -> None:
        for scope in self._waits:
            scope.cancel()

    async def _answer_failure(self, error: Exception) -> None:
        # Any client can cause these at will; every other failure is a defect, even when nobody waits for the answer.
        if _only_disconnected(error) or (self._is_over and not self._body.complete):
            _logger.debug("application ended without its client", extra=self._log_fields(), exc_info=error)
        else:
            _logger.error("application failed", extra=self._log_fields(), exc_info=error)
        if not self._is_over:
            await self._answer_500()

    async def _answer_500(self) -> None:
        await self._answer(500, "internal server error")

    async def _answer(self, status: int, reason: str) -> None:
        """Write an error in place of the response; when that has begun, closing the connection says it all."""
        if not self._encoder.begun:
            self._encoder.begun = True
            await self._transport.write(
                error_response(status, reason, date=self._date, is_head=self._scope["method"] == "HEAD")
            )

    def _log_fields(self) -> dict[str, str]:
        # Neither query nor headers: they may hold tokens.
        return {"method": self._scope["method"], "path": self._scope["path"]}


def _only_disconnected(error: Exception) -> bool:
    if isinstance(error, ExceptionGroup):
        return error.split(ClientDisconnected)[1] is None
    return isinstance(error, ClientDisconnected)
