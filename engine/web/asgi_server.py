"""HTTP/1.1 server on trio for one ASGI application.

Plain HTTP, without TLS, HTTP/2 and websockets: those are the business of the proxy in front. What a client may cost is
bounded by `ServerLimits`; what goes wrong on one connection ends that connection only.
"""

import logging
import socket
from contextlib import suppress
from functools import partial
from typing import cast

import trio

from engine.web.asgi_cycle import Address, AsgiApp
from engine.web.http_connection import HttpConnection, check_deadlines
from engine.web.http_limits import ServerLimits
from engine.web.http_response import HttpDate, error_response
from engine.web.http_transport import HttpTransport
from protocols.clock import WallClock

__all__ = ["ServerLimits", "serve_asgi"]

_BACKLOG = 512
_REFUSALS_MAX = 32
_RETRY_AFTER_S = 1

_logger = logging.getLogger(__name__)


async def serve_asgi(
    app: AsgiApp,
    *,
    host: str,
    port: int,
    limits: ServerLimits,
    clock: WallClock | None = None,
    shutdown: trio.Event | None = None,
    task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until cancelled, or until `shutdown` is set and the requests in flight are done or `drain_s` is over.

    `task_status` gets the port bound, which matters for port 0. With a clock, responses carry a Date header. On
    shutdown no connection is accepted any more, idle ones are closed and event streams ended. The lifespan protocol is
    not spoken. Raises OSError when the address cannot be bound.
    """
    listeners = await _listen(host, port)
    address: Address = listeners[0].socket.getsockname()[:2]
    server = _Server(app=app, limits=limits, date=HttpDate(clock), address=address)
    async with trio.open_nursery() as connections:
        async with trio.open_nursery() as accepting:
            accepting.start_soon(
                partial(trio.serve_listeners, server.handle, listeners, handler_nursery=connections), name="http accept"
            )
            task_status.started(address[1])
            accepting.start_soon(check_deadlines, server.connections)
            await (trio.Event() if shutdown is None else shutdown).wait()
            accepting.cancel_scope.cancel()
        connections.cancel_scope.deadline = trio.current_time() + limits.drain_s
        server.stop()


async def _listen(host: str, port: int) -> list[trio.SocketListener]:
    listeners = await trio.open_tcp_listeners(port, host=host, backlog=_BACKLOG)
    if port == 0:
        # A name with several addresses gets a different free port for each; one port was asked for.
        for listener in listeners[1:]:
            listener.socket.close()
        del listeners[1:]
    return listeners


class _Server:
    """The connections of one server.

    Over the limit a client is told 503 at once, rather than left in the backlog: there a probe or a balancer cannot
    tell a busy server from a dead one. The refusals are bounded too; beyond them the connection is just closed.
    """

    def __init__(self, *, app: AsgiApp, limits: ServerLimits, date: HttpDate, address: Address) -> None:
        self._app = app
        self._limits = limits
        self._date = date
        self._address = address
        self.connections: set[HttpConnection] = set()
        self._refusals = 0
        self._stopping = False

    async def handle(self, stream: trio.SocketStream) -> None:
        """Serve one accepted connection; closes it and never raises an Exception."""
        try:
            if self._stopping:
                await self._refuse(stream, "the server is shutting down")
            elif len(self.connections) >= self._limits.connections_max:
                await self._refuse(stream, "too many connections")
            else:
                await self._serve(stream)
        except* Exception as errors:  # also those grouped with the cancellation of a nursery in the application
            _logger.error("connection failed", exc_info=errors)

    def stop(self) -> None:
        """End what is idle, let what is in flight finish."""
        self._stopping = True
        for connection in self.connections:
            connection.stop()

    async def _serve(self, stream: trio.SocketStream) -> None:
        client = _peer(stream)
        if client is None:
            return
        _bound_silence(stream, self._limits.write_timeout_s)
        connection = HttpConnection(
            stream=stream,
            app=self._app,
            limits=self._limits,
            date=self._date,
            client=client,
            server=self._address,
        )
        self.connections.add(connection)
        try:
            await connection.run()
        finally:
            self.connections.remove(connection)

    async def _refuse(self, stream: trio.SocketStream, reason: str) -> None:
        if self._refusals >= _REFUSALS_MAX:
            return
        self._refusals += 1
        try:
            transport = HttpTransport(stream, write_timeout_s=_RETRY_AFTER_S)
            with suppress(OSError):
                await transport.write(error_response(503, reason, date=self._date.line(), retry_after_s=_RETRY_AFTER_S))
                await transport.linger()
        finally:
            self._refusals -= 1


def _peer(stream: trio.SocketStream) -> Address | None:
    """Address of the client; None: it has left already."""
    try:
        return cast("Address", stream.socket.getpeername()[:2])
    except OSError:
        return None


def _bound_silence(stream: trio.SocketStream, timeout_s: float) -> None:
    """Let the kernel give up on a peer that acknowledges nothing: small events never fill the buffer of a dead stream,
    so the timeout of a write would not notice."""
    with suppress(AttributeError, OSError):
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(timeout_s * 1_000))
