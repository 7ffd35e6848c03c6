"""Decides shards of the strategies in a process that does not ingest: under their leases, on trades that others have stored.

leases of shards ─▶ `decide_wiring.py` ◀─ PostgreSQL ◀─ trades, NOTIFY ◀─ whoever ingests
"""

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import attrs
import trio

from engine.adapters.assembly import background
from engine.adapters.database_source import keep_listening
from engine.adapters.market_catalog import open_catalog
from engine.adapters.paper_adapters import open_paper_adapters
from engine.adapters.postgres.copied_trade_store import COPIED_CHANNEL, PostgresCopiedTrades
from engine.adapters.postgres.database import open_connection
from engine.adapters.postgres.market_store import PostgresMarketStore
from engine.adapters.postgres.trade_store import PostgresTradeStore
from engine.apart import HostContext, work_under_share
from engine.decide_wiring import DecidePorts, Deciding, deciding
from engine.forward_wiring import PaperPorts
from engine.lease_keeping import HeldLeases
from engine.live_hosting import open_mirrors
from engine.roles import share_of_shards
from engine.runtime.host import DrainReport, run_graph
from protocols.cluster import Role
from protocols.decide_shards import every_lease, shards_of

_log = logging.getLogger(__name__)
GAMMA_RATE_PER_S = 2.0


@attrs.define(eq=False, kw_only=True)
class DecideHost:
    """Shards whose leases are free, as many as are this process's share, until `stop` is set."""

    context: HostContext
    report: DrainReport | None = attrs.field(init=False, default=None)

    async def run(self) -> None:
        """Decides until `stop` is set."""
        await work_under_share(self.context, Role.DECIDE, every_lease(), share_of_shards, self._decide)

    async def _decide(self, held: HeldLeases, over: trio.Event) -> None:
        shards, context = shards_of(held.names), self.context
        engine = context.engine
        try:
            async with self._opened(held, shards) as found:
                engine.deciding, engine.graphs[Role.DECIDE] = found.forward, found.graph
                engine.readiness.reached("decide")
                _log.info("deciding", extra={"shards": ", ".join(map(str, sorted(shards)))})
                self.report = await run_graph(
                    found.graph, engine.supervisor, over, drain_s=context.config.limits.drain_s
                )
        finally:
            engine.deciding = None
            engine.graphs.pop(Role.DECIDE, None)
            engine.readiness.wait_for("decide", "no shard is ours")

    @asynccontextmanager
    async def _opened(self, held: HeldLeases, shards: frozenset[int]) -> AsyncIterator[Deciding]:
        context = self.context
        config, options, traffic = context.config, context.options, context.engine.traffic
        async with AsyncExitStack() as stack:
            catalog = await stack.enter_async_context(open_catalog(config.venue, traffic, rate_per_s=GAMMA_RATE_PER_S))
            reads, writes, markets = [
                await stack.enter_async_context(open_connection(options, name))
                for name in ("copied trades", "writer", "markets")
            ]
            paper = await stack.enter_async_context(
                open_paper_adapters(
                    config,
                    options,
                    held.leases,
                    clock=context.clock,
                    traffic=traffic,
                    shards=shards,
                )
            )
            mirrors = await open_mirrors(options, stack) if context.trades_live else None
            copied = PostgresCopiedTrades(reads)
            found = deciding(
                config,
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
                    clock=context.clock,
                    rng=context.rng,
                    latency=context.latency,
                ),
                shards,
            )
            nursery = await stack.enter_async_context(background())
            nursery.start_soon(keep_listening, config.database, options, COPIED_CHANNEL, found.reader.ring)
            yield found
