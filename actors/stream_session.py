"""One socket of the stream: subscribe, ping, decode. Part of stream_reader."""

from typing import TYPE_CHECKING

import attrs
import trio

from config.schema import StreamConfig
from protocols.errors import MalformedError, TransientError
from protocols.ingest import WebSocketLike
from protocols.trades import RawTrade
from protocols.venue.rtds import PING, FrameKind, decode_frame, subscribe_frame

if TYPE_CHECKING:
    from actors.stream_reader import StreamReader


@attrs.define(eq=False, kw_only=True)
class StreamSession:
    """Serves one socket until it is lost or closed."""

    number: int
    socket: WebSocketLike
    reader: "StreamReader"
    config: StreamConfig
    opened_s: float
    recycle_at_s: float = attrs.field(init=False)
    last_data_s: float = attrs.field(init=False)
    """Monotonic time of the last trade frame; of the opening until there is one."""
    first_data: trio.Event = attrs.field(init=False, factory=trio.Event)
    ended: trio.Event = attrs.field(init=False, factory=trio.Event)
    end_reason: str = attrs.field(init=False, default="")
    _scope: trio.CancelScope = attrs.field(init=False, factory=trio.CancelScope)

    def __attrs_post_init__(self) -> None:
        self.last_data_s = self.opened_s
        # Half of the interval is jittered, so that engines started together do not recycle together.
        self.recycle_at_s = self.opened_s + self.config.recycle_interval_s * (1 + self.reader.rng.random()) / 2

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
            self.ended.set()
            with trio.CancelScope(shield=True):
                await self.socket.aclose()

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
        """The hot loop: about 3 µs a frame besides the socket's own cost. It awaits nothing but the next frame."""
        scopes = {topic: f"rtds:{self.number}:{topic}" for topic in ("trades", "orders_matched")}
        frames, keep, receive = self.reader.frames, self.reader.keep, self.socket.receive
        while True:
            try:
                text = await receive()
            except TransientError as error:
                self._end(str(error))
                return
            try:
                frame = decode_frame(text)
            except MalformedError as error:
                self.reader.malformed(error.reason, error.detail)
                continue
            if isinstance(frame, FrameKind):
                frames[frame.value] += 1
                continue
            row, scope = frame.payload, scopes.get(frame.type)
            if row is None or scope is None:
                frames[FrameKind.OTHER.value] += 1
                continue
            now_s = self.last_data_s = trio.current_time()
            frames["trade"] += 1
            keep(RawTrade(row=row, scope=scope, text=text, seen_s=now_s))
            if not self.first_data.is_set():
                self.first_data.set()
                self.reader.data_arrived()
