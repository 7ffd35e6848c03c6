"""Trades accounts in a process that does not ingest: under their leases, on claims that others have committed.

leases of accounts ─▶ live trading (`live_wiring.py`) ◀─ claim_watch ◀─ PostgreSQL ◀─ commit 1 of whoever decides
"""

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import attrs
import trio

from config.schema import EngineConfig
from engine.adapters.database_source import keep_listening
from engine.adapters.market_catalog import GammaCatalog
from engine.adapters.postgres.database import DatabaseOptions, open_connection
from engine.adapters.postgres.decision_market_store import PostgresDecisionMarkets
from engine.adapters.postgres.leases import LeaseOffice
from engine.adapters.postgres.live_elsewhere_store import CLAIMS_CHANNEL, PostgresOpenWork
from engine.adapters.postgres.live_order_memory import OrderMemory
from engine.adapters.postgres.market_store import PostgresMarketStore
from engine.adapters.resolutions import DataApiResolutions
from engine.adapters.upstream import open_upstream
from engine.lease_keeping import HeldLeases
from engine.lease_sharing import SharedLeases
from engine.live_hosting import LIVE, MarketPorts, lease_of, open_live
from engine.live_side import ClaimWatching, claim_watch
from engine.live_wiring import LiveTrading, live_trading
from engine.roles import share_of
from engine.running import Engine
from engine.runtime.host import DrainReport, Graph, run_graph
from engine.runtime.latency import LatencyRecorder
from protocols.clock import Random, WallClock
from protocols.cluster import Role

_log = logging.getLogger(__name__)
GAMMA_RATE_PER_S = 2.0
DATA_RATE_PER_S = 4.0


@attrs.define(eq=False, kw_only=True)
class ExecuteHost:
    """Accounts with a key here whose leases are free, as many as are this process's share, until `stop` is set."""

    config: EngineConfig
    engine: Engine
    options: DatabaseOptions
    office: LeaseOffice
    stop: trio.Event
    clock: WallClock
    rng: Random
    order_latency: LatencyRecorder
    report: DrainReport | None = attrs.field(init=False, default=None)
    _memory: OrderMemory = attrs.field(init=False, factory=OrderMemory)

    async def run(self) -> None:
        """Trades until `stop` is set."""
        leases = SharedLeases(
            office=self.office, names=[lease_of(account) for account in self.config.live.accounts], share=self._share
        )
        self.engine.trades_apart = True
        try:
            await leases.run(self.stop, self._trade)
        finally:
            self.engine.trades_apart = False

    def _share(self, accounts: int) -> int:
        member = self.engine.member
        return accounts if member is None else share_of(accounts, Role.EXECUTE, member.view())

    async def _trade(self, held: HeldLeases, over: trio.Event) -> None:
        accounts = [name.removeprefix(LIVE) for name in held.names]
        try:
            async with self._opened(accounts, held) as (live, watch):
                self.engine.executing = live
                self.engine.graph = graph = Graph(
                    services=live.services,
                    sources=(*live.sources, watch.child),
                    stages=live.stages,
                    channels=live.channels,
                )
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._say_when_reconciled, live)
                    self.report = await run_graph(
                        graph, self.engine.supervisor, over, drain_s=self.config.limits.drain_s
                    )
                    nursery.cancel_scope.cancel()
        finally:
            self.engine.executing = None
            self.engine.readiness.wait_for("live", "no account is ours")

    async def _say_when_reconciled(self, live: LiveTrading) -> None:
        self.engine.readiness.wait_for("live", "accounts are not compared with the venue yet")
        await live.reconciler.reconciled.wait()
        self.engine.readiness.reached("live")

    @asynccontextmanager
    async def _opened(self, accounts: list[str], held: HeldLeases) -> AsyncIterator[tuple[LiveTrading, ClaimWatching]]:
        venue, traffic = self.config.venue, self.engine.traffic
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
                await stack.enter_async_context(open_connection(self.options, name)) for name in ("markets", "claims")
            ]
            io = MarketPorts(
                resolutions=DataApiResolutions(api=data, clock=self.clock),
                decision_markets=PostgresDecisionMarkets(looks),
                markets=PostgresMarketStore(looks),
                catalog=GammaCatalog(api=gamma),
            )
            ports = await stack.enter_async_context(
                open_live(
                    self.config,
                    self.options,
                    held,
                    io,
                    accounts=accounts,
                    clock=self.clock,
                    rng=self.rng,
                    traffic=traffic,
                    trade_to_order=self.order_latency,
                    memory=self._memory,
                )
            )
            live = live_trading(self.config, ports, clock=self.clock, rng=self.rng)
            watch = claim_watch(live, PostgresOpenWork(claims, accounts), rng=self.rng)
            nursery = await stack.enter_async_context(trio.open_nursery())
            nursery.start_soon(keep_listening, self.config.database, self.options, CLAIMS_CHANNEL, watch.ring)
            yield live, watch
            nursery.cancel_scope.cancel()
