import json
from contextlib import asynccontextmanager

import pytest
import trio
from engine_api.api_server import error_of, serving_routes
from property.fake_markets import FakeCatalog, FakeMarketStore
from property.fake_prices import EPOCH_MS, FakePriceStore, FakeVenue, PriceWorld, TrioClock, facts
from property.made_trades import condition

from actors.book_cache import BookCache
from actors.market_ensurer import MarketEnsurer
from engine.api.market_routes import market_routes
from engine.api.price_routes import price_routes
from protocols.prices import StoredMarket

PRICE = "/api/polymarket/price"


@asynccontextmanager
async def serving(world, catalog=None, store=None):
    ensurer = MarketEnsurer(store=store or FakeMarketStore(), catalog=catalog or FakeCatalog())
    books = BookCache(upstream=world.venue, clock=TrioClock())
    routes = [*price_routes(world.cache), *market_routes(world.cache, books, ensurer)]
    async with trio.open_nursery() as nursery:
        await nursery.start(world.cache.run)
        async with serving_routes(*routes) as client:
            yield client
        nursery.cancel_scope.cancel()


def world_of(count, **fields):
    return PriceWorld(venue=FakeVenue(numbers=set(range(1, count + 1)), latency_s=0.001), **fields)


def query(*numbers, **more):
    parts = [f"conditionId={condition(number)}" for number in numbers]
    return "&".join([*parts, *(f"{name}={value}" for name, value in more.items())])


async def test_one_market():
    async with serving(world_of(2)) as client:
        answer = await client.get(f"{PRICE}?{query(1)}")
        assert answer.status_code == 200
        document = answer.json()
        assert document["success"] is True
        market = document["market"]
        assert market.items() >= {"conditionId": condition(1), "question": "Market 1?", "closed": False}.items()
        assert market.items() >= {"resolved": False, "stale": False, "source": "gamma", "score": None}.items()
        assert len(market["outcomePrices"]) == len(market["outcomes"]) == 2
        assert 0 <= market["ageMs"] <= 2_500
        assert market["asOf"].endswith("Z")


async def test_a_market_by_slug_and_by_token():
    async with serving(world_of(3)) as client:
        for text in ("slug=market-2", "token=21"):
            assert (await client.get(f"{PRICE}?{text}")).json()["market"]["conditionId"] == condition(2)
        for text in ("slug=none", "token=999"):
            assert error_of(await client.get(f"{PRICE}?{text}")) == (404, "unknown_market", None)


async def test_an_unknown_market_is_a_404_and_among_several_it_is_missing():
    async with serving(world_of(2)) as client:
        assert error_of(await client.get(f"{PRICE}?{query(9)}")) == (404, "unknown_market", None)
        document = (await client.get(f"{PRICE}?{query(1, 9, 2)}&maxAgeMs=250")).json()
        assert document["missing"] == [condition(9)]
        assert document["unavailable"] == []
        assert [market["conditionId"] for market in document["markets"]] == [condition(1), condition(2)]


async def test_both_spellings_of_an_id_are_one_market():
    number = 0xAB00
    world = PriceWorld(venue=FakeVenue(numbers={number}, latency_s=0.001))
    async with serving(world) as client:
        short = condition(number)[:64]
        assert (await client.get(f"{PRICE}?conditionId={short}")).json()["market"]["conditionId"] == condition(number)
        both = (await client.get(f"{PRICE}?conditionId={short}&conditionId={condition(number)}")).json()
        assert len(both["markets"]) == 1
        wrong = "0x" + "c" * 62
        assert (await client.get(f"{PRICE}?conditionId={short}&conditionId={wrong}")).json()["missing"] == [wrong]


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", "conditionId"),
        ("conditionId=0x12", "conditionId"),
        (query(1, slug="x"), "slug"),
        (query(1, 2, slug="x"), "conditionId"),
        ("slug=a/b", "slug"),
        ("token=x", "token"),
        (query(1, maxAgeMs=600_001), "maxAgeMs"),
        (query(1, maxAgeMs=-1), "maxAgeMs"),
        (query(1, tier="T9"), "tier"),
        (query(*range(101)), "conditionId"),
    ],
)
async def test_a_wrong_question_is_named(text, field):
    world = world_of(1)
    async with serving(world) as client:
        assert error_of(await client.get(f"{PRICE}?{text}")) == (400, "bad_request", field)
    assert not world.venue.calls


async def test_a_hundred_ids_go_into_a_request():
    async with serving(world_of(100)) as client:
        document = (await client.get(f"{PRICE}?{query(*range(1, 101))}&tier=T4")).json()
        assert len(document["markets"]) == 100


