"""Half an hour at five times the platform's rate, with a fault each minute: no slow leak."""

import os
from pathlib import Path

import httpx
import pytest
import trio
from crash.engine_process import EngineProcess, engine_process
from engine_postgres.server_fixtures import scratch_directory
from engine_simulator.loopback_http import NO_TLS
from simulation.ingest_world import IngestWorld, ingest_world

from engine.adapters.postgres.database import DatabaseOptions, database_loop
from engine.adapters.postgres.embedded_server import run_embedded_server
from engine.adapters.postgres.migrate import migrate

MINUTES = float(os.environ.get("POLYCOPY_SOAK_MINUTES", "30"))
WARM_UP_MINUTES = 5.0 if MINUTES > 10 else MINUTES / 4
FAULTS = (
    ("close", {"code": 1013, "reason": "slow consumer: send buffer full"}),
    ("silence", {"duration_s": 8}),
    ("reset", {}),
    ("garbage", {"count": 200}),
    ("replay", {"frames": 500, "duration_s": 30}),
    ("refuse", {"surface": "rtds", "duration_s": 3}),
    ("http_429", {"api": "data", "probability": 1, "retry_after_s": 1, "duration_s": 5}),
    ("http_5xx", {"api": "gamma", "probability": 1, "duration_s": 5}),
)


def resident_mb(engine: EngineProcess) -> float:
    return int(Path(f"/proc/{engine.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def open_files(engine: EngineProcess) -> int:
    return len(list(Path(f"/proc/{engine.process.pid}/fd").iterdir()))


async def loop_lag_ms(engine: EngineProcess) -> float:
    async with httpx.AsyncClient(verify=NO_TLS, trust_env=False) as client:
        text = (await client.get(f"http://127.0.0.1:{engine.port}/metrics")).text
    return 1000 * float(
        next(line for line in text.splitlines() if line.startswith("polycopy_loop_lag_seconds")).split()[1]
    )


def slope_mb_per_10_min(samples: list[tuple[float, float]]) -> float:
    """Least squares over (minutes, MB)."""
    mean_x = sum(x for x, _ in samples) / len(samples)
    mean_y = sum(y for _, y in samples) / len(samples)
    return 10 * sum((x - mean_x) * (y - mean_y) for x, y in samples) / sum((x - mean_x) ** 2 for x, _ in samples)


async def minute(world: IngestWorld, engine: EngineProcess, number: int) -> None:
    kind, parameters = FAULTS[number % len(FAULTS)]
    await world.fault(kind, **parameters)
    await trio.sleep(60)
    assert engine.process.poll() is None, engine.log_text()[-2000:]


@pytest.mark.slow
@pytest.mark.timeout(7200)
async def test_memory_files_and_lag_stay_flat(capsys):
    with scratch_directory() as home:
        async with database_loop(), run_embedded_server(data_dir=home / "postgres") as server:
            options = DatabaseOptions(dsn=server.dsn)
            await migrate(options)
            async with ingest_world(options, home / "spill", seed=9, rate_scale=5, lag_scale=0.5) as world:
                await trio.sleep(10)
                fills = (await world.post("/ledger", wallets=None))["fills"]
                await world.follow(sorted({fill["wallet"] for fill in fills}))
                settings = {
                    **world.settings,
                    "stream.recycle_interval_s": "60",
                    "stream.stall_timeout_s": "5",
                    "stream.stall_timeout_max_s": "10",
                }
                async with engine_process(settings) as engine:
                    await engine.until_ready()
                    samples, lags, files = [], [], []
                    for number in range(int(MINUTES)):
                        await minute(world, engine, number)
                        if number + 1 > WARM_UP_MINUTES:
                            samples.append((float(number), resident_mb(engine)))
                            lags.append(await loop_lag_ms(engine))
                            files.append(open_files(engine))
                    slope = slope_mb_per_10_min(samples)
                    with capsys.disabled():
                        print(
                            f"\n{MINUTES:g} min: {samples[0][1]:.1f} → {samples[-1][1]:.1f} MB, slope {slope:+.2f} MB/10 min, "
                            f"files {min(files)}–{max(files)}, loop lag p99 at most {max(lags):.1f} ms"
                        )
                    assert slope < 1.0
                    assert max(files) - min(files) <= 4
                    assert max(lags) < 20
