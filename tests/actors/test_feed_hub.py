import gc
from contextlib import asynccontextmanager
from random import Random

import attrs
import msgspec
import pytest
import trio
from property.fake_feed import FakeFeed, event_ids
from property.supervised import TIRELESS, supervisor

from actors.feed_hub import FeedHub
from actors.rules.feed_bounds import FeedBounds
from engine.runtime.supervisor import Child
from protocols.errors import TransientError

ME, YOU = "me", "you"
SMALL = FeedBounds(ring_events_max=40, batch_rows=10, catch_up_span=200, catch_up_rows=30, catch_up_page_rows=7)


@asynccontextmanager
async def running(store, bounds=SMALL):
    hub = FeedHub(store=store, rng=Random(1), bounds=bounds)
    async with trio.open_nursery() as nursery:
        await nursery.start(hub.run)
        yield hub
        nursery.cancel_scope.cancel()


async def opened(hub, user_id=ME, after=None):
    subscription = await hub.subscribe(user_id, after)
    await subscription.chunk()
    return subscription


async def take(subscription, count):
    """The next `count` trades."""
    found = []
    while len(found) < count:
        chunk = await subscription.chunk()
        assert b"resync" not in chunk
        found += event_ids(chunk)
    return found


def a_store(*followed):
    store = FakeFeed()
    store.follow(ME, *followed)
    return store


async def test_a_stream_begins_at_the_present(autojump_clock):
    store = a_store(1)
    store.commit(1, 1)
    async with running(store) as hub:
        subscription = await hub.subscribe(ME, None)
        assert await subscription.chunk() == b"retry: 2000\nid: 2\n\n"
        store.commit(1, 2, 1)
        hub.wake()
        assert await take(subscription, 2) == [3, 5]


async def test_an_event_is_the_row_of_a_page_under_its_number(autojump_clock):
    store = a_store(1)
    async with running(store) as hub:
        subscription = await opened(hub)
        store.commit(1, title="A “title”\nof two lines")
        chunk = await subscription.chunk()
    head, body, *rest = chunk.split(b"\n")
    assert (head, rest) == (b"id: 1", [b"", b""])
    row = msgspec.json.decode(body.removeprefix(b"data: "))
    assert (row["tradeId"], row["title"], row["outcomePrices"]) == ("1-0", "A “title”\nof two lines", None)
    assert b'"price":0.688999999893586712,' in body


async def test_a_trade_is_there_at_once_when_told_and_within_a_second_when_not(autojump_clock):
    store = a_store(1)
    async with running(store) as hub:
        subscription = await opened(hub)
        for told, longest_s in ((True, 0.05), (False, 1.05)):
            await trio.sleep(5.5)
            store.commit(1)
            began_s = trio.current_time()
            if told:
                hub.wake()
            await take(subscription, 1)
            assert trio.current_time() - began_s < longest_s


async def test_nothing_is_read_while_nobody_listens(autojump_clock):
    store = a_store(1)
    async with running(store) as hub:
        for _ in range(100):
            store.commit(1)
            hub.wake()
            await trio.sleep(0.1)
        assert store.calls == 0
        subscription = await opened(hub, after=80)
        assert await take(subscription, 20) == list(range(81, 101))
        del subscription
        await trio.sleep(3)
        before = store.calls
        await trio.sleep(60)
        assert (store.calls, hub.clients) == (before, 0)


async def test_after_a_restart_whoever_comes_back_finds_what_he_missed_in_the_ring(autojump_clock):
    store = a_store(1)
    store.commit(*[1] * 30)
    async with running(store) as hub:
        assert await take(await opened(hub, after=12), 18) == list(range(13, 31))
        assert store.of_user_calls == 0


async def test_what_has_left_the_ring_comes_from_the_database(autojump_clock):
    store = a_store(1)
    store.commit(*[1, 2, 2, 2] * 30)
    async with running(store) as hub:
        subscription = await opened(hub, after=8)
        assert await take(subscription, 28) == store.seqs(ME, after=8)
        assert store.of_user_calls == 3


@pytest.mark.parametrize(("stored", "after"), [([2] * 300, 5), ([1] * 120, 5), ([1] * 10, 11), ([1] * 10, 10**17)])
async def test_too_far_back_or_ahead_is_told_by_a_resync(stored, after, autojump_clock):
    store = a_store(1, 2)
    store.commit(*stored)
    async with running(store) as hub:
        subscription = await hub.subscribe(ME, after)
        while b"event: resync\n" not in (chunk := await subscription.chunk()):
            pass
        assert chunk == b'event: resync\nid: %d\ndata: {"continuesAfter":%d}\n\n' % (store.last, store.last)
        store.commit(1)
        assert await take(subscription, 1) == [store.last]
        assert hub.resyncs == 1


async def test_silence_is_broken_every_fifteen_seconds_with_the_position_reached(autojump_clock):
    store = a_store(1)
    async with running(store) as hub:
        subscription = await opened(hub)
        began_s = trio.current_time()
        store.commit(2, 2, 2)
        assert await subscription.chunk() == b": keep-alive\nid: 3\n\n"
        assert trio.current_time() - began_s == pytest.approx(15, abs=0.01)


