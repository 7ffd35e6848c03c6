"""A few long-lived connections that many readers share."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

import attrs
import trio

from engine.adapters.postgres.database import Connection, DatabaseOptions, Work
from protocols.errors import TransientError

T = TypeVar("T")
WAIT_MAX_S = 5.0


@attrs.define(eq=False)
class ConnectionPool:
    """Lends a connection to one unit of work after another; has the same `run` as a `Connection`."""

    _idle_in: trio.MemorySendChannel[Connection]
    _idle_out: trio.MemoryReceiveChannel[Connection]

    async def run(self, work: Work[T]) -> T:
        """Runs `work` with a connection, in one crossing.

        Raises as `Connection.run`, and `TransientError` when no connection comes free in time.
        """
        with trio.move_on_after(WAIT_MAX_S) as waiting:
            connection = await self._idle_out.receive()
        if waiting.cancelled_caught:
            raise TransientError(f"no database connection came free within {WAIT_MAX_S:g} s")
        try:
            return await connection.run(work)
        finally:
            self._idle_in.send_nowait(connection)


@asynccontextmanager
async def open_pool(options: DatabaseOptions, name: str, size: int) -> AsyncIterator[ConnectionPool]:
    """Yields a pool of `size` connections, each opened when it is needed first."""
    connections = [Connection(options, f"{name} {number}") for number in range(1, size + 1)]
    send, receive = trio.open_memory_channel[Connection](size)
    for connection in connections:
        send.send_nowait(connection)
    try:
        yield ConnectionPool(send, receive)
    finally:
        with trio.CancelScope(shield=True):
            for connection in connections:
                await connection.aclose()
