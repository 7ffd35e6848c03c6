"""What a process of each role costs: `python -m tests.bench.role_cost`, one JSON object.

One database, one simulated venue at its real rate, 200 followed traders. A process that does everything alone; then the same
work by several, with a second ingest that stands by; then every part apart. Resident memory after a minute, processor time of
its second half, connections to the database.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import trio

from engine.adapters.postgres.database import DatabaseOptions, database_loop, once
from engine.adapters.postgres.embedded_server import run_embedded_server
from engine.adapters.postgres.migrate import migrate
from tests.bench.databases import FOLLOW
from tests.bench.processes import cpu_s, free_port, http_get, lines_of, resident_mb, running

HALF_S = 30.0
FOLLOWED = 200
INGEST = ("ingest", "decide", "execute", "poll")
ALONE = {"all": ("all",)}
TWO_MACHINES = {
    "ingest, decide, execute, poll": INGEST,
    "the same, standing by": INGEST,
    "jobs": ("jobs",),
    "api": ("api",),
}
EACH_APART = {"ingest": ("ingest",), "ingest, standing by": ("ingest",), "decide": ("decide",), "poll": ("poll",),
              "decide, poll": ("decide", "poll"), "api": ("api",)}  # fmt: skip
SETTLED_S = 3.0
CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'polycopy %'"
CLI = [sys.executable, "-m", "engine.cli.main"]


async def started(stack: AsyncExitStack, roles: tuple[str, ...], home: Path, env: Mapping[str, str]) -> trio.Process:
    """Starts an engine and waits until it does what it can: ready, or standing by."""
    port = free_port()
    own = {"POLYCOPY_HTTP__PORT": str(port), "POLYCOPY_WRITER__SPILL_DIR": str(home / f"spill-{port}")}
    argv = [*CLI, "run", *(word for role in roles for word in ("--role", role))]
    process = await stack.enter_async_context(
        running(argv, env={**os.environ, **env, **own}, stderr=subprocess.DEVNULL)
    )
    with trio.fail_after(120):
        while True:
            _, body = await http_get(port, "/readyz")
            if body and ((state := json.loads(body))["ready"] or "is held by" in state["waiting_for"].get("lease", "")):
                return process
            await trio.sleep(0.1)


async def costs(
    sets: Mapping[str, tuple[str, ...]], home: Path, env: Mapping[str, str], options: DatabaseOptions
) -> dict[str, dict[str, float]]:
    """Runs a process for each set of roles, side by side."""
    async with AsyncExitStack() as stack:
        processes, connections, before_all = {}, {}, await connected(options)
        for name, roles in sets.items():
            processes[name] = await started(stack, roles, home, env)
            await trio.sleep(SETTLED_S)
            now = await connected(options)
            connections[name], before_all = now - before_all, now
        await trio.sleep(HALF_S)
        before = {name: cpu_s(process.pid) for name, process in processes.items()}
        await trio.sleep(HALF_S)
        return {
            name: {
                "resident_mb": round(resident_mb(process.pid), 1),
                "cpu_percent": round((cpu_s(process.pid) - before[name]) / HALF_S * 100, 1),
                "connections": connections[name],
            }
            for name, process in processes.items()
        }


async def connected(options: DatabaseOptions) -> int:
    """Returns how many connections all engines have to the database."""
    return int(await once(options, "bench", lambda raw: raw.fetchval(CONNECTIONS)))


async def main() -> dict[str, Any]:
    """Measures alone and apart."""
    with tempfile.TemporaryDirectory() as place:
        home = Path(place)
        home.chmod(0o711)
        async with (
            database_loop(),
            run_embedded_server(data_dir=home / "postgres", settings={"max_connections": "150"}) as server,
            AsyncExitStack() as stack,
        ):
            options = DatabaseOptions(dsn=server.dsn)
            await migrate(options)
            venue = await stack.enter_async_context(
                running([*CLI, "simulator", "--wallets", "2000"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            )
            urls = json.loads(await anext(lines_of(venue)))
            env = {
                "POLYCOPY_DATABASE__URL": server.dsn,
                **{f"POLYCOPY_VENUE__{name.upper()}": url for name, url in urls.items() if name != "control_url"},
            }
            wallets = [f"0x{number:040x}" for number in range(FOLLOWED)]
            await once(options, "bench", lambda raw: raw.execute(FOLLOW, wallets, False))
            shapes = {"alone": ALONE, "two machines": TWO_MACHINES, "each apart": EACH_APART}
            return {name: await costs(sets, home, env, options) for name, sets in shapes.items()}


if __name__ == "__main__":
    print(json.dumps(trio.run(main), indent=1))
