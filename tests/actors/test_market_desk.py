"""Trades wait for markets that nobody has seen."""

from collections.abc import Sequence
from typing import Any

import attrs
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from property.examples import QUICK, examples
from property.fake_markets import FakeMarketStore, market
from property.fake_paper_ports import FakeDecisionMarkets
from property.fake_prices import TrioClock
from property.made_trades import condition
from property.supervised import run_jumping

from actors.market_calls import GATHER_S
from actors.market_desk import MarketDesk
from protocols.clock import Random
from protocols.decisions import MarketInput
from protocols.errors import RejectedError, TransientError
from protocols.markets import Market


@attrs.define(eq=False)
class Catalog:
    """Gamma: knows some ids from a time on, is down or hangs between two times, and takes its time."""

    since_s: dict[str, float] = attrs.field(factory=dict)
    closed: frozenset[str] = frozenset()
    down: tuple[float, float] = (0.0, 0.0)
    hangs: bool = False
    takes_s: float = 0.05
    refuses: frozenset[str] = frozenset()
    calls: list[tuple[float, tuple[str, ...], bool | None]] = attrs.field(factory=list)

    async def markets(self, condition_ids: Sequence[str], *, closed: bool | None) -> list[Market]:
        sent_s = trio.current_time()
        self.calls.append((sent_s, tuple(condition_ids), closed))
        if self.down[0] <= sent_s < self.down[1]:
            if self.hangs:
                await trio.sleep_forever()
            await trio.sleep(self.takes_s)
            raise TransientError("502")
        await trio.sleep(self.takes_s)
        if self.refuses.intersection(condition_ids):
            raise RejectedError("422")
        shown = [id_ for id_ in condition_ids if self.since_s.get(id_, float("inf")) <= sent_s]
        return [market(id_) for id_ in shown if closed or id_ not in self.closed]


@attrs.define(eq=False)
class World:
    catalog: Catalog = attrs.field(factory=Catalog)
    rows: FakeDecisionMarkets = attrs.field(factory=FakeDecisionMarkets)
    store: FakeMarketStore = attrs.field(factory=FakeMarketStore)
    clock: TrioClock = attrs.field(factory=TrioClock)
    desk: MarketDesk = attrs.field(init=False)
    waited_s: dict[str, float] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.desk = MarketDesk(
            store=self.rows, catalog=self.catalog, markets=self.store, clock=self.clock, rng=Random(3)
        )

    def known(self, condition_id: str) -> MarketInput | None:
        return self.desk.known(condition_id, self.clock.now_ms())

    async def wait(self, condition_id: str, seconds: float = 60) -> None:
        began_s = trio.current_time()
        await self.desk.wait_for([condition_id], deadline_s=began_s + seconds)
        self.waited_s[condition_id] = trio.current_time() - began_s

    def play(self, main: Any) -> "World":
        async def whole() -> None:
            async with trio.open_nursery() as nursery:
                await nursery.start(self.desk.run)
                await main()
                nursery.cancel_scope.cancel()

        run_jumping(whole)
        return self


def ids(count: int) -> list[str]:
    return [condition(16 * number + 1) for number in range(count)]


def test_fifty_askers_of_one_market_cost_one_query_and_one_call():
    world = World(Catalog(since_s={condition(1): 0.0}))

    async def main():
        async with trio.open_nursery() as askers:
            for _ in range(50):
                askers.start_soon(world.wait, condition(1))

    world.play(main)
    assert world.rows.queries == 1
    assert [call[1:] for call in world.catalog.calls] == [((condition(1),), None)]
    assert list(world.store.stored) == [condition(1)]


def test_three_hundred_markets_cost_three_calls():
    world = World(Catalog(since_s=dict.fromkeys(ids(300), 0.0)))

    async def main():
        deadline_s = trio.current_time() + 10
        await world.desk.wait_for(ids(300), deadline_s=deadline_s)
        assert trio.current_time() < 1
        assert all(world.known(id_) for id_ in ids(300))

    world.play(main)
    assert [len(call[1]) for call in world.catalog.calls] == [100, 100, 100]
    assert world.rows.queries == 1


@pytest.mark.parametrize("hangs", [False, True])
@given(down_s=st.floats(0.1, 30), first_s=st.floats(0, 5))
@QUICK
def test_a_trade_is_decided_within_a_second_of_gamma_being_back(hangs, down_s, first_s):
    world = World(Catalog(since_s={condition(1): 0.0}, down=(0.0, down_s), hangs=hangs))

    async def main():
        await trio.sleep(first_s)
        await world.wait(condition(1))
        assert world.known(condition(1)) is not None
        assert trio.current_time() <= max(down_s, first_s) + 1

    world.play(main)


