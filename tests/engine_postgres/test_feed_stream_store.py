from random import Random

import pytest
import trio
from engine_postgres.feed_world import Fact, FeedWorld, wallet
from property.fake_feed import event_ids

from actors.feed_hub import FeedHub
from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.feed_stream_store import PostgresFeedStreamStore
from engine.adapters.postgres.follow_store import UserFollowStore

HOLE = "SELECT setval(pg_get_serial_sequence('trades_public', 'ingest_seq'), 100)"


@pytest.fixture
async def world(database, aio):
    connection = Connection(database, "test")
    yield FeedWorld(connection)
    await connection.aclose()


def seqs(rows):
    return [seq for seq, _ in rows]


async def test_an_empty_database_has_read_nothing(world):
    store = PostgresFeedStreamStore(world.connection)
    batch = await store.committed_after(0, 10)
    assert (list(batch.rows), batch.read_to, batch.newest, await store.newest_seq()) == ([], 0, 0, 0)


async def test_trades_come_in_the_order_of_their_commits_without_those_that_nobody_follows(world):
    store = PostgresFeedStreamStore(world.connection)
    await world.user([1])
    await world.user([2], unfollowed=[3])
    await world.trade([Fact("d", 1, 0), Fact("c", 3, 9), Fact("b", 2, 50), Fact("e", 4, 1)])
    await world.run(HOLE)
    await world.trade([Fact("a", 1, 99)])
    batch = await store.committed_after(0, 10)
    assert [(seq, row.trade_id) for seq, row in batch.rows] == [(1, "d"), (3, "b"), (101, "a")]
    assert (batch.read_to, batch.newest) == (101, 101)
    batch = await store.committed_after(1, 1)
    assert (list(batch.rows), batch.read_to, batch.newest) == ([], 2, 101)
    batch = await store.committed_after(3, 1)
    assert (list(batch.rows), batch.read_to) == ([], 4)
    batch = await store.committed_after(101, 10)
    assert (list(batch.rows), batch.read_to, batch.newest) == ([], 101, 101)


async def test_the_past_of_one_user_comes_in_pages(world):
    store = PostgresFeedStreamStore(world.connection)
    user_id = await world.user([1], unfollowed=[2])
    await world.trade([Fact(f"{number}", number % 3, number) for number in range(30)])
    assert seqs(await store.of_user(user_id, after=2, until=20, rows_max=4)) == [5, 8, 11, 14]
    assert seqs(await store.of_user(user_id, after=14, until=20, rows_max=4)) == [17, 20]
    assert seqs(await store.of_user(user_id, after=20, until=20, rows_max=4)) == []


async def test_only_those_whose_follows_changed_are_told(world):
    store, follows = PostgresFeedStreamStore(world.connection), UserFollowStore(world.connection)
    mine, yours, nobodys = await world.user([1, 2]), await world.user([2]), await world.user([])
    known = await store.changed_follows({mine: "", yours: "", nobodys: ""})
    assert {user_id: sorted(wallets) for user_id, (_, wallets) in known.items()} == {
        mine: [wallet(1), wallet(2)],
        yours: [wallet(2)],
        nobodys: [],
    }
    digests = {user_id: digest for user_id, (digest, _) in known.items()}
    assert await store.changed_follows(digests) == {}
    before = (await store.committed_after(0, 1)).follows_version
    await follows.remove(mine, [wallet(1)])
    await follows.add(mine, [wallet(3)])
    assert (await store.committed_after(0, 1)).follows_version > before
    [(user_id, (_, wallets))] = (await store.changed_follows(digests)).items()
    assert (user_id, sorted(wallets)) == (mine, [wallet(2), wallet(3)])


async def test_following_counts_what_changed_and_comes_in_pages(world):
    follows = UserFollowStore(world.connection)
    user_id = await world.user([1], unfollowed=[2])
    assert await follows.add(user_id, [wallet(number) for number in (1, 2, 3, 3)]) == 2
    assert await follows.add(user_id, [wallet(1)]) == 0
    assert await follows.remove(user_id, [wallet(1), wallet(9)]) == 1
    assert [row["wallet"] for row in await follows.page(user_id, "", 10)] == [wallet(2), wallet(3)]
    assert [row["wallet"] for row in await follows.page(user_id, wallet(2), 10)] == [wallet(3)]
    everybody = [wallet(number) for number in range(10_000)]
    assert await follows.add(user_id, everybody) == 9_998
    assert await follows.remove(user_id, everybody) == 10_000


async def test_somebody_who_is_gone_follows_nobody(world):
    follows = UserFollowStore(world.connection)
    assert await follows.add("00000000-0000-0000-0000-000000000000", [wallet(1)]) == 0


async def test_the_hub_over_a_real_database(world):
    hub = FeedHub(store=PostgresFeedStreamStore(world.connection), rng=Random(1))
    user_id = await world.user([1])
    await world.trade([Fact("a", 1, 0), Fact("b", 2, 0)])
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            await nursery.start(hub.run)
            subscription, resumed = await hub.subscribe(user_id, None), await hub.subscribe(user_id, 0)
            assert await subscription.chunk() == b"retry: 2000\nid: 2\n\n"
            await resumed.chunk()
            await world.trade([Fact("c", 2, 0), Fact("d", 1, 0)])
            hub.wake()
            assert event_ids(await subscription.chunk()) == [4]
            seen = event_ids(await resumed.chunk())
            assert seen + ([] if 4 in seen else event_ids(await resumed.chunk())) == [1, 4]
            nursery.cancel_scope.cancel()
