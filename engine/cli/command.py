"""Runs the work of a command that ends by itself; every failure that an operator can mend is one line, not a traceback."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import click
import trio

from engine.adapters.postgres.database import database_loop
from engine.adapters.postgres.embedded_server import EmbeddedServerError
from engine.adapters.system_clock import SystemClock
from engine.runtime.logs import configure_logging, redacted
from protocols.errors import EngineError

T = TypeVar("T")
# A text of the command line may hold bytes that are no UTF-8.
_KNOWN = (EngineError, EmbeddedServerError, OSError, UnicodeError)


def run_command(work: Callable[[], Awaitable[T]]) -> T:
    """Runs `work` under trio with the loop that database connections need, and returns what it returns.

    Failures of the world end the command with one line and exit code 1. Log lines below a warning are not shown.
    """
    configure_logging("warning", "text", SystemClock())
    try:
        return trio.run(_with_database_loop, work)
    except BaseException as error:
        raise _for_click(error) from None


async def _with_database_loop(work: Callable[[], Awaitable[T]]) -> T:
    async with database_loop():
        return await work()


def failure_text(error: BaseException) -> str:
    """Returns the reasons in an exception or group, without secrets and without what drives a terminal."""
    texts = dict.fromkeys(str(leaf) or type(leaf).__name__ for leaf in leaves(error))
    return redacted("".join(c if c.isprintable() or c == "\n" else "?" for c in "; ".join(texts)))


def leaves(error: BaseException) -> list[BaseException]:
    """Returns the exceptions in a group of groups."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in leaves(inner)]
    return [error]


def _for_click(error: BaseException) -> BaseException:
    causes = leaves(error)
    if any(isinstance(cause, KeyboardInterrupt) for cause in causes):
        return click.Abort()
    for cause in causes:
        if isinstance(cause, click.ClickException | SystemExit):
            return cause
    if all(isinstance(cause, _KNOWN) for cause in causes):
        return click.ClickException(failure_text(error))
    return error
