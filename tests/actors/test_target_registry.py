import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from property.examples import QUICK
from property.fake_targets import FakeTargets
from property.made_trades import LANES, wallet
from property.supervised import run_jumping, supervisor

from actors.target_registry import TargetRegistry
from config.schema import FilterConfig
from engine.runtime.supervisor import Child
from protocols.clock import Random
from protocols.trades import Lane


def registry(store, **settings):
    return TargetRegistry(store=store, config=FilterConfig(**settings), rng=Random(1))


async def start(nursery, actor):
    await nursery.start(supervisor().keep_alive, Child(name="target_registry", run=actor.run), supervisor().policy)


@QUICK
@given(rows=st.lists(st.tuples(st.integers(0, 6).map(wallet), LANES), max_size=20), chunk=st.integers(1, 5))
def test_the_smallest_lane_of_a_wallet_wins_wherever_it_stands(rows, chunk):
    async def main():
        actor = registry(FakeTargets(rows, chunk))
        async with trio.open_nursery() as nursery:
            await start(nursery, actor)
            nursery.cancel_scope.cancel()
        expected = {owner: min(lane for other, lane in rows if other == owner) for owner, _ in rows}
        assert dict(actor.current().lanes) == expected
        mattering = actor.current().wallets(Lane.TARGET, Lane.FOLLOWED)
        assert set(mattering) == {owner for owner, lane in expected.items() if lane < Lane.KNOWN}
        assert [expected[owner] for owner in mattering] == sorted(expected[owner] for owner in mattering)

    run_jumping(main)


async def test_ten_thousand_follows_and_more(autojump_clock):
    rows = [(wallet(number), Lane(number % 3)) for number in range(25_000)]
    actor = registry(FakeTargets(rows))
    async with trio.open_nursery() as nursery:
        await start(nursery, actor)
        nursery.cancel_scope.cancel()
    assert len(actor.current().lanes) == 25_000
    ordered = actor.current().wallets(Lane.TARGET, Lane.FOLLOWED)
    assert [actor.current().lanes[owner] for owner in ordered] == sorted(actor.current().lanes[o] for o in ordered)


async def test_it_has_started_only_when_it_knows_the_wallets(autojump_clock):
    actor = registry(FakeTargets([(wallet(1), Lane.TARGET)], fails=5))
    async with trio.open_nursery() as nursery:
        await start(nursery, actor)
        assert actor.current().lanes == {wallet(1): Lane.TARGET}
        assert actor.failures == 5
        assert trio.current_time() > 5
        nursery.cancel_scope.cancel()


async def test_a_change_is_seen_within_the_poll_and_nothing_is_read_without_one(autojump_clock):
    store = FakeTargets([(wallet(1), Lane.TARGET)])
    actor = registry(store, targets_poll_s=2.0)
    async with trio.open_nursery() as nursery:
        await start(nursery, actor)
        await trio.sleep(60.5)
        assert store.readings == 1
        assert 29 <= store.versions <= 32
        store.change([(wallet(2), Lane.FOLLOWED)])
        await trio.sleep(2.1)
        assert actor.current().lanes == {wallet(2): Lane.FOLLOWED}
        assert actor.refreshes == 2
        nursery.cancel_scope.cancel()


async def test_a_notification_quickens_it(autojump_clock):
    store = FakeTargets([])
    actor = registry(store, targets_poll_s=60.0)
    async with trio.open_nursery() as nursery:
        await start(nursery, actor)
        await trio.sleep(1)
        store.change([(wallet(2), Lane.FOLLOWED)])
        store.changed.set()
        await trio.sleep(0.1)
        assert wallet(2) in actor.current().lanes
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("fails_after_chunks", [0, 1, 2])
async def test_a_failure_keeps_the_last_good_set(autojump_clock, fails_after_chunks):
    good = [(wallet(number), Lane.FOLLOWED) for number in range(10)]
    store = FakeTargets(good, chunk=3)
    actor = registry(store)
    async with trio.open_nursery() as nursery:
        await start(nursery, actor)
        before = actor.current()
        store.fails_after_chunks = fails_after_chunks
        store.change([(wallet(number), Lane.TARGET) for number in range(5, 30)])
        await trio.sleep(100)
        assert actor.current() is before
        assert actor.failures > 2
        store.fails_after_chunks = None
        await trio.sleep(31)
        assert len(actor.current().lanes) == 25
        nursery.cancel_scope.cancel()


async def test_one_refresh_at_a_time_however_slow_and_however_often_notified(autojump_clock):
    store = FakeTargets([(wallet(n), Lane.TARGET) for n in range(10)], chunk=1, slow_s=1.0)
    actor = registry(store, targets_poll_s=0.5)
    async with trio.open_nursery() as nursery:
        await start(nursery, actor)
        for _ in range(50):
            store.number += 1
            store.changed.set()
            await trio.sleep(0.3)
        nursery.cancel_scope.cancel()
    assert store.readings <= 4


async def test_a_change_while_reading_is_read_again(autojump_clock):
    store = FakeTargets([(wallet(n), Lane.TARGET) for n in range(4)], chunk=1, slow_s=1.0)
    actor = registry(store)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(start, nursery, actor)
        await trio.sleep(2.5)
        store.change([(wallet(9), Lane.TARGET)])
        await trio.sleep(10)
        assert actor.current().lanes == {wallet(9): Lane.TARGET}
        nursery.cancel_scope.cancel()
