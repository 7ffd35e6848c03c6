"""The simulated venue in this process, asked without sockets: its applications and its stream behind the engine's clients."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import attrs
import trio
import trio.testing

from engine.adapters import rtds_socket, upstream
from engine.adapters.http_line import HttpAnswer, NoAnswerError
from engine.simulator.options import SimulatorOptions
from engine.simulator.world import World
from protocols.clock import Random

SETTINGS = {
    "venue.data_url": "http://data.day",
    "venue.gamma_url": "http://gamma.day",
    "venue.clob_url": "http://clob.day",
    "venue.rtds_url": "ws://stream.day",
}


@attrs.define(eq=False, kw_only=True)
class AsgiLines:
    """`HttpLines` to an application in this process."""

    app: Any
    headers: Mapping[str, str]
    turn: trio.CapacityLimiter

    async def request(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> HttpAnswer:
        async with self.turn:
            with trio.move_on_after(timeout_s):
                return await self._asked(method, target, {**self.headers, **headers}, body)
            raise NoAnswerError(f"no answer within {timeout_s:g} s", timed_out=True)

    async def _asked(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> HttpAnswer:
        path, _, query = target.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        }
        sent: list[dict[str, Any]] = []
        asked = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            if asked:
                return asked.pop()
            await trio.sleep_forever()
            raise AssertionError

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await trio.lowlevel.checkpoint()
        await self.app(scope, receive, send)
        start, rest = sent[0], sent[1:]
        answered = {name.decode().lower(): value.decode() for name, value in start["headers"]}
        return HttpAnswer(status=start["status"], headers=answered, body=b"".join(one["body"] for one in rest))


@attrs.define(eq=False)
class _Cutter:
    """What a server needs of a socket to cut its connection."""

    stream: Any

    def setsockopt(self, *_: object) -> None:
        return

    def close(self) -> None:
        self.stream.send_stream.close()
        self.stream.receive_stream.close()


@attrs.define(eq=False, kw_only=True)
class DayVenue:
    """A world and the ways to it."""

    world: World
    nursery: trio.Nursery

    @contextmanager
    def reachable(self) -> Iterator[None]:
        """The engine's clients reach the venue, and nothing else."""
        with patch.object(upstream, "open_lines", self._open_lines), patch.object(rtds_socket, "_opened", self._opened):
            yield

    @asynccontextmanager
    async def _open_lines(
        self, base_url: str, *, connections: int, headers: Mapping[str, str], **_: object
    ) -> AsyncIterator[AsgiLines]:
        name = str(urlsplit(base_url).hostname).partition(".")[0]
        yield AsgiLines(app=self.world.apis[name], headers=headers, turn=trio.CapacityLimiter(connections))

    async def _opened(self, url: str) -> tuple[Any, str, str]:
        await trio.lowlevel.checkpoint()
        client, server = trio.testing.memory_stream_pair()
        server.socket = _Cutter(server)
        self.nursery.start_soon(self.world.rtds.handle, server)
        return client, "stream.day", "/"


@asynccontextmanager
async def day_venue(options: SimulatorOptions, clock: Any, rng: Random) -> AsyncIterator[DayVenue]:
    """A venue whose stream runs; who trades there is somebody else's business."""
    world = World(options, clock=clock, rng=rng)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.line.run)
        venue = DayVenue(world=world, nursery=nursery)
        with venue.reachable():
            yield venue
        nursery.cancel_scope.cancel()
