import random

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from property.examples import MANY, QUICK

from engine.runtime.buffers import Displaced, LaneBuffer
from engine.runtime.channel import Channel, LanePolicy
from protocols.channels import Overflow

# (lane, arrival number)
Item = tuple[int, int]
CASES = 10_000


def lane_of(item: Item) -> int:
    return item[0]


def most_important(items: list[Item], shed_from: int, limit: int) -> list[Item]:
    """Written from the promise, not from the code: all that may not be shed, then the best of the rest, newest first."""
    unsheddable = [item for item in items if item[0] < shed_from]
    sheddable = sorted((item for item in items if item[0] >= shed_from), key=lambda item: (item[0], -item[1]))
    return sorted(unsheddable + sheddable[: max(0, limit - len(unsheddable))])


def drained(buffer: LaneBuffer[Item]) -> list[Item]:
    return [buffer.take_many(1)[0] for _ in range(buffer.depth)]


def test_kept_are_the_most_important_and_newest_in_ten_thousand_bursts():
    seed = 20_261_120
    rng = random.Random(seed)
    for case in range(CASES):
        lanes = rng.randint(1, 4)
        shed_from, capacity, shed_above = rng.randint(0, lanes), rng.randint(1, 12), rng.randint(1, 14)
        buffer = LaneBuffer(capacity, lanes, lane_of, shed_from, shed_above)
        offered = [(rng.randrange(lanes), number) for number in range(rng.randint(0, 20))]
        accepted, gone = [], []
        for item in offered:
            if not buffer.has_room_for(item):
                assert item[0] < shed_from, (seed, case)
                continue
            accepted.append(item)
            victim = buffer.put(item)
            if victim is not None:
                assert victim.lane == victim.item[0] >= shed_from, (seed, case)
                assert victim.is_offered == (victim.item == item), (seed, case)
                gone.append(victim.item)
            assert buffer.depth <= capacity, (seed, case)
        kept = drained(buffer)
        assert sorted(kept) == most_important(accepted, shed_from, min(capacity, shed_above)), (seed, case)
        assert sorted(kept + gone) == sorted(accepted), (seed, case)
        assert kept == sorted(kept), (seed, case)


@MANY
@given(
    ops=st.lists(st.one_of(st.tuples(st.integers(0, 2), st.just(0)), st.just("take")), max_size=60),
    capacity=st.integers(1, 6),
    shed_above=st.integers(1, 8),
)
def test_with_readings_in_between_the_rule_holds_at_every_put(ops, capacity, shed_above):
    buffer, model = LaneBuffer(capacity, 3, lane_of, 2, shed_above), []
    for number, op in enumerate(ops):
        if op == "take":
            if model:
                assert buffer.take_many(1)[0] == min(model)
                model.remove(min(model))
        else:
            item = (op[0], number)
            before = list(model)
            if buffer.has_room_for(item):
                victim = buffer.put(item)
                model.append(item)
                if victim is not None:
                    model.remove(victim.item)
            else:
                assert buffer.put(item) == Displaced(item, item[0], is_offered=True)
            assert model == most_important_of_one_more(before, item, capacity, shed_above)
        assert buffer.depth == len(model) <= capacity


def most_important_of_one_more(before, item, capacity, shed_above):
    if item[0] < 2 and len(before) >= capacity and not any(lane == 2 for lane, _ in before):
        return before
    after = [*before, item]
    if len(after) > min(capacity, shed_above):
        shed = [one for one in after if one[0] == 2]
        if shed:
            after.remove(min(shed))
    return after


def channel_of(capacity, shed_above):
    policy = LanePolicy[Item](lanes=3, lane_of=lane_of, shed_from=2, shed_above=shed_above)
    return Channel[Item]("writer", capacity, Overflow.LANES, policy)


@QUICK
@given(
    lanes=st.lists(st.integers(0, 2), max_size=40),
    capacity=st.integers(1, 8),
    shed_above=st.integers(1, 10),
    reading=st.lists(st.integers(1, 4), min_size=1, max_size=5),
)
def test_lanes_0_and_1_always_arrive_in_order_however_slow_the_reader(lanes, capacity, shed_above, reading):
    async def main():
        channel, got = channel_of(capacity, shed_above), []
        outbox = channel.outbox()
        items = [(lane, number) for number, lane in enumerate(lanes)]

        async def send():
            await outbox.send_many(items)
            outbox.close()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            for size in reading * 50:
                await trio.sleep(1)
                batch = await channel.inbox.batch(size)
                got.extend(batch)
                if not batch:
                    break
        for lane in (0, 1):
            assert [item for item in got if item[0] == lane] == [item for item in items if item[0] == lane]
        known = [item for item in got if item[0] == 2]
        assert known == sorted(known)
        stats = channel.statistics()
        assert set(stats.dropped_by) <= {(2, "shed")}
        assert len(known) + stats.dropped == lanes.count(2)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


async def test_a_sender_of_lane_2_never_waits():
    channel = channel_of(2, 50)
    outbox = channel.outbox()
    await outbox.send_many([(0, 1), (1, 2)])
    with trio.fail_after(10):
        await outbox.send((2, 3))
    assert channel.statistics().dropped_by == {(2, "shed"): 1}


async def test_a_sender_of_lane_1_waits_only_when_nothing_can_be_shed(autojump_clock):
    channel = channel_of(2, 50)
    outbox = channel.outbox()
    await outbox.send_many([(2, 1), (0, 2)])
    await outbox.send((1, 3))
    with pytest.raises(trio.TooSlowError), trio.fail_after(1):
        await outbox.send((1, 4))
    assert await channel.inbox.batch(9) == [(0, 2), (1, 3)]


async def test_a_batch_of_every_lane_starts_with_lane_0():
    channel = channel_of(10, 10)
    await channel.outbox().send_many([(2, 0), (1, 1), (0, 2), (2, 3), (0, 4)])
    assert await channel.inbox.batch(3) == [(0, 2), (0, 4), (1, 1)]
