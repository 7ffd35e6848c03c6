"""What a running engine shows to its pages, metrics and tests."""

import attrs

from actors.late_trades import LateTrades
from actors.member import ClusterMember
from config.schema import EngineConfig
from engine.edges import Edges
from engine.forward_wiring import ForwardTesting
from engine.live_wiring import LiveTrading
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
    graph: Graph | None = None
    executing: LiveTrading | None = None
    """Live trading of an engine that trades without ingesting."""
    trades_apart: bool = False
    """It takes its share of the accounts without ingesting."""
    deciding: ForwardTesting | None = None
    """Forward testing of an engine that decides without ingesting."""
    decides_apart: bool = False
    """It takes its share of the shards of strategies without ingesting."""
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
