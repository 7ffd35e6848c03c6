import json

import pytest
import trio
from engine_cli.cli_process import invoke
from engine_postgres.server_fixtures import fetch
from engine_postgres.test_member_store import beat_of

from engine.adapters.postgres.database import Connection, database_loop
from engine.adapters.postgres.leases import LeaseOffice
from engine.adapters.postgres.member_store import PostgresMemberStore
from protocols.cluster import EVERY_ROLE, Role


@pytest.fixture
def status(database, own_logging):
    env = {"POLYCOPY_DATABASE__URL": database.dsn}
    return lambda *arguments: invoke("cluster", "status", *arguments, env=env)


def fill(database, *beats):
    async def main():
        async with database_loop():
            connection = Connection(database, "test")
            for beat in beats:
                await PostgresMemberStore(connection).beat(beat)
            await LeaseOffice(connection=connection, owner="a", holder="host a", ttl_s=60).acquire("ingest")
            await connection.aclose()

    trio.run(main)


def test_without_an_engine_every_role_is_of_nobody(status):
    done = status()
    assert done.returncode == 1
    assert "No engine runs on this database" in done.stdout
    assert "Nobody does now: ingest, decide, execute, poll, jobs, api." in done.stdout


def test_an_engine_that_does_everything_is_enough(database, status):
    fill(database, beat_of("a", 1, *EVERY_ROLE, ttl_s=60, heap_bytes=80 << 20))
    done = status()
    assert done.returncode == 0
    head, row, _, _, lease = done.stdout.splitlines()[:5]
    assert head.split()[:3] == ["engine", "state", "does"]
    assert row.split()[:4] == ["host", "a", "live", "all"]
    assert "80.0 MiB" in row
    assert row.split()[-6:] == ["87.5", "%"] * 3
    assert lease.split()[:4] == ["ingest", "host", "a", "1"]


def test_a_standby_and_an_older_version_are_named(database, status):
    fill(database, beat_of("a", 1, *EVERY_ROLE, ttl_s=60), beat_of("b", 1, Role.JOBS, Role.API, ttl_s=60))
    fetch(database.dsn, "UPDATE cluster_members SET version = '0.9' WHERE member_id = 'b' RETURNING 1")
    done = status()
    assert done.returncode == 0
    assert "ingest, decide, execute, poll" in done.stdout.splitlines()[2]
    assert "Versions differ: 0.9, 1." in done.stdout


def test_json_has_the_names_of_the_fields(database, status):
    fill(database, beat_of("a", 1, Role.JOBS, ttl_s=60))
    done = status("--json")
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert document.keys() == {"members", "leases", "roles_of_nobody", "versions", "history"}
    [member] = document["members"]
    assert (member["holder"], member["working"], member["queue_depth"]) == ("host a", ["jobs"], 0)
    assert member["shares"] == {"data": 0.875, "gamma": 0.875, "clob": 0.0}
    assert document["roles_of_nobody"] == ["ingest", "decide", "execute", "poll", "api"]


def test_the_history_of_the_database_is_told_and_what_it_halted(database, status):
    fill(database, beat_of("a", 1, *EVERY_ROLE, ttl_s=60))
    assert "Database: timeline 1 for " in status().stdout
    assert "commits wait for no standby." in status().stdout
    fetch(
        database.dsn,
        "UPDATE database_histories SET continuity = 'doubtful', reason = 'failover to timeline 2';"
        "UPDATE lt_control SET halted_by = 'failover', halted_reason = 'failover to timeline 2', halted_at = now()",
    )
    said = status().stdout
    assert "The last commits of before may be missing: failover to timeline 2." in said
    assert "Live entries are halted: failover to timeline 2 (failover); `polycopy live unhalt`" in said
    history = json.loads(status("--json").stdout)["history"]
    assert (history["timeline"], history["continuity"], history["is_synchronous"]) == (1, "doubtful", False)
