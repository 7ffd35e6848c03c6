from collections.abc import Iterator

import asyncpg
import pytest
from engine_postgres.server_fixtures import DatabaseServer, database_server, fetch, pgbouncer


@pytest.fixture(scope="module")
def server() -> Iterator[DatabaseServer]:
    with database_server() as running:
        yield running


def test_each_database_is_a_copy_of_the_template_and_goes_away(server):
    with server.database() as template:
        fetch(template, "CREATE TABLE t (a int); INSERT INTO t VALUES (1);")
        name = template.split("/")[3].split("?")[0]
        with server.database(name) as first, server.database(name) as second:
            fetch(first, "INSERT INTO t VALUES (2);")
            assert fetch(first, "SELECT count(*) FROM t") == [(2,)]
            assert fetch(second, "SELECT count(*) FROM t") == [(1,)]
        with pytest.raises(asyncpg.InvalidCatalogNameError):
            fetch(first, "SELECT 1")


def test_the_pooler_shares_few_sessions_between_transactions(server):
    with server.database() as dsn, pgbouncer(dsn, pool_size=1) as pooled:
        sessions = {fetch(pooled, "SELECT pg_backend_pid(), $1::text", "x")[0] for _ in range(3)}
        assert len(sessions) == 1
        assert fetch(dsn, "SELECT pg_backend_pid()")[0][0] not in {pid for pid, _ in sessions}
