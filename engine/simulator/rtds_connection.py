"""One client of the real-time data stream."""

import json
from collections import Counter, deque
from typing import Any

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection

from engine.simulator.port_gate import ControlledStream
from engine.simulator.rtds_frames import ActivityFrame, ActivityType, envelope_head, unknown_topic, websocket_frame

TOPICS = frozenset(
    {
        "activity",
        "comments",
        "crypto_prices",
        "crypto_prices_chainlink",
        "crypto_prices_twap_thirty",
        "crypto_prices_twap_sixty",
        "equity_prices",
    }
)
CLOSE_TIMEOUT_S = 2.0
_CHUNK_BYTES = 1 << 16
_Subscription = tuple[str, str]


class RtdsConnection:
    """Subscriptions, the bounded send buffer, and the task that empties it."""

    def __init__(
        self, socket: WebSocketConnection, stream: ControlledStream, *, connection_id: str, buffer_bytes_max: int
    ) -> None:
        self.connection_id = connection_id
        self.subscriptions: Counter[_Subscription] = Counter()
        self.last_ping_s = trio.current_time()
        self.sent_frames = 0
        self.lost_frames = 0
        self.drained = trio.lowlevel.ParkingLot()
        self._socket = socket
        self._stream = stream
        self._head = envelope_head(connection_id)
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

    def wants(self, kind: ActivityType) -> bool:
        """Returns whether rows of a type go to this client."""
        return bool(self.subscriptions.get(("activity", kind)) or self.subscriptions.get(("activity", "*")))

    def offer_row(self, frame: ActivityFrame) -> None:
        """Queues a row; a client that does not read is closed with 1013 instead."""
        self.offer(frame.for_connection(self._head))

    def offer_message(self, message: str | bytes) -> None:
        """Queues any other message."""
        self.offer(websocket_frame(message))

    def offer(self, data: bytes) -> None:
        """Queues a whole WebSocket frame."""
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

    def change_subscriptions(self, frame: Any) -> bool:
        """Obeys a subscribe or unsubscribe frame and answers it. Returns whether activity was newly subscribed to.

        A frame without action is accepted and ignored; one unknown topic refuses the whole frame (venue.md §1.1).
        """
        wanted = [item for item in _listed(frame) if isinstance(item, dict)]
        action = frame.get("action") if isinstance(frame, dict) else None
        if action not in ("subscribe", "unsubscribe"):
            return False
        unknown = next((str(item.get("topic")) for item in wanted if item.get("topic") not in TOPICS), None)
        if unknown is not None:
            self.offer_message(unknown_topic(unknown))
            return False
        for item in wanted:
            subscription = (str(item["topic"]), str(item.get("type", "*")))
            if action == "unsubscribe":
                self.subscriptions.pop(subscription, None)
            elif item.get("filters"):
                # Accepted, and then nothing is ever delivered: no filter of the venue works.
                self.subscriptions[("activity:filtered", subscription[1])] = 1
            else:
                self.subscriptions[subscription] = 1
        if action == "subscribe":
            self.offer_message("")
            return True
        return False

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


def _listed(frame: Any) -> list[Any]:
    subscriptions = frame.get("subscriptions") if isinstance(frame, dict) else None
    return subscriptions if isinstance(subscriptions, list) else []
