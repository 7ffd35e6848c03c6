"""The server's processes as PostgreSQL knows them: command lines, settings, the pid file, the socket.

Facts about the pid file are those of PostgreSQL's `src/include/utils/pidfile.h`, the same from 10 to 18: eight lines,
pid, data directory, start time, port, first socket directory, listen address, shared memory key, status.
"""

import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final
from urllib.parse import quote

import attrs

from .privileges import EmbeddedServerError, ServerAccount, blocked_directory
from .server_binaries import ServerBinaries

__all__ = [
    "CREATE_DATABASE_SQL",
    "Postmaster",
    "choose_socket_dir",
    "create_database_argv",
    "initdb_argv",
    "live_postmaster",
    "make_socket_dir",
    "postgres_argv",
    "remove_stale_lock_files",
    "server_dsn",
    "server_processes",
]

PORT: Final = 5432  # only a part of the socket's name
SOCKET_PATH_BYTES_MAX: Final = 107  # sun_path of Linux is 108 with the final zero
NAME: Final = "polycopy"  # role and database
CREATE_DATABASE_SQL: Final = b"CREATE DATABASE polycopy\n"

_RESERVED_SETTINGS: Final = frozenset({"port", "listen_addresses", "unix_socket_directories", "data_directory"})

# For a small machine that the engine shares: some 50 MB, no parallel workers, little write-ahead log on disk.
_SETTINGS: Final[Mapping[str, str]] = {
    "shared_buffers": "32MB",
    "max_connections": "40",
    "work_mem": "4MB",
    "maintenance_work_mem": "32MB",
    "effective_cache_size": "256MB",
    "max_worker_processes": "4",
    "max_parallel_workers_per_gather": "0",
    "max_parallel_maintenance_workers": "0",
    "autovacuum_max_workers": "2",
    "jit": "off",  # compiles for longer than our queries take
    "wal_level": "minimal",  # nobody replicates; backups are dumps
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "min_wal_size": "48MB",
    "max_wal_size": "256MB",
    "checkpoint_timeout": "10min",
    "log_checkpoints": "off",  # every few minutes a line that nobody reads
    # Segments in /dev/shm are deleted when a login user's last session ends (systemd's RemoveIPC), and containers have
    # 64 MB of it. Files in the data directory have neither problem; without parallel workers they are hardly used.
    "dynamic_shared_memory_type": "mmap",
    "TimeZone": "UTC",
    "log_timezone": "UTC",
    "unix_socket_permissions": "0700",
}
_SETTINGS_FROM_18: Final[Mapping[str, str]] = {"io_method": "sync"}  # saves three worker processes


def initdb_argv(binaries: ServerBinaries, cluster_dir: Path, *, durable: bool = True) -> list[str]:
    """Makes a cluster: UTF-8, code point order, checksums, the role `polycopy`, trust on the Unix socket only."""
    if binaries.major >= 17:  # the provider that does not depend on the machine's C library
        locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    else:
        locale = ["--locale=C.UTF-8"]
    argv = [binaries.program("initdb"), "-D", str(cluster_dir), "-U", NAME, "--encoding=UTF8", *locale]
    argv += ["--auth-local=trust", "--auth-host=reject", "--data-checksums", "--no-instructions"]
    return argv if durable else [*argv, "--no-sync"]


def create_database_argv(binaries: ServerBinaries, cluster_dir: Path, *, durable: bool = True) -> list[str]:
    """Single-user mode on a cluster at rest; reads `CREATE_DATABASE_SQL` from standard input, fails on its error."""
    argv = [binaries.program("postgres"), "--single", "-D", str(cluster_dir), "-c", "exit_on_error=true"]
    argv += ["-c", "shared_buffers=8MB", "-c", "log_checkpoints=off", "-c", "dynamic_shared_memory_type=mmap"]
    return [*argv, *([] if durable else ["-F"]), "postgres"]


def postgres_argv(
    binaries: ServerBinaries, cluster_dir: Path, socket_dir: Path, *, durable: bool, settings: Mapping[str, str]
) -> list[str]:
    """Command line of the server. `settings` go over ours; those that decide where it listens are refused (ValueError)."""
    if refused := sorted(_RESERVED_SETTINGS & settings.keys()):
        raise ValueError(f"settings of the embedded server that cannot be changed: {', '.join(refused)}")
    # A list GUC: quoted, because a path may hold a comma or a space.
    quoted_socket_dir = '"' + str(socket_dir).replace('"', '""') + '"'
    merged = {
        **_SETTINGS,
        **(_SETTINGS_FROM_18 if binaries.major >= 18 else {}),
        **settings,
        "listen_addresses": "",
        "port": str(PORT),
        "unix_socket_directories": quoted_socket_dir,
    }
    argv = [binaries.program("postgres"), "-D", str(cluster_dir), *([] if durable else ["-F"])]
    for name, value in merged.items():
        argv += ["-c", f"{name}={value}"]
    return argv


