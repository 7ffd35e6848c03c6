"""Addresses of several servers: how they are read, and that a silent one costs a moment and not the connection."""

import socket
import time
from contextlib import contextmanager, suppress
from functools import partial
from urllib.parse import parse_qs, urlsplit

import pytest
import trio
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
async def tcp_server(database, nursery):
    """The port on loopback, and the name, of a database that itself listens on a Unix socket only."""
    query = {name: values[0] for name, values in parse_qs(urlsplit(database.dsn).query).items()}
    if "host" not in query:
        pytest.skip("the server of POLYCOPY_TEST_POSTGRES is not on a Unix socket")

    async def relay(client):
        path = f"{query['host']}/.s.PGSQL.{query['port']}"
        async with await trio.open_unix_socket(path) as server, trio.open_nursery() as copying:
            copying.start_soon(copy, client, server, copying.cancel_scope)
            copying.start_soon(copy, server, client, copying.cancel_scope)

    [listener] = await nursery.start(partial(trio.serve_tcp, relay, 0, host="127.0.0.1"))
    return listener.socket.getsockname()[1], database_name(database.dsn)


async def copy(source, sink, over):
    with suppress(trio.BrokenResourceError):
        async for data in source:
            await sink.send_all(data)
    over.cancel()


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
