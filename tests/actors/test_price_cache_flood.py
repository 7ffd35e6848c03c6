from contextlib import suppress

import trio
from property.fake_prices import FakeVenue, PriceWorld
from property.made_trades import condition
from property.supervised import run_jumping

from protocols.errors import TransientError

USERS = [condition(number) for number in range(1, 51)]
SECONDS = 60


def test_who_makes_ids_up_spends_few_calls_and_nobody_elses_prices():
    """Sixty seconds of 2,000 unknown ids a second, beside users who look at fifty markets four times a second."""
    world = PriceWorld(venue=FakeVenue(numbers=set(range(1, 51))))
    stale, ages = [], []

    async def invent():
        start = 1_000
        while True:
            ids = [condition(number) for number in range(start, start + 100)]
            start += 100
            with suppress(TransientError):
                await world.cache.quotes(ids)
            await trio.sleep(0.05)

    async def main():
        await world.cache.quotes(USERS)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(invent)
            for _ in range(SECONDS * 4):
                answers = await world.cache.quotes(USERS)
                stale.extend(quote for quote in answers.values() if quote.stale)
                ages.extend(trio.current_time() - quote.observed_s for quote in answers.values())
                await trio.sleep(0.25)
            nursery.cancel_scope.cancel()

    run_jumping(lambda: world.during(main))
    assert not stale
    assert max(ages) <= 2.5
    # Twenty flights at once, then two a second, beside those of the users; each asks among the closed ones too.
    assert len(world.venue.calls) <= 2 * (20 + 2 * SECONDS + 0.6 * SECONDS)


def test_who_asks_as_a_call_departs_goes_with_it():
    """Else two halves of the markets would stay apart for good, each with a call of its own every two seconds."""
    world = PriceWorld(venue=FakeVenue(numbers={1, 2}))
    first, second = condition(1), condition(2)

    async def main():
        await world.cache.quotes([first, second])
        for number in range(1, 21):
            await trio.sleep_until(number * 2.1 - 1)
            await world.cache.quotes([first, second])
            async with trio.open_nursery() as nursery:
                for id_, late_s in ((first, 0.0), (second, world.cache.config.batch_window_ms / 1000)):
                    await trio.sleep_until(number * 2.1 + late_s)
                    nursery.start_soon(world.cache.quotes, [id_])

    run_jumping(lambda: world.during(main))
    assert len(world.venue.calls) == 21
