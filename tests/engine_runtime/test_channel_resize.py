import attrs
import pytest
import trio
import trio.testing
from engine_runtime.test_channel_counters import (
    CAPACITIES,
    LANES,
    POLICIES,
    READER,
    SENDERS,
    Item,
    Traffic,
    channel_with,
    steps,
)
from hypothesis import given
from hypothesis import strategies as st
from property.examples import MANY, QUICK

from config.schema import ChannelConfig, default_channels
from engine.channel_sizes import resize_channels
from engine.runtime.channel import Channel
from engine.writer_channel import writer_channel
from protocols.channels import Overflow

# (pause in ms, capacity, shed above)
RESIZES = st.lists(st.tuples(st.integers(0, 4), CAPACITIES, st.integers(1, 8)), min_size=1, max_size=8)
PATIENT = st.lists(steps("send", "send_many"), min_size=1, max_size=3)


@attrs.define(eq=False)
class Resized(Traffic):
    """Traffic through a channel that changes its size: never more in it than before, or than it may hold now."""

    depth_max: int = attrs.field(init=False, default=1_000)

    def check(self):
        super().check()
        depth = self.channel.statistics().depth
        assert depth <= self.depth_max
        self.depth_max = max(depth, self.channel.capacity)

    async def resize(self, resizes):
        for pause_ms, capacity, shed_above in resizes:
            await trio.sleep(pause_ms / 1000)
            before = self.channel.statistics()
            self.channel.resize(capacity, shed_above)
            assert self.channel.statistics() == attrs.evolve(before, capacity=capacity)
            self.capacity, self.depth_max = max(self.capacity, capacity), max(before.depth, capacity)
            self.check()


@MANY
@given(
    policy=POLICIES,
    capacity=CAPACITIES,
    shed_above=st.integers(1, 8),
    senders=SENDERS,
    reader=READER,
    resizes=RESIZES,
)
def test_the_books_close_whatever_size_a_channel_gets(policy, capacity, shed_above, senders, reader, resizes):
    async def main():
        channel = channel_with(policy, capacity, shed_above)
        traffic = Resized(channel, capacity)
        outboxes = [channel.outbox() for _ in senders]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(traffic.resize, resizes)
            for plan, outbox in zip(senders, outboxes, strict=True):
                nursery.start_soon(traffic.send, plan, outbox)
            await traffic.read(reader)
        stats = channel.statistics()
        assert (stats.depth, stats.sent) == (0, stats.received + stats.dropped)
        numbers = [item.number for item in traffic.received]
        assert len(set(numbers)) == len(numbers)
        if policy is Overflow.BLOCK:
            assert stats.dropped == traffic.kept_by_nowait[False]
        if policy is Overflow.LANES:
            assert all(reason == "full" or lane == LANES - 1 for lane, reason in stats.dropped_by)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


@MANY
@given(
    policy=st.sampled_from([Overflow.BLOCK, Overflow.LANES]),
    ratio=st.sampled_from([0, 0.5, 0.9]),
    senders=PATIENT,
    reader=READER,
    resizes=RESIZES,
)
def test_who_waits_loses_nothing_and_is_not_forgotten(policy, ratio, senders, reader, resizes):
    async def main():
        channel = channel_with(policy, 1, 4)
        traffic = Resized(channel, 1)
        outboxes = [channel.outbox(leaves_ratio=ratio) for _ in senders]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(traffic.resize, resizes)
            for plan, outbox in zip(senders, outboxes, strict=True):
                nursery.start_soon(traffic.send, plan, outbox)
            await traffic.read(reader)
        assert set(channel.statistics().dropped_by) <= {(LANES - 1, "shed")}
        sent = sum(step.amount if step.kind == "send_many" else 1 for plan in senders for step in plan)
        assert channel.statistics().sent == sent
        for lane in range(LANES):
            numbers = [item.number for item in traffic.received if item.lane == lane]
            if len(senders) == 1:
                assert numbers == sorted(numbers)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


