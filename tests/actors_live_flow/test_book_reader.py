from decimal import Decimal

import attrs
import pytest
import trio
from property.supervised import CrashError, run_jumping, supervisor

from actors.live.book_reader import BookReader
from engine.runtime.supervisor import Child
from protocols.errors import TransientError
from protocols.live.market import MarketTerms, OrderBook


@attrs.define(eq=False)
class Venue:
    """`OrderBooks` that stamps each book with the time of its call."""

    latency_s: float = 0.05
    mode: str = "ok"
    absent: set[str] = attrs.field(factory=set)
    calls: list[tuple[float, tuple[str, ...]]] = attrs.field(factory=list)
    terms_asked: list[tuple[float, str]] = attrs.field(factory=list)

    async def _behave(self):
        await trio.sleep(3_600 if self.mode == "hang" else self.latency_s)
        if self.mode == "down":
            raise TransientError("502")
        if self.mode == "crash":
            self.mode = "ok"
            raise CrashError

    async def books(self, token_ids):
        sent_s = trio.current_time()
        self.calls.append((sent_s, token_ids))
        await self._behave()
        return {
            one: OrderBook(
                token_id=one, condition_id="0x", bids=(), asks=(), tick=Decimal("0.01"), min_shares=Decimal(5),
                negative_risk=False, last_trade_price=None, observed_s=sent_s,
            )
            for one in token_ids
            if one not in self.absent
        }  # fmt: skip

    async def terms(self, condition_id):
        self.terms_asked.append((trio.current_time(), condition_id))
        await self._behave()
        if condition_id in self.absent:
            return None
        return MarketTerms(
            condition_id=condition_id, token_ids=(), accepting_orders=True, fee_rate=Decimal(0), fee_exponent=1,
            negative_risk=False, taker_delay=False,
        )  # fmt: skip


def run(main, **changed):
    venue = Venue(**changed)
    reader = BookReader(upstream=venue)

    async def during():
        keeper = supervisor()
        async with trio.open_nursery() as nursery:
            await nursery.start(keeper.keep_alive, Child(name="book_reader", run=reader.run), keeper.policy)
            await main(reader, venue)
            nursery.cancel_scope.cancel()

    run_jumping(during, longest_s=100_000)
    return venue, reader


def test_what_is_wanted_in_one_round_goes_in_one_call_and_each_token_once():
    async def main(reader, venue):
        await trio.sleep(1)
        async with trio.open_nursery() as nursery:
            for number in range(40):
                nursery.start_soon(reader.book, str(number % 10))
            nursery.start_soon(reader.books, ["3", "77"])
            reader.warm("99")
        assert len(venue.calls) == 1
        assert sorted(venue.calls[0][1]) == sorted([*map(str, range(10)), "77", "99"])

    run(main)


def test_more_than_five_hundred_tokens_are_more_than_one_call():
    async def main(reader, venue):
        found = await reader.books([str(number) for number in range(1_201)])
        assert len(found) == 1_201
        assert sorted(len(tokens) for _, tokens in venue.calls) == [201, 500, 500]

    run(main)


def test_a_book_is_used_again_for_a_second_and_not_longer():
    async def main(reader, venue):
        first = await reader.book("1")
        await trio.sleep(0.9)
        assert await reader.book("1") is first
        await trio.sleep(0.2)
        later = await reader.book("1")
        assert trio.current_time() - later.observed_s <= 0.06
        assert len(venue.calls) == 2

    run(main)


def test_a_call_in_the_air_is_shared_only_while_it_is_young_enough():
    async def main(reader, venue):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(reader.book, "1")
            await trio.sleep(0.9)
            nursery.start_soon(reader.book, "1")
            await trio.sleep(0.3)
            nursery.start_soon(reader.book, "1")
        assert [at_s for at_s, _ in venue.calls] == [0, pytest.approx(1.2)]

    run(main, latency_s=1.5)


@pytest.mark.parametrize("mode", ["down", "hang"])
def test_a_venue_that_does_not_answer_is_weather_after_two_seconds_at_most(mode):
    async def main(reader, venue):
        for ask in (reader.book, reader.terms):
            began_s = trio.current_time()
            with pytest.raises(TransientError):
                await ask("1")
            assert trio.current_time() - began_s <= 2.1
        venue.mode = "ok"
        assert await reader.book("1") is not None

    run(main, mode=mode)


def test_an_asker_who_gives_up_takes_nothing_from_the_others_and_a_crash_costs_one_call():
    async def main(reader, venue):
        async with trio.open_nursery() as nursery:
            with trio.move_on_after(0.01):
                await reader.book("1")
            nursery.start_soon(reader.book, "1")
        assert len(venue.calls) == 1
        venue.mode = "crash"
        with pytest.raises(TransientError):
            await reader.book("2")
        assert await reader.book("2") is not None

    run(main)


def test_terms_are_known_for_a_minute_and_old_ones_are_better_than_none():
    async def main(reader, venue):
        known = await reader.terms("a")
        await trio.sleep(59)
        assert await reader.terms("a") is known
        assert len(venue.terms_asked) == 1
        await trio.sleep(2)
        venue.mode = "down"
        assert await reader.terms("a") is known
        assert len(venue.terms_asked) == 2

    run(main)


def test_what_the_venue_does_not_have_is_none_and_soon_asked_again():
    async def main(reader, venue):
        assert await reader.book("1") is None
        assert await reader.terms("m") is None
        assert await reader.terms("m") is None
        assert len(venue.terms_asked) == 1
        venue.absent.clear()
        await trio.sleep(5.1)
        assert await reader.terms("m") is not None
        assert await reader.book("1") is not None

    run(main, absent={"1", "m"})


def test_memory_is_bounded():
    async def main(reader, venue):
        for start in range(0, 6_000, 500):
            await reader.books([str(number) for number in range(start, start + 500)])
        assert len(reader._books) == 2_000
        assert reader._in_air == {}

    run(main)
