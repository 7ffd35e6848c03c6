import trio
from hypothesis import given
from hypothesis import strategies as st
from property.examples import MANY, QUICK
from property.supervised import CrashError, crash_sets, run_jumping, supervisor

from engine.runtime.channel import DELIVERIES_MAX, Channel, LanePolicy
from engine.runtime.supervisor import Child
from protocols.channels import Overflow


def reader_of(channel, batch_max, poison, crash_at, attempts, done):
    """An actor that dies of poison always, and of a bug at chosen deliveries."""

    async def run(*, task_status=trio.TASK_STATUS_IGNORED):
        task_status.started()
        while batch := await channel.inbox.batch(batch_max):
            attempts.append(batch)
            if poison & set(batch) or len(attempts) - 1 in crash_at:
                raise CrashError
            done.extend(batch)

    return Child(name="reader", run=run, reads=(channel,))


def deliver(items, *, batch_max, poison=frozenset(), crash_at=frozenset(), capacity=100, channel=None):
    channel = channel or Channel("c", capacity)
    attempts, done = [], []

    async def main():
        outbox = channel.outbox()
        keeper = supervisor()
        child = reader_of(channel, batch_max, poison, crash_at, attempts, done)
        async with trio.open_nursery() as nursery:
            await nursery.start(keeper.keep_alive, child, keeper.policy)
            await outbox.send_many(items)
            outbox.close()

    run_jumping(main)
    return attempts, done, channel


SIZES = st.integers(1, 8)


@MANY
@given(amount=st.integers(0, 30), batch_max=SIZES, capacity=SIZES, crash_at=crash_sets())
def test_a_crash_loses_nothing_and_keeps_the_order(amount, batch_max, capacity, crash_at):
    attempts, done, channel = deliver(list(range(amount)), batch_max=batch_max, crash_at=crash_at, capacity=capacity)
    assert done == list(range(amount))
    assert channel.statistics().received == amount
    assert channel.statistics().redelivered == sum(map(len, attempts)) - amount
    assert not channel.dead_letters


@MANY
@given(amount=st.integers(1, 25), poison=st.sets(st.integers(0, 24), max_size=4), batch_max=SIZES, capacity=SIZES)
def test_poison_alone_is_lost_after_exactly_two_retries(amount, poison, batch_max, capacity):
    attempts, done, channel = deliver(
        list(range(amount)), batch_max=batch_max, poison=frozenset(poison), capacity=capacity
    )
    poison = {item for item in poison if item < amount}
    assert done == [item for item in range(amount) if item not in poison]
    assert [letter.item for letter in channel.dead_letters] == [repr(item) for item in sorted(poison)]
    assert channel.statistics().dead_lettered == len(poison)
    for item in range(amount):
        deliveries = sum(item in batch for batch in attempts)
        if item in poison:
            # A batch of several does not tell who was guilty; from then on poison comes alone.
            together = any(item in batch and len(batch) > 1 for batch in attempts)
            assert deliveries == DELIVERIES_MAX == 3
            assert [item] in attempts
            assert sum(batch == [item] for batch in attempts) == 3 - together
        else:
            assert deliveries <= 2


@QUICK
@given(
    amount=st.integers(1, 20), poison=st.sets(st.integers(0, 19), max_size=2), batch_max=SIZES, crash_at=crash_sets(20)
)
def test_poison_and_other_bugs_together_still_lose_only_what_failed_three_times(amount, poison, batch_max, crash_at):
    attempts, done, channel = deliver(
        list(range(amount)), batch_max=batch_max, poison=frozenset(poison), crash_at=crash_at
    )
    dead = {int(letter.item) for letter in channel.dead_letters}
    assert {item for item in poison if item < amount} <= dead
    assert done == [item for item in range(amount) if item not in dead]
    for item in dead:
        assert sum(item in batch for batch in attempts) == 3


def test_after_a_crash_items_come_one_by_one_before_anything_new():
    attempts, done, _ = deliver([1, 2, 3, 4, 5], batch_max=3, crash_at={0})
    assert attempts == [[1, 2, 3], [1], [2], [3], [4, 5]]
    assert done == [1, 2, 3, 4, 5]


def test_a_crash_amid_redelivery_keeps_the_rest_in_line():
    attempts, done, _ = deliver([1, 2, 3], batch_max=3, crash_at={0, 2})
    assert attempts == [[1, 2, 3], [1], [2], [2], [3]]
    assert done == [1, 2, 3]


def test_redelivery_goes_before_a_more_important_lane():
    policy = LanePolicy(lanes=2, lane_of=lambda item: item[0], shed_from=1, shed_above=10)
    channel = Channel("c", 10, Overflow.LANES, policy)
    attempts, done, _ = deliver([(1, "b"), (1, "c"), (0, "a")], batch_max=2, crash_at={0}, channel=channel)
    assert attempts == [[(0, "a"), (1, "b")], [(0, "a")], [(1, "b")], [(1, "c")]]
    assert len(done) == 3


def test_the_dead_letter_says_what_and_why_within_bounds():
    channel = Channel("c", 5)
    deliver(["x" * 10_000], batch_max=1, poison={"x" * 10_000}, channel=channel)
    (letter,) = channel.dead_letters
    assert letter.channel == "c"
    assert letter.item.startswith("'xxx")
    assert len(letter.item) <= 500
    assert "CrashError" in letter.error


def test_dead_letters_are_kept_within_bounds_and_all_counted():
    channel = Channel("c", 300)
    deliver(list(range(150)), batch_max=1, poison=frozenset(range(150)), channel=channel)
    assert len(channel.dead_letters) == 100
    assert channel.statistics().dead_lettered == 150


async def test_asking_acknowledges_the_whole_previous_batch():
    channel = Channel("c", 10)
    await channel.outbox().send_many([1, 2, 3])
    assert await channel.inbox.batch(2) == [1, 2]
    assert await channel.inbox.batch(2) == [3]
    channel.rewind(CrashError())
    assert await channel.inbox.batch(9) == [3]
    assert channel.statistics().redelivered == 1


async def test_iterating_acknowledges_item_by_item():
    channel = Channel("c", 10)
    outbox = channel.outbox()
    await outbox.send_many([1, 2, 3])
    outbox.close()
    seen = []
    async for item in channel.inbox:
        seen.append(item)
        assert channel.statistics().depth == 3 - item
    assert seen == [1, 2, 3]
    channel.rewind(CrashError())
    assert await channel.inbox.batch(1) == []
