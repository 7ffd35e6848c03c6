"""Addresses of several servers: how they are read, and that a silent one costs a moment and not the connection."""

import socket
import socketserver
import threading
import time
from contextlib import contextmanager, suppress
from urllib.parse import parse_qs, urlsplit

import pytest
from engine_postgres.server_fixtures import database_name

from engine.adapters.postgres.addresses import HEAD_START_S, places
from engine.adapters.postgres.database import Connection, DatabaseOptions
from protocols.errors import TransientError


@pytest.mark.parametrize(
    ("dsn", "found"),
    [
        ("postgresql://u:p@one:5433,two:5434/db?target_session_attrs=read-write", [("one", 5433), ("two", 5434)]),
        ("postgresql://u:p@one,two/db", [("one", 5432), ("two", 5432)]),
        ("postgresql://[::1]:5433,[fd00::2]/db", [("::1", 5433), ("fd00::2", 5432)]),
        ("postgresql:///db?host=one,two&port=5433,5434", [("one", 5433), ("two", 5434)]),
        ("postgresql:///db?host=one,two&port=5433", [("one", 5433), ("two", 5433)]),
        ("postgresql:///db?host=one,two", [("one", 5432), ("two", 5432)]),
        ("postgresql://u:p@one:5433/db", []),
        ("postgresql:///db?host=/run/a,/run/b", []),
        ("postgresql://u@one:x,two/db", []),
        ("postgresql://[one,two/db", []),
        ("nonsense", []),
    ],
)
def test_hosts_are_read_from_where_they_may_stand(dsn, found):
    assert places(dsn) == found


@pytest.fixture
def tcp_server(database):
    """The port on loopback, and the name, of a database that itself listens on a Unix socket only."""
    query = {name: values[0] for name, values in parse_qs(urlsplit(database.dsn).query).items()}
    if "host" not in query:
        pytest.skip("the server of POLYCOPY_TEST_POSTGRES is not on a Unix socket")
    path = f"{query['host']}/.s.PGSQL.{query['port']}"

    class Relay(socketserver.BaseRequestHandler):
        def handle(self):
            with socket.socket(socket.AF_UNIX) as server:
                server.connect(path)
                back = threading.Thread(target=copy, args=(server, self.request), daemon=True)
                back.start()
                copy(self.request, server)
                back.join(timeout=5)

    # In threads: what is tried here runs in the loop of the test.
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Relay) as relay:
        relay.daemon_threads = True
        threading.Thread(target=relay.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield relay.server_address[1], database_name(database.dsn)
        relay.shutdown()


def copy(source, sink):
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


@contextmanager
def silent_server():
    """Takes connections in and says nothing, as long as the kernel does so for it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@contextmanager
def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    yield port


async def test_a_silent_server_is_not_waited_for(tcp_server, aio):
    port, name = tcp_server
    with silent_server() as silent:
        dsn = f"postgresql://polycopy@127.0.0.1:{silent},127.0.0.1:{port}/{name}?target_session_attrs=read-write"
        connection = Connection(DatabaseOptions(dsn=dsn, connect_timeout_s=20), "test")
        began_s = time.monotonic()
        assert await connection.run(lambda raw: raw.fetchval("SELECT 7")) == 7
        assert HEAD_START_S <= time.monotonic() - began_s < 15
        await connection.aclose()


async def test_one_that_refuses_costs_nothing(tcp_server, aio):
    port, name = tcp_server
    with free_port() as refusing:
        dsn = f"postgresql://polycopy@127.0.0.1:{refusing},127.0.0.1:{port}/{name}?target_session_attrs=read-write"
        connection = Connection(DatabaseOptions(dsn=dsn, connect_timeout_s=20), "test")
        assert await connection.run(lambda raw: raw.fetchval("SELECT 7")) == 7
        await connection.aclose()


async def test_when_nobody_answers_it_is_weather(aio):
    with silent_server() as one, free_port() as other:
        dsn = f"postgresql://polycopy@127.0.0.1:{one},127.0.0.1:{other}/db"
        connection = Connection(DatabaseOptions(dsn=dsn, connect_timeout_s=1), "test")
        with pytest.raises(TransientError):
            await connection.run(lambda raw: raw.fetchval("SELECT 7"))
