"""Ingests while this engine holds the lease, and stands by while another one does."""

import logging
import math
from contextlib import AsyncExitStack

import attrs
import trio

from actors.rules.backoff import Backoff
from engine.adapters.assembly import IngestAdapters, background, open_adapters
from engine.adapters.postgres.copied_trade_store import RingingTrades, ring_when_written
from engine.adapters.postgres.database import open_connection
from engine.adapters.postgres.edge_store import PostgresEdgeStore
from engine.adapters.postgres.leases import LeaseHold, LeaseRefused
from engine.adapters.postgres.live_order_memory import OrderMemory
from engine.adapters.spill_journal import JournalBusyError
from engine.apart import HostContext
from engine.forward_wiring import PaperPorts
from engine.lane_edge import LaneEdge
from engine.lease_keeping import extend_forever, give_back, most_leases
from engine.live_hosting import LIVE, MarketPorts, accounts_to_trade, lease_of, open_live, open_mirrors
from engine.live_ports import LivePorts
from engine.live_side import MirrorPorts
from engine.places import spill_dir
from engine.poll_wiring import PollPorts
from engine.polled_edge import LOOK_S
from engine.running import Engine
from engine.runtime.host import DrainReport, Graph, run_graph
from engine.runtime.readiness import ReachedOnStart
from engine.runtime.supervisor import is_fenced
from engine.wiring import Adapters, build
from protocols.cluster import Role
from protocols.decide_shards import every_lease
from protocols.errors import TransientError
from protocols.polled import POLLED

_log = logging.getLogger(__name__)
INGEST = "ingest"


