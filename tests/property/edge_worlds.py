"""One edge over each transport, with the same handles for faults. See `edge_history.py`."""

import random
from collections import Counter
from contextlib import asynccontextmanager, suppress

import attrs
import trio
from property.supervised import CrashError

from engine.adapters.postgres.database import Connection, open_connection
from engine.adapters.postgres.edge_store import PostgresEdgeStore
from engine.adapters.redis.connection import open_redis
from engine.adapters.redis.edge_store import RedisEdge, RedisEdgeStore
from engine.runtime.channel import Channel
from engine.runtime.edge_inbox import EdgeInbox
from engine.runtime.edge_sender import EdgeSender
from protocols.errors import TransientError

ROOM = 6
"""Items that the store takes: senders of longer histories have to wait for the reader."""


@attrs.define(eq=False, slots=False)
class MemoryWorld:
    """The channel itself. Nothing of it outlives the process, so that a reader's death is that of its actor alone."""

    channel: Channel = attrs.field(factory=lambda: Channel("edge", 1_000))

    def __attrs_post_init__(self):
        self.outbox = self.channel.outbox()
        self.inbox, self.inbox_end = self.channel.inbox, self.channel

    async def end_sending(self):
        self.outbox.close()

    async def die(self):
        self.channel.take_back()
        return False

    die_as_another = leave = die

    def crash_writer(self):
        pass

    async def cut(self):
        pass

    def fail_reader(self, call):
        pass

    fail_sender = fail_reader

    async def check_books(self, *, sent, done, dead):
        stats = self.channel.statistics()
        assert (stats.sent, stats.dead_lettered, stats.depth, stats.unacknowledged) == (sent, dead, 0, 0)
        assert stats.sent == stats.received + stats.dropped + stats.depth


@attrs.define(eq=False, slots=False)
class NumberCodec:
    """Numbers as text. Crashes its sender when told so, never three times for one item: that would be a dead letter."""

    crash_next: bool = False
    crashes: Counter = attrs.field(factory=Counter)

    def encode(self, item):
        if self.crash_next and self.crashes[item] < 2:
            self.crash_next = False
            self.crashes[item] += 1
            raise CrashError("bug of the sender")
        return str(item).encode()

    def decode(self, body):
        return int(body)


@attrs.define(eq=False, slots=False)
class LossyStore:
    """A store whose answers are lost on command: before the work was done, or after it."""

    store: object
    fail_at: dict = attrs.field(factory=dict)
    calls: int = 0

    def __getattr__(self, name):
        method = getattr(self.store, name)

        async def call(*args):
            self.calls += 1
            done_before = self.fail_at.pop(self.calls, None)
            if done_before is False:
                raise TransientError("lost before")
            answer = await method(*args)
            if done_before:
                raise TransientError("lost after")
            return answer

        return call

    def fail(self, call):
        self.fail_at[self.calls + 1 + call // 2] = bool(call % 2)


@attrs.define(eq=False, slots=False)
class StoreWorld:
    """A channel, the sender's task, a store, and the reader's end, whose process may die."""

    make_store: object
    """Name → a store of its own connections; the same name is the same consumer after a restart."""
    cut_connections: object
    nursery: trio.Nursery
    front: Channel = attrs.field(factory=lambda: Channel("edge", 1_000))
    codec: NumberCodec = attrs.field(factory=NumberCodec)
    names: int = 0

    def __attrs_post_init__(self):
        self.outbox = self.front.outbox()
        self.sender_store = LossyStore(self.make_store("sender"))
        self.sender = EdgeSender(name="edge", items=self.front.inbox, store=self.sender_store, codec=self.codec,
                                 rng=random.Random(1), batch_max=3, retry_first_s=0.001)  # fmt: skip
        self.sent = trio.Event()
        self._reader("reader0")
        self.nursery.start_soon(self._keep_sending)

    def _reader(self, name):
        self.reader_store = LossyStore(self.make_store(name))
        self.name = name
        self.inbox = self.inbox_end = EdgeInbox(
            name="edge", store=self.reader_store, codec=self.codec, rng=random.Random(2), wait_s=0.01,
            take_over_interval_s=0, retry_first_s=0.001,
        )  # fmt: skip

    async def _keep_sending(self):
        while True:
            try:
                await self.sender.run()
            except CrashError as error:
                assert not self.front.rewind(error)
            else:
                self.sent.set()
                return

    async def end_sending(self):
        self.outbox.close()
        # A full store waits for its reader: the end is told to it when all is sent.
        self.nursery.start_soon(self._close_reader_when_sent, self.inbox)

    async def _close_reader_when_sent(self, inbox):
        await self.sent.wait()
        inbox.close()

    async def die(self):
        self._reader(self.name)
        return True

    async def die_as_another(self):
        # The claims of the dead one have to run out first; nothing but time can tell.
        await trio.sleep(0.006)
        self.names += 1
        self._reader(f"reader{self.names}")
        return True

    async def leave(self):
        while True:
            try:
                await self.inbox.leave()
            except TransientError:
                continue
            break
        self.names += 1
        self._reader(f"reader{self.names}")
        return True

    def crash_writer(self):
        self.codec.crash_next = True

    async def cut(self):
        await self.cut_connections()

    def fail_reader(self, call):
        self.reader_store.fail(call)

    def fail_sender(self, call):
        self.sender_store.fail(call)

    async def check_books(self, *, sent, done, dead):
        stats = self.front.statistics()
        assert stats.sent == stats.received == sent
        figures = await self.reader_store.store.figures()
        assert (figures.depth, figures.in_hand, figures.dropped) == (0, 0, 0)
        assert figures.sent == figures.acknowledged + figures.dead
        assert (figures.sent, figures.acknowledged, figures.dead) == (sent, done, dead)


@asynccontextmanager
async def redis_world(address, name):
    async with open_redis(address) as office, trio.open_nursery() as nursery:
        edge = RedisEdge(name=name, prefix="conformance", items_max=ROOM, take_over_idle_ms=3)
        admin = office.connection("admin")

        def make_store(who):
            return RedisEdgeStore(edge=edge, calls=office.connection(who), waiting=office.connection(who), who=who)

        async def cut():
            with suppress(TransientError):
                await admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

        yield StoreWorld(make_store, cut, nursery)
        nursery.cancel_scope.cancel()


TERMINATE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE $1"


@asynccontextmanager
async def postgres_world(options, name):
    async with open_connection(options, "admin") as admin, trio.open_nursery() as nursery:
        opened = []

        def make_store(who):
            opened.append(Connection(options, f"{name} {who}"))
            return PostgresEdgeStore(
                connection=opened[-1], edge=name, who=who, claim_s=0.003, items_max=ROOM, poll_s=0.002
            )

        async def cut():
            with suppress(TransientError):
                await admin.run(lambda raw: raw.fetch(TERMINATE, f"polycopy {name} %"))

        try:
            yield StoreWorld(make_store, cut, nursery)
        finally:
            nursery.cancel_scope.cancel()
            with trio.CancelScope(shield=True):
                for connection in opened:
                    await connection.aclose()
