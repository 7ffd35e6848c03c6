"""Stops a database server as a stalled machine would: its processes stay, its sockets stay, nothing answers."""

import os
import signal

from engine.adapters.postgres.embedded_server import EmbeddedServer


def freeze(server: EmbeddedServer, number: signal.Signals) -> None:
    """Stops or continues the database with all its sessions."""
    children = [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and parent_of(int(pid)) == server.pid]
    for pid in (server.pid, *children):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def parent_of(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return int(file.read().rpartition(")")[2].split()[1])
    except OSError:
        return 0
