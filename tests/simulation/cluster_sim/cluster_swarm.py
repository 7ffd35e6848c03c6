"""The swarm of a cluster: what happens to nodes and to the ways between them, chosen by the seed."""

from collections.abc import Callable

import trio
from simulation.cluster_sim.cluster_node import Node
from simulation.cluster_sim.cluster_world import ClusterWorld
from simulation.cluster_sim.lane_node import WRITE
from simulation.cluster_sim.redis_swarm import REDIS_KINDS, RedisSwarm, calm_redis
from simulation.live_sim.sim_people import Traders
from simulation.live_sim.sim_weather import Swarm

LIKELY = 0.5
KINDS = ("pause", "pause_at_order", "cut_store", "cut_venue", "stop", "failover", "bells", "dials")


class ClusterSwarm(Swarm):
    """What befalls one engine, and beside it what befalls a cluster."""

    world: ClusterWorld

    def __init__(self, world: ClusterWorld) -> None:
        super().__init__(world)
        self.cluster_rng = world.rng("cluster swarm")
        self.cluster_has = {name: self.cluster_rng.random() < LIKELY for name in KINDS}
        self.redis_rng = world.rng("redis swarm")
        self.cluster_has |= {name: self.redis_rng.random() < LIKELY for name in REDIS_KINDS}
        world.note(f"cluster swarm {[name for name, there in self.cluster_has.items() if there]}")

    async def blow(self) -> None:
        world, rng, has = self.world, self.cluster_rng, self.cluster_has
        if has["bells"]:
            world.bells_lost = rng.choice((0.2, 1.0))
        if has["dials"]:
            for node in world.nodes:
                node.venue_way.slow_dial = rng.choice((0.1, 0.4))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(super().blow)
            if has["pause"]:
                nursery.start_soon(self._some, Node.freeze, Node.thaw)
            if has["pause_at_order"]:
                world.database.wrote_before = self._stop_some_at_an_order
            if has["cut_store"]:
                nursery.start_soon(self._some, _cut_store, _join_store)
            if has["cut_venue"]:
                nursery.start_soon(self._some, _cut_venue, _join_venue)
            if has["stop"]:
                nursery.start_soon(self._stops)
            if has["failover"]:
                nursery.start_soon(self._failovers)
            nursery.start_soon(RedisSwarm(world, self.redis_rng, has).blow)

    def calm(self) -> None:
        super().calm()
        self.world.bells_lost = 0.0
        self.world.database.wrote_before = lambda _name, _owner: None
        for node in self.world.nodes:
            node.venue_way.slow_dial = 0.0
            node.thaw()
            _join_store(node)
            _join_venue(node)
        calm_redis(self.world)

    async def _some(self, begin: Callable[[Node], None], end: Callable[[Node], None]) -> None:
        """Shorter than a lease, or about as long, or much longer."""
        rng, ttl_s = self.cluster_rng, self.world.ttl_s
        while True:
            await trio.sleep(rng.uniform(3, 40))
            node = rng.choice(self.world.nodes)
            owner = node.owner
            begin(node)
            await trio.sleep(
                rng.choice((rng.uniform(0.1, ttl_s), rng.uniform(0.7, 1.3) * ttl_s, rng.uniform(1, 3) * ttl_s))
            )
            if begin is not Node.freeze or node.owner == owner:
                end(node)

    def _stop_some_at_an_order(self, name: str, owner: str) -> None:
        """The worst moment: the order is journaled, or the trade written, and who goes on from there has not heard of that."""
        if self.cluster_rng.random() < {"journal": 0.1, WRITE: 0.01}.get(name, 0.0):
            [node] = [one for one in self.world.nodes if one.number == int(owner[5])]
            if node.owner == owner:
                self.world.database.nursery.start_soon(self._stop_for_long, node, owner)

    async def _stop_for_long(self, node: Node, owner: str) -> None:
        node.freeze()
        await trio.sleep(self.cluster_rng.uniform(0.5, 3) * self.world.ttl_s)
        if node.owner == owner:
            node.thaw()

    async def _stops(self) -> None:
        while True:
            await trio.sleep(self.cluster_rng.uniform(5, 60))
            node = self.cluster_rng.choice(self.world.nodes)
            if not node.is_frozen:
                node.note("asked to stop")
                node.stop.set()
                node.look_well()

    async def _failovers(self) -> None:
        database, rng = self.world.database, self.cluster_rng
        while True:
            await trio.sleep(rng.uniform(10, 90))
            self.world.note("failover")
            database.failovers += 1
            database.break_all()
            database.down = True
            await trio.sleep(rng.uniform(0.1, 6))
            database.down = False
            database.skew_s = rng.uniform(-0.2, 0.2)


def _cut_store(node: Node) -> None:
    node.note("cut from the database")
    node.way.cut()
    node.look_well()


def _join_store(node: Node) -> None:
    if node.way.is_cut:
        node.note("joined to the database")
        node.way.join()
        node.look_well()


def _cut_venue(node: Node) -> None:
    node.note("cut from the venue")
    node.venue_way.cut()
    node.look_well()


def _join_venue(node: Node) -> None:
    if node.venue_way.is_cut:
        node.note("joined to the venue")
        node.venue_way.join()
        node.look_well()


class ClusterTraders(Traders):
    """Trades are decided where a node decides."""

    world: ClusterWorld

    async def trade(self) -> None:
        while True:
            await trio.sleep(self.rng.expovariate(1 / self.mean_s))
            while self.world.database.down or self.world.decider is None:
                await trio.sleep(0.2)
            markets = self.world.open_markets()
            if markets:
                with trio.CancelScope(shield=True):
                    await self._commit(self._decision(self.rng.choice(markets)))