async def test_a_quiet_user_stays_in_the_ring_while_others_fill_it(autojump_clock):
    store = a_store(1)
    store.follow(YOU, 2)
    async with running(store) as hub:
        quiet, busy = await opened(hub), await opened(hub, YOU)
        async with trio.open_nursery() as nursery:

            @nursery.start_soon
            async def _():
                assert await take(quiet, 1) == [201]

            for _ in range(20):
                store.commit(*[2] * 10)
                assert len(await take(busy, 10)) == 10
            store.commit(1)
        assert (hub.resyncs, store.of_user_calls) == (0, 0)


async def test_who_never_reads_holds_nothing_and_hinders_nobody(autojump_clock):
    store = a_store(1)
    store.follow(YOU, 1)
    async with running(store) as hub:
        asleep, awake = await opened(hub), await opened(hub, YOU)
        for _ in range(100):
            store.commit(*[1] * 10)
            assert len(await take(awake, 10)) == 10
        assert len(hub.ring) <= SMALL.ring_events_max
        chunks = []
        while not chunks or b"resync" not in chunks[-1]:
            chunks.append(await asleep.chunk())
        assert hub.resyncs == 1
        store.commit(1)
        assert await take(asleep, 1) == await take(awake, 1) == [1001]


async def test_an_outburst_larger_than_the_ring_is_told(autojump_clock):
    store = a_store(1)
    async with running(store) as hub:
        subscription = await opened(hub)
        store.commit(*[1] * 5_000)
        hub.wake()
        assert b"event: resync" in await subscription.chunk()
        assert store.calls < 20


async def test_a_database_that_begins_anew_is_told(autojump_clock):
    store = a_store(1)
    store.commit(*[1] * 30)
    async with running(store) as hub:
        subscription = await opened(hub)
        store.rows, store.last = [], 0
        store.commit(1, 1)
        assert b"event: resync\nid: 2\n" in await subscription.chunk()
        store.commit(1)
        assert await take(subscription, 1) == [3]


async def test_changed_follows_count_within_seconds_by_one_query_for_all(autojump_clock):
    store = a_store(1)
    store.follow(YOU, 2)
    async with running(store) as hub:
        mine, yours = await opened(hub), await opened(hub, YOU)
        await trio.sleep(3)
        store.follow_calls.clear()
        store.follow(ME, 2)
        store.follow(YOU)
        await trio.sleep(3.5)
        assert store.follow_calls == [[ME, YOU]]
        store.commit(1, 2)
        hub.wake()
        assert await take(mine, 1) == [2]
        assert event_ids(await yours.chunk()) == []


async def test_streams_outlive_a_database_that_is_away(autojump_clock):
    store = a_store(1)
    async with running(store) as hub:
        subscription = await opened(hub)
        store.is_down = True
        await trio.sleep(20)
        store.commit(1)
        assert event_ids(await subscription.chunk()) == []
        with pytest.raises(TransientError):
            await hub.subscribe(YOU, None)
        store.is_down = False
        assert await take(subscription, 1) == [1]


async def test_a_database_that_does_not_answer_keeps_nobody_waiting_for_his_first_event(autojump_clock):
    store = FakeFeed(follows={ME: frozenset({1})})
    async with running(store) as hub:
        store.latency_s = 60
        began_s = trio.current_time()
        with pytest.raises(TransientError):
            await hub.subscribe(ME, None)
        assert trio.current_time() - began_s == pytest.approx(SMALL.join_timeout_s)
        store.latency_s = 0.001
        await opened(hub)


async def test_too_many_streams_are_refused(autojump_clock):
    store = a_store(1)
    async with running(store) as hub:
        hub.clients_max = 2
        kept = [await opened(hub), await opened(hub)]
        with pytest.raises(TransientError, match="2 streams"):
            await hub.subscribe(ME, None)
        kept.pop()
        gc.collect()
        await opened(hub)


async def test_streams_of_one_user_share_the_wallets_and_everybody_the_texts(autojump_clock):
    store = a_store(*range(500))
    store.follow(YOU, *range(500))
    async with running(store) as hub:
        mine, again, yours = await opened(hub), await opened(hub), await opened(hub, YOU)
        assert mine.audience is again.audience
        assert {id(one) for one in mine.audience.wallets} == {id(one) for one in yours.audience.wallets}


async def test_the_hub_may_be_restarted_under_its_streams(autojump_clock):
    store = a_store(1)
    hub = FeedHub(store=store, rng=Random(1), bounds=attrs.evolve(SMALL, poll_s=0.1))
    failing = iter([False, True, False, True, False, False])
    answer = store.committed_after

    async def crashing(seq, rows_max):
        batch = await answer(seq, rows_max)
        if next(failing, False):
            raise KeyError("a bug")
        return batch

    store.committed_after = crashing
    async with trio.open_nursery() as nursery:
        await nursery.start(supervisor().keep_alive, Child(name="feed_hub", run=hub.run), TIRELESS)
        subscription = await opened(hub)
        for number in range(1, 8):
            store.commit(1)
            assert await take(subscription, 1) == [number]
        nursery.cancel_scope.cancel()
