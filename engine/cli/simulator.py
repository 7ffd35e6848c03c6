"""`polycopy simulator`: the venue's other side on loopback."""

import logging
import sys
from pathlib import Path
from typing import Any

import click
import trio

from engine.adapters.system_clock import SystemClock
from engine.simulator.command import run_simulator
from engine.simulator.options import SimulatorOptions
from engine.simulator.seeds import generator
from engine.simulator.tape import TapeError
from protocols.clock import Random

_FAILED = 1


def _speed(_context: click.Context, _parameter: click.Parameter, value: str) -> float | None:
    """Returns a positive number, or None for ``max``."""
    if value == "max":
        return None
    try:
        speed = float(value)
    except ValueError:
        speed = 0.0
    if not 0 < speed < 1e6:
        raise click.BadParameter(f"{value!r} is neither a positive number nor max")
    return speed


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65_530), default=0, help="First of six ports; 0: any free ones.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the rows: equal seeds give equal rows.")
@click.option("--tape", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Recorded rows to play.")
@click.option("--speed", default="1", callback=_speed, show_default=True, help='Times real speed, or "max".')
@click.option("--keep-time", is_flag=True, help="Show the times of the tape instead of now.")
@click.option("--rate", "rate_scale", type=click.FloatRange(0.001, 1_000), default=1.0, help="Times 28 rows a second.")
@click.option("--life-scale", type=click.FloatRange(0.001, 1_000), default=1.0, help="Times the life of markets.")
@click.option("--wallets", type=click.IntRange(10, 1_000_000), default=20_000, help="Population of traders.")
@click.option("--markets", type=click.IntRange(4, 10_000), default=400, help="Open markets.")
@click.option("--lag-scale", type=click.FloatRange(0, 100), default=1.0, help="Times the real lag; 0: none.")
@click.option("--cache-scale", type=click.FloatRange(0, 100), default=1.0, help="Times the real cache ages; 0: none.")
@click.option("--start-paused", is_flag=True, help="Wait for POST /play before the first row.")
@click.option("--redeemed-share", type=click.FloatRange(0, 1), default=0.6, help="Of the winners who redeem soon.")
@click.option("--without-v2", "v2_absent", is_flag=True, help="Answer 404 on the Data API v2.")
@click.option("--retire-v1", "v1_retired", is_flag=True, help="Answer 404 on the Data API v1.")
@click.option("--json", "as_json", is_flag=True, help="Accepted for symmetry: the first line is JSON in any case.")
def simulator(*, as_json: bool, **chosen: Any) -> None:
    """Serve a simulated venue until interrupted.

    The first line on standard output is a JSON object with the six urls; logs go to standard error.
    """
    del as_json
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    options = SimulatorOptions(**chosen)
    rng = generator(options.seed, "surfaces")
    try:
        trio.run(_run, options, rng)
    except* TapeError as errors:
        _fail(errors)
    except* OSError as errors:
        _fail(errors)


async def _run(options: SimulatorOptions, rng: Random) -> None:
    await run_simulator(options, clock=SystemClock(), rng=rng, announce=_announce)


def _announce(line: str) -> None:
    click.echo(line)
    sys.stdout.flush()


def _fail(errors: BaseExceptionGroup[BaseException]) -> None:
    reason: BaseException = errors
    while isinstance(reason, BaseExceptionGroup):
        reason = reason.exceptions[0]
    click.echo(f"simulator: {reason}", err=True)
    sys.exit(_FAILED)
