"""What 500 users cost: counted by the venue, and freshness read from the prices themselves."""

import gc
import tracemalloc
from random import Random

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from property.examples import examples
from property.fake_prices import FakeVenue, PriceWorld, told_by, true_age_s
from property.made_trades import condition
from property.supervised import run_jumping

POLL_S = 0.25


async def poll(world, numbers, phase_s, until_s, ages):
    """One user: looks at a few cards, each four times a second."""
    await trio.sleep(phase_s)
    while trio.current_time() < until_s:
        began_s = trio.current_time()
        answers = await world.cache.quotes([condition(number) for number in numbers])
        now_s = trio.current_time()
        for number in numbers:
            quote = answers[condition(number)]
            assert told_by(quote)[0] == number
            assert not quote.stale
            ages.append(true_age_s(quote, now_s))
        await trio.sleep(max(0.0, began_s + POLL_S - now_s))


def watched(users, markets, latency_s, seed, seconds, cards):
    world = PriceWorld(venue=FakeVenue(numbers=set(range(1, markets + 1)), latency_s=latency_s))
    rng, ages = Random(seed), []

    async def main():
        async with trio.open_nursery() as nursery:
            for user in range(users):
                numbers = rng.sample(range(1, markets + 1), cards) if cards < markets else [user % markets + 1]
                nursery.start_soon(poll, world, numbers, rng.random() * POLL_S, seconds, ages)

    run_jumping(lambda: world.during(main))
    return world, ages


@pytest.mark.parametrize("latency_s", [0.0, 0.15, 0.6])
def test_five_hundred_users_of_fifty_markets_cost_less_than_0_6_calls_a_second(latency_s):
    seconds = 20
    world, ages = watched(500, 50, latency_s, 7, seconds, 1)
    warm = [at_s for at_s, *_ in world.venue.calls if at_s >= 2]
    assert len(warm) / (seconds - 2) <= 0.6
    assert len(world.venue.calls) <= 0.6 * seconds + 10
    assert max(ages) <= 2.5
    assert len(ages) >= 500 * seconds * 3


@examples(8)
@given(
    users=st.integers(1, 30),
    markets=st.integers(2, 250),
    latency_s=st.floats(0, 0.4),
    seed=st.integers(0, 2**20),
)
def test_the_cost_depends_on_markets_and_not_on_users(users, markets, latency_s, seed):
    seconds = 9
    cards = min(markets - 1, 8)
    world, ages = watched(users, markets, latency_s, seed, seconds, cards)
    wanted = {value for _, _, values, _ in world.venue.calls for value in values}
    calls_a_round = -(-len(wanted) // 100) + (len(wanted) > 95)
    warm = [at_s for at_s, *_ in world.venue.calls if at_s >= 4]
    assert len(warm) <= calls_a_round * ((seconds - 4) / 1.75 + 1)
    assert max(ages) <= 2.5


def test_memory_is_flat_with_200_streams_of_which_one_never_reads():
    ids = [condition(number) for number in range(1, 51)]
    world = PriceWorld(venue=FakeVenue(numbers=set(range(1, 51))))
    world.venue.changed = {number: {"description": "long " * 400} for number in range(1, 51)}

    def traced():
        world.venue.calls.clear()
        world.store.batches.clear()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    async def read(subscription):
        while True:
            await subscription.chunk()

    async def main():
        async with trio.open_nursery() as nursery:
            subscriptions = [await world.cache.subscribe(ids) for _ in range(200)]
            for subscription in subscriptions[1:]:
                nursery.start_soon(read, subscription)
            await trio.sleep(5)
            tracemalloc.start()
            await trio.sleep(2)
            before = traced()
            await trio.sleep(20)
            assert traced() - before < 300_000
            tracemalloc.stop()
            assert len(subscriptions[0]._pending) == 50
            nursery.cancel_scope.cancel()

    run_jumping(lambda: world.during(main))
