"""The price cache against the simulated venue: Gamma and the CLOB over real sockets, with their faults."""

from contextlib import asynccontextmanager
from decimal import Decimal
from random import Random

import pytest
import trio
from engine_simulator.simulator_clients import row, running
from property.fake_prices import FakePriceStore

from actors.book_cache import BookCache
from actors.price_cache import PriceCache
from config.schema import PricesConfig, VenueConfig
from engine.adapters.price_upstream import ClobPrices, GammaPrices
from engine.adapters.system_clock import SystemClock
from engine.adapters.upstream import open_upstream
from engine.runtime.traffic import Traffic
from protocols.prices import MarketKey, MarketName, PriceSource

TTL_S = 0.25


@asynccontextmanager
async def priced(*, ttl_s=TTL_S, **options):
    """A venue, and a cache over it whose prices live a quarter of a second."""
    async with running(**options) as venue:
        opened = {"venue": VenueConfig(request_timeout_s=2.0), "rate_per_s": 200, "traffic": Traffic()}
        async with (
            open_upstream("gamma", venue.urls.gamma_url, **opened) as gamma,
            open_upstream("clob", venue.urls.clob_url, **opened, connections_max=4) as clob,
            trio.open_nursery() as nursery,
        ):
            cache = PriceCache(
                upstream=GammaPrices(api=gamma),
                fallback=ClobPrices(api=clob),
                store=FakePriceStore(),
                config=PricesConfig(ttl_ms=int(ttl_s * 1000), backoff_max_s=1),
                clock=SystemClock(),
                rng=Random(1),
            )
            await nursery.start(cache.run)
            yield venue, cache
            nursery.cancel_scope.cancel()


async def listed(venue, count):
    """(condition id, tokens) of the first markets, as the CLOB tells them."""
    found = []
    for market in (await venue.gamma(f"/markets?limit={count}")).json():
        clob = (await venue.clob(f"/markets/{market['conditionId']}")).json()
        found.append((market["conditionId"], [token["token_id"] for token in clob["tokens"]]))
    return found


async def one(cache, condition_id):
    return (await cache.quotes([condition_id]))[condition_id]


async def until_seen(cache, condition_id, price, source=None):
    with trio.fail_after(10):
        while True:
            quote = await one(cache, condition_id)
            if quote.facts.outcome_prices[0] == price and not quote.stale and source in (None, quote.source):
                return quote
            await trio.sleep(0.02)


async def calls(venue, api, path):
    return (await venue.state())["http"][api].get(path, 0)


async def test_prices_move_with_trades_and_never_to_another_market():
    async with priced(markets=20) as (venue, cache):
        (first, first_tokens), (second, _) = await listed(venue, 2)
        before = await one(cache, second)
        for cents in (31, 64, 12):
            await venue.emit(row(asset=first_tokens[0], price=cents / 100))
            quote = await until_seen(cache, first, Decimal(cents) / 100, PriceSource.GAMMA)
            assert quote.facts.token_ids == tuple(first_tokens)
            assert (await one(cache, second)).facts.outcome_prices == before.facts.outcome_prices
        found = await cache.condition_id_of(MarketName(MarketKey.TOKEN, first_tokens[1]))
        assert found == first
        assert await cache.condition_id_of(MarketName(MarketKey.SLUG, quote.facts.slug)) == first
        assert await one(cache, "0x" + "9" * 64) is None


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        ("http_429", {"api": "gamma", "retry_after_s": 1}),
        ("http_5xx", {"api": "gamma"}),
        ("http_truncated", {"api": "gamma"}),
        ("http_hang", {"api": "gamma"}),
        ("http_empty", {"api": "gamma"}),
        ("refuse", {"surface": "gamma", "duration_s": 2.5}),
    ],
)
async def test_whatever_gamma_does_the_clob_answers_until_gamma_is_back(kind, parameters):
    async with priced(markets=20) as (venue, cache):
        markets = await listed(venue, 5)
        await cache.quotes([condition_id for condition_id, _ in markets])
        await venue.fault(kind, **parameters)
        first, tokens = markets[0]
        await venue.emit(row(asset=tokens[0], price=0.23))
        quotes = {}
        with trio.fail_after(10):
            while True:
                quotes = await cache.quotes([condition_id for condition_id, _ in markets])
                if quotes[first].facts.outcome_prices[0] == Decimal("0.23"):
                    break
                await trio.sleep(0.02)
        assert {quote.source for quote in quotes.values()} == {PriceSource.CLOB}
        assert not any(quote.stale for quote in quotes.values())
        assert quotes[first].facts.event_slug
        await venue.control("/faults", {"kind": "clear"})
        await until_seen(cache, first, Decimal("0.23"), PriceSource.GAMMA)


