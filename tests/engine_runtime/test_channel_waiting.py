import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from property.examples import QUICK
from property.supervised import CrashError, run_jumping

from engine.runtime.channel import Channel, LanePolicy
from protocols.channels import Overflow

MS = st.integers(0, 5).map(lambda ms: ms / 1000)


@QUICK
@given(
    sends=st.lists(st.tuples(MS, st.integers(1, 4)), max_size=15),
    patience=st.lists(MS, min_size=1, max_size=10),
    batch_max=st.integers(1, 4),
    capacity=st.integers(1, 5),
)
def test_giving_up_on_a_batch_loses_nothing(sends, patience, batch_max, capacity):
    async def main():
        channel, got, number = Channel("c", capacity), [], 0
        outbox = channel.outbox()

        async def read():
            turn = 0
            while True:
                turn += 1
                with trio.move_on_after(patience[turn % len(patience)] if turn < 60 else 1e6):
                    batch = await channel.inbox.batch(batch_max)
                    assert len(batch) <= batch_max
                    if not batch:
                        return
                    got.extend(batch)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            for pause_s, amount in sends:
                await trio.sleep(pause_s)
                await outbox.send_many(range(number, number + amount))
                number += amount
            outbox.close()
        assert got == list(range(number))

    run_jumping(main)


@QUICK
@given(capacity=st.integers(1, 3), amount=st.integers(1, 8), patience=MS, lanes=st.booleans())
def test_giving_up_on_a_send_keeps_a_prefix(capacity, amount, patience, lanes):
    async def main():
        policy = LanePolicy(lanes=1, lane_of=lambda item: 0, shed_from=1, shed_above=9) if lanes else None
        channel = Channel("c", capacity, Overflow.LANES if lanes else Overflow.BLOCK, policy)
        outbox = channel.outbox()
        with trio.move_on_after(patience):
            await outbox.send_many(range(amount))
        stats = channel.statistics()
        assert stats.sent == stats.depth
        outbox.close()
        got = []
        while batch := await channel.inbox.batch(2):
            got.extend(batch)
        assert got == list(range(stats.sent))

    run_jumping(main)


async def test_a_batch_waits_once_then_takes_what_is_there(autojump_clock):
    channel = Channel("c", 10)
    outbox = channel.outbox()

    async def send_later():
        await trio.sleep(1)
        await outbox.send_many([1, 2, 3])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send_later)
        assert await channel.inbox.batch(2) == [1, 2]
        assert trio.current_time() == pytest.approx(1)
        assert await channel.inbox.batch(2) == [3]


async def test_what_waits_is_still_read_after_the_last_outbox_is_closed():
    channel = Channel("c", 10)
    first, second = channel.outbox(), channel.outbox()
    await first.send(1)
    first.close()
    first.close()
    await second.send(2)
    second.close()
    assert await channel.inbox.batch(1) == [1]
    assert await channel.inbox.batch(1) == [2]
    assert await channel.inbox.batch(1) == []
    assert await channel.inbox.batch(1) == []


async def test_what_has_to_be_read_again_comes_before_the_end():
    channel = Channel("c", 10)
    outbox = channel.outbox()
    await outbox.send(1)
    outbox.close()
    assert await channel.inbox.batch(1) == [1]
    channel.rewind(CrashError())
    assert await channel.inbox.batch(1) == [1]
    assert await channel.inbox.batch(1) == []


async def test_a_waiting_reader_learns_that_the_stream_ended(autojump_clock):
    channel = Channel("c", 10)
    outbox = channel.outbox()
    async with trio.open_nursery() as nursery:

        async def read():
            assert await channel.inbox.batch(1) == []

        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        outbox.close()


async def test_a_closed_outbox_refuses():
    channel = Channel("c", 10)
    outbox, other = channel.outbox(), channel.outbox()
    outbox.close()
    with pytest.raises(trio.ClosedResourceError):
        outbox.send_nowait(1)
    with pytest.raises(trio.ClosedResourceError):
        await outbox.send(1)
    await other.send(2)
    assert channel.statistics().sent == 1


async def test_a_closed_channel_refuses_everybody():
    channel = Channel("c", 10)
    outbox = channel.outbox()
    await outbox.send(1)
    channel.close()
    with pytest.raises(trio.ClosedResourceError):
        await outbox.send(2)
    with pytest.raises(trio.ClosedResourceError):
        channel.outbox()
    assert await channel.inbox.batch(5) == [1]
    assert await channel.inbox.batch(5) == []


@pytest.mark.parametrize("close_all", [True, False], ids=["channel closed", "own outbox closed"])
async def test_a_sender_that_waits_for_room_is_told_of_the_end(autojump_clock, close_all):
    channel = Channel("c", 1)
    outbox, _other = channel.outbox(), channel.outbox()
    told = trio.Event()

    async def send():
        with pytest.raises(trio.ClosedResourceError):
            await outbox.send_many([1, 2])
        told.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        await trio.testing.wait_all_tasks_blocked()
        channel.close() if close_all else outbox.close()
        with trio.fail_after(10):
            await told.wait()
    assert channel.statistics().depth == 1


async def test_an_iterable_that_fails_halfway_does_not_leave_the_reader_asleep(autojump_clock):
    channel = Channel("c", 10)
    outbox = channel.outbox()

    def failing():
        yield 1
        raise CrashError

    async with trio.open_nursery() as nursery:
        got = []

        async def read():
            got.extend(await channel.inbox.batch(5))

        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(CrashError):
            await outbox.send_many(failing())
        with trio.fail_after(10):
            await trio.testing.wait_all_tasks_blocked()
        assert got == [1]


async def test_a_crowd_of_senders_shares_little_room_without_loss(autojump_clock):
    channel, got = Channel("c", 2), []

    async def send(number):
        outbox = channel.outbox()
        await trio.sleep(0.1)
        for item in range(20):
            await outbox.send((number, item))
        outbox.close()

    async with trio.open_nursery() as nursery:
        for number in range(10):
            nursery.start_soon(send, number)
        while batch := await channel.inbox.batch(3):
            got.extend(batch)
    assert sorted(got) == [(number, item) for number in range(10) for item in range(20)]
    assert channel.statistics().peak_depth == 2


async def test_sending_and_asking_are_checkpoints():
    channel = Channel("c", 10)
    outbox = channel.outbox()
    with trio.testing.assert_checkpoints():
        await outbox.send_many([1, 2])
    with trio.testing.assert_checkpoints():
        assert await channel.inbox.batch(9) == [1, 2]
    with trio.testing.assert_checkpoints():
        await outbox.send_many([])
