"""What it costs, where no edge leaves the process, that any could: channels against the least that could stand in their place.

The ends of a channel hand out again what a crashed reader had, count, and can be exchanged for those of an edge. The reference
is a bounded queue in batches that can do none of that. The difference for each hop of a trade, as a part of what the whole
engine spends on a trade in the same run.
"""

import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

import attrs
import trio

from engine.runtime.channel import Channel
from protocols.trades import LanedTrade

from .bench import Bench
from .figures import Figure, median
from .row_throughput import flood_of_engine
from .trade_samples import sample_trades

HOPS = 2
"""Of a trade that nobody copies: raw_trades and writer."""
BATCH = 64
"""Of the size that the stream's reader sends while it is flooded."""
CAPACITY = 4_096
TARGET_RATIO = 0.02


class _Queue(Protocol):
    async def send_many(self, items: list[LanedTrade]) -> None: ...
    async def batch(self, items_max: int) -> list[LanedTrade]: ...


@attrs.define(eq=False)
class _Bare:
    """Waits for room and for items, and nothing else."""

    items: deque[LanedTrade] = attrs.field(factory=deque)
    room: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot)
    arrival: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot)

    async def send_many(self, items: list[LanedTrade]) -> None:
        await trio.lowlevel.checkpoint()
        while items:
            while (room := CAPACITY - len(self.items)) <= 0:
                await self.room.park()
            self.items.extend(items[:room])
            self.arrival.unpark_all()
            items = items[room:]

    async def batch(self, items_max: int) -> list[LanedTrade]:
        await trio.lowlevel.checkpoint()
        while not self.items:
            await self.arrival.park()
        taken = [self.items.popleft() for _ in range(min(items_max, len(self.items)))]
        self.room.unpark_all()
        return taken


@attrs.define(eq=False)
class _Ends:
    """Those of a channel, as actors are given them."""

    channel: Channel[LanedTrade] = attrs.field(factory=lambda: Channel[LanedTrade]("seam", CAPACITY))
    send_many: Callable[[list[LanedTrade]], Awaitable[None]] = attrs.field(init=False)
    batch: Callable[[int], Awaitable[list[LanedTrade]]] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.send_many, self.batch = self.channel.outbox().send_many, self.channel.inbox.batch


async def measure(bench: Bench) -> list[Figure]:
    """Interleaves channel and bare queue; then one flood of the engine for what a trade costs in all."""
    trades = sample_trades(int(bench.either(20_000, 50_000)))
    took_us: dict[type, list[float]] = {_Ends: [], _Bare: []}
    for number in range(int(bench.either(15, 40))):
        for kind in (_Ends, _Bare) if number % 2 else (_Bare, _Ends):
            took_us[kind].append(await _hop_us(kind(), trades))
    channel_us, bare_us = min(took_us[_Ends]), min(took_us[_Bare])
    floods = [await flood_of_engine(bench, int(bench.either(20_000, 60_000)), f"seam{number}") for number in range(3)]
    trade_us = median([flood.cpu_us for flood in floods])
    return [
        Figure(row="seam", what="one hop of a trade through a channel", value=channel_us, unit="µs", reference=bare_us),
        Figure(row="seam", what="processor time of a trade, socket to row", value=trade_us, unit="µs"),
        Figure(
            row="seam",
            what=f"cost of the seam, {HOPS} hops, part of that",
            value=max(0.0, channel_us - bare_us) * HOPS / trade_us,
            target=TARGET_RATIO,
            note="least of all runs of each kind; median of the floods",
        ),
    ]


async def _hop_us(queue: _Queue, trades: list[LanedTrade]) -> float:
    """Returns processor time from sender to reader, a trade."""
    began_s, got = time.process_time(), 0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_send, queue, trades)
        while got < len(trades):
            got += len(await queue.batch(BATCH))
    return (time.process_time() - began_s) / len(trades) * 1e6


async def _send(queue: _Queue, trades: list[LanedTrade]) -> None:
    for start in range(0, len(trades), BATCH):
        await queue.send_many(trades[start : start + BATCH])
