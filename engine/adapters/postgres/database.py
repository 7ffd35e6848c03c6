"""The one thin module between trio and asyncpg.

asyncpg runs on asyncio, hosted by trio-asyncio inside the trio loop. A crossing costs about 0.15 ms, so a whole unit of
work crosses once: `Connection.run` takes one coroutine function and runs it over there.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol, TypeVar

import asyncpg
import attrs
import trio
import trio_asyncio

from engine.adapters.postgres.addresses import connect
from engine.adapters.postgres.eager_loop import EagerLoop, run_in_loop
from engine.adapters.postgres.sqlstate import Reaction, reaction_to_error
from protocols.errors import RejectedError, TransientError

_log = logging.getLogger(__name__)
T = TypeVar("T")
GOODBYE_S = 0.3
"""A server that is there answers in a millisecond; of one that is gone, every connection of what ends is waited for in turn."""
GENERIC_PLANS = "SET plan_cache_mode = force_generic_plan"
Work = Callable[[asyncpg.Connection], Awaitable[T]]


@attrs.frozen(kw_only=True)
class DatabaseOptions:
    """How to reach a server. `pooled` says that a pooler in transaction mode may stand between."""

    dsn: str = attrs.field(repr=False)
    connect_timeout_s: float = 10.0
    statement_timeout_s: float = 30.0
    pooled: bool = False


@asynccontextmanager
async def database_loop() -> AsyncIterator[None]:
    """Hosts the asyncio loop; everything that talks to a database has to run inside."""
    async with trio_asyncio.open_loop() as loop:
        # By default what goes wrong in a callback of the driver ends the loop, and with it the engine. The call that
        # depended on it fails or times out by itself.
        loop.set_exception_handler(_log_callback_error)
        with EagerLoop(loop).installed():
            yield


def _log_callback_error(_loop: Any, context: dict[str, Any]) -> None:
    fields = {"what": context.get("message"), "error": repr(context.get("exception"))}
    _log.warning("something went wrong below the database driver", extra=fields)


class RunsWork(Protocol):
    """What a store needs: a connection, or a pool of them."""

    async def run(self, work: Work[T]) -> T:
        """Runs `work` with a connection. Raises as `Connection.run`."""
        ...


@attrs.define(eq=False)
class Connection:
    """One long-lived connection, opened when needed and again after it was lost. One user at a time."""

    options: DatabaseOptions
    name: str
    _raw: asyncpg.Connection | None = attrs.field(init=False, default=None, repr=False)
    _pooled: bool = attrs.field(init=False)
    _lock: trio.Lock = attrs.field(init=False, factory=trio.Lock)

    def __attrs_post_init__(self) -> None:
        self._pooled = self.options.pooled

    async def run(self, work: Work[T]) -> T:
        """Runs `work` with the open connection, in one crossing.

        Raises `TransientError` when the same work may succeed later and `RejectedError` when its values never will.
        The connection is dropped after every failure that is not plainly about values.
        """
        async with self._lock:
            with trio.move_on_after(self.options.statement_timeout_s):
                # A server that is gone without a word answers no ROLLBACK either.
                result: T = await run_in_loop(self._run(work), self._drop)
                return result
            raise TransientError(f"no answer within {self.options.statement_timeout_s:g} s")

    async def aclose(self) -> None:
        """Closes the connection; bounded in time, never raises for a server that is gone."""
        if self._raw is not None:
            with trio.move_on_after(2), suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await run_in_loop(self._raw.close(timeout=GOODBYE_S), self._drop)
            self._drop()

    async def _run(self, work: Work[T]) -> T:
        try:
            if self._raw is None or self._raw.is_closed():
                self._raw = await self._connect()
            return await work(self._raw)
        except BaseException as error:
            failure = self._translated(error)
            if failure is error:
                raise
        # Raised out here it has no context: the frames of the failed work, and its rows, are not kept alive by it.
        raise failure

    async def _connect(self) -> asyncpg.Connection:
        try:
            raw = await connect(
                self.options.dsn,
                timeout_s=self.options.connect_timeout_s,
                statement_cache_size=0 if self._pooled else 100,
                server_settings={"application_name": f"polycopy {self.name}"},
            )
        except ValueError as error:
            if isinstance(error, asyncpg.InterfaceError):
                raise
            # The text of the error may hold a part of the address, and so of a password.
            raise ConnectionError(f"the database address makes no sense ({type(error).__name__})") from None
        if not self._pooled:
            try:
                # Every statement of ours has one good plan; behind a pooler a session is not ours to set up.
                await raw.execute(GENERIC_PLANS)
            except BaseException:
                raw.terminate()
                raise
        return raw

    def _translated(self, error: BaseException) -> BaseException:
        reaction = reaction_to_error(error)
        if reaction is Reaction.REJECT:
            return RejectedError(_summary(error))
        self._drop()
        if reaction is Reaction.REPREPARE and not self._pooled:
            self._pooled = True
            _log.warning("the server swaps sessions, going on without prepared statements", extra={"use": self.name})
        return error if reaction is None else TransientError(_summary(error))

    def _drop(self) -> None:
        """Forgets the connection without waiting for the server, which may be stalled."""
        if self._raw is not None:
            raw, self._raw = self._raw, None
            raw.terminate()


def _summary(error: BaseException) -> str:
    state = getattr(error, "sqlstate", None)
    text = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
    return f"{state}: {text}" if state else text


@asynccontextmanager
async def open_connection(options: DatabaseOptions, name: str) -> AsyncIterator[Connection]:
    """Yields a connection and closes it, also when cancelled."""
    connection = Connection(options, name)
    try:
        yield connection
    finally:
        with trio.CancelScope(shield=True):
            await connection.aclose()


async def once(options: DatabaseOptions, name: str, work: Work[T]) -> T:
    """Runs `work` on a connection of its own. Raises as `Connection.run`."""
    async with open_connection(options, name) as connection:
        return await connection.run(work)


async def listen(options: DatabaseOptions, channel: str, on_notify: Callable[[], None]) -> None:
    """Calls `on_notify` for each NOTIFY on `channel` until the connection is lost, then raises `TransientError`."""
    connection = Connection(options, f"listen {channel}")
    lost = trio.Event()

    async def subscribe(raw: asyncpg.Connection) -> None:
        raw.add_termination_listener(lambda _: lost.set())
        await raw.add_listener(channel, lambda *_: on_notify())

    try:
        await connection.run(subscribe)
        await lost.wait()
        raise TransientError("the listening connection was lost")
    finally:
        with trio.CancelScope(shield=True):
            await connection.aclose()


def row_count(status: Any) -> int:
    """Returns the number of rows in a command status such as `UPDATE 3`."""
    return int(str(status).rsplit(" ", 1)[-1])
