"""The real-time data stream: a firehose of every wallet's trades (venue.md §1), with its faults."""

import base64
import logging
from collections import Counter, deque
from collections.abc import Sequence

import attrs
import trio
from trio_websocket import ConnectionClosed, HandshakeError, wrap_server_stream

from engine.simulator.faults import Fault, FaultBoard
from engine.simulator.garbage import GARBAGE
from engine.simulator.port_gate import ControlledStream
from engine.simulator.rtds_connection import RtdsConnection
from engine.simulator.rtds_frames import ActivityFrame
from engine.simulator.served_socket import frame_from
from protocols.clock import Random

_log = logging.getLogger(__name__)
_HANDSHAKE_TIMEOUT_S = 10.0
_MESSAGE_BYTES_MAX = 1 << 16
_PING_ANSWERED = 0.9


@attrs.frozen(kw_only=True)
class RtdsSettings:
    """Bounds and habits of the stream."""

    send_buffer_bytes_max: int = 4 << 20
    """A client with more waiting than this is closed with 1013."""
    ping_timeout_s: float = 360.0
    """Without a text PING for this long the activity stops, though the socket stays open."""
    congestion_wait_s: float = 5.0
    """How long a source at maximal speed waits for a slow client before it goes on."""
    replay_ring_frames: int = 2_000


class RtdsServer:
    """Every connection of the stream and what is sent to it."""

    def __init__(self, settings: RtdsSettings, faults: FaultBoard, *, rng: Random) -> None:
        self._settings = settings
        self._faults = faults
        self._rng = rng
        self._connections: dict[RtdsConnection, None] = {}
        self._recent: deque[ActivityFrame] = deque(maxlen=settings.replay_ring_frames)
        self.connections_total = 0
        self.rows_emitted: Counter[str] = Counter()
        self.rows_withheld: Counter[str] = Counter()
        """Rows not sent, by the fault that withheld them."""
        self._counts_of_gone = Counter[str]()
        faults.on_apply.append(self._apply)

    def deliver(self, frames: Sequence[ActivityFrame]) -> None:
        """Sends rows to everybody who asked for them; never waits."""
        silence = self._faults.active("silence")
        drop = self._faults.active("drop")
        garbage = self._faults.active("garbage")
        now = trio.current_time()
        for frame in frames:
            self.rows_emitted[frame.type] += 1
            self._recent.append(frame)
            if silence is not None:
                self.rows_withheld["silence"] += 1
                continue
            if drop is not None and drop.text("type", "*") in ("*", frame.type) and self._faults.hits(drop):
                self.rows_withheld["drop"] += 1
                continue
            for connection in self._connections:
                if connection.wants(frame.type) and not self._forgot_to_ping(connection, now):
                    connection.offer_row(frame)
            if garbage is not None and self._faults.hits(garbage):
                self._send_garbage(garbage, count=1)

    def send_raw(self, messages: Sequence[str | bytes]) -> None:
        """Sends messages as they are to every connection."""
        for connection in self._connections:
            for message in messages:
                connection.offer_message(message)

    async def wait_room(self) -> None:
        """Waits until no client's buffer is more than half full, or it has had its time."""
        for connection in list(self._connections):
            with trio.move_on_after(self._settings.congestion_wait_s):
                while connection.congested and connection in self._connections:
                    await connection.drained.park()

    async def handle(self, stream: trio.SocketStream) -> None:
        """Serves one connection to its end."""
        controlled = ControlledStream(stream, mute_pongs=self._pongs_muted)
        try:
            async with trio.open_nursery() as nursery:
                await self._serve(controlled, nursery)
                nursery.cancel_scope.cancel()
        except* (
            trio.BrokenResourceError,
            trio.ClosedResourceError,
            trio.TooSlowError,
            ConnectionClosed,
            HandshakeError,
        ):
            pass
        except* Exception:
            _log.exception("connection handler failed")
        finally:
            with trio.move_on_after(1, shield=True):
                await controlled.aclose()

    def describe(self) -> dict[str, object]:
        """Returns counters as JSON values."""
        subscriptions = Counter[str]()
        frames = Counter(self._counts_of_gone)
        for connection in self._connections:
            subscriptions.update(f"{topic}/{kind}" for topic, kind in connection.subscriptions)
            frames.update(sent=connection.sent_frames, lost=connection.lost_frames)
        return {
            "connections": {"now": len(self._connections), "total": self.connections_total},
            "subscriptions": dict(subscriptions),
            "rows_emitted": dict(self.rows_emitted),
            "rows_withheld": dict(self.rows_withheld),
            "frames_sent": frames["sent"],
            "frames_lost": frames["lost"],
        }

    async def _serve(self, stream: ControlledStream, nursery: trio.Nursery) -> None:
        with trio.fail_after(_HANDSHAKE_TIMEOUT_S):
            request = await wrap_server_stream(
                nursery, stream, message_queue_size=64, max_message_size=_MESSAGE_BYTES_MAX
            )
            socket = await request.accept()
        connection = RtdsConnection(
            socket,
            stream,
            connection_id=base64.b64encode(self._rng.randbytes(13), b"-_").decode(),
            buffer_bytes_max=self._settings.send_buffer_bytes_max,
        )
        self._connections[connection] = None
        self.connections_total += 1
        try:
            async with trio.open_nursery() as tasks:
                tasks.start_soon(connection.write_loop)
                tasks.start_soon(connection.cut_when_stuck)
                while (message := await connection.messages()) is not None:
                    self._answer(connection, message)
                tasks.cancel_scope.cancel()
        finally:
            self._connections.pop(connection, None)
            self._counts_of_gone.update(sent=connection.sent_frames, lost=connection.lost_frames)

    def _answer(self, connection: RtdsConnection, message: str | bytes) -> None:
        if message in ("PING", "ping"):
            connection.last_ping_s = trio.current_time()
            if self._answers_pings():
                connection.offer_message("")
            return
        if connection.change_subscriptions(frame_from(message)):
            replay = self._faults.active("replay")
            if replay is not None:
                frames = list(self._recent)[-int(replay.number("frames", 100)) :]
                for frame in frames:
                    if connection.wants(frame.type):
                        connection.offer_row(frame)

    def _answers_pings(self) -> bool:
        silence = self._faults.active("silence")
        if self._faults.active("no_pong") or (silence and not silence.parameters.get("answer_pings", True)):
            return False
        # The real server sometimes answers nothing at all.
        return self._rng.random() < _PING_ANSWERED

    def _pongs_muted(self) -> bool:
        fault = self._faults.active("no_pong")
        return fault is not None and bool(fault.parameters.get("control_frames", False))

    def _forgot_to_ping(self, connection: RtdsConnection, now: float) -> bool:
        if now - connection.last_ping_s <= self._settings.ping_timeout_s:
            return False
        self.rows_withheld["no_client_ping"] += 1
        return True

    def _apply(self, fault: Fault) -> None:
        if fault.kind == "close":
            for connection in self._connections:
                connection.close(
                    int(fault.number("code", 1013)), fault.text("reason", "slow consumer: send buffer full")
                )
        elif fault.kind == "reset":
            for connection in self._connections:
                connection.reset()
        elif fault.kind == "garbage" and "count" in fault.parameters:
            self._send_garbage(fault, count=int(fault.number("count", 1)))

    def _send_garbage(self, fault: Fault, *, count: int) -> None:
        names = fault.parameters.get("names") or list(GARBAGE)
        for number in range(count):
            name = names[number % len(names)] if count > 1 else self._rng.choice(names)
            self.send_raw([GARBAGE[name]])
