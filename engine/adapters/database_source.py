"""The database that the configuration asks for: a server elsewhere, or the embedded one, kept alive."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import trio

from config.schema import DatabaseConfig
from engine.adapters.postgres.database import DatabaseOptions, listen
from engine.adapters.postgres.embedded_server import (
    EmbeddedServer,
    EmbeddedServerBusy,
    EmbeddedServerError,
    run_embedded_server,
)
from protocols.errors import TransientError

_log = logging.getLogger(__name__)
RESTART_PAUSE_S = 1.0
BUSY_WAIT_S = 15.0
LISTEN_PAUSE_S = 30.0


@asynccontextmanager
async def open_database(config: DatabaseConfig, data_dir: Path) -> AsyncIterator[DatabaseOptions]:
    """Yields how to reach the database; the embedded server runs as long as the context, and again after it died."""
    if config.url is not None:
        yield options_for(config, config.url.reveal())
        return
    _log.info("starting the embedded database", extra={"data_dir": str(data_dir)})
    async with AsyncExitStack() as stack:
        server = await _entered(stack, data_dir)
        nursery = await stack.enter_async_context(trio.open_nursery())
        nursery.start_soon(_keep_running, server)
        yield options_for(config, server.dsn)
        nursery.cancel_scope.cancel()


async def _entered(stack: AsyncExitStack, data_dir: Path) -> EmbeddedServer:
    """Starts the embedded server; a command that holds it for a moment is waited for, another engine is not."""
    give_up_s = trio.current_time() + BUSY_WAIT_S
    while True:
        try:
            return await stack.enter_async_context(run_embedded_server(data_dir=data_dir))
        except EmbeddedServerBusy as error:
            if trio.current_time() > give_up_s:
                raise
            _log.warning("waiting for the embedded database", extra={"error": str(error)})
            await trio.sleep(RESTART_PAUSE_S)


def options_for(config: DatabaseConfig, dsn: str) -> DatabaseOptions:
    """Returns connection options. A `direct_url` beside `url` says that `url` leads through a pooler."""
    return DatabaseOptions(
        dsn=dsn,
        connect_timeout_s=config.connect_timeout_s,
        statement_timeout_s=config.statement_timeout_s,
        pooled=config.direct_url is not None,
    )


def listening_options(config: DatabaseConfig, options: DatabaseOptions) -> DatabaseOptions:
    """Returns how to reach the server past a pooler, for NOTIFY."""
    if config.direct_url is None:
        return options
    return DatabaseOptions(dsn=config.direct_url.reveal(), connect_timeout_s=config.connect_timeout_s)


async def keep_listening(
    config: DatabaseConfig, options: DatabaseOptions, channel: str, on_notify: Callable[[], None]
) -> None:
    """Quickens a poll where NOTIFY gets through; where it does not, polling alone is right."""
    while True:
        try:
            await listen(listening_options(config, options), channel, on_notify)
        except TransientError as error:
            _log.debug("no notifications", extra={"channel": channel, "error": str(error)})
        await trio.sleep(LISTEN_PAUSE_S)


async def _keep_running(server: EmbeddedServer) -> None:
    while True:
        try:
            await server.wait_dead()
        except OSError as error:
            _log.error("the embedded database's log cannot be kept short", extra={"error": str(error)})
            await trio.sleep(RESTART_PAUSE_S)
            continue
        _log.error("the embedded database died, starting it again", extra={"log": str(server.log_path)})
        try:
            await server.restart()
        except (EmbeddedServerError, OSError) as error:
            _log.error("the embedded database did not start", extra={"error": str(error)})
            await trio.sleep(RESTART_PAUSE_S)
