"""The writer between a real channel and a store that fails."""

from collections.abc import Sequence
from typing import Any

import attrs
import trio
from property.fake_stores import FakeTradeStore, Latencies
from property.supervised import run_jumping, supervisor

from actors.sync_writer import SyncWriter
from config.schema import WriterConfig
from engine.runtime.channel import Channel, ChannelOutbox, LanePolicy
from engine.runtime.supervisor import Child
from protocols.channels import Overflow
from protocols.clock import Random
from protocols.ingest import GapRequest
from protocols.receipts import Receipt
from protocols.trades import Lane, LanedTrade

CALM_S = 3_600.0


@attrs.define(eq=False)
class WriterWorld:
    store: FakeTradeStore
    spill: Any
    batch_max: int = 4
    capacity: int = 8
    trades: Channel[LanedTrade] = attrs.field(init=False)
    gaps: Channel[GapRequest] = attrs.field(init=False)
    requests: list[GapRequest] = attrs.field(factory=list)
    forgotten: set[str] = attrs.field(factory=set)
    receipts: list[Receipt] = attrs.field(factory=list)
    latency: Latencies = attrs.field(factory=Latencies)
    writer: SyncWriter = attrs.field(init=False)
    gap_outbox: ChannelOutbox[GapRequest] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        policy = LanePolicy[LanedTrade](
            lanes=len(Lane), lane_of=lambda laned: laned.lane, shed_from=len(Lane), shed_above=self.capacity
        )
        self.trades = Channel("writer", self.capacity, Overflow.LANES, policy)
        self.gaps = Channel("gap_requests", 16)
        self.gap_outbox = self.gaps.outbox()
        self.writer = self.new_writer(self.spill)

    def new_writer(self, spill: Any) -> SyncWriter:
        return SyncWriter(
            trades=self.trades.inbox,
            gaps=self.gap_outbox,
            store=self.store,
            spill=spill,
            config=WriterConfig(batch_max=self.batch_max, patience_ms=1_000),
            rng=Random(3),
            latency=self.latency,
            forget=self.forgotten.update,
            decided=self.receipts.extend,
        )

    def child(self) -> Child:
        return Child(name="sync_writer", run=self.writer.run, reads=(self.trades,), writes=(self.gap_outbox,))

    async def collect_gaps(self) -> None:
        async for request in self.gaps.inbox:
            self.requests.append(request)

    def run(self, trades: Sequence[LanedTrade], pauses_s: Sequence[float] = (0.0,)) -> None:
        """Feeds trades, waits for calm weather, ends the stream and the run."""

        async def main() -> None:
            keeper = supervisor()
            outbox = self.trades.outbox()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.collect_gaps)
                await nursery.start(keeper.keep_alive, self.child(), keeper.policy)
                for number, laned in enumerate(trades):
                    await trio.sleep(pauses_s[number % len(pauses_s)])
                    await outbox.send(laned)
                await trio.sleep(CALM_S)
                outbox.close()

        run_jumping(main)

    def covered(self, laned: LanedTrade) -> bool:
        """Whether the interval of a trade was handed on to be read again."""
        return any((one.since_ms or 0) <= laned.trade.trade_ms <= one.until_ms for one in self.requests)
