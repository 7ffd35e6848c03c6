"""The configured database, for the time of one command: whether the engine runs or not."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TypeVar

import attrs
import trio

from config.schema import EngineConfig
from engine.adapters.database_source import options_for
from engine.adapters.postgres.database import DatabaseOptions, once
from engine.adapters.postgres.embedded_server import EmbeddedServerBusy, run_embedded_server, running_server_dsn
from engine.adapters.postgres.migrate import migrate, migration_status
from engine.cli.terminal import progress
from engine.places import postgres_dir
from protocols.errors import EngineError, TransientError

T = TypeVar("T")
TRIES = 3
BUSY_PATIENCE_S = 30.0


class NoDatabaseYetError(EngineError):
    """Nothing was ever stored here, and the command only wanted to look."""


@attrs.frozen(kw_only=True)
class OpenDatabase:
    """A database that answers."""

    options: DatabaseOptions
    place: str
    """Where it is, for people; never an address with a password."""
    embedded: bool


async def with_database(
    config: EngineConfig, work: Callable[[OpenDatabase], Awaitable[T]], *, create: bool = False, prepare: bool = False
) -> T:
    """Runs `work` with the configured database and returns what it returns. `work` must bear being repeated.

    The embedded server of a running engine is used as it is; else it is started for the time of the command, but made on
    the first use only with `create`. `prepare` applies pending migrations. Raises `NoDatabaseYetError`, `TransientError`,
    `MigrationError` and `EmbeddedServerError`.
    """
    for left in reversed(range(TRIES)):
        try:
            async with open_for_command(config, create=create) as database:
                if prepare:
                    await _migrate_if_pending(database.options)
                return await work(database)
        except TransientError:
            # The server may have been one that another command had started and has just stopped.
            if config.database.url is not None or not left:
                raise
    raise AssertionError("unreachable")


@asynccontextmanager
async def open_for_command(config: EngineConfig, *, create: bool) -> AsyncIterator[OpenDatabase]:
    """Yields the database once it has answered. Raises as `with_database`."""
    if config.database.url is not None:
        options = options_for(config.database, config.database.url.reveal())
        await check_answers(options)
        yield OpenDatabase(options=options, place="the server of database.url", embedded=False)
        return
    data_dir = postgres_dir(config)
    async with AsyncExitStack() as stack:
        dsn = await running_server_dsn(data_dir)
        if dsn is None:
            if not create and not await trio.Path(data_dir / "cluster").exists():
                raise NoDatabaseYetError(f"there is no database in {data_dir} yet; `polycopy run` makes it")
            with progress("starting the embedded database"):
                dsn = await _started(data_dir, stack)
        options = options_for(config.database, dsn)
        await check_answers(options)
        yield OpenDatabase(options=options, place=f"the embedded server in {data_dir}", embedded=True)


async def check_answers(options: DatabaseOptions) -> None:
    """Raises `TransientError` with a readable reason when the database does not answer."""
    try:
        await once(options, "command", lambda raw: raw.fetchval("SELECT 1"))
    except ValueError:
        # The driver's message may hold a part of the address, and so of the password.
        raise TransientError("database.url is not an address that can be read; nothing of it is shown") from None
    except EngineError as error:
        raise TransientError(f"the database does not answer: {error}") from None


async def _started(data_dir: Path, stack: AsyncExitStack) -> str:
    """Starts the embedded server until `stack` ends, or finds the one that another process is just starting."""
    give_up_s = trio.current_time() + BUSY_PATIENCE_S
    while True:
        try:
            return (await stack.enter_async_context(run_embedded_server(data_dir=data_dir))).dsn
        except EmbeddedServerBusy:
            if trio.current_time() > give_up_s:
                raise
        await trio.sleep(0.1)
        if (dsn := await running_server_dsn(data_dir)) is not None:
            return dsn


async def _migrate_if_pending(options: DatabaseOptions) -> None:
    # Asking first: a user who may only read and write rows cannot even try to make a table.
    if (await migration_status(options)).pending:
        await migrate(options)
