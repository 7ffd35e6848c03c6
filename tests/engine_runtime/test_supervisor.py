import random

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from property.examples import MANY
from property.supervised import CrashError, run_jumping

from engine.runtime.channel import Channel
from engine.runtime.supervisor import (
    ACTOR_POLICY,
    GROUP_POLICY,
    Child,
    RestartBudgetExceededError,
    RestartPolicy,
    Supervisor,
)
from protocols.errors import FencedError


class Scripted:
    """A child that lives as long as its script says, then crashes; the last life ends well."""

    def __init__(self, *lives_s, before_start=False, error=CrashError):
        self.lives_s, self.before_start, self.error = list(lives_s), before_start, error
        self.began_s, self.crashed_s = [], []

    async def run(self, *, task_status=trio.TASK_STATUS_IGNORED):
        self.began_s.append(trio.current_time())
        if not self.before_start:
            task_status.started()
        if self.lives_s:
            await trio.sleep(self.lives_s.pop(0))
            self.crashed_s.append(trio.current_time())
            raise self.error("scripted")

    def child(self, **ends):
        return Child(name="actor", run=self.run, **ends)


def keeper(seed=1, **settings):
    return Supervisor(rng=random.Random(seed), **settings)


async def keep(child, policy=ACTOR_POLICY, supervisor=None):
    await (supervisor or keeper()).keep_alive(child, policy)


def test_the_budget_is_five_restarts_in_a_minute():
    assert (ACTOR_POLICY.restarts_max, ACTOR_POLICY.window_s) == (5, 60)


async def test_five_crashes_are_survived_and_the_sixth_is_raised(autojump_clock):
    survivor = Scripted(*[0] * 5)
    await keep(survivor.child())
    assert len(survivor.began_s) == 6

    loser = Scripted(*[0] * 6)
    with pytest.raises(RestartBudgetExceededError) as caught:
        await keep(loser.child())
    assert caught.value.name == "actor"
    assert isinstance(caught.value.__cause__, CrashError)
    assert len(loser.began_s) == 6
    assert loser.crashed_s[-1] - loser.crashed_s[0] < ACTOR_POLICY.window_s


@MANY
@given(lives_s=st.lists(st.floats(0, 40), min_size=1, max_size=25), seed=st.integers(0, 99))
def test_the_budget_counts_the_crashes_of_the_last_window(lives_s, seed):
    async def main():
        actor = Scripted(*lives_s)
        try:
            await keep(actor.child(), supervisor=keeper(seed))
            gave_up = False
        except RestartBudgetExceededError:
            gave_up = True
        crashes = actor.crashed_s
        in_window = [sum(now - 60 < at <= now for at in crashes) for now in crashes]
        assert gave_up == (in_window[-1] > 5)
        assert all(count <= 5 for count in in_window[:-1])

    run_jumping(main)


@pytest.mark.parametrize("policy", [ACTOR_POLICY, GROUP_POLICY], ids=["actor", "group"])
def test_back_off_cannot_hide_a_loop(policy):
    class Longest(random.Random):
        def random(self):
            return 1.0

    delays = [policy.delay_s(n, Longest()) for n in range(policy.restarts_max + 1)]
    assert sum(delays) < policy.window_s
    assert delays == sorted(delays)


@MANY
@given(n=st.integers(0, 2_000), seed=st.integers(0, 2**32), first_s=st.floats(0.001, 10), max_s=st.floats(10, 1e6))
def test_a_delay_doubles_is_capped_and_jittered_by_half(n, seed, first_s, max_s):
    policy = RestartPolicy(delay_first_s=first_s, delay_max_s=max_s)
    full_s = min(max_s, first_s * 2.0 ** min(n, 60))
    assert full_s / 2 <= policy.delay_s(n, random.Random(seed)) <= full_s


def test_delays_are_really_jittered():
    rng = random.Random(3)
    assert len({ACTOR_POLICY.delay_s(0, rng) for _ in range(20)}) == 20


async def test_the_pause_before_a_restart_is_that_of_the_policy(autojump_clock):
    actor = Scripted(*[0] * 5)
    await keep(actor.child())
    for n, (crashed_s, began_s) in enumerate(zip(actor.crashed_s, actor.began_s[1:], strict=True)):
        assert 0.05 * 2**n <= began_s - crashed_s <= 0.1 * 2**n + 1e-9


async def test_a_child_that_never_started_fails_the_start(autojump_clock):
    actor, supervisor = Scripted(0, before_start=True), keeper()
    async with trio.open_nursery() as nursery:
        with pytest.raises(CrashError):
            await nursery.start(supervisor.keep_alive, actor.child(), ACTOR_POLICY)
    assert len(actor.began_s) == 1
    assert supervisor.states["actor"].restarts == 0


async def test_after_the_first_start_a_failure_to_start_is_a_crash_like_any_other(autojump_clock):
    began = []

    async def run(*, task_status=trio.TASK_STATUS_IGNORED):
        began.append(trio.current_time())
        if len(began) in (2, 3):
            raise CrashError("before started")
        task_status.started()
        if len(began) == 1:
            raise CrashError("after started")

    async with trio.open_nursery() as nursery:
        await nursery.start(keeper().keep_alive, Child(name="actor", run=run), ACTOR_POLICY)
    assert len(began) == 4