@QUICK
@given(
    policy=st.sampled_from([Overflow.BLOCK, Overflow.DROP_OLDEST, Overflow.DROP_NEWEST]),
    capacity=CAPACITIES,
    ops=st.lists(st.one_of(st.just("put"), st.integers(1, 5), st.tuples(CAPACITIES)), max_size=60),
)
def test_a_resized_queue_keeps_order_and_drops_only_what_comes(policy, capacity, ops):
    async def main():
        channel, room, model, number = Channel("c", capacity, policy), capacity, [], 0
        outbox = channel.outbox()
        for op in ops:
            if op == "put":
                number += 1
                is_full = len(model) >= room
                assert outbox.send_nowait(number) == (policy is Overflow.DROP_OLDEST or not is_full)
                if policy is Overflow.DROP_OLDEST:
                    model = [*model[is_full:], number]
                elif not is_full:
                    model.append(number)
            elif isinstance(op, tuple):
                (room,) = op
                channel.resize(room, 1)
            elif model:
                expected, model = model[:op], model[op:]
                assert await channel.inbox.batch(op) == expected
            assert channel.statistics().depth == len(model)

    trio.run(main)


async def test_growing_wakes_who_waits_and_shrinking_makes_the_next_one_wait(autojump_clock):
    channel = Channel("c", 2)
    outbox = channel.outbox()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(outbox.send_many, range(6))
        await trio.testing.wait_all_tasks_blocked()
        assert channel.statistics().depth == 2
        channel.resize(5, 1)
        await trio.testing.wait_all_tasks_blocked()
        assert channel.statistics().depth == 5
        channel.resize(1, 1)
        await trio.testing.wait_all_tasks_blocked()
        assert channel.statistics().depth == 5
        assert await channel.inbox.batch(4) == [0, 1, 2, 3]
        await trio.testing.wait_all_tasks_blocked()
        assert channel.statistics().depth == 1
        assert await channel.inbox.batch(4) == [4]
        assert await channel.inbox.batch(4) == [5]


async def test_a_lower_limit_sheds_with_the_next_item_and_not_before():
    channel = channel_with(Overflow.LANES, 10, 8)
    outbox = channel.outbox()
    outbox.send_many_nowait([Item(number, 2) for number in range(8)])
    channel.resize(10, 2)
    assert (channel.statistics().depth, channel.statistics().dropped) == (8, 0)
    assert outbox.send_nowait(Item(8, 0))
    assert outbox.send_nowait(Item(9, 2))
    assert (channel.statistics().depth, channel.statistics().dropped_by) == (8, {(2, "shed"): 2})
    assert await channel.inbox.batch(20) == [Item(8, 0), *(Item(number, 2) for number in (2, 3, 4, 5, 6, 7, 9))]


async def test_the_room_that_history_leaves_follows_the_capacity(autojump_clock):
    channel = Channel("raw_trades", 8)
    history = channel.outbox(leaves_ratio=0.5)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(history.send_many, range(20))
        for capacity, depth in ((8, 4), (12, 6), (2, 6), (16, 8)):
            channel.resize(capacity, 1)
            await trio.testing.wait_all_tasks_blocked()
            assert channel.statistics().depth == depth
        channel.resize(1, 1)
        taken = []
        while len(taken) < 20:
            taken += await channel.inbox.batch(3)
        assert taken == list(range(20))


@pytest.mark.parametrize("sizes", [(0, 1), (1, 0), (-1, 5)])
def test_a_size_below_one_is_refused(sizes):
    channel = channel_with(Overflow.LANES, 3, 2)
    with pytest.raises(ValueError, match="at least 1"):
        channel.resize(*sizes)
    assert channel.statistics().capacity == 3


def test_every_channel_takes_its_own_size():
    sizes = default_channels() | {"writer": ChannelConfig(capacity=7, shed_above=3)}
    writer, other = writer_channel(ChannelConfig(), forget=lambda ids: None), Channel("market_requests", 5)
    alone = Channel("of-nobody", 5)
    resize_channels((writer, other, alone), sizes)
    assert [channel.statistics().capacity for channel in (writer, other, alone)] == [7, 1_000, 5]
