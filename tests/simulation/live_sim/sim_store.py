"""Stores in memory behind a connection that is slow, fails before a commit, and loses the word of one."""

from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import trio

from protocols.clock import Random
from protocols.errors import TransientError


@attrs.define(kw_only=True)
class Database:
    """How the database fares; calm unless it is said otherwise."""

    rng: Random
    note: Callable[[str], None]
    committed: Callable[[str], None] = lambda _name: None
    """Told after each commit."""
    latency_s: float = 0.004
    fails_before: float = 0.0
    fails_after: float = 0.0
    """The commit is there and nobody is told."""
    down: bool = False

    def connection(self) -> "Connection":
        return Connection(self)


@attrs.define(eq=False)
class Connection:
    """One transaction at a time, as on a connection of the engine."""

    database: Database
    _lock: trio.Lock = attrs.field(init=False, factory=trio.Lock)

    async def run(self, name: str, work: Callable[[], Awaitable[Any]]) -> Any:
        database, rng = self.database, self.database.rng
        async with self._lock:
            try:
                await trio.sleep(database.latency_s * rng.uniform(0.2, 3))
            except trio.Cancelled:
                # Who dies while he waits does not know either.
                if not database.down and rng.random() < 0.5:
                    self._commit(name, work)
                raise
            if database.down or rng.random() < database.fails_before:
                raise TransientError("the database is gone")
            result = self._commit(name, work)
            await trio.sleep(database.latency_s * rng.uniform(0, 1))
            if rng.random() < database.fails_after:
                database.note(f"{name}: the word of a commit is lost")
                raise TransientError("the connection was lost after the commit")
            return result

    def _commit(self, name: str, work: Callable[[], Awaitable[Any]]) -> Any:
        result = at_once(work())
        self.database.committed(name)
        return result


def at_once(waiting: Awaitable[Any]) -> Any:
    """Runs a coroutine that never waits."""
    try:
        waiting.send(None)  # type: ignore[attr-defined]
    except StopIteration as stop:
        return stop.value
    raise AssertionError("a store in memory waited")


class Behind:
    """Any store behind a connection: every method is one transaction."""

    def __init__(self, store: Any, connection: Connection) -> None:
        self._store, self._connection = store, connection

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        async def call(*values: Any, **named: Any) -> Any:
            return await self._connection.run(name, lambda: method(*values, **named))

        return call
