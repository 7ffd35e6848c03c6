"""Opens the edges that leave this process, for as long as it runs, and hosts what runs for them."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import attrs
import trio

from config.schema import EngineConfig
from engine.adapters.postgres.database import DatabaseOptions
from engine.adapters.postgres.leases import LeaseOffice
from engine.edges import FEED_EVENTS, Edges, edges_leave, feed_edge, told_by_readiness
from engine.lane_edge import LANES, LaneEdge
from engine.lane_hosting import LaneHost
from engine.runtime.readiness import Readiness
from engine.runtime.supervisor import Supervisor
from protocols.clock import Random, WallClock
from protocols.edge_codec import LanedTradeCodec
from protocols.errors import EngineError, TransientError
from protocols.instruments import Observer

if TYPE_CHECKING:
    from engine.adapters.redis.opening import RedisEdges

_log = logging.getLogger(__name__)
GOODBYE_S = 1.0


class MissingClientError(EngineError):
    """An edge is configured to leave the process and the client for it is not installed."""


@attrs.frozen(kw_only=True)
class EdgeContext:
    """What the process gives to its edges."""

    config: EngineConfig
    options: DatabaseOptions
    office: LeaseOffice
    readiness: Readiness
    supervisor: Supervisor
    stop: trio.Event
    clock: WallClock
    rng: Random
    latency: Observer
    wake: Callable[[], None]
    """Wakes the feed of this process."""


@attrs.frozen(kw_only=True)
class HostedEdges:
    """What there is of edges in this process."""

    edges: Edges
    lanes: LaneEdge | None
    """For the ingest of this process, whenever it has the lease."""
    lane_host: LaneHost | None


@asynccontextmanager
async def hosted_edges(context: EdgeContext) -> AsyncIterator[HostedEdges | None]:
    """Yields the edges that leave this process, or None when there are none: then nothing of this is loaded.

    Raises `MissingClientError`, and `ValueError` for an address that makes no sense.
    """
    if not edges_leave(context.config):
        yield None
        return
    try:
        from engine.adapters.redis.opening import open_redis_edges
    except ImportError as error:
        raise MissingClientError(f"edges over redis need the extra `cluster` of this package ({error})") from None
    async with open_redis_edges(context.config) as redis, trio.open_nursery() as nursery:
        hosted = _hosted(context, redis)
        feed, lane_host = hosted.edges.feed, hosted.lane_host
        if feed is not None:
            await nursery.start(context.supervisor.run_group, "edges", feed.children)
        if lane_host is not None:
            nursery.start_soon(lane_host.run)
        try:
            yield hosted
            if lane_host is not None:
                # It ends by itself, once it has seen the stream empty or its deadline has passed.
                with trio.move_on_after(context.config.limits.drain_s):
                    await lane_host.ended.wait()
        finally:
            nursery.cancel_scope.cancel()
            if feed is not None:
                with trio.move_on_after(GOODBYE_S, shield=True), suppress(TransientError):
                    await feed.leave()


def _hosted(context: EdgeContext, redis: "RedisEdges") -> HostedEdges:
    config, readiness = context.config, context.readiness
    edges = Edges(clock=context.clock)
    if redis.leaves(FEED_EVENTS):
        who = context.office.owner
        sending, reading = redis.feed_events(f"{who}-sends"), redis.feed_events(who)
        edges.feed = feed_edge(config, sending, reading, readiness, context.rng, context.wake)
    if not redis.leaves(LANES):
        return HostedEdges(edges=edges, lanes=None, lane_host=None)
    codec = LanedTradeCodec(wall_less_monotonic_s=context.clock.now_ms() / 1000 - trio.current_time())
    lanes = LaneEdge(store=redis.lanes(context.office.owner), codec=codec, is_open=told_by_readiness(readiness, LANES))
    host = LaneHost(
        config=config,
        options=context.options,
        office=context.office,
        edge=redis.lanes(LANES),
        codec=codec,
        edges=edges,
        committed=context.wake,
        readiness=readiness,
        supervisor=context.supervisor,
        stop=context.stop,
        rng=context.rng,
        latency=context.latency,
    )
    return HostedEdges(edges=edges, lanes=lanes, lane_host=host)
