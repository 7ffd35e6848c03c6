"""PostgreSQL servers for tests: one throw-away cluster a session, one database a test, pgbouncer in front if wanted.

Synchronous, for use from ordinary pytest fixtures; an async test calls these through `trio.to_thread.run_sync`.

POLYCOPY_TEST_POSTGRES chooses the server: `embedded` (the wheel's, default), `15` … `18` (installed on the machine), or
the DSN of a running server on which we may create databases.
"""

import asyncio
import ctypes
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit, urlunsplit

import asyncpg
import attrs
import pytest

from engine.adapters.postgres.postmaster import initdb_argv, live_postmaster, postgres_argv, server_dsn
from engine.adapters.postgres.privileges import ServerAccount, claim_data_dir, current_account
from engine.adapters.postgres.server_binaries import (
    ServerBinaries,
    find_embedded_binaries,
    find_system_binaries,
    reachable_binaries,
)

CHOICE_VARIABLE = "POLYCOPY_TEST_POSTGRES"
DIRECTORY_PREFIX = "polycopy-test-"
FAST_SETTINGS = {
    "max_connections": "100",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_wal_size": "128MB",
    "shared_buffers": "128MB",
}
START_TIMEOUT_S = 30.0

_database_numbers = itertools.count(1)


def fetch(dsn: str, sql: str, *args: Any) -> list[tuple[Any, ...]]:
    """Runs one statement (several without args) on a connection of its own, in a thread with a loop of its own."""

    async def query() -> list[tuple[Any, ...]]:
        connection = await asyncpg.connect(dsn, statement_cache_size=0, timeout=20)
        try:
            if not args and ";" in sql:
                await connection.execute(sql)
                return []
            return [tuple(row) for row in await connection.fetch(sql, *args)]
        finally:
            await connection.close()

    def in_own_loop() -> list[tuple[Any, ...]]:
        loop = asyncio.SelectorEventLoop()
        try:
            return loop.run_until_complete(query())
        finally:
            loop.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(in_own_loop).result()


@attrs.frozen(kw_only=True)
class DatabaseServer:
    """A server on which tests make and drop databases."""

    admin_dsn: str

    def create_database(self, template: str = "template0") -> str:
        """A new database as a copy of `template` (which must have no session); returns its DSN."""
        name = f"polycopy_test_{os.getpid()}_{next(_database_numbers)}"
        # Without fsync a copy of files takes half of the time of one that goes through the log.
        fetch(self.admin_dsn, f"CREATE DATABASE {name} TEMPLATE {template} ENCODING 'UTF8' STRATEGY FILE_COPY")
        return self.dsn_of(name)

    def drop_database(self, dsn: str) -> None:
        """Drops it with whatever sessions are left."""
        fetch(self.admin_dsn, f"DROP DATABASE IF EXISTS {database_name(dsn)} WITH (FORCE)")

    @contextmanager
    def database(self, template: str = "template0") -> Iterator[str]:
        """DSN of a database that lives as long as the block."""
        dsn = self.create_database(template)
        try:
            yield dsn
        finally:
            self.drop_database(dsn)

    def dsn_of(self, name: str) -> str:
        return urlunsplit(urlsplit(self.admin_dsn)._replace(path=f"/{name}"))


def database_name(dsn: str) -> str:
    return urlsplit(dsn).path.lstrip("/")


@contextmanager
def database_server() -> Iterator[DatabaseServer]:
    """The server that POLYCOPY_TEST_POSTGRES names; ours is fast and forgets everything. Skips if it is not there."""
    choice = os.environ.get(CHOICE_VARIABLE, "embedded")
    if "://" in choice:
        yield DatabaseServer(admin_dsn=choice)
        return
    with scratch_directory() as directory, throw_away_server(directory / "data", chosen_binaries(choice)) as dsn:
        yield DatabaseServer(admin_dsn=dsn)


def chosen_binaries(choice: str) -> ServerBinaries:
    binaries = find_embedded_binaries() if choice == "embedded" else find_system_binaries(int(choice))
    if binaries is None:
        pytest.skip(f"{CHOICE_VARIABLE}={choice}: no PostgreSQL {choice} is installed")
    return binaries


@contextmanager
def throw_away_server(data_dir: Path, binaries: ServerBinaries) -> Iterator[str]:
    """A server without fsync that dies with this process; yields the DSN of its database `postgres`."""
    account = claim_data_dir(data_dir)
    binaries = reachable_binaries(binaries, account, [data_dir / "binaries"])
    cluster_dir = data_dir / "cluster"
    options = account.popen_options() | {"stdin": subprocess.DEVNULL}
    subprocess.run(initdb_argv(binaries, cluster_dir, durable=False), check=True, capture_output=True, **options)
    argv = postgres_argv(binaries, cluster_dir, cluster_dir, durable=False, settings=FAST_SETTINGS)
    with (data_dir / "server.log").open("wb") as log, running(argv, log, signal.SIGINT, options) as process:

        def is_ready() -> bool:
            found = live_postmaster(cluster_dir)
            return found is not None and found.pid == process.pid and found.status == "ready"

        wait_until(is_ready, process, data_dir / "server.log")
        yield server_dsn(str(cluster_dir), database="postgres")


