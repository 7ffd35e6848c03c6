"""The edges of this process that leave it: what hosts their ends, and what the world may know of them.

Nothing here is made, and no Redis client is loaded, while every edge is `memory`.
"""

from collections.abc import Callable
from typing import Any, Protocol

import attrs

from actors.feed_notices import FeedNotices
from config.redis import REDIS
from config.schema import EngineConfig
from engine.runtime.channel import Channel, ChannelOutbox
from engine.runtime.edge_inbox import EdgeInbox
from engine.runtime.edge_keeper import EdgeKeeper
from engine.runtime.edge_sender import EdgeSender
from engine.runtime.readiness import Readiness
from engine.runtime.supervisor import Child
from protocols.channels import Overflow
from protocols.clock import Random, WallClock
from protocols.edge_codec import CommittedNotice, committed_codec
from protocols.edges import EdgeStore

FEED_EVENTS = "feed_events"
KEEP_INTERVAL_S = 2.0


class GroupStore(EdgeStore, Protocol):
    """The store of a fan-out edge, where this process has a group of its own."""

    async def remove_group(self) -> None:
        """Ends the group. Raises `TransientError`."""
        ...


def edges_leave(config: EngineConfig) -> bool:
    """Whether any edge is configured to leave the process."""
    return any(channel.transport == REDIS for channel in config.channels.values())


@attrs.define(eq=False, kw_only=True)
class FeedEdge:
    """Notices of commits: this process sends its own and hears everybody's."""

    channel: Channel[CommittedNotice]
    outbox: ChannelOutbox[CommittedNotice]
    sender: EdgeSender[CommittedNotice]
    inbox: EdgeInbox[CommittedNotice]
    notices: FeedNotices
    keeper: EdgeKeeper
    reading: GroupStore

    async def leave(self) -> None:
        """Takes the group of this process away. Raises `TransientError`."""
        await self.reading.remove_group()

    @property
    def children(self) -> tuple[Child, ...]:
        """Returns what runs for it."""
        return (
            Child(name="feed_events_sender", run=self.sender.run, reads=(self.channel,)),
            Child(name="feed_notices", run=self.notices.run, reads=(self.inbox,)),
            Child(name="feed_events_keeper", run=self.keeper.run),
        )


@attrs.define(eq=False, kw_only=True)
class Edges:
    """Every edge that leaves this process, for wiring, metrics and pages."""

    clock: WallClock
    feed: FeedEdge | None = None
    lanes_reader: EdgeInbox[Any] | None = None
    """While this process writes the trades of the edge `lanes`."""
    lanes_keeper: EdgeKeeper | None = None

    def committed(self, rows: int = 0) -> None:
        """Tells the other processes that trades were committed. Never waits; one that finds no room takes the oldest's."""
        if self.feed is not None:
            self.feed.outbox.send_nowait(CommittedNotice(rows=rows, committed_ms=self.clock.now_ms()))

    @property
    def channels(self) -> tuple[Channel[Any], ...]:
        """Returns the channels in front of edges that belong to no graph."""
        return () if self.feed is None else (self.feed.channel,)


def feed_edge(
    config: EngineConfig,
    sending: EdgeStore,
    reading: GroupStore,
    readiness: Readiness,
    rng: Random,
    wake: Callable[[], None],
) -> FeedEdge:
    """Returns both ends of the edge of feed events. A full channel or stream gives up its oldest notice."""
    codec, redis = committed_codec(), config.redis
    capacity = config.channels[FEED_EVENTS].capacity
    channel = Channel[CommittedNotice](FEED_EVENTS, capacity, Overflow.DROP_OLDEST)
    sender = EdgeSender(
        name=FEED_EVENTS,
        items=channel.inbox,
        store=sending,
        codec=codec,
        rng=rng,
        batch_max=redis.batch_max,
        patience_s=redis.patience_ms / 1000,
    )
    inbox = EdgeInbox(name=FEED_EVENTS, store=reading, codec=codec, rng=rng)
    keeper = EdgeKeeper(inbox=inbox, interval_s=KEEP_INTERVAL_S, is_open=told_by_readiness(readiness, FEED_EVENTS))
    return FeedEdge(
        channel=channel,
        outbox=channel.outbox(),
        sender=sender,
        inbox=inbox,
        notices=FeedNotices(notices=inbox, wake=wake),
        keeper=keeper,
        reading=reading,
    )


def told_by_readiness(readiness: Readiness, edge: str) -> Callable[[bool, str], None]:
    """Returns what has `/readyz` say that an edge does not work, and why."""

    def tell(is_open: bool, why: str) -> None:
        if is_open:
            readiness.reached(f"edge {edge}")
        else:
            readiness.wait_for(f"edge {edge}", why)

    return tell
