"""The two ends of the edge `lanes` in one node: the real ones, over the models of both stores."""

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs
import trio
from simulation.cluster_sim.cluster_database import Line
from simulation.cluster_sim.lane_world import LaneWorld, Shown
from simulation.cluster_sim.lease_desk import LeaseDesk
from simulation.cluster_sim.redis_line import ModelEdgeStore

from actors.lane_writer import LaneWriter
from actors.rules.backoff import Backoff
from engine.adapters.postgres.leases import LeaseHold, Leases
from engine.edges import Edges
from engine.ingesting import INGEST
from engine.lane_edge import LANES, LaneEdge, lane_sending
from engine.lane_hosting import LaneHost
from engine.lane_wiring import lane_reading
from engine.lease_keeping import extend_forever, give_back
from engine.runtime.channel import Channel
from engine.runtime.host import Graph, run_graph
from engine.runtime.readiness import Readiness
from engine.runtime.supervisor import Child, Supervisor, is_fenced
from engine.writer_channel import writer_channel
from protocols.channels import Inbox, Outbox
from protocols.clock import Random
from protocols.errors import TransientError
from protocols.ingest import GapReason, GapRequest, WriteResult
from protocols.trades import LanedTrade

if TYPE_CHECKING:
    from simulation.cluster_sim.cluster_node import Node

WRITE = "write trades"


def _nothing(_: object) -> None: ...


class _Unseen:
    def observe(self, value: float) -> None: ...


@attrs.define(eq=False)
class _Trades:
    """`TradeStore` of one process under leases."""

    world: LaneWorld
    line: Line
    leases: Leases

    async def write(self, trades: Sequence[LanedTrade]) -> WriteResult:
        work = self.world.table.write
        result: WriteResult = await self.line.run(WRITE, lambda: work(trades, self.leases), self.leases)
        return result


@attrs.define(eq=False, kw_only=True)
class NodeLaneHost(LaneHost):
    """`LaneHost` with the model of the database behind its writer."""

    node: "Node"

    async def _read(self, hold: LeaseHold) -> None:
        trades: Any = _Trades(self.node.world.lanes, self.node.line(), Leases((hold,)))
        async with trio.open_nursery() as nursery:
            reading = lane_reading(self.config, self._ports(trades))
            self.edges.lanes = reading
            nursery.start_soon(extend_forever, self.office, (hold,))
            await run_graph(
                _mortal(self.node, reading.graph), self.supervisor, self.stop, drain_s=self.config.limits.drain_s
            )
            await self._say_goodbye(reading)
            nursery.cancel_scope.cancel()


@attrs.define(eq=False, kw_only=True)
class _Filler:
    """What the gap filler does before it reads: knows the last trade of the run before, and keeps what is to be read."""

    world: LaneWorld
    line: Line
    leases: Leases
    requests: Inbox[GapRequest]
    rng: Random
    _last_ms: int | None = None
    _is_recalled: bool = False

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        while not self._is_recalled:
            self._last_ms = await self._ask("last trade", self.world.last_trade_ms)
            self._is_recalled = True
        task_status.started()
        while requests := await self.requests.batch(16):
            known = [
                attrs.evolve(one, since_ms=min(since_ms, one.until_ms))
                for one in requests
                if (since_ms := self._last_ms if one.since_ms is None else one.since_ms) is not None
            ]
            await self._ask("keep gaps", lambda gaps=known: self.world.keep_gaps(gaps), self.leases)

    async def _ask(self, name: str, work: Any, fence: Leases | None = None) -> Any:
        backoff = Backoff(first_s=0.2, max_s=5, rng=self.rng)
        while True:
            try:
                return await self.line.run(name, work, fence)
            except TransientError:
                await trio.sleep(backoff.next_s())


@attrs.define(eq=False, kw_only=True)
class _Source:
    """Stands for the stream reader and the filter: hands on what it is shown, and has read what came before."""

    world: LaneWorld
    lanes: Outbox[LanedTrade]
    gaps: Outbox[GapRequest]

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        shown = Shown()
        self.world.shown_to.append(shown)
        try:
            self.gaps.send_nowait(GapRequest(reason=GapReason.START, since_ms=None, until_ms=self.world.clock.now_ms()))
            task_status.started()
            while True:
                await shown.arrived.wait()
                shown.arrived = trio.Event()
                trades, shown.trades = list(shown.trades), deque()
                self.world.gave(trades)
                await self.lanes.send_many(trades)
        finally:
            self.world.shown_to.remove(shown)


