"""`polycopy top`: a running engine, live."""

import logging
import os
import shutil
import signal
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager

import click
import trio
from rich.console import Console
from rich.live import Live

from config.schema import EngineConfig
from engine.cli.command import run_command
from engine.cli.engine_client import EngineClient, open_engine_client
from engine.cli.main import EXIT_FAILED, Settings
from engine.cli.top_frame import FRAME_LINES, frame
from engine.cli.top_state import TopState, TradesReader, read_engine

PIPE_SIZE = (120, 40)
TRADES_TIMEOUT_S = 5.0
TRADES_MAX = 60
TRADES_ONCE = 10


@click.command()
@click.option(
    "--interval-s",
    type=click.FloatRange(0.2, 60),
    default=1.0,
    show_default=True,
    help="Between two readings; rates are over this time.",
)
@click.option("--once", is_flag=True, help="Print one picture and end; so in a pipe too.")
@click.pass_obj
def top(settings: Settings, interval_s: float, once: bool) -> None:
    """Watch a running engine: heap, lag, stream age, channels, rates, last trades. q or Ctrl-C ends it.

    An engine that does not answer is shown as such and asked again.

    Exit codes: 0 ended, 1 with --once when no engine answers.
    """
    config = settings.load()
    if once or not sys.stdout.isatty():
        answered = run_command(lambda: _print_once(config, interval_s))
        sys.exit(0 if answered else EXIT_FAILED)
    run_command(lambda: _watch(config, interval_s))


async def _print_once(config: EngineConfig, interval_s: float) -> bool:
    """Prints one picture; returns whether the engine answered."""
    trades = TradesReader(config)
    async with open_engine_client(config.http) as client:
        state = TopState(url=client.url)
        await read_engine(client, state)
        if state.view is not None:
            await trio.sleep(interval_s)
            await read_engine(client, state)
    try:
        with trio.move_on_after(TRADES_TIMEOUT_S):
            await trades.read(state, TRADES_ONCE)
    finally:
        await trades.aclose()
    width = None if sys.stdout.isatty() else shutil.get_terminal_size(PIPE_SIZE).columns
    console = Console(highlight=False, width=width)
    console.print(frame(state, console.width, TRADES_ONCE))
    return state.view is not None


async def _watch(config: EngineConfig, interval_s: float) -> None:
    """Draws until somebody has enough."""
    # A log line would break the picture; what goes wrong is part of it.
    logging.disable(logging.CRITICAL)
    trades = TradesReader(config)
    console = Console(highlight=False)
    async with open_engine_client(config.http) as client:
        state = TopState(url=client.url)
        with (
            _unbuffered_keys(),
            Live(
                console=console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
            ) as live,
        ):
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_end_on_signal, nursery.cancel_scope)
                    nursery.start_soon(_end_on_key, nursery.cancel_scope)
                    nursery.start_soon(_read_trades, trades, state, interval_s)
                    nursery.start_soon(_read_and_draw, client, state, live, interval_s)
            finally:
                await trades.aclose()


async def _read_and_draw(client: EngineClient, state: TopState, live: Live, interval_s: float) -> None:
    await read_engine(client, state)
    while True:
        width, height = live.console.size
        live.update(frame(state, width, height - FRAME_LINES), refresh=True)
        await trio.sleep(interval_s)
        await read_engine(client, state)


async def _read_trades(trades: TradesReader, state: TopState, interval_s: float) -> None:
    while True:
        await trades.read(state, TRADES_MAX)
        await trio.sleep(interval_s)


async def _end_on_signal(scope: trio.CancelScope) -> None:
    # Not by exception: the terminal has to be given back first.
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
        async for _ in signals:
            scope.cancel()


async def _end_on_key(scope: trio.CancelScope) -> None:
    while sys.stdin.isatty():
        await trio.lowlevel.wait_readable(sys.stdin)
        keys = os.read(sys.stdin.fileno(), 64)
        if not keys or b"q" in keys or b"Q" in keys:
            scope.cancel()


@contextmanager
def _unbuffered_keys() -> Iterator[None]:
    """Lets a key be read without Enter and without an echo."""
    if not sys.stdin.isatty():
        yield
        return
    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin)
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
