from decimal import Decimal

import attrs
import pytest
import trio
from property.fake_prices import TrioClock
from property.supervised import run_jumping

from actors.book_cache import BookCache
from protocols.errors import TransientError
from protocols.prices import BookTop


def top(token):
    empty = dict.fromkeys(
        (
            "best_bid_size",
            "best_ask",
            "best_ask_size",
            "order_size_min",
            "negative_risk",
            "last_trade_price",
            "book_time_ms",
        )
    )
    return BookTop(token=token, condition_id="0xa", best_bid=Decimal("0.4"), tick_size=Decimal("0.01"), **empty)


@attrs.define
class FakeBooks:
    mode: str = "ok"
    calls: list = attrs.field(factory=list)

    async def book(self, token_id):
        self.calls.append(trio.current_time())
        await trio.sleep(1e6 if self.mode == "hang" else 0.1)
        if self.mode == "down":
            raise TransientError("down")
        return top(token_id) if self.mode != "none" else None


def play(books, main):
    cache = BookCache(upstream=books, clock=TrioClock())
    run_jumping(lambda: main(cache))
    return cache


def test_many_users_cost_one_call_a_second():
    books = FakeBooks()

    async def user(cache):
        while trio.current_time() < 10:
            seen = await cache.top("1")
            assert trio.current_time() - seen.observed_s <= 1.2
            await trio.sleep(0.05)

    async def main(cache):
        async with trio.open_nursery() as nursery:
            for _ in range(100):
                nursery.start_soon(user, cache)

    play(books, main)
    assert len(books.calls) <= 11


@pytest.mark.parametrize("mode", ["down", "hang"])
def test_a_venue_that_does_not_answer_costs_a_call_a_while(mode):
    books = FakeBooks()

    async def main(cache):
        first = await cache.top("1")
        books.mode = mode
        await trio.sleep(2)
        for _ in range(100):
            seen = await cache.top("1")
            assert seen.stale
            assert seen.observed_s == first.observed_s
            await trio.sleep(0.05)
        with pytest.raises(TransientError):
            await cache.top("2")

    play(books, main)
    assert len(books.calls) <= 8


def test_a_token_without_a_book_is_remembered_for_a_while():
    books = FakeBooks(mode="none")

    async def main(cache):
        for _ in range(40):
            assert await cache.top("1") is None
            await trio.sleep(0.1)
        books.mode = "ok"
        await trio.sleep(5)
        assert (await cache.top("1")).top.best_bid == Decimal("0.4")

    play(books, main)
    assert len(books.calls) == 2


def test_who_waits_for_somebody_that_leaves_asks_himself():
    books = FakeBooks()

    async def main(cache):
        async def leave():
            with trio.move_on_after(0.05):
                await cache.top("1")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(leave)
            await trio.sleep(0.01)
            assert (await cache.top("1")).top.token == "1"

    play(books, main)
    assert len(books.calls) == 2


def test_the_memory_is_bounded():
    async def main(cache):
        for number in range(2_000):
            await cache.top(str(number))

    assert len(play(FakeBooks(), main)._seen) == 1_000
