"""Prices between replicas over a real Redis server: what one publishes the others find, and whatever happens to the server."""

import signal

import pytest
import trio
from engine_redis.redis_fixtures import redis_server
from property.fake_prices import facts
from property.made_trades import condition

from engine.adapters.redis.connection import open_redis
from engine.adapters.redis.quote_store import RedisQuotes
from protocols.errors import TransientError
from protocols.prices import PriceSource
from protocols.shared_quotes import Published, SharedQuote, Want

ONE, TWO = condition(1), condition(2)


@pytest.fixture
def server():
    with redis_server() as server:
        yield server


@pytest.fixture
async def office(server):
    async with open_redis(server.address) as office:
        yield office


def replica(office, prefix="t"):
    return RedisQuotes(prefix=prefix, calls=office.connection("calls"), waiting=office.connection("waits"))


def want(number, age_max_s=1.75, **changes):
    return Want(condition_id=condition(number), age_max_s=age_max_s, **changes)


def quote(number, observed_s, **changes):
    fields = {"hidden": False, "resolved": False, "ended": False, "as_of_ms": 7, "source": PriceSource.GAMMA} | changes
    return SharedQuote(facts=facts(number, observed_s), observed_s=observed_s, **fields)


def everything(condition_id):
    return True


async def test_what_one_fetches_another_finds_as_it_was_and_never_younger(office):
    first, second = replica(office), replica(office)
    boarding = await first.board("a", [want(1), want(2)], 100)
    assert boarding.ours == [ONE, TWO]
    waiting = await second.board("b", [want(1)], 100)
    assert waiting.ours == []
    assert 0 < waiting.theirs[ONE] <= 1.5

    observed_s = trio.current_time()
    sent = quote(1, observed_s, hidden=True, ended=True, source=PriceSource.CLOB)
    await first.publish("a", Published(quotes=[sent]), [TWO])
    [found] = (await second.board("b", [want(1, 600.0)], 100)).found
    assert found.facts == sent.facts
    assert (found.hidden, found.ended, found.resolved) == (True, True, False)
    assert (found.as_of_ms, found.source) == (7, PriceSource.CLOB)
    # Rather older than it is, by the time that two questions took.
    assert found.observed_s <= observed_s
    assert observed_s - found.observed_s <= trio.current_time() - observed_s + 0.01
    # What was left is free at once.
    assert (await second.board("b", [want(2)], 100)).ours == [TWO]


async def test_news_come_to_who_waits_and_only_what_is_wanted(office):
    first, second = replica(office), replica(office)
    await second.news(everything, 0.01)
    await first.board("a", [want(1), want(2), want(3)], 100)
    got = []

    async def hear():
        got.append(await second.news(lambda id_: id_ != TWO, 20))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(hear)
        await trio.sleep(0.05)
        now_s = trio.current_time()
        await first.publish("a", Published(quotes=[quote(1, now_s), quote(2, now_s)], absent=[condition(3)]), [])
    assert [one.facts.condition_id for one in got[0].quotes] == [ONE]
    assert got[0].absent == [condition(3)]
    assert (await second.board("b", [want(3)], 100)).absent == [condition(3)]
    assert not (await second.news(everything, 0.01)).quotes


async def test_what_users_elsewhere_look_at_rides_along(office):
    first, second = replica(office), replica(office)
    await first.board("a", [want(1)], 100)
    await first.publish("a", Published(quotes=[quote(1, trio.current_time() - 1.0)]), [])
    await first.tell([ONE])
    boarding = await second.board("b", [want(2)], 100)
    assert (boarding.ours, boarding.along) == ([TWO], [ONE])
    assert (await first.board("c", [want(1, 0.5)], 100)).theirs.keys() == {ONE}


async def test_an_older_price_that_comes_late_changes_nothing(office):
    first, second = replica(office), replica(office)
    now_s = trio.current_time()
    await first.board("a", [want(1)], 100)
    await second.publish("b", Published(quotes=[quote(1, now_s)]), [])
    await first.publish("a", Published(quotes=[quote(1, now_s - 3)]), [])
    [found] = (await second.board("c", [want(1, 600.0)], 100)).found
    assert found.facts == quote(1, now_s).facts


async def test_installations_with_other_prefixes_share_nothing(office):
    first, second = replica(office), replica(office, "u")
    await first.board("a", [want(1)], 100)
    assert (await second.board("b", [want(1)], 100)).ours == [ONE]


async def test_a_server_that_goes_is_told_and_one_that_comes_back_empty_is_used(server, office):
    first = replica(office)
    await first.board("a", [want(1)], 100)
    await first.publish("a", Published(quotes=[quote(1, trio.current_time())]), [])
    server.stop()
    for call in (first.board("b", [want(1)], 100), first.publish("b", Published(), [ONE]), first.tell([ONE])):
        with pytest.raises(TransientError):
            await call
    with pytest.raises(TransientError):
        await first.news(everything, 0.05)
    server.start()
    assert (await first.board("c", [want(1)], 100)).ours == [ONE]
    await first.publish("c", Published(quotes=[quote(1, trio.current_time())]), [])
    assert [one.facts.condition_id for one in (await first.news(everything, 5)).quotes] in ([ONE], [])
    assert len((await first.board("d", [want(1, 600.0)], 100)).found) == 1


async def test_a_server_that_stands_still_keeps_nobody_waiting(server, office):
    first = replica(office)
    await first.board("a", [want(1)], 100)
    server.send(signal.SIGSTOP)
    try:
        with pytest.raises(trio.TooSlowError), trio.fail_after(0.2):
            await first.board("b", [want(1)], 100)
    finally:
        server.send(signal.SIGCONT)
    assert (await first.board("b", [want(2)], 100)).ours == [TWO]


async def test_what_nobody_of_ours_wrote_is_not_served(office):
    first = replica(office)
    await first.board("a", [want(1)], 100)
    await first.publish("a", Published(quotes=[quote(1, trio.current_time())]), [])
    line = office.connection("stranger")
    [key] = [key for key in await line.call("KEYS", "*") if b":market:" in key]
    await line.call("HSET", key, "v", "{}")
    with pytest.raises(TransientError, match="cannot be read"):
        await first.board("b", [want(1, 600.0)], 100)


async def test_nothing_stays_for_ever(office):
    first = replica(office)
    await first.board("a", [want(1), want(2), want(3)], 100)
    await first.publish("a", Published(quotes=[quote(1, trio.current_time())], absent=[TWO]), [])
    await first.tell([ONE])
    line = office.connection("look")
    keys = await line.call("KEYS", "*")
    assert len(keys) == 5
    for key in keys:
        assert 0 < await line.call("PTTL", key) <= 600_000
