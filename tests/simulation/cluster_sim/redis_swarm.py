"""What befalls Redis, and the ways to it."""

from collections.abc import Mapping

import trio
from simulation.cluster_sim.cluster_node import Node
from simulation.cluster_sim.cluster_world import ClusterWorld

from protocols.clock import Random

REDIS_KINDS = ("redis_killed", "redis_flushed", "redis_flushed_at_once", "cut_redis", "redis_slow", "redis_answers")
CALM_LATENCY_S = 0.001


class RedisSwarm:
    """Those kinds of trouble that the seed has."""

    def __init__(self, world: ClusterWorld, rng: Random, has: Mapping[str, bool]) -> None:
        self.world, self.rng, self.has, self.redis = world, rng, has, world.lanes.redis

    async def blow(self) -> None:
        """Runs until it is cancelled."""
        if self.has["redis_answers"]:
            self.redis.fails_before, self.redis.fails_after = 0.03, self.rng.choice((0.03, 0.1))
        if self.has["redis_flushed_at_once"]:
            self.redis.landed = self._flush_at_times
        async with trio.open_nursery() as nursery:
            for name, task in (
                ("redis_killed", self._kills), ("redis_flushed", self._flushes), ("cut_redis", self._cuts),
                ("redis_slow", self._slows),
            ):  # fmt: skip
                if self.has[name]:
                    nursery.start_soon(task)

    async def _kills(self) -> None:
        while True:
            await trio.sleep(self.rng.uniform(5, 60))
            self.redis.kill()
            # A restart, or long enough for everybody to take another way.
            await trio.sleep(self.rng.choice((self.rng.uniform(0.05, 2), self.rng.uniform(2, 20))))
            self.redis.down = False

    async def _flushes(self) -> None:
        while True:
            await trio.sleep(self.rng.uniform(5, 60))
            self.redis.flush()

    def _flush_at_times(self) -> None:
        """The worst moment: items have come to lie there, and neither their sender nor the reader has heard of that."""
        if self.rng.random() < 0.02:
            self.redis.nursery.start_soon(self._flush_soon)

    async def _flush_soon(self) -> None:
        await trio.sleep(self.rng.choice((0.0, 0.001, 0.01)))
        self.redis.flush()

    async def _cuts(self) -> None:
        while True:
            await trio.sleep(self.rng.uniform(3, 40))
            node = self.rng.choice(self.world.nodes)
            node.note("cut from redis")
            node.redis_way.cut()
            await trio.sleep(self.rng.choice((self.rng.uniform(0.1, 2), self.rng.uniform(2, 30))))
            _join(node)

    async def _slows(self) -> None:
        while True:
            await trio.sleep(self.rng.uniform(3, 40))
            self.redis.latency_s = self.rng.choice((0.05, 0.3, 1.5))
            await trio.sleep(self.rng.uniform(1, 15))
            self.redis.latency_s = CALM_LATENCY_S


def calm_redis(world: ClusterWorld) -> None:
    """Ends all of it."""
    redis = world.lanes.redis
    redis.down, redis.latency_s = False, CALM_LATENCY_S
    redis.fails_before = redis.fails_after = 0.0
    redis.landed = _nothing
    for node in world.nodes:
        _join(node)


def _join(node: Node) -> None:
    if node.redis_way.is_cut:
        node.note("joined to redis")
        node.redis_way.join()


def _nothing() -> None: ...
