"""A server over real sockets that reads whole HTTP requests and says, byte for byte, what the test wants."""

import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import attrs
import trio

from engine.adapters.clob_lanes import ClobLanes, open_lanes

Handler = Callable[[trio.SocketStream], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@attrs.define(eq=False)
class Server:
    """Reads whole requests and lets the test say what happens then."""

    then: Handler
    url: str = ""
    requests: list[bytes] = attrs.field(factory=list)
    connections: int = 0

    async def handle(self, stream: trio.SocketStream) -> None:
        self.connections += 1
        while request := await read_request(stream):
            self.requests.append(request)
            await self.then(stream)


async def read_request(stream: trio.SocketStream) -> bytes:
    data = b""
    try:
        while b"\r\n\r\n" not in data or len(data.partition(b"\r\n\r\n")[2]) < body_length(data):
            chunk = await stream.receive_some(65_536)
            if not chunk:
                return b""
            data += chunk
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        return b""
    return data


def body_length(data: bytes) -> int:
    lines = data.partition(b"\r\n\r\n")[0].lower().split(b"\r\n")
    return next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")), 0)


def saying(*pieces: bytes) -> Handler:
    async def then(stream: trio.SocketStream) -> None:
        for piece in pieces:
            await stream.send_all(piece)

    return then


def saying_and_hanging_up(*pieces: bytes) -> Handler:
    async def then(stream: trio.SocketStream) -> None:
        await saying(*pieces)(stream)
        await stream.aclose()

    return then


async def resetting(stream: trio.SocketStream) -> None:
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    stream.socket.close()


async def silent(_: trio.SocketStream) -> None:
    await trio.sleep_forever()


async def dripping(stream: trio.SocketStream) -> None:
    await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while True:
        await trio.sleep(0.02)
        await stream.send_all(b" ")


@asynccontextmanager
async def serving(then: Handler, *, lanes: int = 1, timeout_s: float = 5.0) -> AsyncIterator[tuple[Server, ClobLanes]]:
    server = Server(then)
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, server.handle, 0, host="127.0.0.1"))
        server.url = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        async with open_lanes(
            server.url, lanes=lanes, timeout_s=timeout_s, user_agent="test agent", requests=Counter()
        ) as opened:
            with trio.fail_after(10):
                yield server, opened
        nursery.cancel_scope.cancel()
