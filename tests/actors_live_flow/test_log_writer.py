import attrs
import trio
from property.supervised import CrashPlan, run_jumping, supervisor

from actors.live.log_writer import LogWriter
from engine.runtime.channel import Channel
from engine.runtime.supervisor import Child
from protocols.channels import Overflow
from protocols.clock import Random
from protocols.errors import RejectedError, TransientError
from protocols.live.ports import LogLine


def line(number):
    return LogLine(at_ms=number, level="info", stage="ORDER_PLACE", message=str(number), trace_id="t", execution_id="e")


@attrs.define(eq=False)
class Logs:
    """`LogStore` that fails as it is told to."""

    down: bool = False
    refused: set[int] = attrs.field(factory=set)
    plan: CrashPlan = attrs.field(factory=lambda: CrashPlan(frozenset()))
    batches: list[list[int]] = attrs.field(factory=list)

    async def append(self, lines):
        await trio.sleep(0.01)
        if self.plan.due():
            self.plan.crash()
        if self.down:
            raise TransientError("database down")
        if self.refused & {one.at_ms for one in lines}:
            raise RejectedError("value out of range")
        self.batches.append([one.at_ms for one in lines])


def written(logs):
    return [number for batch in logs.batches for number in batch]


def run(main, *, capacity=100, **changed):
    logs = Logs(**changed)
    channel = Channel[LogLine]("log_lines", capacity, Overflow.DROP_OLDEST)
    outbox = channel.outbox()
    writer = LogWriter(lines=channel.inbox, store=logs, rng=Random(1))

    async def during():
        keeper = supervisor()
        async with trio.open_nursery() as nursery:
            child = Child(name="log_writer", run=writer.run, reads=(channel,))
            await nursery.start(keeper.keep_alive, child, keeper.policy)
            await main(outbox, logs)
            outbox.close()

    run_jumping(during)
    return logs, writer, channel


def test_lines_are_written_in_batches_and_all_of_them_at_the_end():
    async def main(outbox, logs):
        for number in range(50):
            outbox.send_nowait(line(number))
            await trio.sleep(0.01)

    logs, writer, _ = run(main)
    assert written(logs) == list(range(50))
    assert len(logs.batches) <= 6
    assert writer.written == 50


def test_nobody_waits_for_a_database_that_is_down_and_the_newest_lines_are_kept():
    async def main(outbox, logs):
        for number in range(500):
            outbox.send_nowait(line(number))
        assert trio.current_time() == 0
        await trio.sleep(5)
        logs.down = False

    logs, writer, channel = run(main, down=True)
    assert written(logs)[-1] == 499
    assert channel.statistics().dropped == 400
    assert writer.lost == 0


def test_a_batch_that_is_never_taken_is_given_up_and_a_line_that_is_refused_costs_no_other():
    async def main(outbox, logs):
        outbox.send_nowait(line(1))
        await trio.sleep(120)
        logs.down = False
        for number in range(2, 8):
            outbox.send_nowait(line(number))
        await trio.sleep(1)

    logs, writer, _ = run(main, down=True, refused={5})
    assert sorted(written(logs)) == [2, 3, 4, 6, 7]
    assert writer.lost == 2


def test_a_crash_loses_no_line():
    async def main(outbox, logs):
        for number in range(30):
            outbox.send_nowait(line(number))
            await trio.sleep(0.05)

    logs, _, _ = run(main, plan=CrashPlan(frozenset({0, 2, 5})))
    assert set(written(logs)) == set(range(30))
