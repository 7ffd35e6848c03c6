"""A listening port that can be shut and opened again, and the sockets behind it."""

import errno
import socket
import struct
from collections.abc import Awaitable, Callable

import trio

Handler = Callable[[trio.SocketStream], Awaitable[None]]
_RETRY_S = 0.05


class PortGate:
    """Accepts connections on one port. While it is shut, connecting is refused; open connections live on."""

    def __init__(self, handler: Handler, *, host: str, port: int) -> None:
        self._handler = handler
        self._host = host
        self._port = port
        self._open_at_s = 0.0
        self._accepting: trio.CancelScope | None = None

    def shut_until(self, until_s: float) -> None:
        """Closes the listener until a time of trio's clock."""
        self._open_at_s = until_s
        if self._accepting is not None:
            self._accepting.cancel()

    async def run(self, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED) -> None:
        """Serves for ever; reports the port that was bound."""
        listeners = await trio.open_tcp_listeners(self._port, host=self._host)
        self._port = listeners[0].socket.getsockname()[1]
        task_status.started(self._port)
        async with trio.open_nursery() as connections:
            while True:
                with trio.CancelScope() as self._accepting:
                    # Closes the listeners when it is cancelled.
                    await trio.serve_listeners(self._handler, listeners, handler_nursery=connections)
                await trio.sleep_until(self._open_at_s)
                listeners = await reopened(self._port, self._host)


async def reopened(port: int, host: str) -> list[trio.SocketListener]:
    """Returns listeners on a port that was ours a moment ago, waiting for it if it is taken."""
    while True:
        try:
            return await trio.open_tcp_listeners(port, host=host)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            await trio.sleep(_RETRY_S)


class ControlledStream(trio.abc.Stream):
    """A TCP stream whose owner may mix in frames of his own, mute pongs, and cut it like a crashed peer."""

    def __init__(self, inner: trio.SocketStream, *, mute_pongs: Callable[[], bool] = lambda: False) -> None:
        self.inner = inner
        self._mute_pongs = mute_pongs
        self._sending = trio.Lock()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Sends whole WebSocket frames; never two callers' bytes mixed."""
        async with self._sending:
            # A server writes each control frame by itself; 0x8A is FIN + PONG.
            if data[:1] == b"\x8a" and self._mute_pongs():
                return
            await self.inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Waits until sending may succeed at once."""
        await self.inner.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Returns received bytes, empty at the end."""
        return await self.inner.receive_some(max_bytes)

    async def aclose(self) -> None:
        """Closes in the ordinary way."""
        await self.inner.aclose()

    def reset(self) -> None:
        """Cuts the connection: the peer sees ECONNRESET."""
        try:
            self.inner.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            return
        self.inner.socket.close()
