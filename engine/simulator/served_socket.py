"""One WebSocket client of the venue: a bounded send buffer and the task that empties it."""

import json
from collections import deque
from typing import Any

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection

from engine.simulator.port_gate import ControlledStream
from engine.simulator.rtds_frames import websocket_frame

CLOSE_TIMEOUT_S = 2.0
_CHUNK_BYTES = 1 << 16


class ServedSocket:
    """Sends whole frames in the order in which they are offered; never makes whoever offers them wait."""

    def __init__(self, socket: WebSocketConnection, stream: ControlledStream, *, buffer_bytes_max: int) -> None:
        self.sent_frames = 0
        self.lost_frames = 0
        self.drained = trio.lowlevel.ParkingLot()
        self._socket = socket
        self._stream = stream
        self._buffer_bytes_max = buffer_bytes_max
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._work = trio.lowlevel.ParkingLot()
        self._closing: tuple[int, str] | None = None

    @property
    def congested(self) -> bool:
        """Whether more than half of the send buffer is in use."""
        return self._queued_bytes * 2 > self._buffer_bytes_max and self._closing is None

    @property
    def closing(self) -> bool:
        """Whether the server has decided to end the connection."""
        return self._closing is not None

    def offer_message(self, message: str | bytes) -> None:
        """Queues a message."""
        self.offer(websocket_frame(message))

    def offer(self, data: bytes) -> None:
        """Queues a whole WebSocket frame; a client that does not read is closed with 1013 instead."""
        if self._closing is not None:
            self.lost_frames += 1
            return
        if self._queued_bytes + len(data) > self._buffer_bytes_max:
            self.close(1013, "slow consumer: send buffer full")
            return
        self._queue.append(data)
        self._queued_bytes += len(data)
        self._work.unpark_all()

    def close(self, code: int, reason: str) -> None:
        """Drops what is queued and ends the connection after the frame that is being sent."""
        if self._closing is None:
            self.lost_frames += len(self._queue)
            self._queue.clear()
            self._queued_bytes = 0
            self._closing = (code, reason)
            self._work.unpark_all()
            self.drained.unpark_all()

    def reset(self) -> None:
        """Cuts the connection without a word."""
        self._stream.reset()

    async def write_loop(self) -> None:
        """Sends what is queued until the connection ends; returns after the closing handshake or its time limit."""
        try:
            while self._closing is None:
                if not self._queue:
                    await self._work.park()
                    continue
                await self._stream.send_all(self._next_chunk())
                self.drained.unpark_all()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return
        finally:
            self.drained.unpark_all()
        code, reason = self._closing
        with trio.move_on_after(CLOSE_TIMEOUT_S):
            await self._socket.aclose(code, reason)

    async def cut_when_stuck(self) -> None:
        """After `close`, cuts a connection whose peer does not even read the frame that is being sent."""
        while self._closing is None:
            await self._work.park()
        await trio.sleep(CLOSE_TIMEOUT_S * 2)
        self.reset()

    async def messages(self) -> str | bytes | None:
        """Returns the next message of the client, or None when it has gone."""
        try:
            return await self._socket.get_message()
        except ConnectionClosed:
            return None

    def _next_chunk(self) -> bytes:
        parts = []
        size = 0
        while self._queue and size < _CHUNK_BYTES:
            part = self._queue.popleft()
            parts.append(part)
            size += len(part)
        self._queued_bytes -= size
        self.sent_frames += len(parts)
        return b"".join(parts)


def frame_from(message: str | bytes) -> Any:
    """Returns the JSON value of a client's message, or None when it is none."""
    try:
        return json.loads(message)
    except (ValueError, RecursionError):
        return None
