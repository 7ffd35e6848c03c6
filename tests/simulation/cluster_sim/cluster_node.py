"""One node: one process after the other, each with the code that trades accounts under leases, and perhaps decides."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import trio
from property.memory_members import Line as MemberLine
from simulation.cluster_sim.cluster_database import BehindLine, Line, Way
from simulation.cluster_sim.cluster_network import VenueWay
from simulation.cluster_sim.lane_node import lane_ends
from simulation.cluster_sim.lease_desk import LeaseDesk
from simulation.cluster_sim.node_ports import node_ports
from simulation.live_sim.sim_world import TIRELESS, Mortal, _innermost, _is_planned

from actors.member import ClusterMember
from engine.lease_keeping import HeldLeases
from engine.lease_sharing import SharedLeases
from engine.live_hosting import LIVE, lease_of
from engine.live_side import ClaimWatching, LiveSide, MirrorPorts, claim_watch, traded_elsewhere
from engine.live_wiring import LiveTrading, live_trading
from engine.roles import share_of
from engine.runtime.host import Graph, run_graph
from engine.runtime.supervisor import Child, Supervisor
from protocols.clock import Random
from protocols.cluster import MemberReport, Role
from protocols.errors import TransientError

if TYPE_CHECKING:
    from simulation.cluster_sim.cluster_world import ClusterWorld


class NodeClock:
    """The wall clock of a node: near that of the others."""

    def __init__(self, world: "ClusterWorld", ahead_ms: int) -> None:
        self._world, self._ahead_ms = world, ahead_ms

    def now_ms(self) -> int:
        return self._world.clock.now_ms() + self._ahead_ms


@attrs.define(eq=False)
class Node:
    """A machine. What the world may do to it: kill, freeze, cut off from the database and from the venue, ask it to stop."""

    world: "ClusterWorld"
    number: int
    decides: bool
    drift: float
    ahead_ms: int
    lives: int = 0
    way: Way = attrs.field(factory=Way)
    redis_way: Way = attrs.field(factory=Way)
    venue_way: VenueWay = attrs.field(init=False)
    live: LiveTrading | None = None
    watch: ClaimWatching | None = None
    held: HeldLeases | None = None
    side: LiveSide | None = None
    mortals: list[Mortal] = attrs.field(factory=list)
    lanes: list[Mortal] = attrs.field(factory=list)
    """Actors at the two ends of the edge `lanes`."""
    stop: trio.Event = attrs.field(factory=trio.Event)
    scope: trio.CancelScope | None = None
    root: trio.lowlevel.Task | None = None
    nursery: trio.Nursery | None = None
    well_since_s: float = float("inf")
    """Since when it runs, awake, with all its ways, and is not asked to stop."""

    def __attrs_post_init__(self) -> None:
        self.venue_way = VenueWay(venue=self.world.venue)

    @property
    def owner(self) -> str:
        return f"node-{self.number}.{self.lives}"

    @property
    def is_frozen(self) -> bool:
        return self.root in self.world.freezer.parked

    @property
    def trades(self) -> list[str]:
        """Accounts that it trades now."""
        return [] if self.live is None or self.held is None else [name.removeprefix(LIVE) for name in self.held.names]

    async def run(self, pause_s: Callable[[], float]) -> None:
        """One process after the other until the world is over."""
        self.root = trio.lowlevel.current_task()
        await trio.sleep(pause_s())
        while not self.world.over:
            self.lives += 1
            self.way = Way(is_cut=self.way.is_cut, joined=self.way.joined)
            self.redis_way = Way(is_cut=self.redis_way.is_cut, joined=self.redis_way.joined)
            before = self.venue_way
            self.venue_way = VenueWay(venue=self.world.venue, is_cut=before.is_cut, slow_dial=before.slow_dial)
            self.stop = trio.Event()
            self.note("starts")
            self.look_well()
            with trio.CancelScope() as self.scope:
                await self._process()
            self._end("is gone")
            await trio.sleep(pause_s())

    def kill(self) -> None:
        """kill -9: nothing of it is heard any more. What it does while it is taken apart reaches nobody."""
        if self.scope is not None:
            self._end("killed")
            self.world.freezer.thaw(self.root)  # type: ignore[arg-type]
            self.scope.cancel()

    def freeze(self) -> None:
        if self.scope is not None and not self.is_frozen:
            self.note("frozen")
            self.world.freezer.freeze(self.root)  # type: ignore[arg-type]
            self.look_well()

    def thaw(self) -> None:
        if self.is_frozen:
            self.note("wakes")
            self.world.freezer.thaw(self.root)  # type: ignore[arg-type]
            self.look_well()

    def look_well(self) -> None:
        """Counts how long it has been well anew, or not at all."""
        cut = self.way.is_cut or self.venue_way.is_cut
        well = not (self.is_frozen or cut or self.way.is_dead or self.stop.is_set())
        self.well_since_s = trio.current_time() if well else float("inf")

    def note(self, what: str) -> None:
        self.world.note(f"{self.owner} {what}")

    async def ask(self, work: Callable[[LiveTrading], Awaitable[Any]]) -> Any:
        """Has the process do something, as its API would. Raises `TransientError` when it does not answer."""
        if self.live is None or self.nursery is None or self.is_frozen:
            raise TransientError("nobody is there")
        live, answers = self.live, list[Any]()
        done = trio.Event()

        async def answer() -> None:
            try:
                answers.append(await work(live))
            except Exception as error:
                answers.append(error)
            finally:
                done.set()

        self.nursery.start_soon(answer)
        with trio.move_on_after(20):
            await done.wait()
        if not answers:
            raise TransientError("no answer of the node")
        if isinstance(answers[0], Exception):
            raise answers[0]
        return answers[0]

    def _end(self, how: str) -> None:
        if not self.way.is_dead:
            self.note(how)
        self.way.is_dead = self.redis_way.is_dead = True
        self.venue_way.die()
        self.live, self.watch, self.held, self.side, self.nursery = None, None, None, None, None
        self.mortals, self.lanes = [], []
        self.well_since_s = float("inf")

    def line(self) -> Line:
        return self.world.database.line(self.way)

    async def _process(self) -> None:
        world, rng = self.world, self.world.rng(self.owner)
        desk: Any = LeaseDesk(
            line=world.database.lease_line(self.way, world.ttl_s), owner=self.owner, ttl_s=world.ttl_s, drift=self.drift
        )
        supervisor = Supervisor(rng=rng, policy=TIRELESS, on_crash=self._crashed)
        member = self._member(rng)
        shared = SharedLeases(
            office=desk,
            names=[lease_of(one.name) for one in world.accounts],
            share=lambda accounts: share_of(accounts, Role.EXECUTE, member.view()),
        )
        async with trio.open_nursery() as nursery:
            self.nursery = nursery
            await nursery.start(supervisor.run_group, "cluster", (Child(name="member", run=member.run),))
            lanes_ended = self._lanes(nursery, desk, supervisor)
            if self.decides and world.trades:
                self.side = await self._decide(nursery, supervisor, rng)
            if world.trades:
                await shared.run(self.stop, lambda held, over: self._trade(held, over, supervisor, rng))
            else:
                await self.stop.wait()
            with trio.move_on_after(world.config.limits.drain_s):
                await lanes_ended.wait()
            nursery.cancel_scope.cancel()

    def _lanes(self, nursery: trio.Nursery, desk: Any, supervisor: Supervisor) -> trio.Event:
        """Runs both ends of the edge; the event is set when they have ended by themselves, the reading one last."""
        ingest, host = lane_ends(self, desk, supervisor, self.world.rng(f"{self.owner} lanes"))
        nursery.start_soon(ingest.run)
        nursery.start_soon(host.run)
        return host.ended

    def _member(self, rng: Random) -> ClusterMember:
        roles = frozenset({Role.EXECUTE, Role.DECIDE}) if self.decides else frozenset({Role.EXECUTE})
        report = MemberReport(
            member_id=self.owner,
            holder=self.owner,
            roles=roles,
            working=roles,
            version="1",
            address=f"{self.owner}:80",
        )
        store: Any = BehindLine(_AtOnce(self.world.database.members), self.line())
        return ClusterMember(
            member_id=self.owner,
            working=lambda: roles,
            report=lambda: report,
            store=store,
            allowances=None,
            ttl_s=self.world.ttl_s,
            rng=rng,
        )

    async def _decide(self, nursery: trio.Nursery, supervisor: Supervisor, rng: Random) -> LiveSide:
        table: Any = BehindLine(self.world.table, self.line())
        held: Any = BehindLine(self.world.copies, self.line())
        side = traded_elsewhere(self.world.config, MirrorPorts(strategies=table, held=held), rng=rng)
        await nursery.start(supervisor.run_group, "deciding", side.services)
        return side

    async def _trade(self, held: HeldLeases, over: trio.Event, supervisor: Supervisor, rng: Random) -> None:
        world = self.world
        accounts = [name.removeprefix(LIVE) for name in held.names]
        self.note(f"trades {accounts}")
        live = live_trading(world.config, node_ports(self, held, accounts, rng), clock=self.clock(), rng=rng)
        work: Any = BehindLine(world.open_work(accounts), self.line())
        watch = claim_watch(live, work, rng=rng)
        graph = Graph(
            services=self._mortal(live.services),
            sources=self._mortal((*live.sources, watch.child)),
            stages=self._mortal(live.stages),
            channels=live.channels,
        )
        self.live, self.watch, self.held = live, watch, held
        world.begins(self, accounts)
        try:
            await run_graph(graph, supervisor, over, drain_s=world.config.limits.drain_s)
        finally:
            self.live, self.watch, self.held, self.mortals = None, None, None, []
            if not self.way.is_dead:
                self.note("stops trading")

    def clock(self) -> NodeClock:
        return NodeClock(self.world, self.ahead_ms)

    def _mortal(self, children: Sequence[Child]) -> tuple[Child, ...]:
        return self._made_mortal(children, self.mortals)

    def mortal_lanes(self, children: Sequence[Child]) -> tuple[Child, ...]:
        """The same for what runs at an end of the edge."""
        return self._made_mortal(children, self.lanes)

    def _made_mortal(self, children: Sequence[Child], among: list[Mortal]) -> tuple[Child, ...]:
        made = [Mortal(one) for one in children]
        among += made
        return tuple(
            Child(name=one.child.name, run=one.run, reads=one.child.reads, writes=one.child.writes) for one in made
        )

    def _crashed(self, name: str, error: Exception) -> None:
        self.note(f"crash of {name}: {error!r}"[:200])
        if not _is_planned(error):
            self.world.blame(f"{self.owner}: {name} crashed by itself: {_innermost(error)!r}")


class _AtOnce(MemberLine):
    """The table of members, asked within a transaction."""

    async def _way(self, fault: str) -> None:
        pass
