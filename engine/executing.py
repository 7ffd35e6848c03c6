"""Trades accounts in a process that does not ingest: under their leases, on claims that others have committed.

leases of accounts ─▶ live trading (`live_wiring.py`) ◀─ claim_watch ◀─ PostgreSQL ◀─ commit 1 of whoever decides
"""

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import attrs
import trio

from engine.adapters.database_source import keep_listening
from engine.adapters.market_catalog import GammaCatalog
from engine.adapters.postgres.database import open_connection
from engine.adapters.postgres.decision_market_store import PostgresDecisionMarkets
from engine.adapters.postgres.live_elsewhere_store import CLAIMS_CHANNEL, PostgresOpenWork
from engine.adapters.postgres.live_order_memory import OrderMemory
from engine.adapters.postgres.market_store import PostgresMarketStore
from engine.adapters.resolutions import DataApiResolutions
from engine.adapters.upstream import open_upstream
from engine.apart import HostContext, work_under_share
from engine.lease_keeping import HeldLeases
from engine.live_hosting import LIVE, MarketPorts, lease_of, open_live
from engine.live_side import ClaimWatching, claim_watch
from engine.live_wiring import LiveTrading, live_trading
from engine.roles import share_of_accounts
from engine.runtime.host import DrainReport, Graph, run_graph
from protocols.cluster import Role

_log = logging.getLogger(__name__)
GAMMA_RATE_PER_S = 2.0
DATA_RATE_PER_S = 4.0


@attrs.define(eq=False, kw_only=True)
class ExecuteHost:
    """Accounts with a key here whose leases are free, as many as are this process's share, until `stop` is set."""

    context: HostContext
    report: DrainReport | None = attrs.field(init=False, default=None)
    _memory: OrderMemory = attrs.field(init=False, factory=OrderMemory)

    async def run(self) -> None:
        """Trades until `stop` is set."""
        names = [lease_of(account) for account in self.context.config.live.accounts]
        await work_under_share(self.context, Role.EXECUTE, names, share_of_accounts, self._trade)

    async def _trade(self, held: HeldLeases, over: trio.Event) -> None:
        accounts, engine = [name.removeprefix(LIVE) for name in held.names], self.context.engine
        try:
            async with self._opened(accounts, held) as (live, watch):
                engine.executing = live
                engine.graphs[Role.EXECUTE] = graph = Graph(
                    name="execute",
                    services=live.services,
                    sources=(*live.sources, watch.child),
                    stages=live.stages,
                    channels=live.channels,
                )
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._say_when_reconciled, live)
                    self.report = await run_graph(
                        graph, engine.supervisor, over, drain_s=self.context.config.limits.drain_s
                    )
                    nursery.cancel_scope.cancel()
        finally:
            engine.executing = None
            engine.graphs.pop(Role.EXECUTE, None)
            engine.readiness.wait_for("live", "no account is ours")

    async def _say_when_reconciled(self, live: LiveTrading) -> None:
        readiness = self.context.engine.readiness
        readiness.wait_for("live", "accounts are not compared with the venue yet")
        await live.reconciler.reconciled.wait()
        readiness.reached("live")

    @asynccontextmanager
    async def _opened(self, accounts: list[str], held: HeldLeases) -> AsyncIterator[tuple[LiveTrading, ClaimWatching]]:
        context = self.context
        config, options, traffic = context.config, context.options, context.engine.traffic
        venue = config.venue
        async with AsyncExitStack() as stack:
            gamma, data = [
                await stack.enter_async_context(
                    open_upstream(name, url, venue, rate_per_s=rate_per_s, traffic=traffic, user="settling")
                )
                for name, url, rate_per_s in (
                    ("gamma", venue.gamma_url, GAMMA_RATE_PER_S),
                    ("data", venue.data_url, DATA_RATE_PER_S),
                )
            ]
            looks, claims = [
                await stack.enter_async_context(open_connection(options, name)) for name in ("markets", "claims")
            ]
            io = MarketPorts(
                resolutions=DataApiResolutions(api=data, clock=context.clock),
                decision_markets=PostgresDecisionMarkets(looks),
                markets=PostgresMarketStore(looks),
                catalog=GammaCatalog(api=gamma),
            )
            ports = await stack.enter_async_context(
                open_live(
                    config,
                    options,
                    held,
                    io,
                    accounts=accounts,
                    clock=context.clock,
                    rng=context.rng,
                    traffic=traffic,
                    trade_to_order=context.order_latency,
                    memory=self._memory,
                )
            )
            live = live_trading(config, ports, clock=context.clock, rng=context.rng)
            watch = claim_watch(live, PostgresOpenWork(claims, accounts), rng=context.rng)
            nursery = await stack.enter_async_context(trio.open_nursery())
            nursery.start_soon(keep_listening, config.database, options, CLAIMS_CHANNEL, watch.ring)
            yield live, watch
            nursery.cancel_scope.cancel()
