"""The CLOB sockets `/ws/market` and `/ws/user`: they accept, answer PING, and have nothing to say yet."""

import trio
from trio_websocket import ConnectionClosed, HandshakeError, wrap_server_stream

_HANDSHAKE_TIMEOUT_S = 10.0
_MESSAGE_BYTES_MAX = 1 << 20


class ClobSockets:
    """The seam where the matching engine will speak."""

    def __init__(self) -> None:
        self.connections = 0
        self.connections_total = 0

    async def handle(self, stream: trio.SocketStream) -> None:
        """Serves one connection to its end."""
        try:
            async with trio.open_nursery() as nursery:
                with trio.fail_after(_HANDSHAKE_TIMEOUT_S):
                    request = await wrap_server_stream(nursery, stream, 64, _MESSAGE_BYTES_MAX)
                    if request.path.rsplit("/", 1)[-1] not in ("market", "user"):
                        await request.reject(404)
                        nursery.cancel_scope.cancel()
                        return
                    socket = await request.accept()
                self.connections_total += 1
                self.connections += 1
                try:
                    while True:
                        if await socket.get_message() in ("PING", "ping"):
                            await socket.send_message("PONG")
                finally:
                    self.connections -= 1
        except* (
            trio.BrokenResourceError,
            trio.ClosedResourceError,
            trio.TooSlowError,
            ConnectionClosed,
            HandshakeError,
        ):
            pass
        finally:
            with trio.move_on_after(1, shield=True):
                await stream.aclose()
