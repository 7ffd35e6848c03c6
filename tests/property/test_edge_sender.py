"""The sending task in virtual time, with a store that fails on command."""

import random

import attrs
import trio
from property.supervised import run_jumping

from engine.runtime.channel import Channel
from engine.runtime.edge_sender import EdgeSender
from protocols.channels import Overflow
from protocols.edges import Appended
from protocols.errors import MalformedError, TransientError


@attrs.define(eq=False)
class Store:
    room: int = 1_000
    is_up: bool = True
    items: list = attrs.field(factory=list)
    origin: str = "first"
    calls: int = 0

    async def append(self, number, bodies):
        await trio.sleep(0.001)
        self.calls += 1
        if not self.is_up:
            raise TransientError("down")
        kept = max(0, min(len(bodies), self.room - len(self.items)))
        self.items += bodies[:kept]
        return Appended(kept=kept, origin=self.origin, length=len(self.items))


@attrs.define(eq=False)
class Codec:
    def encode(self, item):
        if item < 0:
            raise MalformedError("size", str(item))
        return item


@attrs.define(eq=False, slots=False)
class World:
    capacity: int = 100
    overflow: Overflow = Overflow.BLOCK
    with_fallback: bool = True

    def __attrs_post_init__(self):
        self.store, self.told, self.lost = Store(), [], []
        self.front = Channel("edge", self.capacity, self.overflow)
        self.other = Channel("other", 1_000)
        self.outbox = self.front.outbox()
        self.sender = EdgeSender(
            name="edge", items=self.front.inbox, store=self.store, codec=Codec(), rng=random.Random(1), patience_s=1.0,
            fallback=self.other.outbox() if self.with_fallback else None,
            is_open=lambda answers, why: self.told.append((answers, why)), lost=lambda: self.lost.append(True),
        )  # fmt: skip

    def rerouted(self):
        return self.other.statistics().sent


def run(world, main):
    async def with_sender():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(world.sender.run)
            await main()
            nursery.cancel_scope.cancel()

    run_jumping(with_sender)


def test_what_is_sent_is_in_the_store_in_order():
    world = World()

    async def main():
        await world.outbox.send_many(range(50))
        await trio.sleep(1)
        assert world.store.items == list(range(50))
        assert world.told == []

    run(world, main)
    assert world.told == [(True, "")]


def test_a_store_that_is_gone_for_longer_than_patience_sends_items_the_other_way_and_says_so():
    world = World()

    async def main():
        world.store.is_up = False
        await world.outbox.send_many(range(5))
        await trio.sleep(0.5)
        assert world.rerouted() == 0, "a short trouble is waited out"
        await trio.sleep(2)
        assert world.rerouted() == 5
        assert world.told[-1] == (False, "down")
        began_s = trio.current_time()
        for number in range(100):
            await world.outbox.send(number)
            await trio.sleep(0.01)
        assert world.rerouted() == 105
        assert trio.current_time() - began_s < 2, "what comes later does not wait for patience again"
        world.store.is_up = True
        await trio.sleep(3)
        await world.outbox.send(7)
        await trio.sleep(0.1)
        assert world.store.items == [7]
        assert world.told[-1] == (True, "")

    run(world, main)


def test_a_sender_that_ends_leaves_no_word_of_trouble_behind():
    world = World()

    async def main():
        world.store.is_up = False
        await world.outbox.send_many(range(5))
        await trio.sleep(2)
        assert world.told[-1] == (False, "down")

    run(world, main)
    assert world.told[-1] == (True, "")


def test_a_full_store_is_trouble_too_and_what_it_took_is_not_sent_twice():
    world = World()

    async def main():
        world.store.room = 3
        await world.outbox.send_many(range(10))
        await trio.sleep(3)
        assert world.store.items == [0, 1, 2]
        assert world.rerouted() == 7
        assert "full" in world.told[-1][1]

    run(world, main)


def test_without_another_way_items_are_held_at_the_source_and_nothing_is_lost():
    world = World(capacity=4, with_fallback=False)

    async def main():
        world.store.is_up = False
        async with trio.open_nursery() as nursery:
            nursery.start_soon(world.outbox.send_many, range(600))
            await trio.sleep(60)
            assert world.front.statistics().depth == 4, "the sender waits at a full channel"
            world.store.is_up = True
        await trio.sleep(5)
        assert world.store.items == list(range(600))
        assert world.front.statistics().dropped == 0

    run(world, main)


def test_a_droppable_edge_gives_up_its_oldest_while_the_store_is_gone_and_counts_it():
    world = World(capacity=4, overflow=Overflow.DROP_OLDEST, with_fallback=False)

    async def main():
        world.store.is_up = False
        await world.outbox.send(0)
        await trio.sleep(5)
        for number in range(1, 101):
            world.outbox.send_nowait(number)
        world.store.is_up = True
        await trio.sleep(10)
        assert world.store.items == [0, 97, 98, 99, 100]
        stats = world.front.statistics()
        assert (stats.sent, stats.dropped, stats.received) == (101, 96, 5)

    run(world, main)


def test_an_item_that_may_not_leave_is_counted_and_does_not_hold_up_the_others():
    world = World()

    async def main():
        await world.outbox.send_many([1, -2, 3])
        await trio.sleep(1)
        assert world.store.items == [1, 3]
        assert world.sender.refused == 1

    run(world, main)


def test_a_store_that_began_anew_is_noticed_once():
    world = World()

    async def main():
        await world.outbox.send_many(range(5))
        await trio.sleep(1)
        world.store.items, world.store.origin = [], "second"
        for number in range(2):
            await world.outbox.send(number)
            await trio.sleep(1)
        assert len(world.lost) == world.sender.restarts == 1
        assert world.sender.lost_at_most == 5

    run(world, main)


def test_the_first_batch_of_a_sender_is_not_taken_for_the_last_one_of_the_sender_before():
    """One process ingests, loses the lease after a single batch, and has it again: its store knows it by the same name."""

    @attrs.define(eq=False)
    class Remembering(Store):
        last: tuple = ()

        async def append(self, number, bodies):
            if self.last and self.last[0] == number:
                return self.last[1]
            answer = await super().append(number, bodies)
            self.last = (number, answer)
            return answer

    store = Remembering()

    async def main():
        for item in (1, 2, 3):
            front = Channel("edge", 10)
            sender = EdgeSender(name="edge", items=front.inbox, store=store, codec=Codec(), rng=random.Random(1))
            outbox = front.outbox()
            await outbox.send(item)
            outbox.close()
            await sender.run()
            await trio.sleep(1)

    run_jumping(main)
    assert store.items == [1, 2, 3]


def test_a_store_that_began_anew_while_nobody_sent_is_noticed_too():
    world = World()
    world.sender.look_s = 10

    async def main():
        await world.outbox.send_many(range(5))
        await trio.sleep(35)
        assert (world.sender.restarts, world.store.calls) == (0, 4)
        world.store.is_up = False
        await trio.sleep(20)
        world.store.items, world.store.origin, world.store.is_up = [], "second", True
        await trio.sleep(10)
        assert len(world.lost) == world.sender.restarts == 1
        calls = world.store.calls
        await trio.sleep(100)
        assert world.store.calls == calls, "a store that is empty is not asked"
        await world.outbox.send(7)
        await trio.sleep(1)
        assert world.store.items == [7]
        assert world.told == [], "an unanswered look alone is no trouble"

    run(world, main)
