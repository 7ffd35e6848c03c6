"""What the back-fill of 1,000 wallets takes: `python -m tests.bench.wallet_pnl_cost [wallets]`, one JSON object.

A venue of its own process answers after 150 ms, one wallet has 100,000 closed positions. The whole job runs twice, over the
engine's own adapters: at first all of history, then what a second run reads. `allowance_used` is calls over what rate and burst
let through, and 1 means that nothing but the API's limit took time.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import trio

from config.discovery import DiscoveryConfig
from config.schema import EngineConfig, VenueConfig
from engine.adapters.discovery_adapters import open_discovery_adapters
from engine.adapters.postgres.database import open_connection
from engine.adapters.postgres.job_store import PostgresJobStore
from engine.adapters.system_clock import SystemClock
from engine.discovery_wiring import discovery_jobs
from engine.runtime.traffic import Traffic
from protocols.jobs import JobLease, JobOutcome, JobStatus, RunningJob

from .databases import BenchDatabase, bench_server
from .processes import resident_mb, running

JOB = "backfill-wallet-pnl"
RATE_PER_S, BURST = 13.0, 20
DIGEST = """
SELECT md5(string_agg(md5(one::text), '' ORDER BY wallet_address, date)) AS digest, count(*) AS days, sum(realized_pnl) AS usd
FROM (SELECT wallet_address, date, realized_pnl, pnl_to_date, closed_positions FROM wallet_realized_pnl_daily) AS one
"""


async def main(wallets: int) -> dict[str, Any]:
    """Returns the figures."""
    argv = [sys.executable, "-m", "tests.bench.accounts_stub"]
    with tempfile.TemporaryDirectory() as folder:
        async with bench_server(Path(folder)) as server, running(argv, stdout=subprocess.PIPE) as stub:
            database = await server.database()
            await database.know([f"0x{number:040x}" for number in range(1, wallets + 1)])
            assert stub.stdout is not None
            port = json.loads(await stub.stdout.receive_some(1_000))["port"]
            first = await run_once(database, port)
            second = await run_once(database, port)
            return {"wallets": wallets, "first": first, "second": second}


async def run_once(database: BenchDatabase, port: int) -> dict[str, Any]:
    """Runs the job and returns its figures, with resident memory in MB: before, most, and after."""
    config = EngineConfig(
        venue=VenueConfig(data_url=f"http://127.0.0.1:{port}"),
        discovery=DiscoveryConfig(rate_per_s=RATE_PER_S, burst=BURST),
    )
    clock, samples = SystemClock(), [resident_mb(os.getpid())]
    async with (
        open_discovery_adapters(config, database.options, clock=clock, traffic=Traffic()) as io,
        open_connection(database.options, "leases") as connection,
        trio.open_nursery() as nursery,
    ):
        store = PostgresJobStore(connection)
        await store.request(JOB, "bench")
        lease = await store.claim(JOB, slot_ms=None, owner=str(clock.now_ms()), holder="bench", ttl_s=3_600)
        assert isinstance(lease, JobLease)
        job = next(one for one in discovery_jobs(config, io, clock, lambda: None) if one.name == JOB)
        nursery.start_soon(_sample, samples)
        began_s = time.monotonic()
        figures = RunningJob(lease=lease)
        await job.run(figures)
        total_s = time.monotonic() - began_s
        await store.finish(lease, JobOutcome(status=JobStatus.SUCCEEDED))
        nursery.cancel_scope.cancel()
    memory = {"before_mb": round(samples[0], 1), "peak_mb": round(max(samples), 1), "after_mb": round(samples[-1], 1)}
    [row] = await database.fetch(DIGEST)
    return {**figures.figures, "total_s": round(total_s, 1), **memory, "days": row["days"], "digest": row["digest"]}


async def _sample(samples: list[float]) -> None:
    while True:
        samples.append(resident_mb(os.getpid()))
        await trio.sleep(0.1)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(trio.run(main, int(sys.argv[1]) if len(sys.argv) > 1 else 1_000)) + "\n")