@given(born_s=st.floats(0, 50))
@QUICK
def test_a_trade_is_decided_within_a_second_of_gamma_knowing_its_market(born_s):
    world = World(Catalog(since_s={condition(1): born_s}))

    async def main():
        await world.wait(condition(1))
        assert world.known(condition(1)) is not None
        assert trio.current_time() <= born_s + 1

    world.play(main)


def test_a_slow_gamma_is_waited_for():
    world = World(Catalog(since_s={condition(1): 0.0}, takes_s=4))
    world.play(lambda: world.wait(condition(1)))
    assert world.waited_s[condition(1)] == pytest.approx(4 + GATHER_S)


@given(pauses_s=st.lists(st.floats(0, 3), min_size=5, max_size=30))
@examples(12)
def test_markets_that_do_not_exist_cost_few_calls_and_their_askers_wait_no_longer_than_they_said(pauses_s):
    world = World()

    async def main():
        async with trio.open_nursery() as askers:
            for id_, pause_s in zip(ids(30), pauses_s, strict=False):
                askers.start_soon(world.wait, id_, 20)
                await trio.sleep(pause_s)

    world.play(main)
    assert all(waited_s == pytest.approx(20) for waited_s in world.waited_s.values())
    seconds = max(20.0, world.catalog.calls[-1][0] - world.catalog.calls[0][0])
    assert len(world.catalog.calls) <= 1.5 * seconds + 3


def test_a_market_that_is_hidden_because_it_closed_is_found_by_a_second_call():
    world = World(Catalog(since_s={condition(1): 0.0}, closed=frozenset({condition(1)})))
    world.play(lambda: world.wait(condition(1)))
    assert [call[2] for call in world.catalog.calls] == [None, True]
    assert world.waited_s[condition(1)] < 1


def test_a_row_is_taken_without_a_call_and_read_again_when_it_is_a_minute_old():
    world = World(rows=FakeDecisionMarkets({condition(1): MarketInput(condition_id=condition(1), title="A vs. B")}))

    async def main():
        await world.wait(condition(1))
        await trio.sleep(60)
        await world.wait(condition(1))
        assert world.rows.queries == 1
        await trio.sleep(0.1)
        assert world.known(condition(1)) is None
        await world.wait(condition(1))
        assert world.rows.queries == 2

    world.play(main)
    assert not world.catalog.calls


def test_with_the_database_and_gamma_down_what_is_remembered_counts():
    world = World(Catalog(down=(0.0, 1e6)), FakeDecisionMarkets({condition(1): MarketInput(condition_id=condition(1))}))

    async def main():
        await world.wait(condition(1))
        world.rows.down_until_s = 1e6
        await trio.sleep(300)
        assert world.known(condition(1)) is None
        await world.wait(condition(1))
        assert world.known(condition(1)) is not None
        assert world.waited_s[condition(1)] < 1
        await world.wait(condition(17), 5)
        assert world.known(condition(17)) is None

    world.play(main)
    assert world.desk.store_failures > 0


def test_with_the_database_down_gamma_is_asked_and_its_answer_counts_though_it_cannot_be_stored():
    world = World(Catalog(since_s={condition(1): 0.0}), FakeDecisionMarkets(down_until_s=1e6), FakeMarketStore(fails=9))

    async def main():
        await world.wait(condition(1))
        assert world.known(condition(1)) is not None

    world.play(main)
    assert world.waited_s[condition(1)] < 1
    assert not world.store.stored


def test_one_id_that_gamma_refuses_costs_the_others_a_moment():
    wanted = ids(10)
    world = World(Catalog(since_s=dict.fromkeys(wanted[1:], 0.0), refuses=frozenset(wanted[:1])))

    async def main():
        await world.desk.wait_for(wanted[1:] + wanted[:1], deadline_s=20)
        assert all(world.known(id_) for id_ in wanted[1:])
        assert world.known(wanted[0]) is None

    world.play(main)


def test_memory_is_bounded_and_forgets_what_was_used_least_lately():
    wanted = ids(2_100)
    world = World(rows=FakeDecisionMarkets({id_: MarketInput(condition_id=id_) for id_ in wanted}))

    async def main():
        for id_ in wanted:
            await world.wait(id_)
            world.known(wanted[0])
        assert len(world.desk) == 2_000
        assert world.known(wanted[0]) is not None
        assert world.known(wanted[1]) is None

    world.play(main)


def test_trades_of_one_moment_share_a_call():
    wanted = ids(3)
    world = World(Catalog(since_s=dict.fromkeys(wanted, 0.0)))

    async def main():
        async with trio.open_nursery() as askers:
            for id_ in wanted:
                askers.start_soon(world.wait, id_)
                await trio.sleep(GATHER_S / 4)

    world.play(main)
    assert [call[1:] for call in world.catalog.calls] == [(tuple(wanted), None)]
