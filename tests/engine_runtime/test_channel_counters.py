from collections import Counter

import attrs
import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from property.examples import MANY, QUICK

from engine.runtime.channel import Channel, LanePolicy
from protocols.channels import Overflow

POLICIES = st.sampled_from(Overflow)
CAPACITIES = st.integers(1, 6)
LANES = 3
SHED_FROM = 2


@attrs.frozen
class Item:
    number: int
    lane: int


@attrs.frozen
class Step:
    pause_ms: int
    kind: str
    amount: int
    lane: int


def steps(*kinds):
    return st.lists(
        st.builds(
            Step,
            pause_ms=st.integers(0, 3),
            kind=st.sampled_from(kinds),
            amount=st.integers(1, 4),
            lane=st.integers(0, LANES - 1),
        ),
        max_size=12,
    )


SENDERS = st.lists(steps("send", "send_many", "send_nowait", "send_many_nowait", "impatient"), min_size=1, max_size=3)
READER = steps("batch", "crash")


def channel_with(policy, capacity, shed_above):
    lanes = None
    if policy is Overflow.LANES:
        lanes = LanePolicy(lanes=LANES, lane_of=lambda item: item.lane, shed_from=SHED_FROM, shed_above=shed_above)
    return Channel("c", capacity, policy, lanes)


@attrs.define(eq=False)
class Traffic:
    """Drives one channel from several tasks and checks its books after every step of each."""

    channel: Channel
    capacity: int
    received: list = attrs.field(factory=list)
    pending_again: list = attrs.field(factory=list)
    in_hand: list = attrs.field(factory=list)
    crashes: Counter = attrs.field(factory=Counter)
    kept_by_nowait: Counter = attrs.field(factory=Counter)
    _numbers: int = 0

    def check(self):
        stats = self.channel.statistics()
        assert stats.sent == stats.received + stats.dropped + stats.depth
        assert stats.dropped == sum(stats.dropped_by.values())
        assert 0 <= stats.depth <= stats.peak_depth <= self.capacity
        assert stats.received == len(self.received)

    def items(self, amount, lane):
        self._numbers += amount
        return [Item(self._numbers - amount + i, lane) for i in range(amount)]

    async def send(self, plan, outbox):
        for step in plan:
            await trio.sleep(step.pause_ms / 1000)
            items = self.items(step.amount, step.lane)
            if step.kind == "send":
                await outbox.send(items[0])
            elif step.kind == "send_many":
                await outbox.send_many(items)
            elif step.kind == "impatient":
                with trio.move_on_after(0.001):
                    await outbox.send_many(items)
            elif step.kind == "send_many_nowait":
                kept = outbox.send_many_nowait(items)
                self.kept_by_nowait.update({True: kept, False: len(items) - kept})
            else:
                for item in items:
                    dropped = self.channel.statistics().dropped
                    self.kept_by_nowait[outbox.send_nowait(item)] += 1
                    assert self.channel.statistics().dropped - dropped in (0, 1)
                    self.check()
            self.check()
        outbox.close()

    async def read(self, plan):
        for step in plan:
            await trio.sleep(step.pause_ms / 1000)
            if step.kind == "crash":
                self.crash()
            else:
                await self.take(step.amount)
            self.check()
        while await self.take(3):
            self.check()
        self.check()

    def crash(self):
        self.crashes.update(self.in_hand)
        dead = len(self.in_hand) == 1 and self.crashes[self.in_hand[0]] >= 3
        assert len(self.channel.rewind(RuntimeError("bug"))) == dead
        self.pending_again = ([] if dead else self.in_hand) + self.pending_again
        self.in_hand = []

    async def take(self, items_max):
        again = bool(self.pending_again)
        self.in_hand = await self.channel.inbox.batch(items_max)
        assert len(self.in_hand) <= (1 if again else items_max)
        if again:
            assert self.in_hand == [self.pending_again.pop(0)]
        else:
            self.received.extend(self.in_hand)
        return self.in_hand


