"""One edge over three transports, side by side: trades a second in batches, and from sender to reader one at a time."""

import random
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio

from engine.adapters.postgres.database import open_connection
from engine.adapters.postgres.edge_store import PostgresEdgeStore
from engine.adapters.redis.connection import open_redis
from engine.adapters.redis.edge_store import RedisEdge, RedisEdgeStore
from engine.runtime.channel import Channel
from engine.runtime.edge_inbox import EdgeInbox
from engine.runtime.edge_sender import EdgeSender
from protocols.channels import Inbox, Outbox
from protocols.edge_codec import LanedTradeCodec
from protocols.edges import EdgeStore
from protocols.trades import LanedTrade

from .bench import Bench
from .figures import Figure, median
from .redis_process import redis_process
from .trade_samples import sample_trades

KINDS = ("memory", "redis", "postgres")
BATCH = 500
ROOM = 20_000
CODEC = LanedTradeCodec(wall_less_monotonic_s=0.0)


@attrs.frozen
class _Ends:
    outbox: Outbox[LanedTrade]
    inbox: Inbox[LanedTrade]


async def measure(bench: Bench) -> list[Figure]:
    """Interleaves the kinds, so that a slow minute of the machine slows all of them."""
    trades = sample_trades(int(bench.either(5_000, 20_000)))
    singles = int(bench.either(200, 1_000))
    rates, delays = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list)
    for number in range(int(bench.either(3, 5))):
        for kind in KINDS if number % 2 else KINDS[::-1]:
            async with _edge(bench, kind) as ends:
                rates[kind].append(await _rate(ends, trades))
                delays[kind].append(await _delay_ms(ends, trades[:singles]))
            bench.say(f"  {kind}: {rates[kind][-1]:,.0f}/s, {delays[kind][-1]:.2f} ms")
    memory_rate, memory_ms = median(rates["memory"]), median(delays["memory"])
    figures = []
    for kind in KINDS:
        rate, delay = median(rates[kind]), median(delays[kind])
        text = "" if kind == "memory" else f"{memory_rate:,.0f}/s in memory, this run"
        figures.append(
            Figure(row="edges", what=f"{kind}: trades in batches", value=rate, unit="/s", reference_text=text)
        )
        text = "" if kind == "memory" else f"{memory_ms:.3f} ms in memory, this run"
        figures.append(
            Figure(row="edges", what=f"{kind}: one trade, median", value=delay, unit="ms", reference_text=text)
        )
    return figures


async def _rate(ends: _Ends, trades: list[LanedTrade]) -> float:
    """Returns trades a second, from the first that is sent to the last that is acknowledged."""
    began_s = time.perf_counter()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_send, ends.outbox, trades)
        got = 0
        while got < len(trades):
            got += len(await ends.inbox.batch(BATCH))
    return len(trades) / (time.perf_counter() - began_s)


async def _send(outbox: Outbox[LanedTrade], trades: list[LanedTrade]) -> None:
    for start in range(0, len(trades), BATCH):
        await outbox.send_many(trades[start : start + BATCH])


async def _delay_ms(ends: _Ends, trades: list[LanedTrade]) -> float:
    """Returns the median time from sending a trade to having it, while a reader waits for it."""
    sent, took = dict[str, float](), list[float]()

    async def read() -> None:
        while len(took) < len(trades):
            for laned in await ends.inbox.batch(BATCH):
                took.append((time.perf_counter() - sent[laned.trade.trade_id]) * 1000)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        for number, laned in enumerate(trades):
            sent[laned.trade.trade_id] = time.perf_counter()
            await ends.outbox.send(laned)
            while len(took) <= number:
                await trio.sleep(0.0005)
    return median(took)


@asynccontextmanager
async def _edge(bench: Bench, kind: str) -> AsyncIterator[_Ends]:
    front = Channel[LanedTrade]("edge", 4_096)
    if kind == "memory":
        yield _Ends(front.outbox(), front.inbox)
        return
    opened = _redis(bench) if kind == "redis" else _postgres(bench)
    async with opened as (sending, reading), trio.open_nursery() as nursery:
        sender = EdgeSender[LanedTrade](
            name="edge", items=front.inbox, store=sending, codec=CODEC, rng=random.Random(1), batch_max=BATCH
        )
        nursery.start_soon(sender.run)
        yield _Ends(front.outbox(), EdgeInbox(name="edge", store=reading, codec=CODEC, rng=random.Random(2)))
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def _redis(bench: Bench) -> AsyncIterator[tuple[EdgeStore, EdgeStore]]:
    async with redis_process(bench.home()) as address, open_redis(address) as office:
        edge = RedisEdge(name="bench", prefix="bench", items_max=ROOM)

        def store(who: str) -> Any:
            return RedisEdgeStore(edge=edge, calls=office.connection(who), waiting=office.connection(who), who=who)

        yield store("sender"), store("reader")


@asynccontextmanager
async def _postgres(bench: Bench) -> AsyncIterator[tuple[EdgeStore, EdgeStore]]:
    options = (await bench.database()).options
    async with open_connection(options, "sender") as one, open_connection(options, "reader") as two:
        sending = PostgresEdgeStore(connection=one, edge="bench", who="sender", items_max=ROOM)
        reading = PostgresEdgeStore(connection=two, edge="bench", who="reader", items_max=ROOM, poll_s=0.005)
        yield sending, reading
