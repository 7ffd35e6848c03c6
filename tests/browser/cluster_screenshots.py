"""Pictures of the Engine page of a cluster: `python -m tests.browser.cluster_screenshots DIR`.

An ingest, a standby of it, one that died, and one that serves API, pages and jobs, against a simulated venue.
"""

import json
import os
import subprocess
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import trio
from browser.demo_site import PASSWORD, PLENTY

from engine.adapters.password_hashing import Argon2Hasher
from engine.adapters.postgres.database import DatabaseOptions, database_loop, open_connection
from engine.adapters.postgres.embedded_server import run_embedded_server
from engine.adapters.postgres.migrate import migrate
from engine.adapters.postgres.session_store import PostgresPasswords
from tests.bench.processes import free_port, http_get, lines_of, running

CLI = [sys.executable, "-m", "engine.cli.main"]
INGEST = ("ingest", "decide", "execute", "poll")


async def engine(stack: AsyncExitStack, home: Path, env: dict[str, str], *roles: str) -> tuple[trio.Process, int]:
    """Starts an engine and waits until it is ready, or stands by."""
    port = free_port()
    own = {"POLYCOPY_HTTP__PORT": str(port), "POLYCOPY_WRITER__SPILL_DIR": str(home / str(port))}
    argv = [*CLI, "run", *(word for role in roles for word in ("--role", role))]
    process = await stack.enter_async_context(
        running(argv, env={**os.environ, **env, **own}, stderr=subprocess.DEVNULL)
    )
    with trio.fail_after(120):
        while '"ready":true' not in (body := (await http_get(port, "/readyz"))[1]) and "is held by" not in body:
            await trio.sleep(0.2)
    return process, port


async def main(where: Path) -> None:
    """Starts everything and looks at it in both themes and widths."""
    where.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        home = Path(place)
        home.chmod(0o711)
        async with (
            database_loop(),
            run_embedded_server(data_dir=home / "postgres") as server,
            AsyncExitStack() as stack,
        ):
            options = DatabaseOptions(dsn=server.dsn)
            await migrate(options)
            async with open_connection(options, "pictures") as connection:
                passwords = PostgresPasswords(connection)
                row = await passwords.password("admin")
                assert row is not None
                await passwords.set_password(row.user_id, await Argon2Hasher().hash(PASSWORD), revision=row.revision)
            venue = await stack.enter_async_context(
                running([*CLI, "simulator"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            )
            urls = json.loads(await anext(lines_of(venue)))
            addresses = {f"POLYCOPY_VENUE__{name.upper()}": url for name, url in urls.items() if name != "control_url"}
            env = {**PLENTY, **addresses, "POLYCOPY_DATABASE__URL": server.dsn}
            dying, _ = await engine(stack, home, env, *INGEST)
            await engine(stack, home, env, *INGEST)
            dying.kill()
            await engine(stack, home, env, *INGEST)
            _, serving = await engine(stack, home, env, "api", "jobs")
            # Whoever died is lost after the time of a lease.
            await trio.sleep(20)
            # In a process of its own: Playwright's event loop and the database's cannot be loaded in one.
            address = f"http://127.0.0.1:{serving}"
            await trio.run_process([sys.executable, "-m", "tests.browser.cluster_looking", str(where), address])


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]))
