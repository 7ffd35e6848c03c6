"""One socket of the stream: subscribe, ping, decode. Part of stream_reader."""

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import attrs
import trio

from config.schema import StreamConfig
from protocols.errors import MalformedError, TransientError
from protocols.ingest import WebSocketLike
from protocols.trades import RawTrade
from protocols.venue.rtds import ORDERS_MATCHED, PING, TRADES, FrameKind, decode_frame, subscribe_frame

BATCH_MAX = 256
LINGER_MS_A_FRAME = 0.25


class FrameSink(Protocol):
    """What a session reports to; none of it waits."""

    frames: Counter[str]

    def keep(self, trades: Sequence[RawTrade]) -> None:
        """Takes decoded trades."""
        ...

    def data_arrived(self, now_s: float) -> None:
        """The session delivered trades at monotonic time `now_s`: the stream is alive."""
        ...

    def malformed(self, reason: str, detail: str) -> None:
        """A frame was not understood."""
        ...


@attrs.define(eq=False, kw_only=True)
class StreamSession:
    """Serves one socket until it is lost or closed."""

    number: int
    socket: WebSocketLike
    sink: FrameSink
    config: StreamConfig
    opened_s: float
    recycle_at_s: float
    """Monotonic time from which a healthy socket is replaced."""
    last_data_s: float = attrs.field(init=False)
    """Monotonic time of the last trade frame; of the opening until there is one."""
    first_data: trio.Event = attrs.field(init=False, factory=trio.Event)
    ended: trio.Event = attrs.field(init=False, factory=trio.Event)
    end_reason: str = attrs.field(init=False, default="")
    _scope: trio.CancelScope = attrs.field(init=False, factory=trio.CancelScope)

    _scopes: dict[str, str] = attrs.field(init=False)
    _vital_scope: str = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.last_data_s = self.opened_s
        vital = TRADES if TRADES in self.config.topics else ORDERS_MATCHED
        self._vital_scope = f"rtds:{self.number}:{vital}"
        self._scopes = {kind: f"rtds:{self.number}:{kind}" for kind in (TRADES, ORDERS_MATCHED)}

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Subscribes, says that it started, and reads until the socket is lost or `close` is called.

        Raises `TransientError` when the subscription cannot be sent.
        """
        try:
            with self._scope:
                await self.socket.send(subscribe_frame(self.config.topics.split("+")))
                task_status.started()
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._ping)
                    await self._read()
                    nursery.cancel_scope.cancel()
        finally:
            # Ended is when the socket is gone: whoever waits for that may open the next one.
            try:
                with trio.CancelScope(shield=True):
                    await self.socket.aclose()
            finally:
                self.ended.set()

    def close(self) -> None:
        """Ends the session; what it has decoded stays."""
        self._scope.cancel()

    async def _ping(self) -> None:
        try:
            while True:
                await trio.sleep(self.config.ping_interval_s)
                await self.socket.send(PING)
        except TransientError as error:
            self._end(str(error))

    def _end(self, reason: str) -> None:
        self.end_reason = self.end_reason or reason
        self._scope.cancel()

    async def _read(self) -> None:
        """The hot loop. It awaits nothing but the next frames and, under load, a pause that lets them gather."""
        pause_s = 0.0
        while True:
            try:
                texts = await self.socket.receive_many(BATCH_MAX)
            except TransientError as error:
                self._end(str(error))
                return
            now_s = trio.current_time()
            # Frames that gathered during a pause arrived at the earliest when it began: latency counts from there.
            trades = self._decoded(texts, now_s - pause_s)
            if trades:
                self.sink.keep(trades)
                # `trades` carries every row, `orders_matched` only takers: it may flow on while `trades` is silent.
                if any(trade.scope == self._vital_scope for trade in trades):
                    self._data_arrived(now_s)
            # A saturated feed would cost a wake-up a frame. The pause grows with the load: a lone frame passes at once.
            pause_s = min(self.config.linger_max_ms, len(texts) * LINGER_MS_A_FRAME) / 1000
            await trio.sleep(pause_s)

    def _data_arrived(self, now_s: float) -> None:
        self.last_data_s = now_s
        self.sink.data_arrived(now_s)
        self.first_data.set()

    def _decoded(self, texts: Sequence[str | bytes], arrived_s: float) -> list[RawTrade]:
        trades = []
        frames = self.sink.frames
        for text in texts:
            try:
                frame = decode_frame(text)
            except MalformedError as error:
                self.sink.malformed(error.reason, error.detail)
                continue
            if isinstance(frame, FrameKind):
                frames[frame.value] += 1
                continue
            row, scope = frame.payload, self._scopes.get(frame.type)
            if row is None or scope is None:
                frames[FrameKind.OTHER.value] += 1
                continue
            trades.append(RawTrade(row, scope, text, arrived_s))
        frames["trade"] += len(trades)
        return trades
