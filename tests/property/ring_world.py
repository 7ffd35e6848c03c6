"""The whole graph of `engine/wiring.py` on virtual time, every port a fake: trades go round, none may fall off."""

from typing import Any

import attrs
import trio
from property.fake_history import FakeHistory, Past
from property.fake_markets import FakeCatalog, FakeMarketStore
from property.fake_paper_ports import idle_ports
from property.fake_stores import FakeTradeStore, Latencies, MemorySpill
from property.fake_stream import FakeVenue, VenueClock
from property.fake_targets import FakeTargets
from property.made_trades import NOON_S, WALLET, condition, transaction
from property.supervised import TIRELESS, run_jumping

from config.schema import ChannelConfig, EngineConfig, StreamConfig, WriterConfig, default_channels
from engine.runtime.host import DrainReport, run_graph
from engine.runtime.loop_lag import LoopLag
from engine.runtime.process_gauges import RuntimeGauges
from engine.runtime.supervisor import Supervisor
from engine.wiring import Actors, Adapters, build
from protocols.clock import Random
from protocols.trades import Lane


@attrs.define(eq=False)
class RingWorld:
    """The venue trades once a second; all of it is of one followed wallet."""

    seconds: float
    venue: FakeVenue
    store: FakeTradeStore = attrs.field(factory=FakeTradeStore)
    spill: MemorySpill = attrs.field(factory=MemorySpill)
    history: FakeHistory = attrs.field(factory=FakeHistory)
    capacity: int = 50
    stream: dict[str, Any] = attrs.field(factory=dict)
    seed: int = 1
    report: DrainReport | None = None
    actors: Actors | None = None
    supervisor: Supervisor = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.supervisor = Supervisor(rng=Random(self.seed), policy=TIRELESS)
        self.venue.horizon_s = max(self.seconds, self.venue.horizon_s)
        if self.history.rows:
            return
        for number in range(1, int(self.seconds) + 1):
            self.history.rows.append(
                Past(NOON_S + number, (transaction(number), WALLET, number * 1_000_000), visible_s=number + 5)
            )

    def run(self, *, start_s: float = 0.0, killed: bool = False) -> "RingWorld":
        """Runs from `start_s` until `seconds`; a killed engine ends there at once, whatever it was doing."""

        async def main() -> None:
            with trio.move_on_at(self.seconds if killed else float("inf")):
                await live()

        async def live() -> None:
            sized = ChannelConfig(capacity=self.capacity, shed_above=self.capacity)
            config = EngineConfig(
                stream=StreamConfig(**{"linger_max_ms": 0.0} | self.stream),
                writer=WriterConfig(batch_max=10),
                channels=default_channels() | {"raw_trades": sized, "writer": sized},
            )
            gauges = RuntimeGauges(loop_lag=LoopLag(), memory_mb=0, channels_of=lambda: ())
            graph, self.actors = build(config, self._adapters(), gauges)
            stop = trio.Event()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._stop, stop)
                self.report = await run_graph(graph, self.supervisor, stop, drain_s=10)

        run_jumping(main, start_s=start_s)
        return self

    async def _stop(self, stop: trio.Event) -> None:
        await trio.sleep_until(self.seconds)
        stop.set()

    def _adapters(self) -> Adapters:
        catalog, markets = FakeCatalog({condition(7)}), FakeMarketStore()
        return Adapters(
            dialer=self.venue,
            history=self.history,
            catalog=catalog,
            newest=catalog,
            trades=self.store,
            gaps=self.store,
            targets=FakeTargets([(WALLET, Lane.FOLLOWED)]),
            markets=markets,
            spill=self.spill,
            paper=idle_ports(VenueClock(), spill=self.spill, markets=markets, catalog=catalog),
            clock=VenueClock(),
            rng=Random(self.seed),
            trade_to_row=Latencies(),
        )

    def stored(self) -> set[int]:
        return {laned.trade.size_micro // 1_000_000 for laned in self.store.rows.values()}

    def missing(self, until: int) -> list[int]:
        return sorted(set(range(1, until + 1)) - self.stored())
