"""A primary and a standby that streams from it, each on a host of its own; the primary can be killed and the standby promoted.

PostgreSQL's own programs make the standby (`pg_basebackup`), so that they have to be installed: version 15 or later.
Everybody on the test's network is let in; nothing else reaches it.
"""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import attrs
import pytest
from crash.namespaces import Network
from engine_postgres.server_fixtures import fetch, running, wait_until

from engine.adapters.postgres.postmaster import NAME, PORT, initdb_argv, live_postmaster, server_processes
from engine.adapters.postgres.privileges import ServerAccount, claim_data_dir
from engine.adapters.postgres.server_binaries import ServerBinaries, find_system_binaries

PRIMARY, STANDBY = "db1", "db2"
SETTINGS = {
    "max_connections": "250", "shared_buffers": "64MB", "max_wal_size": "256MB", "wal_level": "replica",
    "max_wal_senders": "4", "hot_standby": "on", "dynamic_shared_memory_type": "mmap", "wal_receiver_timeout": "5s",
    "wal_sender_timeout": "5s", "jit": "off", "fsync": "off", "max_parallel_workers_per_gather": "0",
}  # fmt: skip
"""Without fsync: processes are killed here, not the power."""


@attrs.define(eq=False, kw_only=True)
class PostgresPair:
    """Two servers with the same data, one of them in recovery."""

    network: Network
    binaries: ServerBinaries
    account: ServerAccount
    home: Path
    stack: ExitStack
    synchronous: bool
    processes: dict[str, "subprocess.Popen[bytes]"] = attrs.field(factory=dict)

    def dsn(self, *hosts: str) -> str:
        """An address of one server, or of whichever of several can be written to."""
        places = ",".join(f"{self.network.address(host)}:{PORT}" for host in hosts)
        wanted = "?target_session_attrs=read-write" if len(hosts) > 1 else ""
        return f"postgresql://{NAME}@{places}/{NAME}{wanted}"

    @property
    def both(self) -> str:
        """What engines are told: they find the one that can be written to."""
        return self.dsn(PRIMARY, STANDBY)

    def kill(self, host: str) -> None:
        """kill -9 of the server and everything that it started."""
        for child in server_processes(self.home / host):
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        self.processes[host].kill()
        self.processes[host].wait()

    def promote(self, host: str) -> None:
        """Has a standby take over. Returns when it accepts writes."""
        fetch(self.dsn(host), "SELECT pg_promote(true, 30)")

    def start_primary(self) -> None:
        """Makes an empty cluster and serves it; with `synchronous` a commit waits for the standby."""
        cluster = self.home / PRIMARY
        self._run(initdb_argv(self.binaries, cluster, durable=False))
        with (cluster / "pg_hba.conf").open("a") as rules:
            rules.write("host all all 10.77.0.0/24 trust\nhost replication all 10.77.0.0/24 trust\n")
        # `auth-host=reject` of the engine's own command line stands before ours.
        kept = [line for line in (cluster / "pg_hba.conf").read_text().splitlines() if not line.endswith("reject")]
        (cluster / "pg_hba.conf").write_text("\n".join([*kept, ""]))
        waits = {"synchronous_standby_names": STANDBY} if self.synchronous else {}
        # Set with the command line: a copy of the files, which is what the standby is, does not inherit it.
        self._serve(PRIMARY, {})
        fetch(self._admin(PRIMARY), f"CREATE DATABASE {NAME}")
        self._copy()
        self._serve(STANDBY, {})
        for name, value in waits.items():
            self._alter(PRIMARY, name, value)

    def until_streaming(self, state: str) -> None:
        """Waits until the primary counts the standby as `sync` or `async`."""
        query = "SELECT 1 FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = $1"
        process = self.processes[PRIMARY]
        wait_until(lambda: bool(fetch(self.dsn(PRIMARY), query, state)), process, self.home / f"{PRIMARY}.log")

    def _alter(self, host: str, name: str, value: str) -> None:
        fetch(self._admin(host), f"ALTER SYSTEM SET {name} = '{value}'")
        fetch(self._admin(host), "SELECT pg_reload_conf()")

    def _admin(self, host: str) -> str:
        return self.dsn(host).removesuffix(NAME) + "postgres"

    def _copy(self) -> None:
        address = f"host={self.network.address(PRIMARY)} port={PORT} user={NAME} application_name={STANDBY}"
        argv = [self.binaries.program("pg_basebackup"), "-D", str(self.home / STANDBY), "-d", address]
        with self.network.on(STANDBY):
            self._run([*argv, "--checkpoint=fast", "--wal-method=stream", "--write-recovery-conf", "--no-sync"])

    def _serve(self, host: str, settings: dict[str, str]) -> None:
        cluster, log_path = self.home / host, self.home / f"{host}.log"
        argv = [self.binaries.program("postgres"), "-D", str(cluster)]
        own = {"listen_addresses": self.network.address(host), "port": str(PORT), "unix_socket_directories": ""}
        for name, value in {**SETTINGS, **own, **settings}.items():
            argv += ["-c", f"{name}={value}"]
        log = self.stack.enter_context(log_path.open("wb"))
        options = self.account.popen_options() | {"stdin": subprocess.DEVNULL}
        with self.network.on(host):
            process = self.stack.enter_context(running(argv, log, signal.SIGINT, options))
        self.processes[host] = process

        def is_ready() -> bool:
            found = live_postmaster(cluster)
            return found is not None and found.pid == process.pid and found.status in ("ready", "standby")

        wait_until(is_ready, process, log_path)
        if host == STANDBY:
            wait_until(lambda: bool(fetch(self.dsn(host), "SELECT 1")), process, log_path)

    def _run(self, argv: list[str]) -> None:
        options = self.account.popen_options() | {"stdin": subprocess.DEVNULL}
        subprocess.run(argv, check=True, capture_output=True, timeout=60, **options)


@contextmanager
def postgres_pair(network: Network, home: Path, *, synchronous: bool) -> Iterator[PostgresPair]:
    """Serves both until the block ends, streaming. Skips where PostgreSQL is not installed."""
    binaries = find_system_binaries()
    if binaries is None or binaries.major < 15:
        pytest.skip("PostgreSQL 15 or later is not installed (pg_basebackup makes the standby)")
    account = claim_data_dir(home)
    with ExitStack() as stack:
        pair = PostgresPair(
            network=network, binaries=binaries, account=account, home=home, stack=stack, synchronous=synchronous
        )
        pair.start_primary()
        pair.until_streaming("sync" if synchronous else "async")
        yield pair
