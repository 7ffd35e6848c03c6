"""What the contract does not say of an edge over PostgreSQL: the transactions of others, leases, and claims that run out."""

import pytest

from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.edge_store import PostgresEdgeStore, acknowledge_within, append_within
from engine.adapters.postgres.leases import LeaseHold, LeaseOffice
from protocols.errors import FencedError, RejectedError, TransientError


class RolledBackError(Exception):
    pass


@pytest.fixture
async def connection(database, aio):
    connection = Connection(database, "edges")
    yield connection
    await connection.aclose()


async def lease(connection, owner):
    hold = await LeaseOffice(connection=connection, owner=owner, holder=owner, ttl_s=60).acquire("shard 1")
    assert isinstance(hold, LeaseHold)
    return hold


async def expire(connection):
    await connection.run(lambda raw: raw.execute("UPDATE engine_leases SET expires_at = now()"))


async def test_what_is_handed_over_in_a_transaction_is_there_when_it_commits_and_only_then(connection):
    store = PostgresEdgeStore(connection=connection, edge="intents", who="r")

    async def work(raw, fails):
        async with raw.transaction():
            await append_within(raw, "intents", "journal", [b"one", b"two"])
            if fails:
                raise RolledBackError

    with pytest.raises((RolledBackError, RejectedError, TransientError)):
        await connection.run(lambda raw: work(raw, fails=True))
    assert await store.take(10, 0) == []
    await connection.run(lambda raw: work(raw, fails=False))
    assert [one.body for one in await store.take(10, 0)] == [b"one", b"two"]
    assert (await store.figures()).sent == 2


async def test_what_is_ended_in_the_readers_own_transaction_is_handled_exactly_once(connection):
    store = PostgresEdgeStore(connection=connection, edge="intents", who="r")
    await store.append(1, [b"one"])
    (taken,) = await store.take(10, 0)

    async def work(raw):
        async with raw.transaction():
            return await acknowledge_within(raw, store, [taken.item_id])

    assert await connection.run(work) == 1
    assert await connection.run(work) == 0
    figures = await store.figures()
    assert (figures.acknowledged, figures.in_hand, figures.depth) == (1, 0, 0)


async def test_whoever_lost_the_lease_neither_takes_nor_ends_anything_and_the_next_has_it_all_at_once(connection):
    old_hold = await lease(connection, "old")
    old = PostgresEdgeStore(connection=connection, edge="e", who="old", lease=old_hold, claim_s=600)
    await old.append(1, [b"a", b"b"])
    (taken,) = await old.take(1, 0)
    await expire(connection)
    new_hold = await lease(connection, "new")
    new = PostgresEdgeStore(connection=connection, edge="e", who="new", lease=new_hold, claim_s=600)
    assert [one.body for one in await new.take_over()] == [b"a"], "though its claim has minutes left"
    for attempt in (
        lambda: old.take(1, 0),
        lambda: old.acknowledge([taken.item_id]),
        lambda: old.bury(taken, "x"),
        lambda: old.recount(taken.item_id, 2),
    ):
        with pytest.raises(FencedError):
            await attempt()
    assert [one.body for one in await new.take(1, 0)] == [b"b"]
    assert (await new.figures()).in_hand == 2


async def test_a_claim_is_another_consumers_when_it_has_run_out_and_not_before(connection):
    one = PostgresEdgeStore(connection=connection, edge="e", who="one", claim_s=600)
    two = PostgresEdgeStore(connection=connection, edge="e", who="two", claim_s=600)
    await one.append(1, [b"a"])
    (taken,) = await one.take(1, 0)
    assert await two.take_over() == []
    await connection.run(lambda raw: raw.execute("UPDATE edge_items SET claimed_until = now()"))
    assert [item.body for item in await two.take_over()] == [b"a"]
    assert await one.acknowledge([taken.item_id]) == 0
    assert await two.acknowledge([taken.item_id]) == 1


async def test_dead_letters_stay_for_people_and_the_newest_of_them(connection):
    store = PostgresEdgeStore(connection=connection, edge="e", who="r", dead_max=3)
    await store.append(1, [str(number).encode() for number in range(5)])
    for taken in await store.take(10, 0):
        assert await store.bury(taken, "bad\0text")
    rows = await connection.run(lambda raw: raw.fetch("SELECT body, reason FROM edge_dead_letters ORDER BY item_id"))
    assert [(row["body"], row["reason"]) for row in rows] == [(body, "badtext") for body in (b"2", b"3", b"4")]
    assert (await store.figures()).dead == 5


async def test_edges_do_not_see_each_other(connection):
    one = PostgresEdgeStore(connection=connection, edge="intents:1", who="r")
    two = PostgresEdgeStore(connection=connection, edge="intents:2", who="r")
    await one.append(1, [b"a"])
    assert await two.take(10, 0) == []
    assert (await two.figures()).sent == 0