@attrs.define(eq=False, kw_only=True)
class NodeIngest:
    """`IngestHost`, as far as lanes 1 and 2 go. Its own writer has no journal: what dies with it, a start reads again."""

    node: "Node"
    office: LeaseDesk
    edge: ModelEdgeStore
    supervisor: Supervisor
    stop: trio.Event
    rng: Random

    async def run(self) -> None:
        while not self.stop.is_set():
            hold = await self._lease()
            if hold is None:
                return
            self.node.note("ingests")
            try:
                await self._ingest(hold)
            except Exception as error:
                if not is_fenced(error):
                    raise
            finally:
                await give_back(self.office, (hold,))  # type: ignore[arg-type]

    async def _lease(self) -> LeaseHold | None:
        backoff = Backoff(first_s=0.2, max_s=5, rng=self.rng)
        while True:
            try:
                answer = await self.office.acquire(INGEST)
                if isinstance(answer, LeaseHold):
                    return answer
                pause_s = min(answer.left_s + 0.05, self.office.ttl_s / 3)
            except TransientError:
                pause_s = backoff.next_s()
            with trio.move_on_after(pause_s):
                await self.stop.wait()
                return None

    async def _ingest(self, hold: LeaseHold) -> None:
        node, world, config = self.node, self.node.world.lanes, self.node.world.lane_config
        leases = Leases((hold,))
        writer = writer_channel(config.channels["writer"], forget=lambda _ids: None)
        gaps = Channel[GapRequest]("gap_requests", config.channels["gap_requests"].capacity)
        edge = LaneEdge(store=self.edge, codec=world.codec(), is_open=lambda _is_open, _why: None)
        sending = lane_sending(
            edge, config, writer, gaps, forget=_nothing, hold=_nothing, clock=node.clock(), rng=self.rng
        )
        assert sending is not None
        if not world.rereads:
            sending.sender.lost = lambda: None
        own = LaneWriter(
            trades=writer.inbox, store=_Trades(world, node.line(), leases), config=config.writer, rng=self.rng,
            latency=_Unseen(),
        )  # fmt: skip
        filler = _Filler(world=world, line=node.line(), leases=leases, requests=gaps.inbox, rng=self.rng)
        to_filler = gaps.outbox()
        source = _Source(world=world, lanes=sending.outbox, gaps=to_filler)
        graph = Graph(
            sources=(Child(name="stream", run=source.run, writes=(sending.outbox, to_filler)),),
            stages=(
                sending.child,
                Child(name="writer", run=own.run, reads=(writer,)),
                Child(name="gap_filler", run=filler.run, reads=(gaps,)),
            ),
            channels=(sending.channel, writer, gaps),
            name=INGEST,
        )
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(extend_forever, self.office, (hold,))
                graph = _mortal(node, graph)
                await run_graph(graph, self.supervisor, self.stop, drain_s=config.limits.drain_s)
                nursery.cancel_scope.cancel()
        finally:
            world.rerouted += sending.sender.rerouted


def lane_ends(node: "Node", desk: LeaseDesk, supervisor: Supervisor, rng: Random) -> tuple[NodeIngest, NodeLaneHost]:
    """Returns what ingests in a node when it has the lease for that, and what writes the edge when it has that one."""
    world, office = node.world, desk
    sends = ModelEdgeStore(server=world.lanes.redis, way=node.redis_way, who=node.owner)
    ingest = NodeIngest(node=node, office=desk, edge=sends, supervisor=supervisor, stop=node.stop, rng=rng)
    host = NodeLaneHost(
        config=world.lane_config,
        options=None,  # type: ignore[arg-type]
        office=office,  # type: ignore[arg-type]
        edge=ModelEdgeStore(server=world.lanes.redis, way=node.redis_way, who=LANES),
        codec=world.lanes.codec(),
        edges=Edges(clock=node.clock()),
        readiness=Readiness(),
        supervisor=supervisor,
        stop=node.stop,
        rng=rng,
        latency=_Unseen(),
        committed=lambda: None,
        node=node,
    )
    return ingest, host


def _mortal(node: "Node", graph: Graph) -> Graph:
    """The same graph, whose stages and services may crash wherever they wait."""
    return attrs.evolve(graph, services=node.mortal_lanes(graph.services), stages=node.mortal_lanes(graph.stages))
