"""Markets whose trading has ended, but which are not resolved: renewed every 15 s, and together."""

import itertools

import pytest
import trio
from property.fake_prices import RESOLVED, FakeVenue, PriceWorld
from property.made_trades import condition
from property.supervised import run_jumping

ENDED = {"closed": True, "resolution_status": "proposed"}


def play(world, main):
    run_jumping(lambda: world.during(main))
    return world


def world_of(count, *ended, **venue):
    world = PriceWorld(venue=FakeVenue(numbers=set(range(1, count + 1)), **venue))
    for number in ended:
        end(world, number)
    return world


def end(world, number):
    world.venue.changed[number] = ENDED
    world.venue.hidden.add(number)


def ids(*numbers):
    return [condition(number) for number in numbers]


def times_of(world, closed):
    return [at_s for at_s, *_, asked in world.venue.calls if asked is closed]


def test_an_ended_market_is_renewed_every_fifteen_seconds_and_what_trades_beside_it_every_two():
    world = world_of(2, 2, latency_s=0.1)
    ages: dict[bool, list[float]] = {False: [], True: []}

    async def main():
        while trio.current_time() < 120:
            for quote in (await world.cache.quotes(ids(1, 2))).values():
                assert not quote.stale
                ages[quote.facts.closed].append(trio.current_time() - quote.observed_s)
            await trio.sleep(0.25)

    play(world, main)
    assert max(ages[False]) <= 3
    assert 12 < max(ages[True]) <= 15
    assert len(times_of(world, True)) <= 10
    assert all(later - earlier > 13 for earlier, later in itertools.pairwise(times_of(world, True)))
    assert len(times_of(world, None)) <= 61


def test_an_ended_market_that_the_venue_shows_among_the_open_ones_costs_no_call_of_its_own():
    world = world_of(2, 2)
    world.venue.hidden.clear()

    async def main():
        while trio.current_time() < 60:
            await world.cache.quotes(ids(1, 2))
            await trio.sleep(0.25)

    play(world, main)
    assert not times_of(world, True)
    assert len(times_of(world, None)) <= 31


def test_an_older_price_is_accepted_as_ever_and_a_younger_one_is_not_promised():
    world = world_of(1, 1)

    async def main():
        first = await world.one(1)
        await trio.sleep(14.5)
        assert await world.one(1, 5_000) is first
        assert await world.one(1, 20_000) is first
        await trio.sleep(1)
        assert await world.one(1, 20_000) is first
        assert await world.one(1, 5_000) is not first

    play(world, main)


@pytest.mark.parametrize("streamed", [True, False])
def test_the_resolution_shows_within_fifteen_seconds(streamed):
    world = world_of(1, 1)
    seen_s = []

    async def main():
        if streamed:
            await world.cache.subscribe(ids(1))
        await world.one(1)
        await trio.sleep(5)
        world.venue.changed[1], resolved_s = RESOLVED, trio.current_time()
        while not seen_s:
            await trio.sleep(0.25)
            quote = await world.cache.stored(condition(1)) if streamed else await world.one(1)
            if quote.resolved:
                seen_s.append(trio.current_time() - resolved_s)
        await trio.sleep(60)

    play(world, main)
    assert seen_s[0] <= 15.5
    assert len(times_of(world, True)) == 2


def test_a_stream_costs_a_call_for_all_its_ended_markets_every_fifteen_seconds():
    world = world_of(20, *range(11, 21), latency_s=0.1)

    async def main():
        await world.cache.subscribe(ids(*range(1, 21)))
        await trio.sleep(120)

    play(world, main)
    assert len(times_of(world, True)) <= 10
    assert len(times_of(world, None)) <= 61


def test_who_looks_for_a_market_that_has_just_ended_asks_for_the_others_too():
    world = world_of(4, 1, 2)

    async def main():
        await world.cache.subscribe(ids(1, 2, 3, 4))
        await trio.sleep(7)
        end(world, 3)
        await trio.sleep(6)

    play(world, main)
    first, second = (set(values) for *_, values, closed in world.venue.calls if closed)
    assert first == set(ids(1, 2))
    assert second == set(ids(1, 2, 3))


def test_what_asks_along_takes_no_seat_from_whom_somebody_waits_for():
    numbers = list(range(1, 181))
    world = world_of(180, *numbers[:90])

    async def main():
        await world.cache.subscribe(ids(*numbers[:90]))
        await trio.sleep(5)
        await world.cache.quotes(ids(*numbers[90:]))
        end(world, 180)
        await trio.sleep(3)
        answers = await world.cache.quotes(ids(*numbers[90:]))
        assert answers[condition(180)].facts.closed
        assert not any(quote.stale for quote in answers.values())

    # The venue in memory refuses more than a hundred ids in a call.
    play(world, main)


def test_an_ended_market_that_nobody_has_any_more_is_told_as_stale_and_left_alone():
    world = world_of(1, 1)

    async def main():
        await world.one(1)
        world.venue.numbers.clear()
        await trio.sleep(16)
        assert (await world.one(1)).stale

    play(world, main)
    assert world.venue.clob_calls
