"""The stream reader between a scripted venue and real channels."""

from typing import Any

import attrs
import trio
from property.fake_stream import FakeVenue, VenueClock, numbers_of
from property.made_trades import NOON_S
from property.supervised import run_jumping, supervisor

from actors.stream_reader import StreamReader
from config.schema import StreamConfig
from engine.runtime.channel import Channel
from engine.runtime.supervisor import Child
from protocols.clock import Random
from protocols.ingest import GapReason, GapRequest
from protocols.trades import RawTrade


@attrs.define(eq=False)
class ReaderWorld:
    venue: FakeVenue
    settings: dict[str, Any] = attrs.field(factory=dict)
    capacity: int = 10_000
    seed: int = 4
    filler_delay_s: float = 0.0
    """The gap filler takes a request only so often."""
    gap_capacity: int = 16
    trades: Channel[RawTrade] = attrs.field(init=False)
    gaps: Channel[GapRequest] = attrs.field(init=False)
    got: list[RawTrade] = attrs.field(factory=list)
    requests: list[tuple[float, GapRequest]] = attrs.field(factory=list)
    reader: StreamReader = attrs.field(init=False)
    reads: bool = True

    def __attrs_post_init__(self) -> None:
        self.trades, self.gaps = Channel("raw_trades", self.capacity), Channel("gap_requests", self.gap_capacity)
        self.reader = StreamReader(
            dialer=self.venue,
            trades=self.trades.outbox(),
            gaps=self.gaps.outbox(),
            config=StreamConfig(**{"linger_max_ms": 0.0} | self.settings),
            clock=VenueClock(),
            rng=Random(self.seed),
        )

    def run(self, seconds: float) -> "ReaderWorld":
        async def collect_trades() -> None:
            while batch := await self.trades.inbox.batch(100):
                self.got.extend(batch)

        async def collect_gaps() -> None:
            while batch := await self.gaps.inbox.batch(1):
                self.requests.extend((trio.current_time(), one) for one in batch)
                await trio.sleep(self.filler_delay_s)

        async def main() -> None:
            keeper = supervisor()
            child = Child(name="stream_reader", run=self.reader.run)
            with trio.move_on_after(seconds):
                async with trio.open_nursery() as nursery:
                    if self.reads:
                        nursery.start_soon(collect_trades)
                    nursery.start_soon(collect_gaps)
                    await nursery.start(keeper.keep_alive, child, keeper.policy)
            # What is still on its way to the gap filler counts as asked.
            self.requests.extend((seconds, one) for one in drained(self.gaps))
            self.requests.extend((seconds, one) for one in self.reader._pending_gaps.values())

        run_jumping(main)
        return self

    @property
    def reasons(self) -> list[GapReason]:
        return [request.reason for _, request in self.requests]

    def interval_s(self, number: int) -> tuple[float | None, float]:
        """The interval of a gap request in seconds after noon."""
        request = self.requests[number][1]
        since_s = None if request.since_ms is None else request.since_ms / 1000 - NOON_S
        return since_s, request.until_ms / 1000 - NOON_S

    def received(self) -> set[int]:
        return set(numbers_of(self.got))

    def is_asked(self, trade_s: float) -> bool:
        """Whether some gap request covers a trade of that time, with the overlap that the filler adds."""
        overlap_s = self.reader.config.gap_overlap_s
        for number in range(len(self.requests)):
            since_s, until_s = self.interval_s(number)
            # Without a start time: from the last trade of an earlier run, so everything until then.
            if (since_s is None or since_s - overlap_s <= trade_s) and trade_s <= until_s + 1:
                return True
        return False


def drained(channel: Channel[Any]) -> list[Any]:
    items, channel._in_hand = list(channel._again), []
    return [item for item, _ in items] + channel._buffer.take_many(10**6)