async def test_when_nobody_answers():
    world = world_of(2)
    async with serving(world) as client:
        await client.get(f"{PRICE}?{query(1)}")
        world.venue.gamma = world.venue.clob = "down"
        assert error_of(await client.get(f"{PRICE}?{query(2)}"))[:2] == (503, "unavailable")
        document = (await client.get(f"{PRICE}?{query(1, 2)}")).json()
        assert [document["unavailable"], document["missing"]] == [[condition(2)], []]
        assert error_of(await client.get(f"{PRICE}?slug=market-2"))[:2] == (503, "unavailable")


async def test_facts_of_a_market_cost_no_call():
    world = world_of(2, store=FakePriceStore(rows={condition(2): StoredMarket(facts=facts(2), as_of_ms=EPOCH_MS)}))
    async with serving(world) as client:
        for text in (query(2), "slug=market-2", "token=22"):
            answer = await client.get(f"/api/polymarket/market?{text}")
            assert answer.json()["market"].items() >= {"conditionId": condition(2), "source": "database"}.items()
        assert error_of(await client.get(f"/api/polymarket/market?{query(1)}")) == (404, "unknown_market", None)
        assert error_of(await client.get("/api/polymarket/market")) == (400, "bad_request", "conditionId")
    assert not world.venue.calls


async def test_markets_are_ensured_by_one_call():
    catalog, store = FakeCatalog(known={condition(n) for n in range(1, 100)}), FakeMarketStore()
    body = {"conditionIds": [condition(n) for n in range(1, 100)]}
    async with serving(world_of(0), catalog, store) as client:
        answer = await client.ask("POST", "/api/markets/ensure", json=body)
        assert answer.json() == {"success": True, "known": body["conditionIds"], "missing": []}
        assert len(store.stored) == 99
        again = await client.ask("POST", "/api/markets/ensure", json={"conditionIds": [condition(5), condition(500)]})
        assert again.json() == {"success": True, "known": [condition(5)], "missing": [condition(500)]}
        await client.ask("POST", "/api/markets/ensure", json={"conditionIds": [condition(500)]})
        for ids, field in (([], "conditionIds"), (["0x1"], "conditionIds[0]"), ([condition(1)] * 101, "conditionIds")):
            refused = await client.ask("POST", "/api/markets/ensure", json={"conditionIds": ids})
            assert error_of(refused) == (400, "bad_request", field)
    assert [closed for _, _, closed in catalog.calls] == [None, None, True]


async def lines_until(stream, count):
    data = b""
    while data.count(b"data: ") < count:
        part = await stream.receive_some()
        assert part, data
        data += part
    return data


async def test_a_stream_over_the_wire():
    world = world_of(2)
    async with serving(world) as client:
        request = (
            f"GET {PRICE}/stream?{query(1, 2, 9)} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer pcy_{'a' * 43}\r\n\r\n"
        )
        async with await trio.open_tcp_stream("127.0.0.1", client.port) as stream:
            await stream.send_all(request.encode())
            data = await lines_until(stream, 5)
            assert b"content-type: text/event-stream" in data
            assert b'event: missing\ndata: {"missing":["%b"]}\n\n' % condition(9).encode() in data
            assert len(world.cache.watchers) == 2
        with trio.fail_after(5):
            while world.cache.watchers:
                await trio.sleep(0.01)
        assert error_of(await client.get(f"{PRICE}/stream?{query(9)}")) == (404, "unknown_market", None)
        assert error_of(await client.get(f"{PRICE}/stream")) == (400, "bad_request", "conditionId")
        assert not world.cache.watchers


async def test_the_best_orders_of_a_book():
    world = world_of(1)
    asked = []

    async def book(token):
        asked.append(token)
        return

    world.venue.__class__.book = staticmethod(book)
    try:
        async with serving(world) as client:
            for _ in range(3):
                assert error_of(await client.get("/api/polymarket/book?token=1")) == (404, "no_book", None)
            assert error_of(await client.get("/api/polymarket/book")) == (400, "bad_request", "token")
    finally:
        del world.venue.__class__.book
    assert asked == ["1"]


def test_the_document_describes_them():
    from engine.api.openapi import openapi_document

    world = world_of(1)
    ensurer = MarketEnsurer(store=FakeMarketStore(), catalog=FakeCatalog())
    books = BookCache(upstream=world.venue, clock=TrioClock())
    document = json.loads(openapi_document([*price_routes(world.cache), *market_routes(world.cache, books, ensurer)]))
    fields = document["components"]["schemas"]["MarketPrice"]["properties"]
    assert {"outcomePrices", "asOf", "ageMs", "stale", "source", "resolved", "homeTeam"} <= fields.keys()
