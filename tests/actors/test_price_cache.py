import itertools
from decimal import Decimal

import msgspec
import pytest
import trio
from property.fake_prices import RESOLVED, FakeVenue, PriceWorld, facts, price_at
from property.made_trades import condition
from property.supervised import run_jumping

from actors.rules.price_wire import quote_json
from protocols.errors import TransientError


def play(world, main):
    run_jumping(lambda: world.during(main))
    return world


def world_of(count, **venue):
    return PriceWorld(venue=FakeVenue(numbers=set(range(1, count + 1)), **venue))


def ids(*numbers):
    return [condition(number) for number in numbers]


def test_a_miss_costs_one_call_and_a_hit_none():
    world = world_of(3)

    async def main():
        first = await world.one(1)
        assert first.facts.outcome_prices[0] == price_at(1, first.observed_s)
        assert not first.stale
        await trio.sleep(1.5)
        assert await world.one(1) is first

    play(world, main)
    assert len(world.venue.calls) == 1
    assert world.cache.results == {"wait": 1, "hit": 1}


def test_everybody_who_wants_something_within_the_window_shares_one_call():
    world = world_of(60)

    async def main():
        async with trio.open_nursery() as nursery:
            for number in range(1, 61):
                nursery.start_soon(world.one, number)
                nursery.start_soon(world.one, number)

    play(world, main)
    assert len(world.venue.calls) == 1
    assert len(world.venue.calls[0][2]) == 60


def test_who_comes_during_a_flight_waits_for_it():
    world = world_of(1, latency_s=0.5)

    async def main():
        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(world.one, 1)
                await trio.sleep(0.009)

    play(world, main)
    assert len(world.venue.calls) == 1
    assert world.cache.results == {"wait": 50}


def test_a_hundred_values_go_into_a_call_and_two_spellings_count_twice():
    wanted = [*range(1, 120), *(256 * n for n in range(1, 40))]
    world = PriceWorld(venue=FakeVenue(numbers=set(wanted)))

    async def main():
        answers = await world.cache.quotes(ids(*wanted))
        assert len(answers) == len(wanted)
        assert all(answers.values())

    play(world, main)
    for _, _, values, _ in world.venue.calls:
        assert sum(1 + value.endswith("00") for value in values) <= 100
    assert len(world.venue.calls) == 2


def test_a_price_that_is_asked_for_is_renewed_before_it_is_old():
    world = world_of(1, latency_s=0.1)
    ages = []

    async def main():
        await world.one(1)
        for _ in range(40):
            await trio.sleep(0.25)
            ages.append(trio.current_time() - (await world.one(1)).observed_s)

    play(world, main)
    assert world.cache.results["wait"] == 1
    assert max(ages) < 2.25
    times = [at_s for at_s, *_ in world.venue.calls]
    assert all(later - earlier >= 2.0 for earlier, later in itertools.pairwise(times))


def test_who_hails_a_call_has_all_wanted_prices_renewed_by_it_and_it_is_the_next_one():
    world = world_of(2)

    async def main():
        # Nobody wants anything yet.
        assert not world.cache.hail()
        for _ in range(2):
            await world.cache.quotes([condition(1), condition(2)])
            await trio.sleep(1.2)
        before = len(world.venue.calls)
        assert world.cache.hail()
        await trio.sleep(0.4)
        # What was renewed a moment ago gains nothing.
        assert not world.cache.hail()
        await world.cache.quotes([condition(1), condition(2)])
        await trio.sleep(1.4)
        assert [set(values) for _, _, values, _ in world.venue.calls[before:]] == [{condition(1), condition(2)}]

    play(world, main)


def test_a_market_that_nobody_asks_for_any_more_is_not_renewed():
    world = world_of(2)

    async def main():
        await world.one(1)
        await world.one(2)
        for _ in range(40):
            await trio.sleep(0.25)
            await world.one(1)

    play(world, main)
    assert sum(condition(2) in values for _, _, values, _ in world.venue.calls) == 1


