"""A proxy of bytes between an engine and PostgreSQL that slows down, holds or cuts what the engine asks."""

import enum
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import trio

SOCKET_NAME = ".s.PGSQL.5432"
_READ_BYTES = 1 << 16
_CHUNKS_MAX = 1_024
Chunk = tuple[float, bytes]
"""(monotonic time of arrival, bytes)."""


class Mode(enum.Enum):
    """What happens to what clients send."""

    PASS = "pass"
    DELAY = "delay"
    """Everything arrives `delay_s` late, so every call takes that much longer."""
    HOLD = "hold"
    """Nothing arrives until the mode changes; new connections are accepted and get no answer."""
    RESET = "reset"
    """Connections are cut, new ones at once."""


@attrs.define(eq=False, kw_only=True)
class StallProxy:
    """Listens on a Unix socket in a directory of its own, which a DSN names as host."""

    upstream: Path
    """The directory of the server's socket."""
    directory: Path
    mode: Mode = Mode.PASS
    delay_s: float = 0.0
    connections: int = 0
    """Accepted so far."""
    _changed: trio.Event = attrs.field(init=False, factory=trio.Event)
    _cut: trio.Event = attrs.field(init=False, factory=trio.Event)

    def turn(self, mode: Mode, delay_s: float = 0.0) -> None:
        """Changes the mode at once, for what is held too."""
        self.mode, self.delay_s = mode, delay_s
        changed, self._changed = self._changed, trio.Event()
        changed.set()
        if mode is Mode.RESET:
            cut, self._cut = self._cut, trio.Event()
            cut.set()

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serves until cancelled."""
        listening = trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        await listening.bind(str(self.directory / SOCKET_NAME))
        listening.listen(64)
        task_status.started()
        await trio.serve_listeners(self._serve_client, [trio.SocketListener(listening)])

    async def _serve_client(self, client: trio.SocketStream) -> None:
        self.connections += 1
        if self.mode is Mode.RESET:
            await trio.aclose_forcefully(client)
            return
        server = await trio.open_unix_socket(str(self.upstream / SOCKET_NAME))
        into, out = trio.open_memory_channel[Chunk](_CHUNKS_MAX)
        async with client, server, trio.open_nursery() as nursery:
            nursery.start_soon(_end_when, self._cut, nursery.cancel_scope)
            nursery.start_soon(_stamp, client, into)
            nursery.start_soon(self._forward, out, server)
            await _copy(server, client)
            nursery.cancel_scope.cancel()

    async def _forward(self, chunks: trio.MemoryReceiveChannel[Chunk], server: trio.SocketStream) -> None:
        try:
            async for arrived_s, data in chunks:
                await self._until_allowed(arrived_s)
                await server.send_all(data)
            await server.send_eof()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass

    async def _until_allowed(self, arrived_s: float) -> None:
        while self.mode is not Mode.PASS:
            due_s = arrived_s + self.delay_s if self.mode is Mode.DELAY else float("inf")
            with trio.move_on_at(due_s) as scope:
                await self._changed.wait()
            if scope.cancelled_caught:
                return


async def _end_when(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()


async def _stamp(client: trio.SocketStream, chunks: trio.MemorySendChannel[Chunk]) -> None:
    async with chunks:
        try:
            while data := await client.receive_some(_READ_BYTES):
                await chunks.send((trio.current_time(), bytes(data)))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass


async def _copy(source: trio.SocketStream, target: trio.SocketStream) -> None:
    try:
        while data := await source.receive_some(_READ_BYTES):
            await target.send_all(data)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass


@asynccontextmanager
async def stall_proxy(*, upstream: Path, directory: Path) -> AsyncIterator[StallProxy]:
    """Yields a proxy that lets everything pass."""
    directory.mkdir(parents=True, exist_ok=True)
    proxy = StallProxy(upstream=upstream, directory=directory)
    async with trio.open_nursery() as nursery:
        await nursery.start(proxy.serve)
        yield proxy
        nursery.cancel_scope.cancel()
