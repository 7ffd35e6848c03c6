"""The price cache when upstreams or the database fail, and what it writes."""

import itertools
from decimal import Decimal

import pytest
import trio
from property.fake_prices import EPOCH_MS, FakePriceStore, FakeVenue, PriceWorld, facts, price_at
from property.made_trades import condition
from property.supervised import run_jumping

from protocols.prices import PriceSource, StoredMarket


def play(world, main):
    run_jumping(lambda: world.during(main))
    return world


def world_of(count, store=None, **venue):
    return PriceWorld(venue=FakeVenue(numbers=set(range(1, count + 1)), **venue), store=store or FakePriceStore())


@pytest.mark.parametrize("failure", ["down", "hang", "reject"])
def test_when_gamma_fails_the_clob_answers_and_gamma_is_asked_ever_less(failure):
    world = world_of(2)

    async def main():
        first = await world.one(1)
        world.venue.gamma = failure
        ages = []
        for _ in range(1_000):
            await trio.sleep(0.25)
            quote = await world.one(1)
            assert not quote.stale
            ages.append(trio.current_time() - quote.observed_s)
        assert quote.source is PriceSource.CLOB
        assert quote.facts.event_slug == first.facts.event_slug
        assert max(ages) <= 3.0

    play(world, main)
    if failure != "reject":
        pauses = [later[0] - earlier[0] for earlier, later in itertools.pairwise(world.venue.calls)]
        assert len(world.venue.calls) <= 13
        assert pauses[-1] >= 29
        assert world.cache.desk.gamma.failures >= 5


def test_when_both_fail_the_last_known_price_is_served_with_its_age_and_hardly_anybody_asked():
    world = world_of(1)

    async def main():
        first = await world.one(1)
        world.venue.gamma = world.venue.clob = "down"
        waits = []
        for _ in range(400):
            await trio.sleep(0.25)
            before_s = trio.current_time()
            quote = await world.one(1)
            waits.append(trio.current_time() - before_s)
            assert quote.observed_s == first.observed_s
            assert quote.stale or before_s - first.observed_s < 2.25
        assert sum(wait_s > 0 for wait_s in waits) <= 16
        world.venue.gamma = "ok"
        await trio.sleep(61)
        assert (await world.one(1)).source is PriceSource.GAMMA

    play(world, main)
    assert len(world.venue.calls) <= 12
    assert len(world.venue.clob_calls) <= 12


def test_an_answer_without_content_is_a_failure():
    world = world_of(5)

    async def main():
        await world.cache.quotes([condition(n) for n in range(1, 6)])
        world.venue.gamma = world.venue.clob = "empty"
        await trio.sleep(3)
        answers = await world.cache.quotes([condition(n) for n in range(1, 6)])
        assert all(quote.stale for quote in answers.values())

    play(world, main)
    assert world.cache.desk.gamma.failures == 1


def test_a_known_market_that_vanishes_is_stale_and_costs_ever_less():
    world = world_of(2)

    async def main():
        await world.cache.quotes([condition(1), condition(2)])
        world.venue.numbers.discard(2)
        for _ in range(400):
            await trio.sleep(0.25)
            assert not (await world.one(1)).stale
            gone = await world.one(2)
            assert gone is not None
        assert gone.stale

    play(world, main)
    assert sum(condition(2) in values for _, _, values, _ in world.venue.calls) <= 20
    assert len(world.venue.clob_calls) <= 10


def test_the_clob_is_believed_only_about_the_market_it_was_asked_for():
    world = world_of(2)

    async def main():
        await world.one(1)
        world.venue.gamma = "down"
        world.venue.changed[1] = {"token_ids": ("91", "92")}
        await trio.sleep(3)
        quote = await world.one(1)
        assert quote.stale
        assert quote.facts.token_ids == ("11", "12")
        world.venue.changed[1] = {"token_ids": ("12", "11"), "outcome_prices": (Decimal("0.3"), Decimal("0.7"))}
        await trio.sleep(70)
        quote = await world.one(1)
        assert (quote.facts.token_ids, quote.facts.outcome_prices) == (("11", "12"), (Decimal("0.7"), Decimal("0.3")))

    play(world, main)


def test_a_stalled_or_failing_database_does_not_hold_up_a_price():
    for store in (FakePriceStore(stuck=True), FakePriceStore(fails=1_000)):
        world = world_of(3, store)

        async def main(world=world):
            for number in (1, 2, 3):
                before_s = trio.current_time()
                assert not (await world.one(number)).stale
                assert trio.current_time() - before_s < 0.5
                await trio.sleep(2)

        play(world, main)
        assert world.store.finds <= 2


def test_changed_prices_are_written_and_at_most_once_in_the_interval():
    world = world_of(2)
    world.venue.changed[2] = {"outcome_prices": (Decimal("0.25"), Decimal("0.75"))}

    async def main():
        for _ in range(240):
            await world.cache.quotes([condition(1), condition(2)])
            await trio.sleep(0.25)

    play(world, main)
    writes = world.store.writes_of(1)
    assert 10 <= len(writes) <= 13
    assert all(later - earlier >= 5 for (earlier, _), (later, _) in itertools.pairwise(writes))
    for at_s, write in writes:
        seen_s = (write.observed_ms - EPOCH_MS) / 1000
        assert abs(write.outcome_prices[0] - price_at(1, seen_s)) <= Decimal("0.00000001")
        assert at_s - seen_s <= 2.5
    assert len(world.store.writes_of(2)) == 1


def test_an_equal_row_is_not_written():
    rows = {condition(1): StoredMarket(facts=facts(1), as_of_ms=None)}
    world = world_of(1, FakePriceStore(rows=rows), frozen=True)

    async def main():
        for _ in range(20):
            await world.one(1)
            await trio.sleep(1)

    play(world, main)
    assert not world.store.batches


def test_a_failing_database_costs_a_retry_and_the_latest_value_wins():
    world = world_of(1, FakePriceStore(fails=6))

    async def main():
        for _ in range(30):
            await world.one(1)
            await trio.sleep(1)

    play(world, main)
    writes = [write for _, write in world.store.writes_of(1)]
    assert writes
    assert [write.observed_ms for write in writes] == sorted(write.observed_ms for write in writes)
    assert world.cache.writes.failures >= 4


def test_what_waits_for_the_database_is_bounded():
    world = PriceWorld(
        venue=FakeVenue(numbers=set(range(1, 1_001))),
        store=FakePriceStore(fails=10**9),
        settings={"markets_max": 100},
    )

    async def main():
        for start in range(1, 1_001, 50):
            await world.cache.quotes([condition(n) for n in range(start, start + 50)])
        await trio.sleep(100)
        assert world.cache.writes.depth <= 100

    play(world, main)
    assert world.cache.writes.forgotten >= 800


def test_one_price_that_the_database_refuses_costs_no_other():
    world = world_of(5, FakePriceStore(refused=frozenset({condition(3)})))

    async def main():
        await world.cache.quotes([condition(n) for n in range(1, 6)])
        await trio.sleep(10)

    play(world, main)
    assert [len(world.store.writes_of(n)) for n in range(1, 6)] == [1, 1, 0, 1, 1]
    assert world.cache.writes.refused == 1