def test_an_older_price_will_do_for_who_says_so_and_nobody_gets_a_call_for_less_than_the_ttl():
    world = world_of(1)

    async def main():
        first = await world.one(1)
        await trio.sleep(9)
        assert await world.one(1, 10_000) is first
        assert not first.stale
        assert (await world.one(1, 8_000)) is not first
        await trio.sleep(1)
        assert world.cache.results["wait"] == 2
        await world.one(1, 0)

    play(world, main)
    assert world.cache.results == {"wait": 2, "hit": 2}


def test_a_market_that_nobody_has_is_missing_and_not_asked_for_at_every_request():
    world = world_of(1)

    async def main():
        for _ in range(20):
            assert await world.one(9) is None
            await trio.sleep(0.2)
        assert len(world.venue.calls) == 2
        await trio.sleep(5)
        world.venue.numbers.add(9)
        assert (await world.one(9)).facts.question == "Market 9?"

    play(world, main)
    assert [closed for *_, closed in world.venue.calls] == [None, True, None]


def test_the_memory_of_missing_markets_is_bounded():
    world = world_of(0)

    async def main():
        for start in range(0, 30_000, 100):
            await world.cache.quotes(ids(*range(start, start + 100)))
            await trio.sleep(0.5)

    play(world, main)
    assert len(world.cache._absent) <= 10_000


def test_only_the_market_that_was_asked_for_is_ever_served():
    world = world_of(2)
    world.venue.extra = [facts(7), facts(2)]

    async def main():
        assert (await world.one(1)).facts.condition_id == condition(1)
        assert await world.one(5) is None
        world.venue.extra = []
        assert (await world.one(7)) is None

    play(world, main)


def test_a_missing_price_stays_missing():
    world = world_of(1)
    world.venue.changed[1] = {"outcome_prices": None}

    async def main():
        quote = await world.one(1)
        assert msgspec.json.decode(quote_json(quote, 0.0))["outcomePrices"] is None

    play(world, main)
    assert world.store.writes_of(1) == []


@pytest.mark.parametrize("changed", [RESOLVED, RESOLVED | {"outcome_prices": (Decimal("0.5"), Decimal("0.5"))}])
def test_a_resolved_market_is_asked_for_once_in_its_life(changed):
    world = world_of(1)
    world.venue.changed[1] = changed

    async def main():
        for _ in range(50):
            quote = await world.one(1)
            assert quote.resolved
            assert not quote.stale
            await trio.sleep(10)

    play(world, main)
    assert len(world.venue.calls) == 1


def test_a_closed_market_that_gamma_hides_is_found_and_then_asked_for_where_it_is():
    world = world_of(3)
    world.venue.changed[2] = {"closed": True, "resolution_status": "proposed"}
    world.venue.hidden = {2}

    async def main():
        for _ in range(4):
            assert (await world.one(2)).facts.closed
            await trio.sleep(16)

    play(world, main)
    assert [closed for *_, closed in world.venue.calls] == [None, True, True, True, True]


def test_memory_holds_so_many_markets_and_forgets_the_least_wanted():
    world = PriceWorld(venue=FakeVenue(numbers=set(range(1, 301))), settings={"markets_max": 100})

    async def main():
        await world.cache.subscribe(ids(1))
        for start in range(2, 300, 20):
            await world.cache.quotes(ids(*range(start, start + 20)))
            assert len(world.cache.memory) <= 100

    play(world, main)
    assert world.cache.memory.get(condition(1)) is not None
    assert world.cache.memory.evicted > 100


def test_when_nothing_is_known_and_nobody_answers_it_says_so_at_once_next_time():
    world = world_of(1, gamma="down", clob="down")
    times = []

    async def main():
        for _ in range(5):
            with pytest.raises(TransientError):
                await world.one(1)
            times.append(trio.current_time())

    play(world, main)
    assert times[-1] == times[0]
    assert world.cache.results == {"unavailable": 5}


def test_some_of_many_may_be_unavailable():
    world = world_of(2)

    async def main():
        await world.one(1)
        world.venue.gamma = world.venue.clob = "down"
        answers = await world.cache.quotes(ids(1, 2))
        assert set(answers) == set(ids(1))

    play(world, main)
