"""The simulator as a process: first one JSON line with its urls, then it serves until told to stop."""

import json
import signal
from collections.abc import AsyncIterator, Callable

import attrs
import trio

from engine.simulator.options import SimulatorOptions, SimulatorUrls
from engine.simulator.serve import serve_simulator
from protocols.clock import Random, WallClock


async def run_simulator(
    options: SimulatorOptions, *, clock: WallClock, rng: Random, announce: Callable[[str], None]
) -> None:
    """Serves until SIGINT, SIGTERM or `POST /stop`. `announce` gets the one line with the six urls."""
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_cancel_on_signal, signals, nursery.cancel_scope)

            async def serve(*, task_status: trio.TaskStatus[SimulatorUrls]) -> None:
                await serve_simulator(options, clock=clock, rng=rng, task_status=task_status)
                nursery.cancel_scope.cancel()

            urls: SimulatorUrls = await nursery.start(serve)
            announce(json.dumps(attrs.asdict(urls)))


async def _cancel_on_signal(signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
    async for _ in signals:
        scope.cancel()
        return
