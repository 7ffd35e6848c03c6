"""The work of `polycopy model train`. Imported by it alone, so that no other process loads what trains."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from importlib.metadata import version
from typing import Any

import click
import trio

from config.schema import EngineConfig
from engine.adapters.postgres.model_store import PostgresModelStore
from engine.adapters.system_clock import SystemClock
from engine.cli.figures import count_text
from engine.cli.model_access import with_models
from engine.cli.terminal import show_passing
from engine.training.past_trades import PastRow, PastTrades
from protocols.score_models import NewModel

NICENESS = 10
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""What numerical libraries take their number of threads from, when they are loaded."""


def train_models(
    config: EngineConfig, *, days: int, rows_max: int, seed: int, keep: bool
) -> list[tuple[int | None, NewModel]]:
    """Reads trades, trains and measures; returns models with their ids, None where they are not kept.

    Raises the error of a command where the libraries are missing or the trades are too few.
    """
    _step_back()
    table_of, trained = _libraries()

    async def work(store: PostgresModelStore, past: PastTrades) -> list[tuple[int | None, NewModel]]:
        until_ms = SystemClock().now_ms()
        since_ms = await past.since_ms(days=days, until_ms=until_ms, rows_max=rows_max)
        table = await table_of(_shown(past, since_ms, until_ms), rows_max=rows_max)
        found = trained(
            table,
            seed=seed,
            left_out=dict(past.left_out),
            code_version=version("polycopy"),
            stage=lambda text: show_passing(f"{count_text(len(table))} trades: {text} …"),
            now_s=trio.current_time,
        )
        show_passing("")
        return [(await store.add(one) if keep else None, one) for one in found]

    return with_models(config, work)


async def _shown(past: PastTrades, since_ms: int, until_ms: int) -> AsyncIterator[list[PastRow]]:
    async for page in past.pages(since_ms, until_ms):
        show_passing(f"{count_text(past.read)} trades read …")
        yield page


def _step_back() -> None:
    """Everything else on this machine goes first, and one core is enough."""
    for name in THREADS:
        os.environ[name] = "1"
    with suppress(OSError):
        os.nice(max(0, NICENESS - os.getpriority(os.PRIO_PROCESS, 0)))


def _libraries() -> tuple[Callable[..., Any], Callable[..., Any]]:
    try:
        from engine.training.table import table_of
        from engine.training.training import trained
    except (ImportError, OSError) as error:
        raise click.ClickException(
            f"training needs the extra `models` (pip install 'polycopy[models]'), and libgomp of the system: {error}"
        ) from None
    return table_of, trained