@contextmanager
def running(
    argv: list[str], log: Any, stop_signal: int, options: dict[str, Any]
) -> Iterator["subprocess.Popen[bytes]"]:
    libc = ctypes.CDLL(None)

    def die_with_parent() -> None:
        libc.prctl(1, signal.SIGQUIT)  # PR_SET_PDEATHSIG: a killed test run leaves no server behind

    process = subprocess.Popen(argv, stdout=log, stderr=log, preexec_fn=die_with_parent, **options)
    try:
        yield process
    finally:
        process.send_signal(stop_signal)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until(condition: Any, process: "subprocess.Popen[bytes]", log_path: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not condition():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{process.args!r} does not run: {log_path.read_text('utf-8', 'replace')[-2000:]}")
        time.sleep(0.005)


@contextmanager
def scratch_directory(parent: Path | None = None) -> Iterator[Path]:
    """A short, fast directory that an unprivileged server may pass through, unlike pytest's own when root runs it."""
    if parent is None:
        shared_memory = Path("/dev/shm")
        parent = shared_memory if os.access(shared_memory, os.W_OK) else Path(tempfile.gettempdir())
    _remove_leftovers(parent)
    directory = Path(tempfile.mkdtemp(prefix=f"{DIRECTORY_PREFIX}{os.getpid()}-", dir=parent))
    directory.chmod(0o711)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _remove_leftovers(parent: Path) -> None:
    """Directories of test runs that were killed: 50 MB of memory each."""
    for path in parent.glob(f"{DIRECTORY_PREFIX}*"):
        pid = path.name.removeprefix(DIRECTORY_PREFIX).partition("-")[0]
        with suppress(OSError):
            if pid.isdecimal() and not Path("/proc", pid).exists() and path.stat().st_uid == os.geteuid():
                shutil.rmtree(path, ignore_errors=True)


@contextmanager
def engine_process(
    data_dir: Path, *arguments: object, uid: int | None = None
) -> Iterator[tuple["subprocess.Popen[str]", dict[str, Any]]]:
    """`server_child.py` in a process of its own, which may be killed; yields what it said when it was up."""
    child = Path(__file__).with_name("server_child.py")
    argv = [sys.executable, str(child), str(os.geteuid() if uid is None else uid), str(data_dir), *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process, json.loads(process.stdout.readline())
        finally:
            process.stdin.close()
            process.wait(timeout=30)


def pgbouncer_program() -> str:
    """Path of pgbouncer; skips the test if it is not installed."""
    found = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip("pgbouncer is not installed (Debian: apt-get install pgbouncer)")
    return found


@contextmanager
def pgbouncer(server_dsn: str, *, pool_size: int = 5) -> Iterator[str]:
    """A pooler in transaction mode in front of all databases of the server; yields the DSN of the same database."""
    program = pgbouncer_program()
    with scratch_directory() as parent:
        directory = parent / "pool"
        account = claim_data_dir(directory) if os.geteuid() == 0 else _own(directory)
        config = directory / "pgbouncer.ini"
        config.write_text(_pgbouncer_config(server_dsn, directory, pool_size))
        config.chmod(0o644)
        log_path = directory / "pgbouncer.log"
        options = account.popen_options() | {"stdin": subprocess.DEVNULL}
        with log_path.open("wb") as log, running([program, str(config)], log, signal.SIGTERM, options) as process:
            wait_until((directory / ".s.PGSQL.6432").exists, process, log_path)
            yield f"postgresql://polycopy@/{database_name(server_dsn)}?host={directory}&port=6432"


def _own(directory: Path) -> ServerAccount:
    directory.mkdir(mode=0o700)
    return current_account()


def _pgbouncer_config(server_dsn: str, directory: Path, pool_size: int) -> str:
    parts = urlsplit(server_dsn)
    query = {key: values[0] for key, values in parse_qs(parts.query).items()}
    upstream = {
        "host": query.get("host") or parts.hostname or "127.0.0.1",
        "port": query.get("port") or str(parts.port or 5432),
        "user": unquote(parts.username or "polycopy"),
        **({"password": unquote(parts.password)} if parts.password else {}),
    }
    settings = {
        "listen_port": "6432",  # a part of the socket's name; no address is listened on
        "unix_socket_dir": str(directory),
        "auth_type": "any",
        "pool_mode": "transaction",
        "default_pool_size": str(pool_size),
        "max_client_conn": "200",
        "server_reset_query_always": "0",
        "ignore_startup_parameters": "extra_float_digits",
    }
    lines = ["[databases]", "* = " + " ".join(f"{key}='{value}'" for key, value in upstream.items()), "[pgbouncer]"]
    return "\n".join([*lines, *(f"{key} = {value}" for key, value in settings.items())]) + "\n"
