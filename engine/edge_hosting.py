"""Opens the edges that leave this process, for as long as it runs, and hosts what runs for them."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import attrs
import trio

from engine.adapters.postgres.database import DatabaseOptions
from engine.adapters.postgres.leases import LeaseOffice
from engine.edges import FEED_EVENTS, Edges, feed_hearing, feed_sending, leaving, told_by_readiness
from engine.lane_edge import LANES, LaneEdge
from engine.lane_hosting import LaneHost
from engine.roles import Parts, parts_of
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


@asynccontextmanager
async def hosted_edges(context: EdgeContext) -> AsyncIterator[LaneEdge | None]:
    """Opens the edges that leave this process, if there are any, and yields the one for its ingest.

    While every edge is `memory`, or used by roles of others only, nothing of this is loaded.

    Raises `MissingClientError`, and `ValueError` for an address that makes no sense.
    """
    engine, config = context.engine, context.engine.config
    parts = parts_of(engine.roles)
    leave = leaving(config, parts)
    if not leave:
        yield None
        return
    try:
        from engine.adapters.redis.opening import open_redis_edges
    except ImportError as error:
        raise MissingClientError(f"edges over redis need the extra `cluster` of this package ({error})") from None
    async with open_redis_edges(config) as redis, trio.open_nursery() as nursery:
        engine.edges = edges = Edges(clock=context.clock)
        if FEED_EVENTS in leave:
            _join_feeds(context, redis, edges, parts)
            await nursery.start(engine.supervisor.run_group, "edges", edges.children)
        lanes, host = _lanes(context, redis, edges) if LANES in leave else (None, None)
        if host is not None:
            nursery.start_soon(host.run)
        try:
            yield lanes
            if host is not None:
                # It ends by itself, once it has seen the stream empty or its deadline has passed.
                with trio.move_on_after(config.limits.drain_s):
                    await host.ended.wait()
        finally:
            nursery.cancel_scope.cancel()
            if edges.heard is not None:
                with trio.move_on_after(GOODBYE_S, shield=True), suppress(TransientError):
                    await edges.heard.leave()


def _join_feeds(context: EdgeContext, redis: "RedisEdges", edges: Edges, parts: Parts) -> None:
    engine, who = context.engine, context.office.owner
    if parts.tells_feeds:
        edges.told = feed_sending(engine.config, redis.feed_events(f"{who}-sends"), engine.readiness, context.rng)
    if parts.hears_commits:
        edges.heard = feed_hearing(redis.feed_events(who), engine.readiness, context.rng, engine.wake_feed)


def _lanes(context: EdgeContext, redis: "RedisEdges", edges: Edges) -> tuple[LaneEdge, LaneHost]:
    """Returns the sending end, for the ingest of this process whenever it has the lease, and what hosts the reading end."""
    engine = context.engine
    readiness = engine.readiness
    codec = LanedTradeCodec(wall_less_monotonic_s=context.clock.now_ms() / 1000 - trio.current_time())
    lanes = LaneEdge(store=redis.lanes(context.office.owner), codec=codec, is_open=told_by_readiness(readiness, LANES))
    host = LaneHost(
        config=engine.config,
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
    return lanes, host
