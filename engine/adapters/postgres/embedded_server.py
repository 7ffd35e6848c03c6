"""Runs PostgreSQL as a part of the program: makes the cluster, starts, adopts, restarts and stops the server.

`data_dir` holds `cluster/` (PostgreSQL's own data directory and, if its path is short enough, the socket),
`server.log`, `postgres.lock`, and `binaries/` if the installed ones are out of reach for the server's account.

The server outlives a killed engine on purpose: the next engine on the same `data_dir` adopts it. A supervisor must let
the engine stop its server (systemd: `KillMode=mixed`), because a SIGTERM to the server itself refuses new connections
while the engine still drains.
"""

import logging
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import trio

from .postmaster import CREATE_DATABASE_SQL, choose_socket_dir, create_database_argv, initdb_argv, live_postmaster
from .privileges import (
    EmbeddedServerBusy,
    EmbeddedServerError,
    ServerAccount,
    claim_data_dir,
    default_data_dir,
    hold_lock,
)
from .server_binaries import ServerBinaries, find_embedded_binaries, find_system_binaries, reachable_binaries
from .server_process import EmbeddedServer

__all__ = [
    "EmbeddedServer",
    "EmbeddedServerBusy",
    "EmbeddedServerError",
    "ServerBinaries",
    "default_data_dir",
    "find_embedded_binaries",
    "find_system_binaries",
    "run_embedded_server",
    "running_server_dsn",
]

logger = logging.getLogger(__name__)

SYSTEM_CACHE: Final = Path("/var/cache/polycopy")
_NO_SETTINGS: Final[Mapping[str, str]] = {}


@asynccontextmanager
async def run_embedded_server(
    *,
    data_dir: Path,
    binaries: ServerBinaries | None = None,
    durable: bool = True,
    settings: Mapping[str, str] = _NO_SETTINGS,
    cache_dir: Path = SYSTEM_CACHE,
) -> AsyncIterator[EmbeddedServer]:
    """Yields the running server of `data_dir`, made on the first use; stops it on leaving, shielded, with a deadline.

    `binaries` default to the wheel's PostgreSQL 18. `durable=False` turns fsync off, for tests. `settings` are server
    settings by name. `cache_dir` takes a copy of binaries that the server's account cannot reach.
    Raises `EmbeddedServerBusy` if another live process runs this server, else `EmbeddedServerError`.
    """
    data_dir = Path(await trio.Path(data_dir).resolve())
    account = await trio.to_thread.run_sync(claim_data_dir, data_dir)
    with hold_lock(data_dir, account):
        found = binaries if binaries is not None else await trio.to_thread.run_sync(find_embedded_binaries)
        caches = [cache_dir, data_dir / "binaries"]
        usable = await trio.to_thread.run_sync(reachable_binaries, found, account, caches)
        cluster_dir = data_dir / "cluster"
        await _ensure_cluster(usable, cluster_dir, account, durable=durable)
        server = EmbeddedServer(
            binaries=usable,
            account=account,
            cluster_dir=cluster_dir,
            socket_dir=choose_socket_dir(data_dir, cluster_dir, account),
            log_path=data_dir / "server.log",
            durable=durable,
            settings=dict(settings),
        )
        try:
            await server.bring_up()
            yield server
        finally:
            await server.stop()


async def running_server_dsn(data_dir: Path, *, timeout_s: float = 10.0) -> str | None:
    """DSN of the server that is up on `data_dir`, whoever runs it, else None. Waits while it is still starting.

    Raises `EmbeddedServerError` if this user may not look into the directory.
    """
    cluster_dir = Path(await trio.Path(data_dir).resolve()) / "cluster"
    try:
        with trio.move_on_after(timeout_s):
            while (found := live_postmaster(cluster_dir)) is not None and found.status == "starting":  # noqa: ASYNC110
                await trio.sleep(0.02)
            await trio.lowlevel.checkpoint()
    except PermissionError as error:
        raise EmbeddedServerError(f"{error}: run as the user that runs the engine") from error
    return found.dsn if found is not None and found.status == "ready" else None


async def _ensure_cluster(
    binaries: ServerBinaries, cluster_dir: Path, account: ServerAccount, *, durable: bool
) -> None:
    """Makes the cluster aside and renames it, so that a crash half-way leaves nothing that looks like one."""
    if await trio.Path(cluster_dir).exists():
        _check_version(binaries, cluster_dir)
        return
    account.check_known()
    # The pid in the name: an initdb that outlived a killed engine may still write to its own.
    aside = cluster_dir.with_name(f"cluster.new.{os.getpid()}")
    await trio.to_thread.run_sync(_remove_all, cluster_dir.parent, "cluster.new.*")
    logger.info("making the embedded PostgreSQL cluster", extra={"path": str(cluster_dir), "version": binaries.version})
    await _run(initdb_argv(binaries, aside, durable=durable), account, cwd=cluster_dir.parent)
    await _run(create_database_argv(binaries, aside, durable=durable), account, cwd=aside, stdin=CREATE_DATABASE_SQL)
    await trio.to_thread.run_sync(_rename_durably, aside, cluster_dir)


def _check_version(binaries: ServerBinaries, cluster_dir: Path) -> None:
    try:
        major = (cluster_dir / "PG_VERSION").read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        raise EmbeddedServerError(
            f"{cluster_dir} is not a PostgreSQL cluster ({error}): restore it from a backup, "
            "or move it away and a new, empty one will be made"
        ) from error
    if major != str(binaries.major):
        raise EmbeddedServerError(
            f"{cluster_dir} was made by PostgreSQL {major}, the binaries in {binaries.bin_dir} are {binaries.version}: "
            f"dump it with PostgreSQL {major} and restore the dump into a new database.data_dir"
        )


async def _run(argv: list[str], account: ServerAccount, *, cwd: Path, stdin: bytes = b"") -> None:
    try:
        done = await trio.run_process(
            argv,
            stdin=stdin,
            capture_stdout=True,
            stderr=subprocess.STDOUT,
            check=False,
            cwd=cwd,
            **account.popen_options(),
        )
    except OSError as error:
        raise EmbeddedServerError(f"cannot run {argv[0]} as uid {account.uid}: {error}") from error
    if done.returncode != 0:
        said = done.stdout.decode("utf-8", "replace").strip()
        raise EmbeddedServerError(f"{Path(argv[0]).name} failed with code {done.returncode}: {said[-2000:]}")


def _remove_all(directory: Path, pattern: str) -> None:
    for path in directory.glob(pattern):
        shutil.rmtree(path, ignore_errors=True)


def _rename_durably(source: Path, target: Path) -> None:
    source.rename(target)
    descriptor = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
