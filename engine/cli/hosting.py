"""Runs an engine in this process for a command: signals, the second signal, exit codes."""

import gc
import logging
import os
import signal
from collections.abc import Awaitable, Callable

import trio

from config.live import LiveConfig
from config.schema import EngineConfig
from config.sources import ConfigInputs
from engine.adapters.postgres.database import database_loop
from engine.adapters.postgres.embedded_server import EmbeddedServerError
from engine.adapters.postgres.migrate import MigrationError
from engine.adapters.signer import KeyFileError
from engine.adapters.spill_journal import JournalBusyError
from engine.adapters.system_clock import SystemClock, system_random
from engine.cli.first_login import show_first_login
from engine.cli.main import EXIT_FAILED, EXIT_GAVE_UP
from engine.lifecycle import EngineHost, Running
from engine.reload import ReadConfig, Reloader
from engine.runtime.heap import keep_trimmed
from engine.runtime.logs import configure_logging
from engine.runtime.supervisor import RestartBudgetExceededError
from protocols.cluster import Role

_log = logging.getLogger(__name__)
Beside = Callable[[Running, EngineHost], Awaitable[None]]


def host_engine(
    read: ReadConfig,
    config: EngineConfig,
    beside: Beside | None = None,
    *,
    live_switch: bool = False,
    inputs: ConfigInputs | None = None,
) -> int:
    """Runs the engine until a signal; `beside` runs next to it and may set `stop`. Returns the exit code.

    `read` reads the configuration again, on SIGHUP and when an administrator asks for it, from `inputs`: by default the file
    that `POLYCOPY_CONFIG` names, and the environment.
    """
    clock = SystemClock()
    configure_logging(config.logging.level, config.logging.format, clock)
    # What start-up made lives as long as the process; the collector need not walk it again.
    gc.freeze()
    current = LiveConfig(config)
    host = EngineHost(
        config=current.view,
        clock=clock,
        rng=system_random(),
        reloader=Reloader(current, read, inputs=inputs or ConfigInputs.of()),
        live_switch=live_switch,
    )
    try:
        trio.run(_run, host, beside)
    except BaseException as error:
        return _exit_code(error)
    return 0


async def _run(host: EngineHost, beside: Beside | None) -> None:
    # Outermost, so that requests and whatever runs beside the engine can use its database as well.
    async with database_loop(), trio.open_nursery() as nursery:
        await nursery.start(_watch_signals, host, nursery)
        nursery.start_soon(keep_trimmed)
        engine_done = trio.Event()

        async def engine(*, task_status: trio.TaskStatus[Running]) -> None:
            report = await host.run(task_status=task_status)
            if report is not None:
                level = logging.INFO if report.finished and not report.left_behind else logging.WARNING
                fields = {
                    "drain_s": round(report.drain_s, 3),
                    "finished": report.finished,
                    "left_behind": dict(report.left_behind),
                    "dropped": dict(report.dropped),
                }
                _log.log(level, "stopped", extra=fields)
            engine_done.set()

        running = await nursery.start(engine)
        _log.info("listening", extra={"http": f"http://{host.config.http.host}:{running.http_port}"})
        if beside is not None:
            nursery.start_soon(beside, running, host)
        elif Role.API in running.engine.roles:
            nursery.start_soon(show_first_login, running, host.config.http)
        await engine_done.wait()
        nursery.cancel_scope.cancel()


async def _watch_signals(host: EngineHost, nursery: trio.Nursery, *, task_status: trio.TaskStatus[None]) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        task_status.started()
        async for number in signals:
            name = signal.Signals(number).name
            if number == signal.SIGHUP:
                nursery.start_soon(host.reloader.reload, name)
                continue
            if host.stop.is_set():
                _log.error("second signal, leaving at once", extra={"signal": name})
                os._exit(EXIT_FAILED)
            _log.info("stopping", extra={"signal": name, "drain_s": host.config.limits.drain_s})
            host.stop.set()


def _exit_code(error: BaseException) -> int:
    """Says in words why the engine ended and returns the exit code for it."""
    causes = list(_leaves(error))
    if any(isinstance(cause, RestartBudgetExceededError) for cause in causes):
        _log.critical("the supervisor gave up", extra={"error": str(causes[0])})
        return EXIT_GAVE_UP
    known = (MigrationError, EmbeddedServerError, JournalBusyError, KeyFileError, OSError)
    if causes and all(isinstance(cause, known) for cause in causes):
        _log.critical("cannot run", extra={"error": "; ".join(str(cause) for cause in causes)})
        return EXIT_FAILED
    _log.critical("unexpected failure", exc_info=error)
    return EXIT_FAILED


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
    return [error]
