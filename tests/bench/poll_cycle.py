"""How fast hot wallets come round at the default rate: `python -m tests.bench.poll_cycle`, one JSON object.

A whole engine and the simulated venue in one process, over real sockets, with a database of its own.
"""

import json
import logging
import tempfile
import time
from pathlib import Path

import trio

from actors.rules.poll_queue import HotLane
from engine.adapters.postgres.database import DatabaseOptions, database_loop, once
from engine.adapters.postgres.embedded_server import run_embedded_server
from engine.adapters.postgres.migrate import migrate
from tests.simulation.ingest_world import IngestWorld, ingest_world

COUNTS = (1, 5, 20, 60)
WARM_UP_S = 30.0
MEASURED_S = 20.0
CALM = {"stream.stall_timeout_s": "20", "stream.stall_timeout_max_s": "20"}
"""So that the stream counts as healthy: what is measured is the cycle while trades need not be asked for."""
CLEAR = "TRUNCATE follows, wallet_poll_state, positions_current, positions_closed, trades_public"


async def measured(world: IngestWorld, count: int) -> dict[str, float | None]:
    """Follows wallets that trade, and returns how long their cycle takes and what it costs, calls a second."""
    fills = []
    while len({fill["wallet"] for fill in fills}) < count:
        fills = (await world.post("/ledger", wallets=None))["fills"]
    await world.follow(sorted({fill["wallet"] for fill in fills})[:count])
    async with world.engine(**CALM) as running:
        assert running.engine.actors is not None
        hot = running.engine.actors.polling.hot
        assert hot is not None
        await trio.sleep(WARM_UP_S)
        figures, cpu_s = hot.wallet_poll.figures, time.process_time()
        polls, calls, saved = figures.polls, figures.calls.total(), figures.saved.total()
        cycles = []
        for _ in range(round(MEASURED_S)):
            await trio.sleep(1)
            cycles.append(hot.queue.cycle_s(HotLane.FOLLOWED) or float("nan"))
        return {
            "wallets": len(hot.queue.entries),
            "median_cycle_s": round(sorted(cycles)[len(cycles) // 2], 2),
            "mean_cycle_s": round(MEASURED_S * len(hot.queue.entries) / max(1, figures.polls - polls), 2),
            "at_best_s": hot.planned_cycle_s(),
            "polls_per_s": (figures.polls - polls) / MEASURED_S,
            "calls_per_s": (figures.calls.total() - calls) / MEASURED_S,
            "saved_per_s": (figures.saved.total() - saved) / MEASURED_S,
            "cpu_ratio_with_simulator": round((time.process_time() - cpu_s) / MEASURED_S, 3),
        }


async def main() -> list[dict[str, float | None]]:
    """Measures one number of wallets after another."""
    found = []
    with tempfile.TemporaryDirectory() as home:
        Path(home).chmod(0o711)
        async with database_loop():
            async with run_embedded_server(data_dir=Path(home) / "postgres") as server:
                options = DatabaseOptions(dsn=server.dsn)
                await migrate(options)
            for count in COUNTS:
                async with run_embedded_server(data_dir=Path(home) / "postgres") as server:
                    options = DatabaseOptions(dsn=server.dsn)
                    await once(options, "clear", lambda raw: raw.execute(CLEAR))
                    async with ingest_world(options, Path(home) / "spill", seed=6, wallets=400, rate_scale=1) as world:
                        found.append(await measured(world, count))
    return found


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    print(json.dumps(trio.run(main)))
