"""What a PostgreSQL server uses: processor time of all its processes, write-ahead log, transactions, statements."""

import os
from pathlib import Path
from typing import Any

import attrs
import trio

from .databases import BenchDatabase

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
COUNTERS = """
SELECT pg_current_wal_lsn() - '0/0'::pg_lsn AS wal_bytes,
    (SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()) AS transactions
"""
LOG_ON = "ALTER DATABASE {name} SET log_statement = 'all'"
LOG_OFF = "ALTER DATABASE {name} RESET log_statement"
CLOSE_OTHERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_MARKS = (b"LOG:  execute ", b"LOG:  statement: ")


@attrs.frozen(kw_only=True)
class ServerUse:
    """Counters that only rise."""

    cpu_s: float
    wal_bytes: int
    transactions: int


async def server_use(database: BenchDatabase, postmaster_pid: int) -> ServerUse:
    """Returns the counters of the server now; of its transactions those of one database."""
    row: Any = (await database.fetch(COUNTERS))[0]
    return ServerUse(
        cpu_s=_cpu_s(postmaster_pid), wal_bytes=int(row["wal_bytes"]), transactions=int(row["transactions"])
    )


async def statements_within(database: BenchDatabase, log: Path, seconds: float) -> int:
    """Returns how many statements clients send to a database in a while.

    The server counts none, so it writes each into its log; connections are made anew, as only new ones do so. What is
    measured of the server has to be measured at another time.
    """
    await database.fetch(LOG_ON.format(name=database.name))
    try:
        await database.fetch(CLOSE_OTHERS)
        await trio.sleep(3)
        start = log.stat().st_size
        await trio.sleep(seconds)
        with log.open("rb") as lines:
            lines.seek(start)
            data = lines.read()
    finally:
        await database.fetch(LOG_OFF.format(name=database.name))
        await database.fetch(CLOSE_OTHERS)
    return sum(data.count(mark) for mark in _MARKS)


def _cpu_s(postmaster_pid: int) -> float:
    """The postmaster, its children that are gone (which it has waited for), and those that live."""
    total = sum(_ticks(postmaster_pid)[:4])
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            *times, parent = _ticks(int(entry.name)) or (0, 0, 0, 0, 0)
            if parent == postmaster_pid:
                total += sum(times[:2])
    return total / _TICKS_PER_S


def _ticks(pid: int) -> tuple[int, ...]:
    """Returns user, system, and the same of waited children, then the parent; empty for a process that is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ()
    return (*(int(field) for field in fields[11:15]), int(fields[1]))
