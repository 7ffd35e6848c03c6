import json
from decimal import Decimal

import attrs
import httpx
import pytest
from engine_adapters.answering_lines import AnsweringLines

from engine.adapters.order_books import ClobOrderBooks
from engine.adapters.upstream import Upstream
from engine.runtime.rate_limit import TokenBucket
from engine.runtime.traffic import Traffic
from protocols.errors import TransientError

BOOK = {
    "market": "0xAB" + "0" * 62, "asset_id": "1", "timestamp": "1791241810525", "hash": "h",
    "bids": [{"price": "0.01", "size": "5"}, {"price": "0.40", "size": "7"}, {"price": "0.40", "size": "1.5"}],
    "asks": [{"price": "0.9", "size": "3"}, {"price": "0.55", "size": "2"}],
    "min_order_size": "5", "tick_size": "0.01", "neg_risk": True, "last_trade_price": "",
}  # fmt: skip
CONDITION = "0x" + "c" * 64


@attrs.define(eq=False)
class Clob:
    books: dict[str, object] = attrs.field(factory=lambda: {"1": BOOK})
    terms: object = None
    status: int = 200
    refused: set[str] = attrs.field(factory=set)
    asked: list[str] = attrs.field(factory=list)
    upstream: ClobOrderBooks = attrs.field(init=False)

    def __attrs_post_init__(self):
        lines = AnsweringLines(self.answer)
        bucket = TokenBucket(rate_per_s=1e6, burst=10_000)
        api = Upstream(name="clob", lines=lines, bucket=bucket, total_timeout_s=5, traffic=Traffic())
        self.upstream = ClobOrderBooks(api=api)

    def answer(self, request):
        path = request.url.path
        self.asked.append(f"{request.method} {path}")
        if self.status != 200:
            return httpx.Response(self.status, text="<html>")
        if path == "/book":
            found = self.books.get(request.url.params["token_id"])
            return httpx.Response(404 if found is None else 200, json=found or {"error": "No orderbook exists"})
        if path == "/books":
            wanted = [one["token_id"] for one in json.loads(request.content)]
            assert len(wanted) <= 500
            if self.refused & set(wanted):
                return httpx.Response(400, json={"error": "Invalid payload"})
            return httpx.Response(200, json=[self.books[one] for one in wanted if one in self.books])
        assert path == f"/clob-markets/{CONDITION}"
        return httpx.Response(404 if self.terms is None else 200, json=self.terms or {"error": "not found"})


async def test_a_book_says_what_an_order_needs_best_level_first():
    clob = Clob()
    book = (await clob.upstream.books(("1",)))["1"]
    assert book.bids == ((Decimal("0.40"), Decimal("8.5")), (Decimal("0.01"), Decimal(5)))
    assert [price for price, _ in book.asks] == [Decimal("0.55"), Decimal("0.9")]
    assert (book.tick, book.min_shares, book.negative_risk, book.last_trade_price) == (Decimal("0.01"), 5, True, None)
    assert book.condition_id == BOOK["market"].lower()
    assert book.middle == Decimal("0.475")
    assert clob.asked == ["GET /book"]


async def test_recorded_answers_are_understood(recorded):
    payloads = recorded / "payloads"
    book = json.loads((payloads / "clob-book.rest.real.2026-10-05.json").read_text())
    clob = Clob(books={book["asset_id"]: book})
    read = (await clob.upstream.books((book["asset_id"],)))[book["asset_id"]]
    assert read.bids[0][0] == max(Decimal(one["price"]) for one in book["bids"])
    assert read.asks[0][0] == min(Decimal(one["price"]) for one in book["asks"])
    assert read.last_trade_price == Decimal("0.040")
    terms = json.loads((payloads / "clob-rest.markets-compact.real.2026-10-05.json").read_text())
    clob.terms = {**terms, "c": CONDITION}
    market = await clob.upstream.terms(CONDITION)
    assert (market.fee_rate, market.fee_exponent, market.taker_delay) == (Decimal("0.07"), 1, True)
    assert (market.accepting_orders, market.negative_risk) == (True, False)
    assert market.token_ids == tuple(one["t"] for one in terms["t"])


async def test_many_books_are_one_call_for_five_hundred_and_one_that_is_refused_costs_no_other():
    clob = Clob(books={str(n): {**BOOK, "asset_id": str(n)} for n in range(1, 701)})
    assert len(await clob.upstream.books(tuple(map(str, range(1, 703))))) == 700
    assert clob.asked == ["POST /books"] * 2
    clob.refused = {"7"}
    found = await clob.upstream.books(tuple(map(str, range(1, 20))))
    assert len(found) == 19


async def test_what_has_no_book_or_another_ones_is_left_out():
    clob = Clob(books={"2": BOOK, "3": {**BOOK, "asset_id": "3", "tick_size": None}})
    assert await clob.upstream.books(("1",)) == {}
    assert await clob.upstream.books(("2",)) == {}
    assert await clob.upstream.books(("1", "3")) == {}
    with pytest.raises(TransientError):
        await clob.upstream.books(("3",))


@pytest.mark.parametrize("status", [500, 429, 403, 503])
async def test_a_venue_that_fails_is_weather(status):
    clob = Clob(status=status)
    for ask in (clob.upstream.books(("1",)), clob.upstream.books(("1", "2")), clob.upstream.terms(CONDITION)):
        with pytest.raises(TransientError):
            await ask


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, (Decimal(0), 1, False)),
        ({"fd": {"r": 0.05, "e": 2, "to": True}, "nr": True}, (Decimal("0.05"), 2, True)),
        ({"fd": {"r": "0.072", "e": "1"}}, (Decimal("0.072"), 1, False)),
    ],
)
async def test_terms_are_read_and_what_is_left_out_is_false(fields, expected):
    clob = Clob(terms={"c": CONDITION.upper().replace("X", "x"), **fields})
    terms = await clob.upstream.terms(CONDITION)
    assert (terms.fee_rate, terms.fee_exponent, terms.negative_risk) == expected
    assert terms.accepting_orders is False


@pytest.mark.parametrize(
    "fees", [{"r": -0.1, "e": 1}, {"r": 2, "e": 1}, {"r": "x", "e": 1}, {"r": 0.1, "e": 0.5}, {"r": 0.1}]
)
async def test_a_fee_that_makes_no_sense_is_never_taken_to_be_none(fees):
    with pytest.raises(TransientError):
        await Clob(terms={"c": CONDITION, "fd": fees}).upstream.terms(CONDITION)


async def test_a_market_that_is_not_there_or_another_one_has_no_terms():
    assert await Clob().upstream.terms(CONDITION) is None
    assert await Clob(terms={"c": "0x" + "d" * 64}).upstream.terms(CONDITION) is None
