"""Lanes 1 and 2 on their way to a writer that may live in another process.

trade_filter ─▶ lanes ─▶ lanes_sender ─▶ Redis ─▶ lane_writer ─▶ PostgreSQL      (`channels.lanes.transport = "redis"`)
                              └─ Redis lost, or nobody reads ─▶ writer ─▶ sync_writer, as without this edge

Lane 0 never goes this way: it is committed with its decisions.
"""

from collections import deque
from collections.abc import Callable, Sequence

import attrs

from config.schema import EngineConfig
from engine.runtime.channel import Channel, ChannelOutbox
from engine.runtime.edge_sender import EdgeSender
from engine.runtime.supervisor import Child
from engine.writer_channel import lane_channel
from protocols.channels import Outbox
from protocols.clock import Random
from protocols.edges import Appended, EdgeCodec, EdgeStore
from protocols.ingest import GapReason, GapRequest
from protocols.trades import LanedTrade

LANES = "lanes"


@attrs.frozen(kw_only=True)
class LaneEdge:
    """What the wiring needs to send trades out of the process."""

    store: EdgeStore
    codec: EdgeCodec[LanedTrade]
    is_open: Callable[[bool, str], None]


@attrs.define(eq=False, kw_only=True)
class Unproved:
    """What lies in the stream as far as its sender can tell, so that it can be read again when the stream is lost.

    Everything sent since the stream was last seen to hold nothing else; at most as much as the stream holds.
    """

    forget: Callable[[Sequence[str]], None]
    gaps: Outbox[GapRequest]
    items_max: int
    lost: int = attrs.field(init=False, default=0)
    """Trades asked for again. Some of them may have been read before the stream was lost: they are repeats then."""
    _sent: deque[tuple[str, int]] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._sent = deque(maxlen=self.items_max)

    def kept(self, items: Sequence[LanedTrade], answer: Appended) -> None:
        """Notes what the stream has taken."""
        if answer.length <= len(items):
            self._sent.clear()
        self._sent.extend((laned.trade.trade_id, laned.trade.trade_ms) for laned in items)

    def read_again(self) -> None:
        """Has all of it read from history: the filter must not take it for repeats."""
        if not self._sent:
            return
        self.lost += len(self._sent)
        self.forget([trade_id for trade_id, _ in self._sent])
        times = [trade_ms for _, trade_ms in self._sent]
        self.gaps.send_nowait(GapRequest(reason=GapReason.OVERFLOW, since_ms=min(times), until_ms=max(times)))
        self._sent.clear()


@attrs.frozen(kw_only=True)
class LaneSending:
    """The sending end, for the graph."""

    channel: Channel[LanedTrade]
    outbox: ChannelOutbox[LanedTrade]
    sender: EdgeSender[LanedTrade]
    unproved: Unproved
    child: Child


def lane_sending(
    edge: LaneEdge | None,
    config: EngineConfig,
    writer: Channel[LanedTrade],
    gap_requests: Channel[GapRequest],
    forget: Callable[[Sequence[str]], None],
    rng: Random,
) -> LaneSending | None:
    """Returns the channel in front of the edge and the task that empties it into Redis; None without the edge."""
    if edge is None:
        return None
    channel = lane_channel(LANES, config.channels[LANES], forget=forget)
    fallback, gaps = writer.outbox(), gap_requests.outbox()
    unproved = Unproved(forget=forget, gaps=gaps, items_max=config.redis.stream_items_max)
    sender = EdgeSender(
        name=LANES,
        items=channel.inbox,
        store=edge.store,
        codec=edge.codec,
        rng=rng,
        batch_max=config.redis.batch_max,
        patience_s=config.redis.patience_ms / 1000,
        fallback=fallback,
        is_open=edge.is_open,
        kept=unproved.kept,
        lost=unproved.read_again,
    )
    child = Child(name="lanes_sender", run=sender.run, reads=(channel,), writes=(fallback, gaps))
    return LaneSending(channel=channel, outbox=channel.outbox(), sender=sender, unproved=unproved, child=child)


def lanes_of(sending: LaneSending | None) -> tuple[Channel[LanedTrade], ...]:
    """Returns the channel in front of the edge, if there is one."""
    return () if sending is None else (sending.channel,)
