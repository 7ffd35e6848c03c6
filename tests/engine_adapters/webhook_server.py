"""A small HTTP server that takes webhooks: each request whole, answered with the status that a test wants."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import attrs
import trio


@attrs.define
class WebhookServer:
    """`status` answers every request; 0: it hangs up."""

    port: int = 0
    status: int = 200
    delay_s: float = 0
    bodies: list[dict[str, Any]] = attrs.field(factory=list)
    paths: list[str] = attrs.field(factory=list)

    async def serve(self, stream: trio.SocketStream) -> None:
        async with stream:
            data = b""
            while b"\r\n\r\n" not in data:
                part = await stream.receive_some(65_536)
                if not part:
                    return
                data += part
            head, _, body = data.partition(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")
            length = next(int(line.split(":")[1]) for line in lines if line.lower().startswith("content-length:"))
            while len(body) < length:
                body += await stream.receive_some(65_536)
            self.bodies.append(json.loads(body))
            self.paths.append(lines[0].split(" ")[1])
            await trio.sleep(self.delay_s)
            if self.status:
                await stream.send_all(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % self.status)

    async def until(self, count: int, timeout_s: float = 20) -> list[dict[str, Any]]:
        with trio.fail_after(timeout_s):
            while len(self.bodies) < count:
                await trio.sleep(0.02)
        return self.bodies


@asynccontextmanager
async def webhook_server(**options: Any) -> AsyncIterator[WebhookServer]:
    server = WebhookServer(**options)
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, server.serve, 0, host="127.0.0.1"))
        server.port = listeners[0].socket.getsockname()[1]
        yield server
        nursery.cancel_scope.cancel()
