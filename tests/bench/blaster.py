"""The sending side of the stream in a process of its own, as fast as a socket takes it or at a given rate.

Reads commands as JSON lines on standard input, answers each with a JSON line carrying its `id`. Ends with its input.
"""

import base64
import hashlib
import json
import random
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any

import attrs
import trio

from .frames import STRANGER, TARGET, FrameMaker, text_frame
from .upstream_stub import History, serve_upstream
from .websocket_reader import CLOSE, PING, TEXT, WebSocketReader, control_frame, read_head

BLOCK_BYTES = 1 << 16
_ACCEPT_KEY = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@attrs.define(eq=False)
class Client:
    """One subscribed socket."""

    stream: trio.SocketStream
    lock: trio.Lock = attrs.field(factory=trio.Lock)

    async def send(self, data: bytes) -> None:
        """Sends whole frames."""
        async with self.lock:
            await self.stream.send_all(data)


@attrs.define(eq=False)
class Stream:
    """The server's side of the real-time data stream."""

    history: History
    clients: list[Client] = attrs.field(factory=list)
    _scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)

    async def serve(self, *, task_status: trio.TaskStatus[int]) -> None:
        """Listens on a free port until `refuse` is called."""
        with self._scope:
            async with trio.open_nursery() as nursery:
                serve = partial(trio.serve_tcp, self._serve_client, 0, host="127.0.0.1")
                listeners: list[trio.SocketListener] = await nursery.start(serve)
                task_status.started(listeners[0].socket.getsockname()[1])

    def refuse(self) -> None:
        """Drops every socket and lets nobody in any more."""
        self._scope.cancel()

    async def _serve_client(self, stream: trio.SocketStream) -> None:
        client = Client(stream)
        try:
            head, rest = await read_head(stream)
            key = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:"))
            accept = base64.b64encode(hashlib.sha1(key.split(b":", 1)[1].strip() + _ACCEPT_KEY).digest())
            await stream.send_all(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
            )
            await self._listen_to(client, rest)
        except (trio.BrokenResourceError, trio.ClosedResourceError, EOFError):
            pass
        finally:
            if client in self.clients:
                self.clients.remove(client)
            await trio.aclose_forcefully(stream)

    async def _listen_to(self, client: Client, rest: bytes) -> None:
        async for opcode, payload in WebSocketReader(client.stream, bytearray(rest)):
            if opcode == CLOSE:
                return
            if opcode == PING:
                await client.send(control_frame(0xA, payload))
            elif opcode == TEXT and payload == b"PING":
                await client.send(text_frame(b"PONG"))
            elif opcode == TEXT and client not in self.clients:
                await client.send(text_frame(b""))
                self.clients.append(client)

    async def send(self, data: bytes) -> None:
        """Sends whole frames to every client; one that is gone is forgotten."""
        self.history.append(data)
        for client in list(self.clients):
            try:
                await client.send(data)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                if client in self.clients:
                    self.clients.remove(client)


@attrs.define(eq=False)
class Blaster:
    """The commands."""

    stream: Stream
    _blocks: list[bytes] = attrs.field(init=False, factory=list)

    async def do_clients(self) -> dict[str, Any]:
        """Returns how many sockets are subscribed."""
        return {"clients": len(self.stream.clients)}

    async def do_refuse(self) -> dict[str, Any]:
        """Refuses connections from here on."""
        self.stream.refuse()
        return {}

    async def do_prepare(self, *, label: str, kind: str, wallets: int, first: int, count: int) -> dict[str, Any]:
        """Makes `count` frames, in blocks, for the next `blast`."""
        maker = FrameMaker(label=label, kind=kind, wallets=wallets)
        second = int(time.time())
        frames = (maker.frame(number, second=second, note=str(number)) for number in range(first, first + count))
        self._blocks = list(_blocks(frames))
        return {"bytes": sum(map(len, self._blocks))}

    async def do_blast(self, *, rate: float = 0.0) -> dict[str, Any]:
        """Sends what was prepared: as fast as the socket takes it, or at `rate` frames/s."""
        began_ns = time.monotonic_ns()
        sent = 0
        for block in self._blocks:
            await self.stream.send(block)
            if rate:
                sent += block.count(b'"connection_id"')
                await trio.sleep(max(0.0, sent / rate - (time.monotonic_ns() - began_ns) / 1e9))
        return {"began_ns": began_ns, "ended_ns": time.monotonic_ns()}

    async def do_pace(
        self,
        *,
        label: str,
        rate: float,
        noise_rate: float,
        seconds: float,
        wallets: int = 20,
        seed: int = 1,
        buys: bool = False,
    ) -> dict[str, Any]:
        """Sends target trades as a Poisson process, and trades of strangers between them; `note` is `number wire_ns`.

        Exactly `rate * seconds` target trades are sent; with a `rate` of 0 it ends by the clock.
        """
        targets = FrameMaker(label=label, kind=TARGET, wallets=wallets, buys=buys)
        strangers = FrameMaker(label=label, kind=STRANGER, wallets=1_000)
        left, numbers, rng = round(rate * seconds), [0, 0], random.Random(seed)
        due_s = trio.current_time()
        end_s = due_s + seconds
        while numbers[0] < left or (not left and due_s < end_s):
            due_s += rng.expovariate(rate + noise_rate)
            await trio.sleep_until(due_s)
            is_noise = rng.random() * (rate + noise_rate) >= rate
            maker = strangers if is_noise else targets
            note = f"{numbers[0]} {time.monotonic_ns()}"
            await self.stream.send(maker.frame(numbers[is_noise], second=int(time.time()), note=note))
            numbers[is_noise] += 1
        return {"sent": numbers[0], "noise": numbers[1], "ended_ns": time.monotonic_ns()}

    async def do_burst(
        self, *, label: str, transaction: int, count: int, within_s: float, wallets: int = 20, buys: bool = False
    ) -> dict[str, Any]:
        """Sends one transaction of one target in `count` rows, evenly; every ninth row repeats its neighbour."""
        maker = FrameMaker(label=label, kind=TARGET, wallets=wallets, buys=buys)
        began_s, second = trio.current_time(), int(time.time())
        for number in range(count):
            await trio.sleep_until(began_s + within_s * number / count)
            alike = number - 1 if number % 9 == 8 else number
            note = f"{number} {time.monotonic_ns()}"
            await self.stream.send(maker.frame(alike, second=second, note=note, transaction=transaction))
        return {"sent": count, "ended_ns": time.monotonic_ns()}


def _blocks(frames: Iterator[bytes]) -> Iterator[bytes]:
    block = bytearray()
    for frame in frames:
        block += frame
        if len(block) >= BLOCK_BYTES:
            yield bytes(block)
            block.clear()
    if block:
        yield bytes(block)


async def main() -> None:
    """Serves until standard input ends."""
    history = History()
    stream = Stream(history)
    blaster = Blaster(stream)
    async with trio.open_nursery() as nursery:
        rtds_port = await nursery.start(stream.serve)
        upstream_port = await nursery.start(serve_upstream, history)
        _say({"rtds_port": rtds_port, "upstream_port": upstream_port})
        lines = trio.wrap_file(sys.stdin)
        async for line in lines:
            order = json.loads(line)
            method = getattr(blaster, f"do_{order.pop('do')}")
            nursery.start_soon(_obey, method, order.pop("id"), order)
        nursery.cancel_scope.cancel()


async def _obey(method: Callable[..., Awaitable[dict[str, Any]]], number: int, order: dict[str, Any]) -> None:
    _say({"id": number, **await method(**order)})


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    trio.run(main)
