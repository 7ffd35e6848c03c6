"""What a running engine shows to its pages, metrics and tests."""

from typing import Any

import attrs

from actors.late_trades import LateTrades
from actors.member import ClusterMember
from config.schema import EngineConfig
from engine.edges import Edges
from engine.forward_wiring import ForwardTesting
from engine.live_wiring import LiveTrading
from engine.poll_wiring import Polling
from engine.roles import working
from engine.runtime.channel import Channel
from engine.runtime.host import Graph
from engine.runtime.process_gauges import RuntimeGauges
from engine.runtime.readiness import Readiness
from engine.runtime.supervisor import Supervisor
from engine.runtime.traffic import Traffic
from engine.service_wiring import Services
from engine.wiring import Actors
from protocols.cluster import EVERY_ROLE, Role
from protocols.paper import SettlePass


@attrs.define(eq=False, kw_only=True)
class Engine:
    """One engine, whatever its roles. `actors` is None until it holds the lease of the ingest."""

    config: EngineConfig
    supervisor: Supervisor
    gauges: RuntimeGauges
    readiness: Readiness
    traffic: Traffic
    actors: Actors | None = None
    services: Services | None = None
    graphs: dict[str, Graph] = attrs.field(factory=dict)
    """Those that run now, by what they do: that of the ingest, or of what is done apart from it."""
    executing: LiveTrading | None = None
    """Live trading of an engine that trades without ingesting."""
    deciding: ForwardTesting | None = None
    """Forward testing of an engine that decides without ingesting."""
    polling: Polling | None = None
    """Pollers of an engine that polls without ingesting."""
    apart: set[Role] = attrs.field(factory=set)
    """What it does without ingesting; under leases, what it takes a share of."""
    gathers_shards: bool = False
    """It ingests as soon as those who decide apart have given it their shards."""
    roles: frozenset[Role] = EVERY_ROLE
    member: ClusterMember | None = None
    """Its place among others, once the database is reached."""
    edges: Edges | None = None
    """None: no edge leaves this process."""

    @property
    def live(self) -> LiveTrading | None:
        """Returns live trading, while this engine holds leases of accounts and both switches are on."""
        return self.executing if self.actors is None else self.actors.live

    @property
    def forward(self) -> ForwardTesting | None:
        """Returns forward testing, while strategies are decided here."""
        return self.deciding if self.actors is None else self.actors.forward

    @property
    def polls(self) -> Polling | None:
        """Returns the pollers, while wallets are polled here."""
        return self.polling if self.actors is None else self.actors.polling

    @property
    def channels(self) -> tuple[Channel[Any], ...]:
        """Returns every channel of what runs now."""
        of_graphs = [channel for graph in self.graphs.values() for channel in graph.channels]
        return (*of_graphs, *(self.edges.channels if self.edges else ()))

    def working(self) -> frozenset[Role]:
        """Returns which of its roles it does now."""
        return working(
            self.roles,
            ingests=self.actors is not None or self.gathers_shards,
            serves=self.services is not None,
            apart=self.apart,
        )

    @property
    def late_trades(self) -> LateTrades | None:
        """Returns the door of the ingest for trades that jobs find, while this engine holds the lease."""
        return None if self.actors is None else self.actors.late_trades

    @property
    def settle_paper(self) -> SettlePass | None:
        """Returns the pass that settles paper positions, while strategies are decided here."""
        return None if self.forward is None else self.forward.settle_now

    def committed(self) -> None:
        """Says that trades were committed: open streams of the feed are told at once, here and in other processes."""
        self.wake_feed()
        if self.edges is not None:
            self.edges.committed()

    def wake_feed(self) -> None:
        """Says that somebody has committed trades."""
        if self.services is not None:
            self.services.feed_hub.wake()

    def stream_age_s(self, now_s: float) -> float | None:
        """Returns the age of the last trade frame at monotonic time `now_s`, or None before the first."""
        last_s = self.actors.stream_reader.last_data_s if self.actors else None
        return None if last_s is None else max(0.0, now_s - last_s)

    def stream_covered_s(self, now_s: float) -> float | None:
        """Returns for how long the stream has missed nothing at monotonic time `now_s`; None while it may have."""
        since_s = self.actors.stream_watch.covered_since_s() if self.actors else None
        return None if since_s is None else max(0.0, now_s - since_s)
