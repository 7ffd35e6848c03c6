"""What several replicas cost the venue together, and what their users see, whatever happens to replicas and store."""

from contextlib import suppress
from random import Random

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from property.examples import QUICK, examples
from property.fake_prices import FakeVenue, told_by, true_age_s
from property.made_trades import condition
from property.replica_world import ReplicaWorld
from property.supervised import run_jumping

from protocols.errors import TransientError

POLL_S = 0.25


async def poll(replica, numbers, phase_s, until_s, ages):
    await trio.sleep(phase_s)
    while trio.current_time() < until_s:
        began_s = trio.current_time()
        answers = await replica.quotes(numbers)
        now_s = trio.current_time()
        for number in numbers:
            quote = answers[condition(number)]
            assert told_by(quote)[0] == number
            assert not quote.stale
            ages.append(true_age_s(quote, now_s))
        await trio.sleep(max(0.0, began_s + POLL_S - now_s))


def polled(replicas, users, markets, *, latency_s=0.15, seed=3, seconds=30, cards=1, apart=False):
    """Users spread over replicas; `apart`: each replica's users look at markets that no other's look at."""
    world = ReplicaWorld(count=replicas, venue=FakeVenue(numbers=set(range(1, markets + 1)), latency_s=latency_s))
    rng, ages = Random(seed), []

    async def main():
        async with trio.open_nursery() as nursery:
            for user in range(users):
                replica = world.replicas[user % replicas]
                seen = range(1 + user % replicas, markets + 1, replicas) if apart else range(1, markets + 1)
                nursery.start_soon(
                    poll, replica, rng.sample(seen, min(cards, len(seen))), rng.random() * POLL_S, seconds, ages
                )

    run_jumping(lambda: world.during(main))
    return world, ages


def warm(world):
    return len([at_s for at_s, *_ in world.venue.calls if at_s >= 4])


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("latency_s", [0.05, 0.3])
def test_calls_upstream_do_not_grow_with_replicas(latency_s, apart):
    calls = {}
    for count in (1, 2, 4):
        world, ages = polled(count, 120, 40, latency_s=latency_s, seconds=44, cards=3, apart=apart)
        calls[count] = warm(world)
        assert max(ages) <= 2.5
    assert max(calls.values()) <= 1.1 * calls[1], calls


@examples(8)
@given(
    replicas=st.integers(2, 5),
    users=st.integers(1, 30),
    markets=st.integers(2, 230),
    latency_s=st.floats(0, 0.4),
    seed=st.integers(0, 2**20),
)
def test_the_cost_depends_on_markets_and_not_on_replicas(replicas, users, markets, latency_s, seed):
    seconds = 12
    world, ages = polled(replicas, users, markets, latency_s=latency_s, seed=seed, seconds=seconds, cards=8)
    wanted = {value for _, _, values, _ in world.venue.calls for value in values}
    calls_a_round = -(-len(wanted) // 100) + (len(wanted) > 95)
    assert warm(world) <= calls_a_round * ((seconds - 4) / 1.5 + 1)
    # A price that was 2.25 s old grows older while its asker waits for another one: for a call elsewhere, then for one of ours.
    assert max(ages) <= 3.0


def test_a_price_that_may_be_old_is_fetched_once_for_all_replicas():
    world = ReplicaWorld(count=4, venue=FakeVenue(numbers={1}))

    async def main():
        for _ in range(5):
            for replica in world.replicas:
                await replica.quotes([1], 30_000)
                await trio.sleep(1.0)

    run_jumping(lambda: world.during(main))
    assert len(world.venue.calls) == 1


def test_nobody_hails_a_call_that_another_replica_may_make():
    world = ReplicaWorld(count=1, venue=FakeVenue(numbers={1}))
    hailed = []

    async def main():
        await world.replicas[0].quotes([1])
        await trio.sleep(1.0)
        await world.replicas[0].quotes([1])
        hailed.append(world.replicas[0].cache.hail())

    run_jumping(lambda: world.during(main))
    assert hailed == [False]


def test_a_replica_that_starts_finds_the_last_prices():
    world = ReplicaWorld(count=1, venue=FakeVenue(numbers={1, 2}))

    async def main():
        await world.replicas[0].quotes([1, 2])
        await trio.sleep(0.5)
        late = world.replica(9)
        async with trio.open_nursery() as nursery:
            await nursery.start(late.run)
            began_s = trio.current_time()
            answers = await late.quotes([1, 2])
            assert trio.current_time() - began_s < 0.05
            assert all(true_age_s(quote, trio.current_time()) < 1 for quote in answers.values())
            nursery.cancel_scope.cancel()

    run_jumping(lambda: world.during(main))
    assert len(world.venue.calls) == 1


def test_an_id_that_no_market_has_costs_one_question_in_all():
    world = ReplicaWorld(count=3, venue=FakeVenue(numbers={1}))

    async def main():
        async with trio.open_nursery() as nursery:
            for replica in world.replicas:
                nursery.start_soon(replica.quotes, [9])
        for replica in world.replicas:
            assert await replica.quotes([9]) == {condition(9): None}

    run_jumping(lambda: world.during(main))
    assert len(world.venue.calls) == 2  # once more among the closed ones


def test_a_holder_that_dies_costs_its_claim_and_no_old_price():
    world = ReplicaWorld(count=2, venue=FakeVenue(numbers={1}, latency_s=1.0))
    first, second = world.replicas

    async def ask_in_vain():
        with suppress(TransientError):
            await first.quotes([1])

    async def main():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask_in_vain)
            await trio.sleep(0.3)  # it has claimed, and waits for the venue
            first.life.cancel()
            began_s = trio.current_time()
            quote = (await second.quotes([1]))[condition(1)]
            assert not quote.stale
            # The rest of the claim, then its own call.
            assert trio.current_time() - began_s <= 1.5 + 1.0 + 0.1
            nursery.cancel_scope.cancel()

    run_jumping(lambda: world.during(main))
    assert len(world.venue.calls) == 2
    assert second.sharing.counts["outlived"] == 1


