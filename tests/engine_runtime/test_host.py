import random

import attrs
import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from property.examples import QUICK
from property.supervised import CrashError, crash_sets, run_jumping, supervisor

from engine.runtime.channel import Channel
from engine.runtime.host import Graph, run_graph
from engine.runtime.supervisor import Child, RestartBudgetExceededError, Supervisor


@attrs.define(eq=False)
class Line:
    """source → first → middle → second → last, and a service; each notes when it starts and ends."""

    amount: int = 10
    step_s: float = 0.0
    capacity: int = 100
    crash_at: frozenset[int] = frozenset()
    notes: list[str] = attrs.field(factory=list)
    out: list[int] = attrs.field(factory=list)
    handled: int = 0
    first: Channel = attrs.field(init=False)
    second: Channel = attrs.field(init=False)

    def __attrs_post_init__(self):
        self.first, self.second = Channel("first", self.capacity), Channel("second", self.capacity)

    def graph(self):
        source_out, stage_out = self.first.outbox(), self.second.outbox()

        async def source():
            for number in range(self.amount):
                await source_out.send(number)
            await trio.sleep_forever()

        async def middle():
            while batch := await self.first.inbox.batch(3):
                await trio.sleep(self.step_s * len(batch))
                self.handled += 1
                if self.handled - 1 in self.crash_at:
                    raise CrashError
                await stage_out.send_many(batch)

        async def last():
            while batch := await self.second.inbox.batch(2):
                await trio.sleep(self.step_s * len(batch))
                self.out.extend(batch)

        return Graph(
            services=(self.child("service", trio.sleep_forever),),
            sources=(self.child("source", source, writes=(source_out,)),),
            stages=(
                self.child("middle", middle, reads=(self.first,), writes=(stage_out,)),
                self.child("last", last, reads=(self.second,)),
            ),
            channels=(self.first, self.second),
        )

    def child(self, name, body, **ends):
        async def run(*, task_status=trio.TASK_STATUS_IGNORED):
            self.notes.append(f"{name} starts")
            task_status.started()
            try:
                await body()
            finally:
                self.notes.append(f"{name} ends")

        return Child(name=name, run=run, **ends)


async def run_until(line, stop_s, *, drain_s=10.0, supervised=None):
    stop, report = trio.Event(), []
    graph = line.graph()

    async def host(*, task_status):
        keeper = supervised or supervisor()
        report.append(await run_graph(graph, keeper, stop, drain_s=drain_s, task_status=task_status))

    async with trio.open_nursery() as nursery:
        await nursery.start(host)
        line.notes.append("graph started")
        await trio.sleep(stop_s)
        stop.set()
    return report[0]


async def test_services_start_first_then_readers_then_sources_and_stop_the_other_way_round(autojump_clock):
    line = Line()
    report = await run_until(line, 1)
    assert line.notes == [
        "service starts", "middle starts", "last starts", "source starts", "graph started",
        "source ends", "middle ends", "last ends", "service ends",
    ]  # fmt: skip
    assert line.out == list(range(10))
    assert (report.finished, report.left_behind, report.dropped) == (True, {}, {})


async def test_a_full_pipeline_runs_dry_in_flow_order(autojump_clock):
    line = Line(amount=40, step_s=0.1)
    report = await run_until(line, 0.5)
    assert line.out == list(range(40))
    assert report.finished
    assert report.left_behind == {}
    assert 3 < report.drain_s < 10
    assert line.notes[-4:] == ["source ends", "middle ends", "last ends", "service ends"]


async def test_the_deadline_is_kept_and_what_is_left_is_said(autojump_clock):
    line = Line(amount=50, step_s=0.1)
    report = await run_until(line, 0.5, drain_s=2)
    assert not report.finished
    assert report.drain_s == pytest.approx(2)
    assert sum(report.left_behind.values()) == 50 - len(line.out) > 0
    assert set(report.left_behind) <= {"first", "second"}


@QUICK
@given(
    amount=st.integers(0, 30), step_ms=st.integers(0, 300), drain_s=st.floats(0.1, 5), crash_at=crash_sets(20),
    capacity=st.integers(1, 10),
)  # fmt: skip
def test_every_item_is_out_or_reported_whatever_crashes_while_draining(amount, step_ms, drain_s, crash_at, capacity):
    async def main():
        line = Line(amount=amount, step_s=step_ms / 1000, capacity=capacity, crash_at=crash_at)
        report = await run_until(line, 0.5, drain_s=drain_s)
        sent = line.first.statistics().sent
        left = report.left_behind
        assert report.drain_s <= drain_s + 1e-6
        # What a stage had passed on but not yet acknowledged when it was stopped counts in both channels.
        assert len(set(line.out)) + sum(left.values()) >= sent
        if report.finished:
            assert left == {}
            assert line.out == list(range(sent))
        else:
            assert left

    run_jumping(main)


async def test_the_report_names_what_was_dropped_over_the_whole_run(autojump_clock):
    channel = Channel("raw", 2)
    outbox = channel.outbox()
    for number in range(5):
        outbox.send_nowait(number)

    async def read(*, task_status=trio.TASK_STATUS_IGNORED):
        task_status.started()
        while await channel.inbox.batch(9):
            pass

    async def idle(*, task_status=trio.TASK_STATUS_IGNORED):
        task_status.started()
        await trio.sleep_forever()

    graph = Graph(
        sources=(Child(name="source", run=idle, writes=(outbox,)),),
        stages=(Child(name="reader", run=read, reads=(channel,)),),
        channels=(channel,),
    )
    stop = trio.Event()
    stop.set()
    report = await run_graph(graph, supervisor(), stop, drain_s=1)
    assert report.dropped == {"raw": 3}
    assert report.finished


@pytest.mark.parametrize("where", ["services", "stages", "sources"])
async def test_a_group_that_gives_up_brings_everything_down(autojump_clock, where):
    line = Line()
    graph = line.graph()

    async def crash(*, task_status=trio.TASK_STATUS_IGNORED):
        task_status.started()
        raise CrashError

    crasher = Child(name="crasher", run=crash)
    graph = attrs.evolve(graph, **{where: (*getattr(graph, where), crasher)})
    with pytest.raises(ExceptionGroup) as caught:
        await run_graph(graph, Supervisor(rng=random.Random(1)), trio.Event(), drain_s=5)
    assert caught.group_contains(RestartBudgetExceededError)
    starts = [note for note in line.notes if note.endswith("starts")]
    ends = [note for note in line.notes if note.endswith("ends")]
    assert len(starts) == len(ends)


async def test_a_stage_that_cannot_start_stops_before_any_source_runs(autojump_clock):
    line = Line()
    graph = line.graph()

    async def fail(*, task_status=trio.TASK_STATUS_IGNORED):
        raise CrashError("no")

    graph = attrs.evolve(graph, stages=(*graph.stages, Child(name="bad", run=fail)))
    with pytest.raises(ExceptionGroup) as caught:
        await run_graph(graph, supervisor(), trio.Event(), drain_s=5)
    assert caught.group_contains(CrashError, match="no")
    assert "source starts" not in line.notes
    assert line.notes[-1] == "service ends"


async def test_cancelling_the_host_cancels_everything_at_once(autojump_clock):
    line = Line(amount=50, step_s=10)
    with trio.move_on_after(3):
        await run_graph(line.graph(), supervisor(), trio.Event(), drain_s=100)
    assert trio.current_time() == pytest.approx(3)
    assert len([note for note in line.notes if note.endswith("ends")]) == 4
