import random

import attrs
import pytest
import trio
import trio.lowlevel
import trio.testing
from property.supervised import CrashError, run_jumping, supervisor

from engine.runtime.channel import Channel
from engine.runtime.host import Graph, run_graph
from engine.runtime.supervisor import Child

STARTERS = 10
ROUNDS = 50


def small_graph(rng):
    """A graph that is always busy and sometimes crashes."""
    channel, results = Channel("c", 3), Channel("r", 3)
    outbox, result_outbox = channel.outbox(), results.outbox()

    async def source(*, task_status=trio.TASK_STATUS_IGNORED):
        task_status.started()
        number = 0
        while True:
            number += 1
            await outbox.send(number)
            if rng.random() < 0.1:
                raise CrashError

    async def stage(*, task_status=trio.TASK_STATUS_IGNORED):
        task_status.started()
        async for item in channel.inbox:
            if rng.random() < 0.1:
                raise CrashError
            await result_outbox.send(item)

    async def sink(*, task_status=trio.TASK_STATUS_IGNORED):
        await trio.lowlevel.checkpoint()
        task_status.started()
        while await results.inbox.batch(2):
            await trio.lowlevel.checkpoint()

    async def service(*, task_status=trio.TASK_STATUS_IGNORED):
        task_status.started()
        while True:
            await trio.sleep(rng.random())

    return Graph(
        services=(Child(name="service", run=service),),
        sources=(Child(name="source", run=source, writes=(outbox,)),),
        stages=(
            Child(name="stage", run=stage, reads=(channel,), writes=(result_outbox,)),
            Child(name="sink", run=sink, reads=(results,)),
        ),
        channels=(channel, results),
    )


@attrs.define(eq=False)
class CancelAtStep(trio.abc.Instrument):
    """Cancels a scope before the n-th step of any task: at every checkpoint there is, over enough runs."""

    scope: trio.CancelScope
    steps_left: int
    reached: bool = False

    def before_task_step(self, task):
        self.steps_left -= 1
        if self.steps_left == 0:
            self.reached = True
            self.scope.cancel()


def tasks_living():
    return trio.lowlevel.current_statistics().tasks_living


def test_a_graph_can_be_cancelled_at_every_checkpoint_of_start_run_and_stop():
    async def main():
        baseline, reached = tasks_living(), 0
        for step in range(1, 400):
            rng, stop = random.Random(step), trio.Event()
            with trio.CancelScope() as scope:
                instrument = CancelAtStep(scope, step)
                trio.lowlevel.add_instrument(instrument)
                try:
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(stop_after, stop, 0.5)
                        await run_graph(small_graph(rng), supervisor(), stop, drain_s=1)
                        nursery.cancel_scope.cancel()
                finally:
                    trio.lowlevel.remove_instrument(instrument)
            reached += instrument.reached
            assert tasks_living() == baseline, step
        assert reached > 300

    run_jumping(main)


async def stop_after(stop, pause_s):
    await trio.sleep(pause_s)
    stop.set()


@pytest.mark.parametrize("seed", range(2))
def test_ten_tasks_start_and_stop_or_cancel_fifty_times_each(seed):
    async def main():
        rng, baseline = random.Random(seed), tasks_living()
        ended = []

        async def start_and_stop():
            for _ in range(ROUNDS):
                stop, drain_s = trio.Event(), rng.random()
                with trio.move_on_after(rng.choice([0, rng.random() / 10, 1e9])):
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(stop_after, stop, rng.random() / 10)
                        report = await run_graph(small_graph(rng), supervisor(), stop, drain_s=drain_s)
                        # At the deadline a stage may be waiting to be started again, with nothing left to do.
                        assert not report.left_behind if report.finished else report.drain_s > drain_s - 1e-6
                        nursery.cancel_scope.cancel()
                ended.append(1)

        async with trio.open_nursery() as nursery:
            for _ in range(STARTERS):
                nursery.start_soon(start_and_stop)
        assert len(ended) == STARTERS * ROUNDS
        assert tasks_living() == baseline

    run_jumping(main)


async def test_stopping_before_the_start_is_complete_is_legal(autojump_clock):
    stop = trio.Event()
    stop.set()
    report = await run_graph(small_graph(random.Random(1)), supervisor(), stop, drain_s=1)
    assert report.drain_s <= 1