@MANY
@given(policy=POLICIES, capacity=CAPACITIES, shed_above=st.integers(1, 8), senders=SENDERS, reader=READER)
def test_the_books_close_under_any_interleaving(policy, capacity, shed_above, senders, reader):
    async def main():
        channel = channel_with(policy, capacity, shed_above)
        traffic = Traffic(channel, capacity)
        outboxes = [channel.outbox() for _ in senders]
        async with trio.open_nursery() as nursery:
            for plan, outbox in zip(senders, outboxes, strict=True):
                nursery.start_soon(traffic.send, plan, outbox)
            await traffic.read(reader)
        stats = channel.statistics()
        assert stats.depth == 0
        assert stats.sent == stats.received + stats.dropped
        numbers = [item.number for item in traffic.received]
        assert len(set(numbers)) == len(numbers)
        if policy is Overflow.BLOCK:
            assert stats.dropped == traffic.kept_by_nowait[False]

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


@MANY
@given(
    policy=st.sampled_from([Overflow.BLOCK, Overflow.DROP_OLDEST, Overflow.DROP_NEWEST]),
    capacity=CAPACITIES,
    ops=st.lists(st.one_of(st.just("put"), st.integers(1, 5)), max_size=60),
)
def test_a_queue_is_first_in_first_out(policy, capacity, ops):
    async def main():
        channel, model, number = Channel("c", capacity, policy), [], 0
        outbox = channel.outbox()
        for op in ops:
            if op == "put":
                number += 1
                kept = outbox.send_nowait(number)
                assert kept == (len(model) < capacity or policy is Overflow.DROP_OLDEST)
                if kept:
                    model = [*model, number][-capacity:]
            elif model:
                expected, model = model[:op], model[op:]
                assert await channel.inbox.batch(op) == expected
            assert channel.statistics().depth == len(model)

    trio.run(main)


@QUICK
@given(policy=POLICIES, capacity=CAPACITIES, per_sender=st.lists(st.integers(0, 10), min_size=1, max_size=4))
def test_each_sender_is_heard_in_its_own_order(policy, capacity, per_sender):
    async def main():
        channel = channel_with(policy, capacity, 50)
        heard = {number: [] for number in range(len(per_sender))}

        async def send(sender, amount):
            with_outbox = channel.outbox()
            await with_outbox.send_many([Item(sender * 100 + i, 0) for i in range(amount)])
            await trio.sleep(1)
            with_outbox.close()

        async with trio.open_nursery() as nursery:
            for sender, amount in enumerate(per_sender):
                nursery.start_soon(send, sender, amount)
            await trio.sleep(0.1)
            while items := await channel.inbox.batch(2):
                for item in items:
                    heard[item.number // 100].append(item.number)
        for sender, amount in enumerate(per_sender):
            assert heard[sender] == sorted(heard[sender])
            if policy in (Overflow.BLOCK, Overflow.LANES):
                assert len(heard[sender]) == amount

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def test_an_item_equal_to_the_one_that_goes_counts_as_kept():
    channel = Channel[str]("c", 1, Overflow.DROP_OLDEST)
    outbox = channel.outbox()
    assert outbox.send_nowait("same")
    assert outbox.send_nowait("same")
    assert channel.statistics().dropped == 1


def test_drops_are_counted_by_lane_and_reason():
    channel = channel_with(Overflow.LANES, 2, 1)
    outbox = channel.outbox()
    for lane in (2, 2, 0, 0, 1):
        outbox.send_nowait(Item(0, lane))
    # Both of lane 2 were shed; the item of lane 1 found the channel full of what may not be shed.
    assert channel.statistics().dropped_by == {(2, "shed"): 2, (1, "full"): 1}


@pytest.mark.parametrize("capacity", [0, -1])
def test_a_channel_is_bounded_below_too(capacity):
    with pytest.raises(ValueError, match="capacity"):
        Channel("c", capacity)


def test_lanes_need_a_policy_and_nothing_else_does():
    policy = LanePolicy(lanes=1, lane_of=lambda item: 0, shed_from=0, shed_above=1)
    with pytest.raises(ValueError, match="lane policy"):
        Channel("c", 1, Overflow.LANES)
    with pytest.raises(ValueError, match="lane policy"):
        Channel("c", 1, Overflow.BLOCK, policy)
