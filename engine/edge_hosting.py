"""Opens the edges that leave this process, for as long as it runs, and hosts what runs for them."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import attrs
import trio

from engine.adapters.postgres.database import DatabaseOptions
from engine.adapters.postgres.leases import LeaseOffice
from engine.edges import FEED_EVENTS, Edges, edges_leave, feed_edge, told_by_readiness
from engine.lane_edge import LANES, LaneEdge
from engine.lane_hosting import LaneHost
from engine.running import Engine
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

    engine: Engine
    options: DatabaseOptions
    office: LeaseOffice
    stop: trio.Event
    clock: WallClock
    rng: Random
    latency: Observer


@attrs.frozen(kw_only=True)
class HostedEdges:
    """What there is of edges in this process."""

    edges: Edges
    lanes: LaneEdge | None
    """For the ingest of this process, whenever it has the lease."""
    lane_host: LaneHost | None


@asynccontextmanager
async def hosted_edges(context: EdgeContext) -> AsyncIterator[LaneEdge | None]:
    """Opens the edges that leave this process, if there are any, and yields the one for its ingest.

    While every edge is `memory`, nothing of this is loaded.

    Raises `MissingClientError`, and `ValueError` for an address that makes no sense.
    """
    engine, config = context.engine, context.engine.config
    if not edges_leave(config):
        yield None
        return
    try:
        from engine.adapters.redis.opening import open_redis_edges
    except ImportError as error:
        raise MissingClientError(f"edges over redis need the extra `cluster` of this package ({error})") from None
    async with open_redis_edges(config) as redis, trio.open_nursery() as nursery:
        hosted = _hosted(context, redis)
        feed, lane_host = hosted.edges.feed, hosted.lane_host
        engine.edges = hosted.edges
        if feed is not None:
            await nursery.start(engine.supervisor.run_group, "edges", feed.children)
        if lane_host is not None:
            nursery.start_soon(lane_host.run)
        try:
            yield hosted.lanes
            if lane_host is not None:
                # It ends by itself, once it has seen the stream empty or its deadline has passed.
                with trio.move_on_after(config.limits.drain_s):
                    await lane_host.ended.wait()
        finally:
            nursery.cancel_scope.cancel()
            if feed is not None:
                with trio.move_on_after(GOODBYE_S, shield=True), suppress(TransientError):
                    await feed.leave()


def _hosted(context: EdgeContext, redis: "RedisEdges") -> HostedEdges:
    engine = context.engine
    config, readiness = engine.config, engine.readiness
    edges = Edges(clock=context.clock)
    if redis.leaves(FEED_EVENTS):
        who = context.office.owner
        sending, reading = redis.feed_events(f"{who}-sends"), redis.feed_events(who)
        edges.feed = feed_edge(config, sending, reading, readiness, context.rng, engine.wake_feed)
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
        committed=engine.wake_feed,
        readiness=readiness,
        supervisor=engine.supervisor,
        stop=context.stop,
        rng=context.rng,
        latency=context.latency,
    )
    return HostedEdges(edges=edges, lanes=lanes, lane_host=host)
