import trio

from engine.runtime.channel import Channel
from engine.runtime.passing import passed
from protocols.channels import Overflow


async def test_it_waits_until_a_reader_has_acknowledged_what_was_there(autojump_clock, nursery):
    first, second = Channel("first", 10), Channel("second", 10)
    outbox = first.outbox()
    await outbox.send_many([1, 2])
    ended = trio.Event()

    async def wait():
        await passed((first, second))
        ended.set()

    nursery.start_soon(wait)
    assert await first.inbox.batch(10) == [1, 2]
    await second.outbox().send(1)
    await trio.sleep(1)
    assert not ended.is_set(), "handed out is not acknowledged"
    # What comes later is not waited for.
    await outbox.send(3)
    assert await first.inbox.batch(10) == [3]
    await trio.sleep(1)
    assert not ended.is_set(), "the second channel has it by now"
    assert await second.inbox.batch(1) == [1]
    second.take_back()
    await trio.sleep(1)
    assert not ended.is_set(), "taken back is not acknowledged either"
    assert await second.inbox.batch(1) == [1]
    second.outbox().send_nowait(2)
    assert await second.inbox.batch(1) == [2]
    await trio.sleep(1)
    assert ended.is_set()


async def test_what_was_dropped_or_died_has_gone_through(autojump_clock):
    dropping = Channel("dropping", 1, Overflow.DROP_OLDEST)
    outbox = dropping.outbox()
    for number in range(3):
        outbox.send_nowait(number)
    await dropping.inbox.batch(5)
    for _ in range(3):
        dropping.rewind(ValueError("bug"))
        if not dropping.dead_letters:
            await dropping.inbox.batch(5)
    assert dropping.statistics().dead_lettered == 1
    with trio.fail_after(10):
        await passed((dropping,))
