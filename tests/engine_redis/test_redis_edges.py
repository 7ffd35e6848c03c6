"""What the contract does not say of a Redis edge: fan-out, trimming, dead letters, take-over, a server that stalls."""

import random
import signal
import time

import pytest
import trio
from engine_redis.redis_fixtures import redis_server

from engine.adapters.redis.connection import open_redis
from engine.adapters.redis.edge_store import RedisEdge, RedisEdgeStore
from engine.runtime.edge_inbox import EdgeInbox
from protocols.errors import MalformedError, TransientError


class TextCodec:
    def encode(self, item):
        return item.encode()

    def decode(self, body):
        if body.startswith(b"?"):
            raise MalformedError("version", "from the future")
        return body.decode()


@pytest.fixture
def server():
    with redis_server() as server:
        yield server


@pytest.fixture
async def office(server):
    async with open_redis(server.address) as office:
        yield office


def store(office, who, **changes):
    settings = {"name": "e", "prefix": "t", "items_max": 10, "take_over_idle_ms": 40} | changes
    return RedisEdgeStore(
        edge=RedisEdge(**settings), calls=office.connection(who), waiting=office.connection(who), who=who
    )


def inbox(a_store, **changes):
    settings = {"wait_s": 0.05, "take_over_interval_s": 0.02} | changes
    return EdgeInbox(name="e", store=a_store, codec=TextCodec(), rng=random.Random(1), **settings)


def bodies(*texts):
    return [text.encode() for text in texts]


async def test_a_full_stream_takes_what_fits_and_drops_nothing(office):
    sender, reader = store(office, "s"), inbox(store(office, "r"))
    assert (await sender.append(1, bodies(*"abcdefgh"))).kept == 8
    answer = await sender.append(2, bodies(*"ijkl"))
    assert (answer.kept, answer.dropped, answer.length) == (2, 0, 10)
    assert await reader.batch(20) == list("abcdefghij")
    assert (await sender.append(3, bodies("k"))).kept == 0, "in hand is not gone"
    with trio.move_on_after(0.3):
        await reader.batch(20)
    assert (await sender.append(4, bodies("k"))).kept == 1


async def test_a_number_used_again_adds_nothing_and_gets_the_same_answer(office):
    sender = store(office, "s")
    first = await sender.append(1, bodies(*"abc"))
    assert await sender.append(1, bodies(*"abc")) == first
    assert (await sender.figures()).sent == 3


async def test_what_is_trimmed_unread_is_counted_exactly_and_what_was_in_hand_is_not(office):
    sender, reader = store(office, "s", drops=True), inbox(store(office, "r", drops=True))
    await sender.append(1, bodies(*"abcdefghij"))
    assert await reader.batch(4) == list("abcd")
    answer = await sender.append(2, bodies(*"klmnop"))
    assert (answer.kept, answer.dropped) == (6, 2), "four were in the hands of the reader, two nobody had read"
    assert await reader.batch(20) == list("ghijklmnop")
    figures = await sender.figures()
    assert (figures.sent, figures.acknowledged, figures.dropped, figures.in_hand, figures.depth) == (16, 4, 2, 10, 0)


async def test_each_group_of_a_fan_out_edge_reads_everything_from_its_beginning_on(office):
    options = {"fan_out": True, "drops": True, "items_max": 5}
    sender = store(office, "s", **options)
    first, second = inbox(store(office, "one", **options)), inbox(store(office, "two", **options))
    for reader in (first, second):
        await reader.store.mine()
    await sender.append(1, bodies(*"abc"))
    assert await first.batch(10) == await second.batch(10) == list("abc")
    late = inbox(store(office, "three", **options))
    await late.store.mine()
    await sender.append(2, bodies(*"defghijkl"))
    assert await late.batch(10) == list("hijkl"), "a late one begins at the present"
    assert await first.batch(10) == list("hijkl")
    assert first.missed == 4, "a reader too slow is told how many it missed"


async def test_a_group_of_a_process_that_is_gone_is_taken_away_and_no_other(server, office, monkeypatch):
    options = {"fan_out": True, "drops": True}
    for who in ("gone", "here"):
        await store(office, who, **options).mine()
    monkeypatch.setattr("engine.adapters.redis.edge_store.GROUP_GONE_MS", 60)
    await trio.sleep(0.1)
    await store(office, "here", **options).take_over()
    await store(office, "new", **options).mine()
    groups = await office.connection("look").call("XINFO", "GROUPS", "{t:edge:e}:stream")
    assert {group[b"name"] for group in groups} == {b"here", b"new"}


