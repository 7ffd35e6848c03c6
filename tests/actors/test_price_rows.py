"""The price cache and the rows of markets: resolved ones, last known prices, names."""

import msgspec
import trio
from property.fake_prices import EPOCH_MS, RESOLVED, FakePriceStore, FakeVenue, PriceWorld, facts
from property.made_trades import condition
from property.supervised import run_jumping

from actors.rules.price_wire import quote_json
from protocols.prices import MarketKey, MarketName, PriceSource, StoredMarket


def play(world, main):
    run_jumping(lambda: world.during(main))
    return world


def world_of(count):
    return PriceWorld(venue=FakeVenue(numbers=set(range(1, count + 1))))


def test_a_resolved_row_needs_no_call_at_all():
    rows = {condition(1): StoredMarket(facts=facts(1, **RESOLVED), as_of_ms=EPOCH_MS)}
    world = PriceWorld(store=FakePriceStore(rows=rows))

    async def main():
        for _ in range(3):
            assert (await world.one(1)).source is PriceSource.DATABASE
            await trio.sleep(100)

    play(world, main)
    assert not world.venue.calls
    assert world.store.finds == 1


def test_an_open_row_is_an_answer_only_when_nobody_else_has_one():
    rows = {condition(1): StoredMarket(facts=facts(1), as_of_ms=EPOCH_MS - 60_000)}
    world = PriceWorld(venue=FakeVenue(numbers={1}), store=FakePriceStore(rows=rows))

    async def main():
        world.venue.gamma = world.venue.clob = "down"
        quote = await world.one(1, 600_000)
        assert quote.stale
        assert quote.source is PriceSource.DATABASE
        assert msgspec.json.decode(quote_json(quote, trio.current_time()))["ageMs"] > 60_000
        world.venue.gamma = "ok"
        await trio.sleep(3)
        quote = await world.one(1, 600_000)
        assert (quote.source, quote.stale) == (PriceSource.GAMMA, False)

    play(world, main)


def test_names_lead_to_markets():
    world = world_of(5)
    slug, token = MarketName(MarketKey.SLUG, "market-3"), MarketName(MarketKey.TOKEN, "42")

    async def main():
        for _ in range(3):
            assert await world.cache.condition_id_of(slug) == condition(3)
            assert await world.cache.condition_id_of(token) == condition(4)
            assert await world.cache.condition_id_of(MarketName(MarketKey.SLUG, "market-9")) is None
            await world.one(3)

    play(world, main)
    assert world.calls_by_key() == {"slug": 3, "token": 1}


def test_the_name_of_a_stored_market_costs_no_call():
    rows = {condition(1): StoredMarket(facts=facts(1), as_of_ms=None)}
    world = PriceWorld(store=FakePriceStore(rows=rows))

    async def main():
        assert await world.cache.condition_id_of(MarketName(MarketKey.TOKEN, "12")) == condition(1)
        quote = await world.cache.stored(condition(1))
        assert msgspec.json.decode(quote_json(quote, 0.0))["asOf"] is None
        assert await world.cache.stored(condition(2)) is None

    play(world, main)
    assert not world.venue.calls
