"""Sockets to the real-time data stream, by trio-websocket.

Its reader task answers pings only while its own queue has room (measured): hence a long queue and a reading actor that
never waits for anybody.
"""

import logging
from contextlib import suppress
from urllib.parse import urlsplit

import attrs
import trio
import trio_websocket

from protocols.errors import TransientError
from protocols.ingest import WebSocketLike

Stream = trio.SocketStream | trio.SSLStream[trio.SocketStream]
_log = logging.getLogger(__name__)
QUEUE_MESSAGES = 4_096
RECEIVE_BUFFER_BYTES = 1 << 16
CLOSE_TIMEOUT_S = 0.3


@attrs.define(eq=False)
class RtdsSocket:
    """One open socket (`WebSocketLike`)."""

    _connection: trio_websocket.WebSocketConnection
    _scope: trio.CancelScope

    async def receive_many(self, messages_max: int) -> list[str | bytes]:
        """Waits for a message, then takes what is there. Raises `TransientError` when the connection is gone.

        The library hands out one message a wait; what its queue holds beyond that is taken from the queue itself, which
        saves a saturated reader a third of its time.
        """
        try:
            messages: list[str | bytes] = [await self._connection.get_message()]
        except trio_websocket.ConnectionClosed as error:
            raise TransientError(_close_text(error)) from None
        queue: trio.MemoryReceiveChannel[str | bytes] = self._connection._recv_channel
        try:
            while len(messages) < messages_max:
                messages.append(queue.receive_nowait())
        except (trio.WouldBlock, trio.EndOfChannel):
            pass
        return messages

    async def send(self, message: str) -> None:
        """Sends a text message. Raises `TransientError` when the connection is gone."""
        try:
            await self._connection.send_message(message)
        except trio_websocket.ConnectionClosed as error:
            raise TransientError(_close_text(error)) from None
        except trio.BrokenResourceError:
            raise TransientError("connection broken") from None

    async def aclose(self) -> None:
        """Says goodbye for a moment, then drops the connection."""
        with trio.move_on_after(CLOSE_TIMEOUT_S), suppress(Exception):
            await self._connection.aclose()
        self._scope.cancel()


@attrs.define(eq=False, kw_only=True)
class RtdsDialer:
    """Opens sockets (`StreamDialer`). Each lives in a task of its own in `nursery`, which outlives every actor.

    The library reads in a background task, and what goes wrong there, a refused upgrade or a broken handshake, is raised
    there: that task is fenced in here, so that it costs a dial or a session and never the engine.
    """

    url: str
    user_agent: str
    frame_bytes_max: int
    nursery: trio.Nursery

    async def dial(self) -> WebSocketLike:
        """Connects. Raises `TransientError` with a readable reason; a cancelled dial leaves nothing behind."""
        socket: RtdsSocket = await self.nursery.start(self._host)
        return socket

    async def _host(self, *, task_status: trio.TaskStatus[RtdsSocket]) -> None:
        started = False
        try:
            with trio.CancelScope() as scope:
                stream, host, resource = await _opened(self.url)
                try:
                    async with trio.open_nursery() as nursery:
                        connection = await trio_websocket.wrap_client_stream(
                            nursery,
                            stream,
                            host,
                            resource,
                            message_queue_size=QUEUE_MESSAGES,
                            max_message_size=self.frame_bytes_max,
                            receive_buffer_size=RECEIVE_BUFFER_BYTES,
                            extra_headers=[(b"User-Agent", self.user_agent.encode())],
                        )
                        started = True
                        task_status.started(RtdsSocket(connection, scope))
                        await trio.sleep_forever()
                finally:
                    # The library leaves it open when the handshake fails or the server hangs up.
                    await trio.aclose_forcefully(stream)
        except Exception as error:
            # Whatever a server answers is weather.
            if not started:
                raise TransientError(f"{self.url}: {_reason(error)}") from None
            _log.debug("socket ended", extra={"error": _reason(error)})


async def _opened(url: str) -> tuple[Stream, str, str]:
    """Returns a connected stream, the value of the Host header, and the resource to ask for."""
    parts = urlsplit(url)
    secure = parts.scheme == "wss"
    host, port = parts.hostname or "", parts.port or (443 if secure else 80)
    stream: Stream
    if secure:
        stream = await trio.open_ssl_over_tcp_stream(host, port, https_compatible=True)
    else:
        stream = await trio.open_tcp_stream(host, port)
    header = host if port in (80, 443) else f"{host}:{port}"
    return stream, header, parts.path or "/"


def _close_text(error: trio_websocket.ConnectionClosed) -> str:
    reason = error.reason
    if reason is None:
        return "connection lost without a close frame"
    return f"closed {reason.code} {reason.reason or reason.name}"


def _reason(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return _reason(error.exceptions[0])
    if isinstance(error, trio_websocket.ConnectionRejected):
        return f"the upgrade was answered {error.status_code}"
    lines = str(error).splitlines()
    return lines[0][:200] if lines else type(error).__name__
