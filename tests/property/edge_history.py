"""Histories of one edge, and the contract that every transport of it keeps (`protocols/channels.py`).

One sender, one reader at a time, and whatever may happen to them: the reader crashes, is cancelled, its process dies and
another one takes over, the sender crashes, connections are cut, answers are lost. The model says exactly what the reader
has to get next.
"""

from collections import Counter, deque

import attrs
import trio
from hypothesis import strategies as st
from property.supervised import CrashError

DELIVERIES_MAX = 3


@attrs.frozen
class Op:
    """What happens next. `number` says how many items, which call, or what kind of fault."""

    kind: str
    number: int = 0


KINDS = {
    "send": 4,
    "batch": 5,
    "crash": 2,
    "cancel": 1,
    "impatient": 1,
    "die": 1,
    "die_as_another": 1,
    "leave": 1,
    "writer_crash": 1,
    "cut": 1,
    "fail_reader": 1,
    "fail_sender": 1,
}
HISTORIES = st.lists(
    st.builds(Op, st.sampled_from([kind for kind, weight in KINDS.items() for _ in range(weight)]), st.integers(1, 5)),
    min_size=3,
    max_size=16,
)


@attrs.define(eq=False)
class Contract:
    """Drives one world through a history and compares every answer with the model."""

    world: object
    sent: int = 0
    fresh: deque = attrs.field(factory=deque)
    """Sent, never handed out."""
    again: deque = attrs.field(factory=deque)
    """Has to come again, one by one, before anything fresh."""
    in_hand: list = attrs.field(factory=list)
    handed: Counter = attrs.field(factory=Counter)
    """Which delivery of an item the last one was."""
    written: Counter = attrs.field(factory=Counter)
    """What the store says of that."""
    next_delivery: dict = attrs.field(factory=dict)
    done: set = attrs.field(factory=set)
    dead: set = attrs.field(factory=set)
    is_unsure: bool = False
    """A request was given up: what it acknowledged or took is known only after the next one."""

    async def run(self, history):
        for op in history:
            await getattr(self, f"_{op.kind}")(op.number)
        await self.world.end_sending()
        while items := await self._take(3):
            assert items
        assert await self.world.inbox.batch(1) == []
        assert not self.fresh
        assert not self.again
        assert self.done | self.dead == set(range(1, self.sent + 1))
        assert not self.done & self.dead
        await self.world.check_books(sent=self.sent, done=len(self.done), dead=len(self.dead))

    async def _send(self, count):
        items = list(range(self.sent + 1, self.sent + count + 1))
        self.sent += count
        self.fresh.extend(items)
        await self.world.outbox.send_many(items)

    async def _batch(self, items_max):
        if self.fresh or self._to_come():
            assert await self._take(items_max)

    async def _take(self, items_max):
        items = await self.world.inbox.batch(items_max)
        self._accept(items, items_max)
        return items

    def _accept(self, items, items_max):
        self.done.update(self.in_hand)
        self.is_unsure = False
        while self.again and self.next_delivery[self.again[0]] > DELIVERIES_MAX:
            # Nobody says so: it was buried on the way, since the process of its reader died with it once too often.
            self.dead.add(self.again.popleft())
        if self.again:
            assert items == [self.again.popleft()], f"in hand comes again first, one by one, in order: {items}, {self}"
        else:
            assert len(items) <= items_max
            assert items == [self.fresh.popleft() for _ in items], "fresh items come in the order of their sender"
        for item in items:
            assert item not in self.done, "what was acknowledged never comes again"
            assert item not in self.dead
            self.handed[item] = self.written[item] = self.next_delivery.pop(item, 1)
        self.in_hand = items

    def _to_come(self):
        return any(self.next_delivery[item] <= DELIVERIES_MAX for item in self.again)

    async def _crash(self, _):
        dead = len(self.in_hand) == 1 and self.handed[self.in_hand[0]] >= DELIVERIES_MAX
        letters = self.world.inbox_end.rewind(CrashError("bug"))
        assert len(letters) == dead, "an item alone in hand is dead when its reader has failed three times"
        if dead:
            self.dead.update(self.in_hand)
            self.in_hand = []
        self._back(1)

    async def _cancel(self, _):
        self.world.inbox_end.take_back()
        self._back(0)

    def _back(self, blame):
        for item in reversed(self.in_hand):
            self.next_delivery[item] = self.handed[item] + blame
            self.again.appendleft(item)
        self.in_hand = []

    async def _impatient(self, steps):
        """A request that is given up after some steps; nothing may be lost by it."""
        items = None

        async def ask():
            nonlocal items
            items = await self.world.inbox.batch(2)
            nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            for _ in range(steps * steps):
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
        if items is not None:
            self._accept(items, 2)
            return
        # Asking was enough to acknowledge; whether the store knows it shows the next answer.
        self.done.update(self.in_hand)
        self.in_hand = []
        self.is_unsure = True

    async def _die(self, _):
        await self._restart(self.world.die)

    async def _die_as_another(self, _):
        await self._restart(self.world.die_as_another)

    async def _restart(self, how):
        if self.is_unsure:
            return
        counts = await how()
        self._back(0)
        if counts:
            # Nobody knows any more who was to blame: each counts what was written down before it was handed out.
            for item in self.again:
                self.next_delivery[item] = self.written[item] + 1
            self.again = deque(sorted(self.again))

    async def _leave(self, _):
        """An orderly stop: what is in hand goes back and is held against no item."""
        self.is_unsure = False
        counts = await self.world.leave()
        self._back(0)
        if counts:
            self.written.update({item: self.next_delivery[item] - 1 - self.written[item] for item in self.again})
            self.again = deque(sorted(self.again))

    async def _writer_crash(self, _):
        self.world.crash_writer()

    async def _cut(self, _):
        await self.world.cut()

    async def _fail_reader(self, call):
        self.world.fail_reader(call)

    async def _fail_sender(self, call):
        self.world.fail_sender(call)
