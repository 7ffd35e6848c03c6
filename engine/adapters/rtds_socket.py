"""Sockets to the real-time data stream, by trio-websocket.

Its reader task answers pings only while its own queue has room (measured): hence a long queue and a reading actor that
never waits for anybody.
"""

import ssl
from contextlib import suppress

import attrs
import trio
import trio_websocket

from protocols.errors import TransientError
from protocols.ingest import WebSocketLike

QUEUE_MESSAGES = 4_096
RECEIVE_BUFFER_BYTES = 1 << 16
CLOSE_TIMEOUT_S = 0.3


@attrs.define(eq=False)
class RtdsSocket:
    """One open socket (`WebSocketLike`)."""

    _connection: trio_websocket.WebSocketConnection

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
        with suppress(Exception), trio.move_on_after(CLOSE_TIMEOUT_S):
            await trio.aclose_forcefully(self._connection._stream)


@attrs.define(eq=False, kw_only=True)
class RtdsDialer:
    """Opens sockets (`StreamDialer`); their background tasks live in `nursery`, which outlives every actor."""

    url: str
    user_agent: str
    frame_bytes_max: int
    nursery: trio.Nursery

    async def dial(self) -> WebSocketLike:
        """Connects. Raises `TransientError` with a readable reason."""
        try:
            connection = await trio_websocket.connect_websocket_url(
                self.nursery,
                self.url,
                message_queue_size=QUEUE_MESSAGES,
                max_message_size=self.frame_bytes_max,
                receive_buffer_size=RECEIVE_BUFFER_BYTES,
                extra_headers=[(b"User-Agent", self.user_agent.encode())],
            )
        except (trio_websocket.HandshakeError, OSError, ssl.SSLError, trio.BrokenResourceError) as error:
            raise TransientError(f"{self.url}: {_first_line(error)}") from None
        return RtdsSocket(connection)


def _close_text(error: trio_websocket.ConnectionClosed) -> str:
    reason = error.reason
    if reason is None:
        return "connection lost without a close frame"
    return f"closed {reason.code} {reason.reason or reason.name}"


def _first_line(error: BaseException) -> str:
    lines = str(error).splitlines()
    return lines[0][:200] if lines else type(error).__name__
