import random

import pytest
import trio
from property.supervised import CrashError

from engine.runtime.channel import Channel
from engine.runtime.supervisor import GROUP_POLICY, Child, RestartBudgetExceededError, Supervisor
from protocols.errors import FencedError


def keeper():
    return Supervisor(rng=random.Random(1))


class Life:
    """A child that notes its starts and its end; crashes after `crash_after_s` in each of its first lives."""

    def __init__(self, name, crash_after_s=None, lives=10**9):
        self.name, self.crash_after_s, self.lives = name, crash_after_s, lives
        self.starts, self.cancelled = [], 0

    async def run(self, *, task_status=trio.TASK_STATUS_IGNORED):
        self.starts.append(trio.current_time())
        task_status.started()
        try:
            if self.crash_after_s is None or len(self.starts) > self.lives:
                await trio.sleep_forever()
            await trio.sleep(self.crash_after_s)
        except trio.Cancelled:
            self.cancelled += 1
            raise
        raise CrashError(self.name)

    def child(self, **ends):
        return Child(name=self.name, run=self.run, **ends)


async def test_only_the_crashed_child_is_restarted(autojump_clock):
    before, crasher, after = Life("before"), Life("crasher", 1, lives=4), Life("after")
    supervisor = keeper()
    with trio.move_on_after(100):
        await supervisor.run_group("group", [life.child() for life in (before, crasher, after)])
    assert (len(before.starts), len(crasher.starts), len(after.starts)) == (1, 5, 1)
    assert supervisor.states["crasher"].restarts == 4
    assert "group" in supervisor.states
    assert supervisor.states["group"].restarts == 0


async def test_a_spent_budget_restarts_the_whole_group_then_gives_up(autojump_clock):
    sibling, crasher = Life("sibling"), Life("crasher", 0)
    supervisor = keeper()
    with pytest.raises(RestartBudgetExceededError) as caught:
        await supervisor.run_group("group", [sibling.child(), crasher.child()])
    assert caught.value.name == "group"
    generations = GROUP_POLICY.restarts_max + 1
    assert generations == 3
    assert len(sibling.starts) == generations == sibling.cancelled
    assert len(crasher.starts) == generations * 6
    assert crasher.starts[-1] - crasher.starts[0] < GROUP_POLICY.window_s


async def test_a_group_that_recovers_goes_on(autojump_clock):
    crasher = Life("crasher", 0, lives=12)
    with trio.move_on_after(3600):
        await keeper().run_group("group", [crasher.child()])
    assert len(crasher.starts) == 13


async def test_a_group_is_started_in_order_and_says_so_when_all_have_started(autojump_clock):
    order = []

    def slow(name, start_s):
        async def run(*, task_status=trio.TASK_STATUS_IGNORED):
            order.append(f"{name} begins")
            await trio.sleep(start_s)
            order.append(f"{name} started")
            task_status.started()
            await trio.sleep_forever()

        return Child(name=name, run=run)

    async with trio.open_nursery() as nursery:
        await nursery.start(keeper().run_group, "group", [slow("a", 2), slow("b", 1)])
        order.append("group started")
        nursery.cancel_scope.cancel()
    assert order == ["a begins", "a started", "b begins", "b started", "group started"]


async def test_a_child_that_fails_before_its_first_start_fails_the_group(autojump_clock):
    async def run(*, task_status=trio.TASK_STATUS_IGNORED):
        raise CrashError("misconfigured")

    good = Life("good")
    with pytest.raises(ExceptionGroup) as caught:
        async with trio.open_nursery() as nursery:
            await nursery.start(keeper().run_group, "group", [good.child(), Child(name="bad", run=run)])
    assert caught.group_contains(CrashError, match="misconfigured")
    assert len(good.starts) == 1


async def test_a_fenced_child_brings_the_group_down_at_once(autojump_clock):
    async def run(*, task_status=trio.TASK_STATUS_IGNORED):
        task_status.started()
        await trio.sleep(1)
        raise FencedError("another engine")

    sibling = Life("sibling")
    with pytest.raises(ExceptionGroup) as caught:
        await keeper().run_group("group", [sibling.child(), Child(name="fenced", run=run)])
    assert caught.group_contains(FencedError)
    assert len(sibling.starts) == 1
    assert trio.current_time() == pytest.approx(1)


async def test_a_group_ends_when_all_children_have_returned(autojump_clock):
    async def run(*, task_status=trio.TASK_STATUS_IGNORED):
        task_status.started()
        await trio.sleep(3)

    await keeper().run_group("group", [Child(name="a", run=run), Child(name="b", run=run)])
    assert trio.current_time() == pytest.approx(3)
    await keeper().run_group("empty", [])


async def test_a_sibling_cancelled_with_its_group_gets_back_what_it_had_in_hand(autojump_clock):
    channel, done = Channel("c", 10), []
    await channel.outbox().send_many([1, 2, 3, 4])

    async def slow_reader(*, task_status=trio.TASK_STATUS_IGNORED):
        task_status.started()
        while batch := await channel.inbox.batch(3):
            await trio.sleep(5)
            done.extend(batch)

    crasher = Life("crasher", 0, lives=6)
    with trio.move_on_after(100):
        await keeper().run_group("group", [Child(name="reader", run=slow_reader, reads=(channel,)), crasher.child()])
    assert done == [1, 2, 3, 4]
    assert not channel.dead_letters


async def test_being_cancelled_with_the_group_is_held_against_no_item(autojump_clock):
    channel, done = Channel("c", 10), []
    await channel.outbox().send_many([1])

    async def slow_reader(*, task_status=trio.TASK_STATUS_IGNORED):
        task_status.started()
        while batch := await channel.inbox.batch(3):
            await trio.sleep(50)
            done.extend(batch)

    supervisor = keeper()
    for _ in range(5):
        with trio.move_on_after(10):
            await supervisor.run_group("group", [Child(name="reader", run=slow_reader, reads=(channel,))])
    with trio.move_on_after(100):
        await supervisor.run_group("group", [Child(name="reader", run=slow_reader, reads=(channel,))])
    assert done == [1]
    assert not channel.dead_letters


async def test_nobody_of_a_fallen_group_counts_as_up(autojump_clock):
    sibling, crasher = Life("sibling"), Life("crasher", 0)
    supervisor = keeper()
    with pytest.raises(RestartBudgetExceededError):
        await supervisor.run_group("group", [sibling.child(), crasher.child()])
    assert not any(state.up for state in supervisor.states.values())
