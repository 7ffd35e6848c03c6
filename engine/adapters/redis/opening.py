"""Opens the Redis ends of the edges that are configured to leave the process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs

from config.schema import EngineConfig
from engine.adapters.redis.address import address_of
from engine.adapters.redis.connection import RedisOffice, open_redis
from engine.adapters.redis.edge_store import RedisEdge, RedisEdgeStore

FEED_EVENTS_MAX = 1_000
"""Wake-ups: nobody needs an old one."""


@attrs.frozen(kw_only=True)
class RedisEdges:
    """Makes the ends of edges; each end has connections of its own."""

    config: EngineConfig
    _office: RedisOffice

    def lanes(self, who: str) -> RedisEdgeStore:
        """Returns an end of the edge of lanes 1 and 2, which holds when it is full."""
        redis = self.config.redis
        edge = RedisEdge(
            name="lanes",
            prefix=redis.prefix,
            items_max=redis.stream_items_max,
            dead_max=redis.dead_items_max,
            take_over_idle_ms=round(redis.take_over_idle_ms),
        )
        return self._end(edge, who)

    def feed_events(self, who: str) -> RedisEdgeStore:
        """Returns an end of the edge of feed events, which every process with a feed reads as a whole."""
        redis = self.config.redis
        edge = RedisEdge(name="feed_events", prefix=redis.prefix, items_max=FEED_EVENTS_MAX, drops=True, fan_out=True)
        return self._end(edge, who)

    def _end(self, edge: RedisEdge, who: str) -> RedisEdgeStore:
        calls, waiting = self._office.connection(f"{edge.name}-calls"), self._office.connection(f"{edge.name}-waits")
        return RedisEdgeStore(edge=edge, calls=calls, waiting=waiting, who=who)


@asynccontextmanager
async def open_redis_edges(config: EngineConfig) -> AsyncIterator[RedisEdges]:
    """Yields the maker of ends. Connects to nobody yet. Raises `ValueError` for an address that makes no sense."""
    async with open_redis(address_of(config.redis)) as office:
        yield RedisEdges(config=config, office=office)
