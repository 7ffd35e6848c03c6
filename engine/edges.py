"""The edges of this process that leave it: what hosts their ends, and what the world may know of them.

Nothing here is made, and no Redis client is loaded, while every edge is `memory`.
"""

from collections.abc import Callable
from typing import Any, Protocol

import attrs

from actors.feed_notices import FeedNotices
from config.redis import REDIS
from config.schema import EngineConfig
from engine.lane_edge import LANES
from engine.lane_wiring import LaneReading
from engine.roles import Parts
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


def leaving(config: EngineConfig, parts: Parts) -> frozenset[str]:
    """Returns which edges leave this process: those that are configured to, and that its roles use."""
    used = {LANES: parts.lanes, FEED_EVENTS: parts.tells_feeds or parts.hears_commits}
    return frozenset(name for name, is_used in used.items() if is_used and config.channels[name].transport == REDIS)


@attrs.define(eq=False, kw_only=True)
class FeedSending:
    """Notices of what this process commits, on their way to all others."""

    channel: Channel[CommittedNotice]
    outbox: ChannelOutbox[CommittedNotice]
    sender: EdgeSender[CommittedNotice]

    @property
    def children(self) -> tuple[Child, ...]:
        """Returns what runs for it."""
        return (Child(name="feed_events_sender", run=self.sender.run, reads=(self.channel,)),)


@attrs.define(eq=False, kw_only=True)
class FeedHearing:
    """Notices of what any process has committed, for the feed of this one."""

    inbox: EdgeInbox[CommittedNotice]
    notices: FeedNotices
    keeper: EdgeKeeper
    store: GroupStore

    async def leave(self) -> None:
        """Takes the group of this process away. Raises `TransientError`."""
        await self.store.remove_group()

    @property
    def children(self) -> tuple[Child, ...]:
        """Returns what runs for it."""
        return (
            Child(name="feed_notices", run=self.notices.run, reads=(self.inbox,)),
            Child(name="feed_events_keeper", run=self.keeper.run),
        )


@attrs.define(eq=False, kw_only=True)
class Edges:
    """Every edge that leaves this process, for wiring, metrics and pages."""

    clock: WallClock
    told: FeedSending | None = None
    """None: this process commits no trades, or tells nobody."""
    heard: FeedHearing | None = None
    """None: this process shows no feed, or hears nobody."""
    lanes: LaneReading | None = None
    """While this process writes the trades of the edge `lanes`."""

    def committed(self, rows: int = 0) -> None:
        """Tells the other processes that trades were committed. Never waits; one that finds no room takes the oldest's."""
        if self.told is not None:
            self.told.outbox.send_nowait(CommittedNotice(rows=rows, committed_ms=self.clock.now_ms()))

    @property
    def channels(self) -> tuple[Channel[Any], ...]:
        """Returns the channels in front of edges that belong to no graph."""
        return () if self.told is None else (self.told.channel,)

    @property
    def children(self) -> tuple[Child, ...]:
        """Returns what runs for edges that belong to no graph."""
        return (*(self.told.children if self.told else ()), *(self.heard.children if self.heard else ()))


def feed_sending(config: EngineConfig, store: EdgeStore, readiness: Readiness, rng: Random) -> FeedSending:
    """Returns the sending end of feed events. A full channel or stream gives up its oldest notice."""
    capacity = config.channels[FEED_EVENTS].capacity
    channel = Channel[CommittedNotice](FEED_EVENTS, capacity, Overflow.DROP_OLDEST)
    sender = EdgeSender(
        name=FEED_EVENTS,
        items=channel.inbox,
        store=store,
        codec=committed_codec(),
        rng=rng,
        batch_max=config.redis.batch_max,
        patience_s=config.redis.patience_ms / 1000,
        is_open=told_by_readiness(readiness, f"{FEED_EVENTS} (sending)", is_needed=False),
    )
    return FeedSending(channel=channel, outbox=channel.outbox(), sender=sender)


def feed_hearing(store: GroupStore, readiness: Readiness, rng: Random, wake: Callable[[], None]) -> FeedHearing:
    """Returns the reading end of feed events."""
    inbox = EdgeInbox(name=FEED_EVENTS, store=store, codec=committed_codec(), rng=rng)
    is_open = told_by_readiness(readiness, FEED_EVENTS, is_needed=False)
    keeper = EdgeKeeper(inbox=inbox, interval_s=KEEP_INTERVAL_S, is_open=is_open)
    return FeedHearing(inbox=inbox, notices=FeedNotices(notices=inbox, wake=wake), keeper=keeper, store=store)


def told_by_readiness(readiness: Readiness, edge: str, *, is_needed: bool = True) -> Callable[[bool, str], None]:
    """Returns what has `/readyz` say that an edge does not work, and why.

    Without one that is not needed an engine is ready all the same: what serves users goes on, a little later told.
    """
    name = f"edge {edge}"

    def tell(is_open: bool, why: str) -> None:
        if is_open:
            readiness.reached(name)
            readiness.restored(name)
        elif is_needed:
            readiness.wait_for(name, why)
        else:
            readiness.degraded_by(name, why)

    return tell