def server_dsn(socket_dir: str, port: int = PORT, database: str = NAME) -> str:
    """A DSN for asyncpg and for libpq. The port is given because PGPORT would replace a missing one."""
    return f"postgresql://{NAME}@/{database}?host={quote(socket_dir, safe='/')}&port={port}"


@attrs.frozen(kw_only=True)
class Postmaster:
    """A live server of a cluster, by its pid file."""

    pid: int
    socket_dir: str
    port: int
    status: str
    """"starting", "ready", "stopping" or "standby"."""

    @property
    def dsn(self) -> str:
        return server_dsn(self.socket_dir, self.port)


def live_postmaster(cluster_dir: Path) -> Postmaster | None:
    """The server that runs on this cluster, whoever started it, or None.

    The pid in the file is believed only if that process is a PostgreSQL process whose working directory is the cluster:
    after a crash of the machine the number may be anybody's. Raises PermissionError if we may not look.
    """
    try:
        lines = (cluster_dir / "postmaster.pid").read_text("utf-8", "surrogateescape").splitlines()
        found = Postmaster(pid=int(lines[0]), socket_dir=lines[4], port=int(lines[3]), status=lines[7].strip())
    except (FileNotFoundError, NotADirectoryError, ValueError, IndexError):
        return None  # not there, or just being written
    return found if _is_server_process(found.pid, cluster_dir) else None


def server_processes(cluster_dir: Path) -> list[int]:
    """Pids of all processes of servers on this cluster, with those that outlived their postmaster."""
    pids = (int(entry) for entry in os.listdir("/proc") if entry.isdecimal())
    return [pid for pid in pids if _is_server_process(pid, cluster_dir)]


def _is_server_process(pid: int, cluster_dir: Path) -> bool:
    # Every server process works in the data directory; compared by inode, so a second name of it does not deceive.
    process = Path("/proc", str(pid))
    with suppress(OSError):
        return (process / "comm").read_bytes() == b"postgres\n" and (process / "cwd").samefile(cluster_dir)
    return False


def remove_stale_lock_files(cluster_dir: Path, socket_dir: Path) -> None:
    """Call it only while holding the lock and with no server process left on the cluster.

    A leftover lock file stops PostgreSQL if its pid is now in use by another process of the same user, as happens in a
    container that starts the same few processes every time. A pid that is not in use is left to PostgreSQL.
    """
    for path in (cluster_dir / "postmaster.pid", socket_dir / f".s.PGSQL.{PORT}.lock"):
        with suppress(FileNotFoundError, ValueError, IndexError):
            pid = abs(int(path.read_text("utf-8", "replace").split()[0]))
            if Path("/proc", str(pid)).exists():
                path.unlink()


def choose_socket_dir(data_dir: Path, cluster_dir: Path, account: ServerAccount) -> Path:
    """Where the socket goes: the cluster's own directory (mode 0700), unless that makes its path too long.

    Then `polycopy-pg-<uid>-<hash of data_dir>` in the system's temporary directory; PostgreSQL records it in
    `postmaster.pid`, where `running_server_dsn` finds it.
    """
    if _fits(cluster_dir):
        return cluster_dir
    name = f"polycopy-pg-{account.uid}-{sha256(os.fsencode(data_dir)).hexdigest()[:12]}"
    for parent in _temporary_directories():
        if _fits(parent / name) and parent.is_dir() and blocked_directory(parent, account) is None:
            return parent / name
    raise EmbeddedServerError(f"{data_dir} is too long for a Unix socket: set database.data_dir to a shorter path")


def make_socket_dir(socket_dir: Path, account: ServerAccount) -> None:
    """Makes the short directory (mode 0700), or checks that the one that is there is the account's alone."""
    with suppress(FileExistsError):
        socket_dir.mkdir(mode=0o700)
        if account.drops_root:
            os.chown(socket_dir, account.uid, account.gid, follow_symlinks=False)
    info = socket_dir.lstat()
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != account.uid or info.st_mode & 0o077:
        raise EmbeddedServerError(f"{socket_dir} is not a private directory of uid {account.uid}: remove it")


def _fits(socket_dir: Path) -> bool:
    path = os.fsencode(socket_dir / f".s.PGSQL.{PORT}")
    # A comma separates hosts in a DSN.
    return len(path) <= SOCKET_PATH_BYTES_MAX and b"," not in path


def _temporary_directories() -> Iterator[Path]:
    yield Path(tempfile.gettempdir())
    yield Path("/tmp")  # noqa: S108 - a private directory is made in it
