"""Trades accounts in a process that does not ingest: under their leases, on claims that others have committed.

leases of accounts ─▶ live trading (`live_wiring.py`) ◀─ claim_watch ◀─ PostgreSQL ◀─ commit 1 of whoever decides
"""

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import attrs
import trio

from actors.rules.backoff import Backoff
from config.schema import DatabaseConfig, EngineConfig
from engine.adapters.database_source import listening_options
from engine.adapters.market_catalog import GammaCatalog
from engine.adapters.postgres.database import DatabaseOptions, listen, open_connection
from engine.adapters.postgres.decision_market_store import PostgresDecisionMarkets
from engine.adapters.postgres.leases import LeaseHold, LeaseOffice, Leases
from engine.adapters.postgres.live_elsewhere_store import CLAIMS_CHANNEL, PostgresOpenWork
from engine.adapters.postgres.market_store import PostgresMarketStore
from engine.adapters.resolutions import DataApiResolutions
from engine.adapters.upstream import open_upstream
from engine.lease_keeping import RELEASE_TIMEOUT_S, HeldLeases, release, safe_until_s
from engine.live_hosting import MarketPorts, lease_of, open_live
from engine.live_side import ClaimWatching, claim_watch
from engine.live_wiring import LiveTrading, live_trading
from engine.runtime.host import DrainReport, Graph, run_graph
from engine.runtime.latency import LatencyRecorder
from engine.runtime.supervisor import is_fenced
from engine.wiring import Engine
from protocols.clock import Random, WallClock
from protocols.errors import TransientError

_log = logging.getLogger(__name__)
GAMMA_RATE_PER_S = 2.0
DATA_RATE_PER_S = 4.0
LISTEN_PAUSE_S = 30.0


@attrs.define(eq=False, kw_only=True)
class ExecuteHost:
    """Accounts with a key here whose leases are free, as many as are this process's share, until `stop` is set.

    It looks for more in a third of a lease's time; when there are more, or its share has become smaller, what is on its way is
    seen to its end, and trading begins again with the others.
    """

    config: EngineConfig
    engine: Engine
    options: DatabaseOptions
    office: LeaseOffice
    stop: trio.Event
    clock: WallClock
    rng: Random
    order_latency: LatencyRecorder
    share: Callable[[int], int] = lambda accounts: accounts
    """How many of so many accounts this process may trade."""
    report: DrainReport | None = attrs.field(init=False, default=None)
    live: LiveTrading | None = attrs.field(init=False, default=None)

    async def run(self) -> None:
        """Trades until `stop` is set."""
        while not self.stop.is_set():
            self.engine.readiness.wait_for("live", "no account is ours yet")
            accounts, held = await self._some_accounts()
            try:
                await self._trade(accounts, held)
            except Exception as error:
                if not is_fenced(error):
                    raise
                _log.error("another engine took an account over", extra={"error": str(error)})
            finally:
                self.live = self.engine.executing = None
                with trio.move_on_after(RELEASE_TIMEOUT_S, shield=True):
                    for hold in held.leases.holds:
                        await release(self.office, hold)

    async def _some_accounts(self) -> tuple[list[str], HeldLeases]:
        """Waits for the first account that is free, and takes all others that are."""
        while True:
            accounts = sorted(self.config.live.accounts)
            asked_s = trio.current_time()
            holds = await self._free_ones(accounts, self.share(len(accounts)))
            if holds:
                held = HeldLeases(
                    office=self.office,
                    leases=Leases(tuple(holds.values())),
                    safe_until_s=safe_until_s(asked_s, self.office),
                )
                _log.info("accounts held", extra={"accounts": ", ".join(holds)})
                return list(holds), held
            self.engine.readiness.wait_for("live", "every account is traded by others")
            await trio.sleep(self.office.ttl_s / 3)

    async def _free_ones(self, accounts: Sequence[str], at_most: int) -> dict[str, LeaseHold]:
        """Takes leases that are free or ours."""
        found: dict[str, LeaseHold] = {}
        for account in accounts:
            if len(found) >= at_most:
                break
            try:
                answer = await self.office.acquire(lease_of(account))
            except TransientError as error:
                _log.warning("a lease was not asked for", extra={"account": account, "error": str(error)})
                break
            if isinstance(answer, LeaseHold):
                found[account] = answer
        return found

    async def _trade(self, accounts: list[str], held: HeldLeases) -> None:
        async with self._opened(accounts, held) as (live, watch):
            self.live = self.engine.executing = live
            self.engine.graph = graph = Graph(
                services=live.services,
                sources=(*live.sources, watch.child),
                stages=live.stages,
                channels=live.channels,
            )
            over = trio.Event()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._until_over, over, accounts)
                nursery.start_soon(self._say_when_reconciled, live)
                self.report = await run_graph(graph, self.engine.supervisor, over, drain_s=self.config.limits.drain_s)
                nursery.cancel_scope.cancel()

    async def _say_when_reconciled(self, live: LiveTrading) -> None:
        self.engine.readiness.wait_for("live", "accounts are not compared with the venue yet")
        await live.reconciler.reconciled.wait()
        self.engine.readiness.reached("live")

    async def _until_over(self, over: trio.Event, accounts: list[str]) -> None:
        """Sets `over` when the engine stops, or when other accounts are to be traded."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._look_for_others, over, accounts)
            nursery.start_soon(self._pass_on_stop, over)
            await over.wait()
            nursery.cancel_scope.cancel()

    async def _pass_on_stop(self, over: trio.Event) -> None:
        await self.stop.wait()
        over.set()

    async def _look_for_others(self, over: trio.Event, accounts: list[str]) -> None:
        while not over.is_set():
            await trio.sleep(self.office.ttl_s / 3)
            every = sorted(self.config.live.accounts)
            share = self.share(len(every))
            if len(accounts) > share:
                _log.info("accounts are shared anew", extra={"held": len(accounts), "share": share})
                over.set()
            elif len(accounts) < share and await self._free_ones([one for one in every if one not in accounts], 1):
                # What was found is ours already: the next round finds it so.
                over.set()

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
                )
            )
            live = live_trading(self.config, ports, clock=self.clock, rng=self.rng)
            watch = claim_watch(live, PostgresOpenWork(claims, accounts), rng=self.rng)
            nursery = await stack.enter_async_context(trio.open_nursery())
            nursery.start_soon(_hear, self.config.database, self.options, watch, self.rng)
            yield live, watch
            nursery.cancel_scope.cancel()


async def _hear(config: DatabaseConfig, options: DatabaseOptions, watch: ClaimWatching, rng: Random) -> None:
    """Quickens the look for claims where NOTIFY gets through; where it does not, looking alone is right."""
    backoff = Backoff(first_s=1.0, max_s=LISTEN_PAUSE_S, rng=rng)
    while True:
        try:
            await listen(listening_options(config, options), CLAIMS_CHANNEL, watch.ring)
        except TransientError as error:
            _log.debug("no notifications", extra={"error": str(error)})
        await trio.sleep(backoff.next_s())
