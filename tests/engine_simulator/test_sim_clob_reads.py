import json
from decimal import Decimal

import pytest
from simulator_clients import payload, row, running

from engine.simulator.book import book_hash


def best(levels):
    return Decimal(levels[-1]["price"])


async def first_market(venue):
    market = (await venue.gamma("/markets?limit=1")).json()[0]
    return market, json.loads(market["clobTokenIds"])


def test_the_checksum_is_that_of_a_recorded_book():
    recorded = payload("clob-book.rest.real.2026-10-05.json")
    assert book_hash(recorded) == recorded["hash"]


async def test_books_have_the_shape_of_recorded_ones_and_a_true_checksum():
    recorded = payload("clob-book.rest.real.2026-10-05.json")
    async with running() as venue:
        _, tokens = await first_market(venue)
        await venue.emit(row(asset=tokens[0], price=0.4))
        book = (await venue.clob("/book", token_id=tokens[0])).json()
    assert list(book) == list(recorded)
    for name, value in recorded.items():
        assert type(book[name]) is type(value), name
    assert book["hash"] == book_hash(book)
    bids = [Decimal(level["price"]) for level in book["bids"]]
    asks = [Decimal(level["price"]) for level in book["asks"]]
    assert bids == sorted(bids)
    assert asks == sorted(asks, reverse=True)
    assert bids[-1] < asks[-1]
    tick = Decimal(book["tick_size"])
    assert all(price % tick == 0 for price in bids + asks)
    assert book["last_trade_price"] == "0.400"


async def test_the_second_token_sees_the_mirror():
    async with running() as venue:
        _, tokens = await first_market(venue)
        yes, no = [(await venue.clob("/book", token_id=token)).json() for token in tokens]
        mirrored = {(1 - Decimal(level["price"]), level["size"]) for level in yes["asks"]}
        assert {(Decimal(level["price"]), level["size"]) for level in no["bids"]} == mirrored
        assert len(no["asks"]) == len(yes["bids"]) > 0


async def test_prices_agree_with_the_book():
    async with running() as venue:
        market, tokens = await first_market(venue)
        await venue.emit(row(asset=tokens[0], price=0.5))
        book = (await venue.clob("/book", token_id=tokens[0])).json()
        bid, ask = best(book["bids"]), best(book["asks"])
        assert Decimal((await venue.clob("/midpoint", token_id=tokens[0])).json()["mid"]) == (bid + ask) / 2
        assert Decimal((await venue.clob("/price", token_id=tokens[0], side="BUY")).json()["price"]) == bid
        assert Decimal((await venue.clob("/price", token_id=tokens[0], side="sell")).json()["price"]) == ask
        assert (await venue.clob("/price", token_id=tokens[0], side="up")).status_code == 400
        assert Decimal((await venue.clob("/spread", token_id=tokens[0])).json()["spread"]) == ask - bid
        assert (await venue.clob("/last-trade-price", token_id=tokens[1])).json() == {"price": "0.5", "side": "BUY"}
        tick = (await venue.clob("/tick-size", token_id=tokens[0])).json()["minimum_tick_size"]
        assert tick == market["orderPriceMinTickSize"]


async def test_several_books_at_once():
    async with running() as venue:
        _, tokens = await first_market(venue)
        url = venue.urls.clob_url + "/books"
        books = (await venue.http.post(url, json=[{"token_id": token} for token in [*tokens, "404"]])).json()
        assert [book["asset_id"] for book in books] == tokens
        assert (await venue.http.post(url, json=[{"token_id": "1"}] * 501)).status_code == 400
        assert (await venue.http.post(url, content="nonsense")).status_code == 400


async def test_compact_markets_have_the_fields_of_recorded_ones():
    recorded = payload("clob-rest.markets-compact.real.2026-10-05.json")
    async with running() as venue:
        market, tokens = await first_market(venue)
        compact = (await venue.clob(f"/clob-markets/{market['conditionId']}")).json()
    assert compact.keys() - {"nr"} == recorded.keys()
    assert [each["t"] for each in compact["t"]] == tokens
    assert compact["fd"].keys() == recorded["fd"].keys()


async def test_old_market_objects_and_tokens():
    async with running() as venue:
        market, tokens = await first_market(venue)
        condition = market["conditionId"]
        full = (await venue.clob(f"/markets/{condition}")).json()
        assert [token["token_id"] for token in full["tokens"]] == tokens
        assert full["accepting_orders"] is True
        by_token = (await venue.clob(f"/markets-by-token/{tokens[0]}")).json()
        assert by_token["condition_id"] == condition
        assert int(by_token["primary_token_id"]) == min(map(int, tokens))


@pytest.mark.parametrize("path", ["/book", "/midpoint", "/tick-size", "/neg-risk", "/spread"])
async def test_unknown_tokens_are_not_found(path):
    async with running() as venue:
        response = await venue.clob(path, token_id="12345")
        assert response.status_code == 404
        assert "error" in response.json()


async def test_time_and_health():
    async with running() as venue:
        assert (await venue.clob("/ok")).json() == "OK"
        assert abs((await venue.clob("/time")).json() - (await venue.state())["now_ms"] / 1000) < 2
        assert (await venue.clob("/version")).json() == {"version": 2}


async def test_closed_markets_have_no_book():
    async with running(start_paused=False, speed=None, life_scale=0.02) as venue:
        await venue.until(lambda state: state["markets"]["resolved"] >= 1)
        (market, *_) = (await venue.gamma("/markets?closed=true")).json()
        token = json.loads(market["clobTokenIds"])[0]
        assert (await venue.clob("/book", token_id=token)).status_code == 404
        assert (await venue.clob(f"/clob-markets/{market['conditionId']}")).json()["ao"] is False