async def test_two_consumers_share_the_items_and_one_takes_over_what_the_other_left(office):
    sender = store(office, "s")
    one, two = inbox(store(office, "one")), inbox(store(office, "two"))
    await sender.append(1, bodies(*"abcdef"))
    assert await one.batch(2) == ["a", "b"]
    assert await two.batch(2) == ["c", "d"]
    await trio.sleep(0.06)
    assert await two.batch(1) == ["a"], "left lying, so it comes alone and first"
    assert await two.batch(1) == ["b"]
    assert two.taken_over == 2
    assert await one.batch(9) == ["e", "f"]
    assert one.lost_claims == 1, "the slow one is told that it was too late with the first; the second is done now"
    with trio.move_on_after(1):
        await two.batch(1)
    assert two.lost_claims == 1


async def test_who_says_that_he_works_keeps_his_items(office):
    one, two = inbox(store(office, "one")), inbox(store(office, "two"))
    await store(office, "s").append(1, bodies("a"))
    assert await one.batch(1) == ["a"]
    for _ in range(5):
        await trio.sleep(0.02)
        await one.store.keep(one.in_work())
        assert await two.store.take_over() == []


async def test_an_item_of_a_version_that_nobody_knows_is_a_dead_letter_with_the_reason(office):
    reader = inbox(store(office, "r"))
    await store(office, "s").append(1, bodies("a", "?b", "c"))
    assert await reader.batch(3) == ["a", "c"]
    reader.close()
    assert await reader.batch(3) == []
    dead = await office.connection("look").call("XRANGE", "{t:edge:e}:dead", "-", "+")
    assert [dict(zip(fields[::2], fields[1::2], strict=True))[b"reason"] for _, fields in dead] == [
        b"version: from the future"
    ]
    figures = await reader.store.figures()
    assert (figures.acknowledged, figures.dead, figures.in_hand) == (2, 1, 0)


async def test_an_item_that_kills_its_process_three_times_is_buried(office):
    await store(office, "s").append(1, bodies("poison", "fine"))
    got = []
    for life in range(5):
        reader = inbox(store(office, "r"), take_over_interval_s=10)
        got.append(await reader.batch(2))
        if got[-1] == ["fine"]:
            break
        assert life < 3
    assert got == [["poison", "fine"], ["poison"], ["poison"], ["fine"]]
    assert (await reader.store.figures()).dead == 1


async def test_a_server_that_came_back_empty_is_noticed_and_used_again(server, office):
    sender, reader = store(office, "s"), inbox(store(office, "r"))
    origin = (await sender.append(1, bodies("a", "b"))).origin
    assert await reader.batch(1) == ["a"]
    server.stop()
    with pytest.raises(TransientError):
        await sender.append(2, bodies("c"))
    server.start()
    answer = await sender.append(2, bodies("c"))
    assert answer.origin != origin
    with trio.fail_after(10):
        assert await reader.batch(5) == ["c"]
    assert reader.lost_claims == 1
    assert (await sender.figures()).sent == 1


async def test_a_server_that_stalls_is_given_up_in_time_and_answers_are_never_mixed_up(server, office):
    slow = store(office, "s")
    slow.calls.address = slow.waiting.address = type(server.address)(socket_path=server.socket_path, timeout_s=0.2)
    await slow.append(1, bodies("a"))
    server.send(signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(TransientError, match="no answer"):
        await slow.append(2, bodies("b"))
    assert time.monotonic() - began < 5
    server.send(signal.SIGCONT)
    assert (await slow.append(2, bodies("b"))).kept == 1
    assert (await slow.figures()).sent == 2, "the lost answer was to the same number"


async def test_a_request_for_new_items_that_is_cancelled_loses_none(office):
    # Where machines are slow, all of them are cancelled: there is room for every item.
    reader = inbox(store(office, "r", items_max=20), wait_s=5, take_over_interval_s=1_000)
    sender = store(office, "s", items_max=20)
    for number in range(1, 20):
        with trio.move_on_after(random.Random(number).random() / 200):
            await reader.batch(1)
        assert (await sender.append(number, bodies(str(number)))).kept == 1
    reader.close()
    got = []
    while items := await reader.batch(5):
        got += items
    assert reader.received == 19
    assert (await sender.figures()).acknowledged == 19


async def test_ends_and_starts_leave_no_task_and_no_connection(server):
    for number in range(30):
        async with open_redis(server.address) as office:
            reader = inbox(store(office, f"r{number}"), wait_s=5)
            with trio.move_on_after(0.002 * (number % 5)):
                await reader.batch(1)
    await trio.sleep(0.1)
    async with open_redis(server.address) as office:
        clients = await office.connection("look").call("CLIENT", "LIST")
    text = clients if isinstance(clients, bytes) else clients[1]
    assert text.count(b"\n") == 1
