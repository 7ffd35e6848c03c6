"""What a query costs through `eager_loop`, beside trio-asyncio alone: `python -m tests.bench.query_cost`, one JSON object."""

import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import trio
import trio_asyncio

from engine.adapters.postgres.database import database_loop
from engine.adapters.postgres.eager_loop import run_in_loop
from engine.adapters.postgres.embedded_server import run_embedded_server

QUERIES = 1_500
ROUNDS = 3
OTHER_TASKS = 3
Run = Callable[[Any], Awaitable[Any]]


async def measured(dsn: str, run: Run) -> tuple[float, float]:
    """Returns the median wait and the processor time of a query, ms; other tasks wake up every millisecond meanwhile."""
    raw = await run(asyncpg.connect(dsn))
    waits_ms = []
    async with trio.open_nursery() as nursery:
        for _ in range(OTHER_TASKS):
            nursery.start_soon(_wake_up)
        await run(raw.fetchval("SELECT $1::int", 1))
        cpu_s = time.process_time()
        for _ in range(QUERIES):
            began_s = time.perf_counter()
            await run(raw.fetchval("SELECT $1::int", 1))
            waits_ms.append((time.perf_counter() - began_s) * 1000)
        cpu_s = time.process_time() - cpu_s
        nursery.cancel_scope.cancel()
    await run(raw.close())
    return statistics.median(waits_ms), cpu_s / QUERIES * 1000


async def _wake_up() -> None:
    while True:
        await trio.sleep(0.001)


async def main() -> dict[str, dict[str, float]]:
    """Measures both ways in turn."""
    found: dict[str, list[tuple[float, float]]] = {"eager": [], "plain": []}
    with tempfile.TemporaryDirectory() as home:
        Path(home).chmod(0o711)
        async with database_loop(), run_embedded_server(data_dir=Path(home) / "postgres", durable=False) as server:
            for _ in range(ROUNDS):
                found["eager"].append(await measured(server.dsn, run_in_loop))
                async with trio_asyncio.open_loop() as loop:
                    found["plain"].append(await measured(server.dsn, loop.run_aio_coroutine))
    return {
        way: {
            "wait_ms": statistics.median(one[0] for one in rounds),
            "cpu_ms": statistics.median(one[1] for one in rounds),
        }
        for way, rounds in found.items()
    }


if __name__ == "__main__":
    print(json.dumps(trio.run(main)))