@pytest.mark.parametrize("mode", ["down", "hang", "deaf"])
def test_without_the_store_each_replica_fetches_for_itself_and_says_so(mode):
    world = ReplicaWorld(count=2, venue=FakeVenue(numbers=set(range(1, 6))))
    ages = []

    async def main():
        async with trio.open_nursery() as nursery:
            for index, replica in enumerate(world.replicas):
                nursery.start_soon(poll, replica, [1, 2, 3], 0.1 * index, 40, ages)
            await trio.sleep(10)
            before = len(world.venue.calls)
            for replica in world.replicas:
                replica.line.mode = mode
            await trio.sleep(10)
            assert len(world.venue.calls) - before <= 2 * 7
            assert not any(replica.sharing.is_open for replica in world.replicas)
            for replica in world.replicas:
                replica.line.mode = "ok"
            world.shared.flush()
            await trio.sleep(6)
            before = len(world.venue.calls)
            await trio.sleep(12)
            assert len(world.venue.calls) - before <= 7
            assert all(replica.sharing.is_open for replica in world.replicas)

    run_jumping(lambda: world.during(main))
    assert max(ages) <= 3.0


EVENTS = st.lists(
    st.tuples(
        st.floats(0, 60),
        st.integers(0, 2),
        st.sampled_from(["kill", "down", "hang", "deaf", "ok", "ok", "flush", "gamma down", "gamma ok", "gamma ok"]),
    ),
    max_size=12,
)
ASKS = st.tuples(
    st.floats(0, 70),
    st.integers(0, 2),
    st.lists(st.integers(1, 7), min_size=1, max_size=4, unique=True),
    st.sampled_from([0, 0, 30_000]),
)


@QUICK
@given(
    asks=st.lists(ASKS, min_size=5, max_size=40),
    events=EVENTS,
    crashes=st.lists(st.sets(st.integers(0, 60), max_size=4), min_size=3, max_size=3),
    skews_ms=st.lists(st.integers(-1_000, 1_000), min_size=3, max_size=3),
    latency_s=st.sampled_from([0.0, 0.05, 0.4, 1.8]),
)
def test_whatever_happens_users_of_every_replica_get_the_right_price_in_time(
    asks, events, crashes, skews_ms, latency_s
):
    venue = FakeVenue(numbers=set(range(1, 7)), latency_s=latency_s)
    world = ReplicaWorld(count=3, venue=venue, skews_ms=skews_ms)
    for index, crash_at in enumerate(crashes):
        world.replicas[index] = world.replica(index, *crash_at)
    answered = []

    async def ask(at_s, index, numbers, max_age_ms):
        await trio.sleep(at_s)
        replica, began_s = world.replicas[index], trio.current_time()
        try:
            answers = await replica.quotes(numbers, max_age_ms)
        except TransientError:
            answers = {}
        now_s = trio.current_time()
        assert now_s - began_s <= 5.0 + 1e-6
        answered.append(at_s)
        for condition_id, quote in answers.items():
            number = int(condition_id, 16)
            if quote is None:
                assert number == 7
                continue
            assert (quote.facts.condition_id, told_by(quote)[0]) == (condition_id, number)
            # The claim is never younger than the truth, whoever fetched it and whatever its clock says.
            claimed_s = now_s - quote.observed_s
            assert true_age_s(quote, now_s) <= claimed_s % 60.0 + 0.0025 or claimed_s % 60.0 < 0.0025
            if not quote.stale:
                assert claimed_s <= max(2.0, max_age_ms / 1000) + 5.0

    async def disturb(at_s, index, what, nursery):
        await trio.sleep(at_s)
        replica = world.replicas[index]
        if what == "kill":
            replica.life.cancel()
            world.replicas[index] = world.replica(index)
            await nursery.start(world.replicas[index].run)
        elif what == "flush":
            world.shared.flush()
        elif what.startswith("gamma"):
            venue.gamma = what.removeprefix("gamma ")
        else:
            replica.line.mode = what

    async def main():
        async with trio.open_nursery() as lives:
            async with trio.open_nursery() as nursery:
                for event in events:
                    nursery.start_soon(disturb, *event, lives)
                for one in asks:
                    nursery.start_soon(ask, *one)
            # In the end everything heals, and one call serves all of them again.
            venue.gamma = "ok"
            for replica in world.replicas:
                replica.line.mode, replica.line.plan.crash_at = "ok", ()
            await trio.sleep(130)
            calls = len(venue.calls)
            for replica in world.replicas:
                answers = await replica.quotes(range(1, 7))
                assert all(quote is not None and not quote.stale for quote in answers.values())
            assert len(venue.calls) == calls + 1 if latency_s < 1 else len(venue.calls) > calls
            lives.cancel_scope.cancel()

    run_jumping(lambda: world.during(main))
    assert len(answered) == len(asks)
