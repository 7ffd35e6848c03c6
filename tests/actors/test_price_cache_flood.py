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
