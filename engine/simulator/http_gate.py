"""An HTTP API on one port, which can refuse connections for a while and come back."""

import errno

import trio
from starlette.types import ASGIApp

from engine.web.asgi_server import ServerLimits, serve_asgi

_RETRY_S = 0.05
_LIMITS = ServerLimits(connections_max=2_000, body_bytes_max=64 << 20, keep_alive_timeout_s=60.0, drain_s=0.5)


class HttpGate:
    """Serves an application; shutting the gate also drops the connections that are open."""

    def __init__(self, app: ASGIApp, *, host: str, port: int) -> None:
        self._app = app
        self._host = host
        self._port = port
        self._open_at_s = 0.0
        self._serving: trio.CancelScope | None = None

    def shut_until(self, until_s: float) -> None:
        """Refuses connections until a time of trio's clock."""
        self._open_at_s = until_s
        if self._serving is not None:
            self._serving.cancel()

    async def run(self, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED) -> None:
        """Serves for ever; reports the port that was bound."""
        await self._serve(task_status)
        while True:
            await trio.sleep_until(self._open_at_s)
            try:
                await self._serve(trio.TASK_STATUS_IGNORED)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                await trio.sleep(_RETRY_S)

    async def _serve(self, task_status: trio.TaskStatus[int]) -> None:
        with trio.CancelScope() as self._serving:
            async with trio.open_nursery() as nursery:
                self._port = await nursery.start(self._serve_asgi)
                task_status.started(self._port)

    async def _serve_asgi(self, *, task_status: trio.TaskStatus[int]) -> None:
        await serve_asgi(self._app, host=self._host, port=self._port, limits=_LIMITS, task_status=task_status)
