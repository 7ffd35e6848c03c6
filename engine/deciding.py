"""Decides shards of the strategies in a process that does not ingest: under their leases, on trades that others have stored.

leases of shards ─▶ `decide_wiring.py` ◀─ PostgreSQL ◀─ trades, NOTIFY ◀─ whoever ingests
"""

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import attrs
import trio

from config.schema import EngineConfig
from engine.adapters.assembly import background
from engine.adapters.database_source import keep_listening
from engine.adapters.market_catalog import GammaCatalog
from engine.adapters.paper_adapters import open_paper_adapters
from engine.adapters.postgres.copied_trade_store import COPIED_CHANNEL, PostgresCopiedTrades
from engine.adapters.postgres.database import DatabaseOptions, open_connection
from engine.adapters.postgres.leases import LeaseOffice
from engine.adapters.postgres.market_store import PostgresMarketStore
from engine.adapters.postgres.trade_store import PostgresTradeStore
from engine.adapters.upstream import open_upstream
from engine.decide_wiring import DecidePorts, Deciding, deciding
from engine.forward_wiring import PaperPorts
from engine.lease_keeping import HeldLeases
from engine.lease_sharing import SharedLeases
from engine.live_hosting import open_mirrors
from engine.roles import share_of_shards
from engine.running import Engine
from engine.runtime.host import DrainReport, run_graph
from engine.runtime.latency import LatencyRecorder
from protocols.clock import Random, WallClock
from protocols.decide_shards import every_lease, shards_of

_log = logging.getLogger(__name__)
GAMMA_RATE_PER_S = 2.0


@attrs.define(eq=False, kw_only=True)
class DecideHost:
    """Shards whose leases are free, as many as are this process's share, until `stop` is set."""

    config: EngineConfig
    engine: Engine
    options: DatabaseOptions
    office: LeaseOffice
    stop: trio.Event
    clock: WallClock
    rng: Random
    latency: LatencyRecorder
    trades_live: bool = False
    """Both switches are on: decisions claim orders."""
    report: DrainReport | None = attrs.field(init=False, default=None)

    async def run(self) -> None:
        """Decides until `stop` is set."""
        leases = SharedLeases(office=self.office, names=every_lease(), share=self._share)
        self.engine.decides_apart = True
        try:
            await leases.run(self.stop, self._decide)
        finally:
            self.engine.decides_apart = False

    def _share(self, shards: int) -> int:
        member = self.engine.member
        return shards if member is None else share_of_shards(shards, member.view())

    async def _decide(self, held: HeldLeases, over: trio.Event) -> None:
        shards, engine = shards_of(held.names), self.engine
        try:
            async with self._opened(held, shards) as found:
                engine.deciding, engine.graph = found.forward, found.graph
                engine.readiness.reached("decide")
                _log.info("deciding", extra={"shards": ", ".join(map(str, sorted(shards)))})
                self.report = await run_graph(found.graph, engine.supervisor, over, drain_s=self.config.limits.drain_s)
        finally:
            engine.deciding = engine.graph = None
            engine.readiness.wait_for("decide", "no shard is ours")

    @asynccontextmanager
    async def _opened(self, held: HeldLeases, shards: frozenset[int]) -> AsyncIterator[Deciding]:
        async with AsyncExitStack() as stack:
            gamma = await stack.enter_async_context(
                open_upstream(
                    "gamma",
                    self.config.venue.gamma_url,
                    self.config.venue,
                    rate_per_s=GAMMA_RATE_PER_S,
                    traffic=self.engine.traffic,
                    user="registry",
                )
            )
            reads, writes, markets = [
                await stack.enter_async_context(open_connection(self.options, name))
                for name in ("copied trades", "writer", "markets")
            ]
            paper = await stack.enter_async_context(
                open_paper_adapters(
                    self.config,
                    self.options,
                    held.leases,
                    clock=self.clock,
                    traffic=self.engine.traffic,
                    shards=shards,
                )
            )
            mirrors = await open_mirrors(self.options, stack) if self.trades_live else None
            copied, catalog = PostgresCopiedTrades(reads), GammaCatalog(api=gamma)
            found = deciding(
                self.config,
                DecidePorts(
                    paper=PaperPorts(
                        **attrs.asdict(paper, recurse=False),
                        spill=None,
                        markets=PostgresMarketStore(markets),
                        catalog=catalog,
                    ),
                    copied=copied,
                    position=await copied.end(),
                    trades=PostgresTradeStore(writes, held.leases),
                    mirrors=mirrors,
                    clock=self.clock,
                    rng=self.rng,
                    latency=self.latency,
                ),
                shards,
            )
            nursery = await stack.enter_async_context(background())
            nursery.start_soon(keep_listening, self.config.database, self.options, COPIED_CHANNEL, found.reader.ring)
            yield found
