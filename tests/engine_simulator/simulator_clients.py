"""A running simulator and plain clients for it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
import trio
from engine_simulator.loopback_http import NO_TLS
from trio_websocket import ConnectionClosed, WebSocketConnection, open_websocket_url

from engine.adapters.system_clock import SystemClock
from engine.simulator.options import SimulatorOptions, SimulatorUrls
from engine.simulator.seeds import generator
from engine.simulator.serve import serve_simulator
from protocols.clock import WallClock

SHARED = Path(__file__).parents[3] / "shared"
PLATFORM_TAPE = SHARED / "data" / "platform-trades-2026-05-01T0320.jsonl.gz"
NAMED_TAPE = SHARED / "data" / "market-trades-2025-10-10.jsonl.gz"
SESSION_TAPE = SHARED / "data" / "rtds-session-2026-08-19.jsonl.gz"
TRADES = {"topic": "activity", "type": "trades"}
MATCHED = {"topic": "activity", "type": "orders_matched"}
WALLET = "0x" + "ab" * 20

needs_recordings = pytest.mark.skipif(not PLATFORM_TAPE.exists(), reason="recorded data is not beside the repository")


def payload(name: str) -> Any:
    path = SHARED / "payloads" / name
    if not path.exists():
        pytest.skip("recorded payloads are not beside the repository")
    return json.loads(path.read_text())


@attrs.define
class SetClock:
    """A wall clock that a test moves."""

    time_ms: int = 1_795_000_000_000

    def now_ms(self) -> int:
        return self.time_ms


class RtdsClient:
    def __init__(self, socket: WebSocketConnection) -> None:
        self.socket = socket

    async def send(self, frame: Any) -> None:
        await self.socket.send_message(frame if isinstance(frame, str) else json.dumps(frame))

    async def subscribe(self, *subscriptions: dict[str, str]) -> None:
        await self.send({"action": "subscribe", "subscriptions": list(subscriptions)})
        assert await self.message() == ""

    async def message(self) -> str | bytes:
        with trio.fail_after(5):
            return await self.socket.get_message()

    async def row(self) -> dict[str, Any]:
        """The next frame with a payload."""
        while True:
            message = await self.message()
            if message:
                return json.loads(message)

    async def rows(self, count: int) -> list[dict[str, Any]]:
        return [await self.row() for _ in range(count)]

    async def nothing_for(self, seconds: float = 0.15) -> bool:
        with trio.move_on_after(seconds):
            return not await self.socket.get_message()
        return True

    async def close_code(self) -> int:
        with trio.fail_after(10), pytest.raises(ConnectionClosed) as closed:
            await self._read_for_ever()
        assert closed.value.reason is not None
        return closed.value.reason.code

    async def _read_for_ever(self) -> None:
        while True:
            await self.socket.get_message()


@attrs.define
class Venue:
    urls: SimulatorUrls
    http: httpx.AsyncClient

    async def control(self, path: str, body: dict[str, Any] | None = None) -> Any:
        response = await self.http.post(self.urls.control_url + path, json=body or {})
        assert response.status_code == 200, response.text
        return response.json()

    async def state(self) -> Any:
        return (await self.http.get(self.urls.control_url + "/state")).json()

    async def emit(self, *rows: dict[str, Any], **more: Any) -> Any:
        return await self.control("/emit", {"trades": list(rows), **more})

    async def fault(self, kind: str, **parameters: Any) -> Any:
        return await self.control("/faults", {"kind": kind, **parameters})

    async def data(self, path: str, **parameters: Any) -> httpx.Response:
        return await self.http.get(self.urls.data_url + path, params=parameters)

    async def gamma(self, path: str, params: Any = None) -> httpx.Response:
        return await self.http.get(self.urls.gamma_url + path, params=params)

    async def clob(self, path: str, **parameters: Any) -> httpx.Response:
        return await self.http.get(self.urls.clob_url + path, params=parameters)

    @asynccontextmanager
    async def rtds(self, **options: Any) -> AsyncIterator[RtdsClient]:
        options = {"message_queue_size": 4_000, "max_message_size": 4 << 20} | options
        async with open_websocket_url(self.urls.rtds_url, **options) as socket:
            try:
                yield RtdsClient(socket)
            finally:
                # trio-websocket leaves its TCP stream open when the server ends the connection.
                await socket.aclose()
                await socket._stream.aclose()

    async def until(self, condition: Any) -> Any:
        """Returns the first state that fulfils a condition."""
        with trio.fail_after(20):
            while True:
                state = await self.state()
                if condition(state):
                    return state
                await trio.sleep(0.01)


@asynccontextmanager
async def running(clock: WallClock | None = None, **options: Any) -> AsyncIterator[Venue]:
    """Without other options: nothing plays, nothing lags, nothing is cached."""
    quiet = {"lag_scale": 0, "cache_scale": 0, "start_paused": True, "markets": 20, "wallets": 200}
    chosen = SimulatorOptions(**(quiet | options))

    async def serve(*, task_status: trio.TaskStatus[SimulatorUrls]) -> None:
        rng = generator(chosen.seed, "test")
        await serve_simulator(chosen, clock=clock or SystemClock(), rng=rng, task_status=task_status)

    async with trio.open_nursery() as nursery:
        urls = await nursery.start(serve)
        async with httpx.AsyncClient(verify=NO_TLS, timeout=10) as http:
            yield Venue(urls, http)
        nursery.cancel_scope.cancel()


def row(**changed: Any) -> dict[str, Any]:
    """A row for `/emit`; asset and market are the first ones there are."""
    return {"proxyWallet": WALLET, "side": "BUY", "size": 12.5, "price": 0.31} | changed