@pytest.mark.parametrize(
    "error",
    [
        FencedError("other"),
        ExceptionGroup("g", [CrashError(), FencedError("other")]),
        ExceptionGroup("g", [ExceptionGroup("h", [FencedError("other")])]),
    ],
    ids=["plain", "grouped", "nested"],
)
async def test_a_fenced_child_is_not_restarted(autojump_clock, error):
    runs, crashes = [], []

    async def run(*, task_status=trio.TASK_STATUS_IGNORED):
        runs.append(1)
        task_status.started()
        raise error

    supervisor = keeper(on_crash=lambda name, error: crashes.append(name))
    with pytest.raises(type(error)) as caught:
        await keep(Child(name="actor", run=run), supervisor=supervisor)
    assert caught.value is error
    assert len(runs) == 1
    assert not crashes
    assert not supervisor.states["actor"].up


async def test_cancellation_is_no_crash(autojump_clock):
    actor, supervisor = Scripted(1e9), keeper()
    with trio.move_on_after(5) as scope:
        await keep(actor.child(), supervisor=supervisor)
    assert scope.cancelled_caught
    assert supervisor.states["actor"].restarts == 0
    assert not supervisor.states["actor"].up


async def test_cancellation_during_a_pause_ends_it(autojump_clock):
    actor = Scripted(0, 0, 0)
    with trio.move_on_after(0.01) as scope:
        await keep(actor.child())
    assert scope.cancelled_caught
    assert len(actor.began_s) == 1


async def test_an_error_with_a_cancellation_beside_it_passes(autojump_clock):
    async def run(*, task_status=trio.TASK_STATUS_IGNORED):
        task_status.started()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            await trio.sleep_forever()

    supervisor = keeper()
    with trio.move_on_after(1) as scope:
        await keep(Child(name="actor", run=run), supervisor=supervisor)
    assert scope.cancelled_caught
    assert supervisor.states["actor"].last_error is None


async def test_who_fails_while_he_is_cancelled_is_told_of_and_ends_nobody_else(autojump_clock):
    async def failing_at_the_end():
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError("no time to close")

    async def run(*, task_status=trio.TASK_STATUS_IGNORED):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(failing_at_the_end)
            task_status.started()
            await trio.sleep_forever()

    supervisor = keeper()
    with trio.move_on_after(1) as scope:
        await keep(Child(name="actor", run=run), supervisor=supervisor)
    assert scope.cancelled_caught
    assert "no time to close" in supervisor.states["actor"].last_error


async def test_outboxes_stay_open_over_crashes_and_close_on_return(autojump_clock):
    channel = Channel("c", 10)
    outbox = channel.outbox()
    closed_at_start, lives = [], []

    async def run(*, task_status=trio.TASK_STATUS_IGNORED):
        task_status.started()
        lives.append(1)
        await outbox.send(len(lives))
        closed_at_start.append(channel._closed)
        if len(lives) < 4:
            raise CrashError

    await keep(Child(name="actor", run=run, writes=(outbox,)))
    assert closed_at_start == [False] * 4
    assert [item async for item in channel.inbox] == [1, 2, 3, 4]


async def test_outboxes_stay_open_when_the_budget_is_spent_or_the_child_is_cancelled(autojump_clock):
    channel = Channel("c", 10)
    outbox = channel.outbox()
    with pytest.raises(RestartBudgetExceededError):
        await keep(Scripted(*[0] * 6).child(writes=(outbox,)))
    with trio.move_on_after(1):
        await keep(Scripted(1e9).child(writes=(outbox,)))
    assert outbox.send_nowait("still open")


async def test_states_tell_how_a_child_fares(autojump_clock):
    supervisor, seen = keeper(), []
    actor = Scripted(10, 10)

    async def look():
        for pause_s in (5, 10, 15):
            await trio.sleep(pause_s)
            state = supervisor.states["actor"]
            seen.append((state.up, state.restarts, state.last_error))

    async with trio.open_nursery() as nursery:
        await nursery.start(supervisor.keep_alive, actor.child(), ACTOR_POLICY)
        nursery.start_soon(look)
    assert seen == [(True, 0, None), (True, 1, "CrashError('scripted')"), (False, 2, "CrashError('scripted')")]


async def test_a_child_is_down_while_it_waits_for_its_restart(autojump_clock):
    supervisor, ups = keeper(), []
    supervisor.on_crash = lambda name, error: ups.append(supervisor.states[name].up)
    await keep(Scripted(1, 1).child(), supervisor=supervisor)
    assert ups == [False, False]
    assert not supervisor.states["actor"].up


async def test_crashes_are_reported_and_logged(autojump_clock, caplog):
    reported = []
    supervisor = keeper(on_crash=lambda name, error: reported.append((name, type(error))))
    await keep(Scripted(1, 1).child(), supervisor=supervisor)
    assert reported == [("actor", CrashError)] * 2
    assert [record.message for record in caplog.records] == ["actor crashed"] * 2


async def test_a_dead_letter_is_logged(autojump_clock, caplog):
    channel = Channel("c", 10)
    outbox = channel.outbox()
    outbox.send_nowait("poison")
    outbox.close()

    async def run(*, task_status=trio.TASK_STATUS_IGNORED):
        task_status.started()
        async for item in channel.inbox:
            raise CrashError(item)

    await keep(Child(name="actor", run=run, reads=(channel,)))
    assert [record.message for record in caplog.records].count("dead letter") == 1
