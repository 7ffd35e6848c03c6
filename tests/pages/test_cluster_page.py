"""The engines of a cluster on the page Engine."""

import pytest
from engine_postgres.test_member_store import EXPIRE, beat_of
from pages.page_world import page_world

from engine.adapters.postgres.leases import LeaseOffice
from engine.adapters.postgres.member_store import PostgresMemberStore
from protocols.cluster import EVERY_ROLE, Role
from protocols.users import Scope


@pytest.fixture
async def world(database, aio):
    async with page_world(database) as one:
        yield one


async def test_engines_stand_with_roles_leases_and_shares(world):
    admin = await world.visitor("ann", Scope.READ, Scope.ADMIN)
    page = await world.get("/engine", admin)
    assert "Nobody does now: ingest, decide, execute, poll, jobs, api." in page.text
    connection = world.rows.connection
    store = PostgresMemberStore(connection)
    await store.beat(beat_of("a", 1, *EVERY_ROLE))
    await store.beat(beat_of("b", 1, Role.API))
    await store.beat(beat_of("c", 1, Role.POLL))
    await connection.run(lambda raw: raw.execute(EXPIRE, 5.0, "c"))
    await LeaseOffice(connection=connection, owner="a", holder="host a", ttl_s=90).acquire("ingest")
    page = await world.get("/engine", admin)
    assert "Nobody does now" not in page.text
    assert "host a" in page.text
    assert "epoch 1" in page.text
    assert "stands by for ingest, decide, execute, poll, jobs" in page.text
    assert "lost" in page.text
    assert "88 / 88 / 88 %" in page.text
    assert "timeline 1 for" in page.text
    assert "commits wait for no standby" in page.text
    assert "may be missing" not in page.text


async def test_a_failover_that_may_have_lost_commits_is_told(world):
    admin, connection = await world.visitor("ann", Scope.READ, Scope.ADMIN), world.rows.connection
    await LeaseOffice(connection=connection, owner="a", holder="host a", ttl_s=90).acquire("ingest")
    await connection.run(lambda raw: raw.execute("UPDATE database_histories SET timeline = timeline - 1"))
    await LeaseOffice(connection=connection, owner="a", holder="host a", ttl_s=90).acquire("ingest")
    page = await world.get("/engine", admin)
    assert "The last commits of before may be missing: failover to timeline 1 from 0" in page.text
    assert "Live entries are halted" not in page.text, "nobody trades live here"
    halt = "UPDATE lt_control SET halted_by = 'failover', halted_at = now(), halted_reason = '<b>lost</b>'"
    await connection.run(lambda raw: raw.execute(halt))
    page = await world.get("/engine", admin)
    assert "Live entries are halted: <b>lost</b> (failover)" in page.text
    assert "<b>lost" not in page.html
