import random

import attrs
import pytest
import trio
from engine_postgres.server_fixtures import fetch
from property.memory_members import report_of

from actors.rules.api_shares import WHOLE
from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.leases import LeaseOffice
from engine.adapters.postgres.member_store import PostgresMemberStore
from protocols.cluster import Api, Beat, MemberFigures, Role
from protocols.errors import TransientError

EXPIRE = "UPDATE cluster_members SET expires_at = clock_timestamp() - $1 * interval '1 second' WHERE member_id = $2"
DATA, GAMMA = Api.DATA, Api.GAMMA


@pytest.fixture
async def connection(database, aio):
    one = Connection(database, "test")
    yield one
    await one.aclose()


@pytest.fixture
def store(connection):
    return PostgresMemberStore(connection)


def beat_of(name, number, *working, using=None, ttl_s=15.0, **figures):
    report = report_of(name, *working)
    if figures:
        report = attrs.evolve(report, figures=MemberFigures(**figures))
    return Beat(report=report, number=number, using=using or {}, ttl_s=ttl_s)


async def test_a_member_is_read_as_it_reported(store):
    figures = {"queue_depth": 3, "queue_ratio": 0.5, "loop_lag_ms": 1.5, "heap_bytes": 10**9, "stream_age_s": 0.25}
    answer = await store.beat(beat_of("a", 1, Role.POLL, **figures))
    [me] = answer.members
    assert me.report == beat_of("a", 1, Role.POLL, **figures).report
    assert (me.is_live, me.has_left) == (True, False)
    assert 14 < me.left_s <= 15
    assert me.shares[DATA] == answer.granted[DATA] == 875
    assert me.shares[GAMMA] == 0


async def test_shares_move_when_whoever_gives_has_said_so(store):
    assert (await store.beat(beat_of("a", 1, Role.POLL))).granted[DATA] == 875
    newcomer = await store.beat(beat_of("b", 1, Role.POLL))
    assert newcomer.granted[DATA] == 62
    # The first is told to use less, and still counts for what it may be using until it says so.
    told = await store.beat(beat_of("a", 2, Role.POLL, using={DATA: 875}))
    assert told.granted[DATA] == 437
    assert {one.report.member_id: one.shares[DATA] for one in told.members} == {"a": 875, "b": 62}
    said = await store.beat(beat_of("a", 3, Role.POLL, using={DATA: 437}))
    assert {one.report.member_id: one.shares[DATA] for one in said.members} == {"a": 437, "b": 62}
    assert (await store.beat(beat_of("b", 2, Role.POLL, using={DATA: 62}))).granted[DATA] == 437


async def test_whoever_leaves_frees_his_share_and_whoever_dies_keeps_a_little(store, connection):
    await store.beat(beat_of("a", 1, Role.POLL))
    await store.leave("a")
    answer = await store.beat(beat_of("b", 1, Role.POLL))
    assert answer.granted[DATA] == 875
    assert [(one.report.member_id, one.is_live, one.has_left) for one in answer.members] == [
        ("a", False, True), ("b", True, False),
    ]  # fmt: skip
    await connection.run(lambda raw: raw.execute(EXPIRE, 1.0, "b"))
    assert (await store.beat(beat_of("c", 1, Role.INGEST))).granted[
        DATA
    ] == 875  # 1000 less the 50 of b, no reserve of it
    await connection.run(lambda raw: raw.execute(EXPIRE, 4_000.0, "b"))
    again = await store.beat(beat_of("c", 2, Role.INGEST))
    assert [one.report.member_id for one in again.members] == ["a", "c"]
    assert [one.report.member_id for one in (await store.reading()).members] == ["c", "a"]


async def test_a_heartbeat_that_a_later_one_overtook_is_nothing(store):
    await store.beat(beat_of("a", 5, Role.POLL))
    with pytest.raises(TransientError, match="later"):
        await store.beat(beat_of("a", 4, Role.JOBS))
    [me] = (await store.reading()).members
    assert me.report.working == {Role.POLL}


async def test_leases_are_those_of_the_process_and_of_its_jobs(store, connection):
    await store.beat(beat_of("a", 1))
    await store.beat(beat_of("b", 1))
    for owner, name in (("a", "ingest"), ("a/1", "job:retention"), ("b", "live:main"), ("gone", "job:x")):
        await LeaseOffice(connection=connection, owner=owner, holder=owner, ttl_s=9).acquire(name)
    reading = await store.reading()
    held = {one.report.member_id: [(lease.name, lease.epoch) for lease in one.leases] for one in reading.members}
    assert held == {"a": [("ingest", 1), ("job:retention", 1)], "b": [("live:main", 1)]}
    assert [one.name for one in reading.leases] == ["ingest", "job:retention", "job:x", "live:main"]
    assert all(8 < one.left_s <= 9 for one in reading.leases)


async def test_a_role_of_a_later_version_is_passed_over(store, database):
    await store.beat(beat_of("a", 1, Role.API))
    fetch(
        database.dsn,
        "UPDATE cluster_members SET roles = roles || '{dance}', working = working || '{dance}' RETURNING 1",
    )
    [me] = (await store.reading()).members
    assert me.report.working == {Role.API}


async def test_many_at_once_never_get_more_than_there_is(database, aio):
    """Twelve processes on connections of their own, whose heartbeats cross each other."""
    rng = random.Random(4)
    sums = []

    async def member(name):
        connection = Connection(database, name)
        using = {}
        for number in range(1, 9):
            await trio.sleep(rng.random() / 50)
            answer = await PostgresMemberStore(connection).beat(beat_of(name, number, Role.POLL, using=using))
            using = answer.granted
            sums.append(sum(one.shares[DATA] for one in answer.members))
        await connection.aclose()

    async with trio.open_nursery() as nursery:
        for number in range(12):
            nursery.start_soon(member, f"m{number}")
    assert len(sums) == 96
    assert max(sums) <= WHOLE
    assert sums[-1] >= 800