async def test_when_both_fail_the_last_price_is_stale_and_the_venue_is_left_alone():
    async with priced(markets=20) as (venue, cache):
        ((first, _),) = await listed(venue, 1)
        known = await one(cache, first)
        await venue.fault("http_429", api="gamma", retry_after_s=0)
        await venue.fault("http_5xx", api="clob")
        await trio.sleep(1.125 * TTL_S)
        asked = await calls(venue, "gamma", "/markets/keyset")
        ages = []
        for _ in range(100):
            quote = await one(cache, first)
            assert quote.stale
            assert quote.facts.outcome_prices == known.facts.outcome_prices
            ages.append(trio.current_time() - quote.observed_s)
            await trio.sleep(0.01)
        assert ages == sorted(ages)
        assert await calls(venue, "gamma", "/markets/keyset") - asked <= 4
        await venue.control("/faults", {"kind": "clear"})
        with trio.fail_after(10):
            while (await one(cache, first)).stale:
                await trio.sleep(0.02)


async def test_users_cost_nothing_and_one_call_serves_fifty_markets():
    async with priced(ttl_s=1.0, markets=60) as (venue, cache):
        ids = [condition_id for condition_id, _ in await listed(venue, 50)]
        asked = await calls(venue, "gamma", "/markets/keyset")
        seconds, ages = 4.0, []

        async def user(number):
            until_s = trio.current_time() + seconds
            while trio.current_time() < until_s:
                quote = await one(cache, ids[number % len(ids)])
                ages.append(trio.current_time() - quote.observed_s)
                await trio.sleep(0.1)

        async with trio.open_nursery() as nursery:
            for number in range(200):
                nursery.start_soon(user, number)
        made = await calls(venue, "gamma", "/markets/keyset") - asked
        # Eight more while they come in, one by one.
        assert made <= seconds / 0.875 + 8
        assert max(ages) <= 1.5
        assert len(ages) > 3_000


@pytest.mark.parametrize("open_only", [False, True])
async def test_resolved_and_void_markets_are_asked_for_once(open_only):
    options = {"start_paused": False, "speed": None, "life_scale": 0.02, "gamma_default_open_only": open_only}
    async with priced(**options) as (venue, cache):
        await venue.until(lambda state: state["markets"]["resolved"] >= 8)
        await venue.control("/play", {"action": "pause"})
        path = "/markets?closed=true&uma_resolution_status=resolved&limit=8"
        ids = [market["conditionId"] for market in (await venue.gamma(path)).json()]
        quotes = await cache.quotes(ids)
        for quote in quotes.values():
            assert quote.resolved
            assert sorted(quote.facts.outcome_prices) in ([0, 1], [Decimal("0.5"), Decimal("0.5")])
        asked = await calls(venue, "gamma", "/markets/keyset")
        for _ in range(3):
            await trio.sleep(TTL_S)
            assert await cache.quotes(ids) == quotes
        assert await calls(venue, "gamma", "/markets/keyset") == asked


async def test_a_book_costs_one_call_for_everybody():
    async with priced(markets=20) as (venue, cache):
        ((first, tokens),) = await listed(venue, 1)
        books, seen = BookCache(upstream=cache.fallback, clock=SystemClock()), []

        async def look():
            seen.append(await books.top(tokens[0]))

        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(look)
        assert await calls(venue, "clob", "/book") == 1
        top = seen[0].top
        assert top.best_bid < top.best_ask
        assert top.condition_id == first
        assert top.tick_size is not None
        assert await books.top("123") is None