@attrs.define(eq=False, kw_only=True)
class IngestHost:
    """The ingest of one engine: one lease after another until `stop` is set."""

    context: HostContext
    decides: bool = True
    """Strategies are decided in this process; else others read the trades that it has stored."""
    executes: bool = True
    """Accounts are traded in this process; else decisions claim, and others trade."""
    lanes: LaneEdge | None = None
    """The way out of the process for lanes 1 and 2, if they have one."""
    report: DrainReport | None = attrs.field(init=False, default=None)
    _memory: OrderMemory = attrs.field(init=False, factory=OrderMemory)

    @property
    def _engine(self) -> Engine:
        return self.context.engine

    async def run(self) -> None:
        """Ingests until `stop` is set; `report` says what stopping left behind."""
        while not self.context.stop.is_set():
            self._engine.readiness.wait_for("lease", f"the lease {INGEST} is not ours yet")
            self._engine.readiness.wait_for("actors", "not started")
            hold = await self._lease()
            pause_s = 0.0
            try:
                await self._ingest(hold)
            except JournalBusyError as error:
                # The engine that had the lease before is still there, stalled or on its way out.
                self._engine.readiness.wait_for("actors", str(error))
                _log.warning("standing by, the journal is not free", extra={"error": str(error)})
                pause_s = self.context.office.ttl_s / 3
            except Exception as error:
                if not is_fenced(error):
                    raise
                self._engine.actors = None
                self._engine.graphs.pop(Role.INGEST, None)
                _log.error("another engine took over, standing by", extra={"lease": INGEST, "error": str(error)})
            finally:
                # However it ends, also by a stop in the middle of starting: the next engine must not wait for nothing.
                await give_back(self.context.office, (hold,))
            await trio.sleep(pause_s)

    async def _lease(self) -> LeaseHold:
        while True:
            answer = await self._asked()
            if isinstance(answer, LeaseHold):
                _log.info("lease held", extra={"lease": INGEST, "epoch": answer.epoch})
                self._engine.readiness.reached("lease")
                return answer
            self._stand_by(answer)
            await trio.sleep(min(answer.left_s + 0.05, self.context.office.ttl_s / 3))

    async def _asked(self) -> LeaseHold | LeaseRefused:
        backoff = Backoff(first_s=0.2, max_s=5, rng=self.context.rng)
        while True:
            try:
                return await self.context.office.acquire(INGEST)
            except TransientError as error:
                pause_s = backoff.next_s()
                self._engine.readiness.wait_for("lease", str(error))
                fields = {"waiting_for": "lease", "error": str(error), "next_try_s": round(pause_s, 1)}
                _log.warning("not ready yet", extra=fields)
                await trio.sleep(pause_s)

    def _stand_by(self, refused: LeaseRefused) -> None:
        why = f"the lease {refused.name} is held by {refused.holder}"
        if self._engine.readiness.open_conditions().get("lease") != why:
            _log.warning("standing by, not ingesting", extra={"lease": refused.name, "holder": refused.holder})
        self._engine.readiness.wait_for("lease", why)

    async def _ingest(self, hold: LeaseHold) -> None:
        """Runs the graph under a lease. Raises a group with `FencedError` when another engine takes over."""
        async with (
            open_adapters(
                self.context.config,
                self.context.options,
                hold,
                spill_dir=spill_dir(self.context.config, self.context.database_id),
                clock=self.context.clock,
                rng=self.context.rng,
                traffic=self._engine.traffic,
            ) as io,
            AsyncExitStack() as stack,
        ):
            keeper = await stack.enter_async_context(background())
            keeper.start_soon(extend_forever, self.context.office, (hold,))
            if self.decides and self.context.config.database.url is not None:
                await self._hold_shards(stack)
            live = await self._live(io, stack) if self.context.trades_live and self.executes else None
            claims = self.context.trades_live and self.decides and not self.executes
            mirrors = await open_mirrors(self.context.options, stack) if claims else None
            ports = attrs.evolve(self._ports(io, live, mirrors), polled=await self._polled(hold, stack))
            if not self.decides:
                ports = attrs.evolve(ports, paper=None, trades=await self._ringing(io, stack))
            graph, self._engine.actors = build(self.context.config, ports, self._engine.gauges)
            self._engine.graphs[Role.INGEST] = graph
            self._engine.readiness.wait_for("actors", "starting")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._say_when_reconciled)
                self.report = await self._run_graph(graph)
                nursery.cancel_scope.cancel()

    async def _hold_shards(self, stack: AsyncExitStack) -> None:
        """Waits until nobody decides apart from here, and keeps it so. The embedded database has no other engine."""
        self._engine.gathers_shards = True
        stack.callback(setattr, self._engine, "gathers_shards", False)
        self._engine.readiness.wait_for("actors", "waiting for the shards of those who decide apart")
        await stack.enter_async_context(
            most_leases(self.context.office, every_lease(), self.context.rng, patience_s=math.inf)
        )

    async def _polled(self, hold: LeaseHold, stack: AsyncExitStack) -> PostgresEdgeStore | None:
        """Where pollers of other processes hand in what they find. The embedded database has no other engine."""
        if self.context.config.database.url is None:
            return None
        connection = await stack.enter_async_context(open_connection(self.context.options, "polled"))
        return PostgresEdgeStore(connection=connection, edge=POLLED, who=INGEST, lease=hold, poll_s=LOOK_S)

    async def _ringing(self, io: IngestAdapters, stack: AsyncExitStack) -> RingingTrades:
        trades, nursery = RingingTrades(io.trades), await stack.enter_async_context(background())
        nursery.start_soon(ring_when_written, self.context.options, trades)
        return trades

    async def _live(self, io: IngestAdapters, stack: AsyncExitStack) -> LivePorts:
        accounts = await accounts_to_trade(self.context.config, self.context.options, self.context.rng)
        names = [lease_of(one) for one in accounts]
        # What another engine goes on trading is left to it: claims for that are found in the database.
        patience_s = 2 * self.context.office.ttl_s
        held = await stack.enter_async_context(
            most_leases(self.context.office, names, self.context.rng, patience_s=patience_s)
        )
        return await stack.enter_async_context(
            open_live(
                self.context.config,
                self.context.options,
                held,
                MarketPorts(
                    resolutions=io.paper.resolutions,
                    decision_markets=io.paper.decision_markets,
                    markets=io.markets,
                    catalog=io.catalog,
                ),
                accounts=[name.removeprefix(LIVE) for name in held.names],
                clock=self.context.clock,
                rng=self.context.rng,
                traffic=self._engine.traffic,
                trade_to_order=self.context.order_latency,
                memory=self._memory,
            )
        )

    def _ports(self, io: IngestAdapters, live: LivePorts | None, mirrors: MirrorPorts | None) -> Adapters:
        paper = PaperPorts(
            **attrs.asdict(io.paper, recurse=False),
            spill=io.spill,
            markets=io.markets,
            catalog=io.catalog,
            prompt_catalog=io.prompt_catalog,
        )
        return Adapters(
            **attrs.asdict(io, recurse=False) | {"paper": paper, "polls": self._polls(io)},
            live=live,
            mirrors=mirrors,
            lanes=self.lanes,
            clock=self.context.clock,
            rng=self.context.rng,
            trade_to_row=self.context.latency,
            committed=self._engine.committed,
        )

    def _polls(self, io: IngestAdapters) -> PollPorts | None:
        if Role.POLL not in self._engine.roles:
            return None
        return PollPorts(**attrs.asdict(io.polls, recurse=False), membership=self._engine.member)

    async def _say_when_reconciled(self) -> None:
        """What the venue has of our orders has to be known before anybody relies on this engine."""
        live = self._engine.actors.live if self._engine.actors is not None else None
        if live is not None:
            self._engine.readiness.wait_for("live", "accounts are not compared with the venue yet")
            await live.reconciler.reconciled.wait()
            self._engine.readiness.reached("live")

    async def _run_graph(self, graph: Graph) -> DrainReport:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._say_when_started)
            report = await run_graph(
                graph,
                self._engine.supervisor,
                self.context.stop,
                drain_s=self.context.config.limits.drain_s,
                task_status=ReachedOnStart(self._engine.readiness, "actors"),
            )
            nursery.cancel_scope.cancel()
        return report

    async def _say_when_started(self) -> None:
        while not self._engine.readiness.ready:  # noqa: ASYNC110 - a condition of several parts, seconds long
            await trio.sleep(0.02)
        _log.info("ready")
