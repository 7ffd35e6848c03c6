from itertools import pairwise

import pytest
from property.fake_accounts import Happening
from property.hot_world import CALL_S, HotWorld, PacedAccounts, wallets
from property.made_trades import NOON_S, wallet
from property.supervised import CrashError, CrashPlan

from actors.polling.hot_poller import WORKERS
from actors.rules.poll_queue import HotLane
from protocols.errors import FencedError
from protocols.trades import Lane


def gaps(times, *, since_s=0.0, until_s=float("inf")):
    inside = [at_s for at_s in times if since_s <= at_s <= until_s]
    return [after - before for before, after in pairwise(inside)]


@pytest.mark.parametrize("count", [1, 5, 10, 30, 80])
def test_a_cycle_takes_what_cool_down_and_rate_allow(count):
    world = HotWorld(wallets(count), settings={"cooldown_s": 1}).run(until_s=120)
    expected_s = max(1 + CALL_S, count / 10)
    for one in world.lanes:
        assert max(gaps(world.accounts.times(one), since_s=30)) <= 1.15 * expected_s + 0.5
    assert world.hot.queue.cycle_s(HotLane.FOLLOWED) == pytest.approx(expected_s, rel=0.15, abs=0.5)
    assert world.hot.planned_cycle_s() == max(1, count / 10)


def test_copy_targets_are_polled_most_often_and_nobody_starves():
    lanes = wallets(60) | {wallet(n): Lane.TARGET for n in range(1, 21)}
    world = HotWorld(lanes).run(until_s=200)
    rounds = {
        lane: [max(gaps(world.accounts.times(one), since_s=40)) for one in lanes if lanes[one] is lane] for lane in Lane
    }
    assert max(rounds[Lane.TARGET]) < 0.7 * max(rounds[Lane.FOLLOWED])
    assert max(rounds[Lane.FOLLOWED]) < 15


@pytest.mark.parametrize("kind", ["poison", "hanging"])
@pytest.mark.parametrize("bad", [1, 10])
def test_wallets_that_fail_hold_nobody_up(kind, bad):
    lanes = wallets(20)
    failing = frozenset(list(lanes)[:bad])
    world = HotWorld(lanes, PacedAccounts(**{kind: failing})).run(until_s=600)
    # Once each of them has failed, there are two workers for all of them.
    for one in lanes.keys() - failing:
        assert max(gaps(world.accounts.times(one), since_s=60)) <= 3.5
    for one in failing:
        assert 2 <= len(world.accounts.times(one)) <= 12
    assert {one for one, _ in world.world.store.failures} == failing


def test_a_storm_of_429_is_waited_out_and_then_everybody_is_polled_again():
    world = HotWorld(wallets(30), PacedAccounts())
    for one in world.lanes:
        world.accounts.did(one, Happening(NOON_S - 5_000, "BUY", "1", 7))

    def storm(on):
        world.accounts.limited = on

    world.run((60, lambda: storm(True)), (360, lambda: storm(False)), until_s=500)
    during = [at_s for at_s, *_ in world.accounts.asked if 90 <= at_s < 360]
    assert len(during) <= 120
    assert world.world.store.closed == []
    for one in world.lanes:
        assert [at_s for at_s in world.accounts.times(one) if 360 <= at_s <= 450]


def test_trades_are_hardly_asked_for_while_the_stream_brings_them():
    world = HotWorld(wallets(4)).run(until_s=1_700)
    polls = sum(len(world.accounts.times(one)) for one in world.lanes)
    for one in world.lanes:
        # /activity at the start and, in turn with /trades, every 20 minutes.
        assert len(world.accounts.times(one, "activity")) <= 3
    figures = world.hot.wallet_poll.figures
    assert figures.calls["trades"] + figures.saved["trades"] == polls
    assert figures.saved["trades"] > 0.95 * polls


def test_a_list_of_trades_that_is_refused_is_not_asked_for_by_every_poll():
    world = HotWorld(wallets(2))
    world.world.history.refused_wallets = frozenset([wallet(1)])
    world.run(until_s=1_300)
    assert len(world.accounts.times(wallet(1), "activity")) <= 4
    assert 2 <= sum(call.wallet == wallet(1) for call in world.world.history.calls) <= 4


def test_after_a_gap_both_lists_of_trades_are_read_at_once():
    world = HotWorld(wallets(4))

    def cover(since_s):
        world.coverage.since_s = since_s

    world.run((100, lambda: cover(None)), (130, lambda: cover(130.0)), until_s=200)
    for one in world.lanes:
        times = world.accounts.times(one, "activity")
        # Every time while nobody knows what the stream has missed; then once more.
        assert len([at_s for at_s in times if 100 <= at_s < 130]) >= 5
        assert len([at_s for at_s in times if at_s > 130]) in (1, 2)
    in_history = [call for call in world.world.history.calls if call.at_s >= 130]
    assert {call.wallet for call in in_history} == set(world.lanes)


def test_no_wallet_is_blamed_when_the_database_is_down():
    world = HotWorld(wallets(6))

    def down(on):
        world.world.store.down = on

    world.run((50, lambda: down(True)), (120, lambda: down(False)), until_s=160)
    assert world.hot.store_failures > 0
    assert world.world.store.failures == []
    for one in world.lanes:
        assert [at_s for at_s in world.accounts.times(one) if 120 <= at_s <= 140]


def test_a_crash_in_the_middle_of_polls_is_survived():
    plan = CrashPlan({5, 40, 41, 200})
    world = HotWorld(wallets(6), PacedAccounts(plan=plan)).run(until_s=120)
    assert plan.crashes >= 3
    for one in world.lanes:
        assert max(gaps(world.accounts.times(one))) <= 4
    assert WORKERS > 1


def test_the_actor_ends_when_another_engine_took_over():
    world = HotWorld(wallets(2))
    world.world.store.fenced = FencedError("the lease is not ours any more")
    with pytest.raises(BaseExceptionGroup) as caught:
        world.run(until_s=50)
    assert caught.group_contains(FencedError)
    assert not caught.group_contains(CrashError)


def test_whoever_is_marked_hot_or_followed_joins_and_whoever_is_not_any_more_leaves():
    world = HotWorld({wallet(1): Lane.FOLLOWED, wallet(2): Lane.KNOWN})

    def change():
        world.targets.lanes = {wallet(2): Lane.KNOWN, wallet(3): Lane.TARGET}
        world.targets.version += 1
        world.world.store.marked = [wallet(2)]

    world.run((50, change), until_s=120)
    assert world.accounts.times(wallet(1))[-1] < 53
    for one in (wallet(2), wallet(3)):
        assert world.accounts.times(one)[0] >= 50
    assert {one.wallet: one.lane for one in world.hot.queue.entries.values()} == {
        wallet(2): HotLane.MARKED, wallet(3): HotLane.TARGET,
    }  # fmt: skip


def test_a_poller_that_is_switched_off_asks_nothing():
    assert HotWorld(wallets(3), settings={"enabled": False}).run(until_s=60).accounts.asked == []
