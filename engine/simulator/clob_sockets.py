"""The CLOB sockets `/ws/market` and `/ws/user` (venue.md §2): connections, keepalive, and their faults."""

import logging
from collections import Counter
from typing import Any, Protocol

import trio
from trio_websocket import ConnectionClosed, HandshakeError, wrap_server_stream

from engine.simulator.clob_connection import ClobConnection
from engine.simulator.exchange.exchange import Exchange
from engine.simulator.faults import Fault, FaultBoard
from engine.simulator.market_channel import MarketChannel
from engine.simulator.port_gate import ControlledStream
from engine.simulator.served_socket import frame_from
from engine.simulator.user_channel import UserChannel
from protocols.clock import WallClock

_log = logging.getLogger(__name__)
_HANDSHAKE_TIMEOUT_S = 10.0
_MESSAGE_BYTES_MAX = 1 << 20
_LOOK_S = 0.1


class _Channel(Protocol):
    def join(self, connection: ClobConnection) -> None: ...

    def leave(self, connection: ClobConnection) -> None: ...

    def answer(self, connection: ClobConnection, frame: Any) -> None: ...


class ClobSockets:
    """Every connection of both channels. No sequence numbers, no replay."""

    def __init__(self, exchange: Exchange, faults: FaultBoard, *, clock: WallClock, buffer_bytes_max: int) -> None:
        self.market = MarketChannel(exchange, clock=clock)
        self.user = UserChannel(exchange)
        self.connections_total = 0
        self._channels: dict[str, _Channel] = {"market": self.market, "user": self.user}
        self._connections: dict[ClobConnection, None] = {}
        self._faults = faults
        self._buffer_bytes_max = buffer_bytes_max
        self._frames_of_gone = Counter[str]()
        faults.on_apply.append(self._apply)

    async def run(self) -> None:
        """Looks for what nobody announces and for what is overdue; runs for ever."""
        while True:
            self.market.look_for_verdicts()
            self.user.release_held()
            await trio.sleep(_LOOK_S)

    async def handle(self, stream: trio.SocketStream) -> None:
        """Serves one connection to its end."""
        controlled = ControlledStream(stream)
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
        channels = Counter(each.channel for each in self._connections)
        frames = Counter(self._frames_of_gone)
        for each in self._connections:
            frames.update(sent=each.sent_frames, lost=each.lost_frames)
        return {
            "now": len(self._connections),
            "total": self.connections_total,
            "channels": dict(channels),
            "frames_sent": frames["sent"],
            "frames_lost": frames["lost"],
        }

    async def _serve(self, stream: ControlledStream, nursery: trio.Nursery) -> None:
        with trio.fail_after(_HANDSHAKE_TIMEOUT_S):
            request = await wrap_server_stream(nursery, stream, 64, _MESSAGE_BYTES_MAX)
            name = request.path.partition("?")[0].rstrip("/").rsplit("/", 1)[-1]
            channel = self._channels.get(name)
            if channel is None:
                await request.reject(404)
                return
            socket = await request.accept()
        connection = ClobConnection(
            socket, stream, channel=name, faults=self._faults, buffer_bytes_max=self._buffer_bytes_max
        )
        self._connections[connection] = None
        self.connections_total += 1
        channel.join(connection)
        try:
            async with trio.open_nursery() as tasks:
                tasks.start_soon(connection.write_loop)
                tasks.start_soon(connection.cut_when_stuck)
                tasks.start_soon(connection.deliver_late)
                while (message := await connection.messages()) is not None:
                    if message in ("PING", "ping"):
                        connection.answer_ping()
                    elif not connection.closing:
                        channel.answer(connection, frame_from(message))
                tasks.cancel_scope.cancel()
        finally:
            channel.leave(connection)
            del self._connections[connection]
            self._frames_of_gone.update(sent=connection.sent_frames, lost=connection.lost_frames)

    def _apply(self, fault: Fault) -> None:
        for connection in list(self._connections):
            if fault.text("channel", "*") not in ("*", connection.channel):
                continue
            if fault.kind == "ws_close":
                connection.close(int(fault.number("code", 1001)), fault.text("reason", "going away"))
            elif fault.kind == "ws_reset":
                connection.reset()
