"""One client of a CLOB socket, and what the faults of the sockets do to its events."""

import json
from collections import deque

import trio
from trio_websocket import WebSocketConnection

from engine.simulator.faults import FaultBoard
from engine.simulator.port_gate import ControlledStream
from engine.simulator.rtds_frames import websocket_frame
from engine.simulator.served_socket import ServedSocket


class ClobConnection(ServedSocket):
    """Events leave in their order; under `ws_delay` later, under `ws_silence` not at all."""

    def __init__(
        self,
        socket: WebSocketConnection,
        stream: ControlledStream,
        *,
        channel: str,
        faults: FaultBoard,
        buffer_bytes_max: int,
    ) -> None:
        super().__init__(socket, stream, buffer_bytes_max=buffer_bytes_max)
        self.channel = channel
        self._faults = faults
        self._late: deque[tuple[float, bytes]] = deque()
        self._more_late = trio.lowlevel.ParkingLot()

    def tell(self, event: object) -> None:
        """Queues one event, or a list of them in one frame."""
        if self._faults.active_on("ws_silence", self.channel) is not None:
            self.lost_frames += 1
            return
        data = websocket_frame(json.dumps(event, separators=(",", ":")))
        delay = self._faults.active_on("ws_delay", self.channel)
        if delay is None and not self._late:
            self.offer(data)
            return
        due_s = trio.current_time() + (delay.number("delay_s", 5.0) if delay is not None else 0.0)
        self._late.append((max(due_s, self._late[-1][0]) if self._late else due_s, data))
        self._more_late.unpark_all()

    def answer_ping(self) -> None:
        """Answers a text PING, unless a fault forbids it."""
        silence = self._faults.active_on("ws_silence", self.channel)
        if silence is None or silence.parameters.get("answer_pings", True):
            self.offer_message("PONG")

    async def deliver_late(self) -> None:
        """Sends what is held back when it is due; runs for ever."""
        while True:
            if not self._late:
                await self._more_late.park()
                continue
            await trio.sleep_until(self._late[0][0])
            self.offer(self._late.popleft()[1])
