import msgspec
import pytest
import trio
from property.fake_prices import RESOLVED, FakeVenue, PriceWorld, price_at
from property.made_trades import condition
from property.supervised import run_jumping


def play(world, main):
    run_jumping(lambda: world.during(main))
    return world


def world_of(count, **venue):
    return PriceWorld(venue=FakeVenue(numbers=set(range(1, count + 1)), **venue))


def events(chunk):
    return [msgspec.json.decode(part.removeprefix(b"data: ")) for part in chunk.split(b"\n\n") if part[:5] == b"data:"]


def test_a_stream_begins_with_what_is_and_goes_on_with_what_changes():
    world = world_of(2)

    async def main():
        subscription = await world.cache.subscribe([condition(1), condition(2), condition(9)])
        assert b"event: missing" in await subscription.chunk()
        assert {event["conditionId"] for event in events(await subscription.chunk())} == {condition(1), condition(2)}
        seen = []
        while trio.current_time() < 60:
            for event in events(await subscription.chunk()):
                seen.append((event["conditionId"], event["outcomePrices"][0]))
                assert event["ageMs"] <= 2_500
        assert len(seen) == len(set(seen))
        assert 60 <= len(seen) <= 72
        subscription.close()
        calls = len(world.venue.calls)
        await trio.sleep(60)
        assert len(world.venue.calls) == calls
        assert not world.cache.watchers

    play(world, main)


def test_a_quiet_stream_sends_comments():
    world = world_of(1, frozen=True)

    async def main():
        subscription = await world.cache.subscribe([condition(1)])
        await subscription.chunk()
        for _ in range(4):
            before_s = trio.current_time()
            assert await subscription.chunk() == b": keep-alive\n\n"
            assert trio.current_time() - before_s == pytest.approx(15)

    play(world, main)


def test_a_client_that_does_not_read_holds_one_quote_a_market_and_gets_the_newest():
    world = world_of(3)

    async def main():
        subscription = await world.cache.subscribe([condition(n) for n in (1, 2, 3)])
        await trio.sleep(600)
        assert len(subscription._pending) == 3
        got = events(await subscription.chunk())
        assert all(event["ageMs"] <= 2_500 for event in got)
        assert subscription.conflated > 850
        await trio.sleep(5)
        prices = [event["outcomePrices"][0] for event in events(await subscription.chunk())]
        assert prices[0] == pytest.approx(float(price_at(1, trio.current_time())), abs=4e-5)

    play(world, main)


def test_a_stream_says_when_nobody_answers_and_when_somebody_does_again():
    world = world_of(1, frozen=True)

    async def main():
        subscription = await world.cache.subscribe([condition(1)])
        await subscription.chunk()
        world.venue.gamma = world.venue.clob = "down"
        (event,) = events(await subscription.chunk())
        assert event["stale"] is True
        assert await subscription.chunk() == b": keep-alive\n\n"
        world.venue.gamma = "ok"
        while not (got := events(await subscription.chunk())):
            pass
        assert got[0]["stale"] is False

    play(world, main)


def test_a_stream_of_a_resolved_market_costs_nothing():
    world = world_of(1)
    world.venue.changed[1] = RESOLVED

    async def main():
        subscription = await world.cache.subscribe([condition(1)])
        assert events(await subscription.chunk())[0]["resolved"] is True
        await trio.sleep(100)

    play(world, main)
    assert len(world.venue.calls) == 1


def test_a_stream_that_nobody_could_answer_begins_when_somebody_can():
    world = world_of(2)

    async def main():
        await world.one(1)
        world.venue.gamma = world.venue.clob = "down"
        subscription = await world.cache.subscribe([condition(1), condition(2)])
        assert [event["conditionId"] for event in events(await subscription.chunk())] == [condition(1)]
        world.venue.gamma = "ok"
        seen = set()
        while condition(2) not in seen:
            seen |= {event["conditionId"] for event in events(await subscription.chunk())}

    play(world, main)
