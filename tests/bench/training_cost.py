"""What a training costs: `python -m tests.bench.training_cost [TRADES] [--dir DIR]`, one JSON object.

A made-up platform with a planted edge is written into a database of its own, then `polycopy model train` runs as a process, as
an operator would start it. `peak_mb` is the most resident memory that the process ever held, `cpu_s` its own processor time:
on a machine that is busy the time that it took says little.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import trio

from engine.adapters.postgres.database import Connection
from tests.engine_training.planted_world import Plan, PlantedWorld

from .databases import BenchDatabase, BenchServer, bench_server
from .processes import cpu_s, running

TRADES_A_MARKET = 20
TRADERS = 2_000
DAYS = 150


def plan_of(trades: int) -> Plan:
    """Returns a platform with so many trades, whose markets have ended by now."""
    return Plan(trades=trades, traders=min(TRADERS, max(20, trades // 200)), days=DAYS, trades_a_market=TRADES_A_MARKET)


async def planted(server: BenchServer, trades: int) -> BenchDatabase:
    """Returns a database with a made-up platform."""
    database = await server.database()
    await plant(database, trades)
    return database


async def plant(database: BenchDatabase, trades: int) -> None:
    """Writes a made-up platform into a database."""
    connection = Connection(database.options, "bench plant")
    await PlantedWorld(plan_of(trades)).write(connection)
    await connection.run(lambda raw: raw.execute("ANALYZE"))
    await connection.aclose()


async def trained(database: BenchDatabase, trades: int) -> dict[str, Any]:
    """Trains in a process of its own and returns what it took and what came of it."""
    argv = [
        sys.executable, "-m", "engine.cli.main", "--set", f"database.url={database.dsn()}", "model", "train", "--json",
        "--no-keep", "--days", "3000", "--rows-max", str(trades),
    ]  # fmt: skip
    peak_kb, used_s, out, began_s = 0, 0.0, b"", time.monotonic()
    async with running(argv, stdout=-1) as process, trio.open_nursery() as nursery:

        async def read() -> None:
            nonlocal out
            assert process.stdout is not None
            async for part in process.stdout:
                out += part

        async def look() -> None:
            nonlocal peak_kb, used_s
            while True:
                status = Path(f"/proc/{process.pid}/status").read_text()
                found = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
                peak_kb = max(peak_kb, *map(int, found), 0)
                used_s = max(used_s, cpu_s(process.pid))
                await trio.sleep(0.2)

        nursery.start_soon(look)
        await read()
        await process.wait()
        took_s = time.monotonic() - began_s
        nursery.cancel_scope.cancel()
    models = json.loads(out)["models"]
    return {
        "trades": trades,
        "took_s": round(took_s, 1),
        "cpu_s": round(used_s, 1),
        "load": float(Path("/proc/loadavg").read_text().split()[0]),
        "peak_mb": round(peak_kb / 1000),
        "models": {
            one["kind"]: {
                "train_s": round(one["seconds"], 1),
                "train_rows": one["figures"]["train"]["rows"],
                "valid_rows": one["figures"]["valid"]["rows"],
                "marks": one["figures"]["model"],
                "gains": one["figures"]["gains"],
                "document_kb": round(len(one["document"]) / 1000),
            }
            for one in models
        },
    }


async def main(trades: int, folder: Path) -> dict[str, Any]:
    """Returns the figures."""
    async with bench_server(folder) as server:
        database = await planted(server, trades)
        return await trained(database, trades)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.training_cost", description=__doc__)
    parser.add_argument("trades", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--dir", type=Path, help="where to work; a few GB for a million trades")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.dir) as scratch:
        Path(scratch).chmod(0o711)
        print(json.dumps(trio.run(main, chosen.trades, Path(scratch) / "postgres")))
