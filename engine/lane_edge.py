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
from protocols.clock import Random, WallClock
from protocols.edges import Appended, EdgeCodec, EdgeStore
from protocols.ingest import GapReason, GapRequest
from protocols.trades import LanedTrade

LANES = "lanes"
OLD_S = 30.0
LOOK_MIN_S = 1.0
HOLD_MAX_S = 60.0
"""So far ahead a held gap reaches, and so it is told to the database about once in half of this."""


@attrs.frozen(kw_only=True)
class LaneEdge:
    """What the wiring needs to send trades out of the process."""

    store: EdgeStore
    codec: EdgeCodec[LanedTrade]
    is_open: Callable[[bool, str], None]


@attrs.define(eq=False, kw_only=True)
class Unproved:
    """What lies in the stream as far as its sender can tell, so that it can be read again when the stream is lost.

    Everything sent since the stream was last seen to hold nothing else; at most as much as the stream holds. What is too
    old for the next start to read anyway is held as a gap in the database: Redis and this process may end together.
    """

    forget: Callable[[Sequence[str]], None]
    gaps: Outbox[GapRequest]
    hold: Callable[[GapRequest | None], None]
    clock: WallClock
    items_max: int
    old_s: float
    """What is younger, and several times as old, the next start reads anyway."""
    lost: int = attrs.field(init=False, default=0)
    """Trades asked for again. Some of them may have been read before the stream was lost: they are repeats then."""
    _sent: deque[tuple[str, int]] = attrs.field(init=False)
    _oldest_ms: int | None = attrs.field(init=False, default=None)
    """Time of the oldest of them."""
    _held: GapRequest | None = attrs.field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self._sent = deque(maxlen=self.items_max)

    def kept(self, items: Sequence[LanedTrade], answer: Appended) -> None:
        """Notes what the stream has taken."""
        if answer.length <= len(items):
            self._sent.clear()
            self._oldest_ms = None
        self._sent.extend((laned.trade.trade_id, laned.trade.trade_ms) for laned in items)
        times = [laned.trade.trade_ms for laned in items]
        self._oldest_ms = min(times if self._oldest_ms is None else (self._oldest_ms, *times), default=None)
        self._hold_what_is_old(is_idle=not items)

    def read_again(self) -> None:
        """Has all of it read from history: the filter must not take it for repeats."""
        if not self._sent:
            return
        self.lost += len(self._sent)
        self.forget([trade_id for trade_id, _ in self._sent])
        times = [trade_ms for _, trade_ms in self._sent]
        self.gaps.send_nowait(GapRequest(reason=GapReason.OVERFLOW, since_ms=min(times), until_ms=max(times)))
        self._sent.clear()
        self._oldest_ms = None

    def _hold_what_is_old(self, *, is_idle: bool) -> None:
        now_ms, since_ms, held = self.clock.now_ms(), self._oldest_ms, self._held
        lasts = held is not None and held.until_ms - now_ms > HOLD_MAX_S * 500
        if since_ms is None or now_ms - since_ms < self.old_s * 1000:
            if lasts and not is_idle:
                # Old trades come in many batches when history is read, and the database is not told of each.
                return
            self._held = None
        elif held is None or not lasts or since_ms < (held.since_ms or 0):
            until_ms = now_ms + round(HOLD_MAX_S * 1000)
            self._held = GapRequest(reason=GapReason.OVERFLOW, since_ms=since_ms, until_ms=until_ms)
        self.hold(self._held)


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
    *,
    forget: Callable[[Sequence[str]], None],
    hold: Callable[[GapRequest | None], None],
    clock: WallClock,
    rng: Random,
) -> LaneSending | None:
    """Returns the channel in front of the edge and the task that empties it into Redis; None without the edge."""
    if edge is None:
        return None
    channel = lane_channel(LANES, config.channels[LANES], forget=forget)
    fallback, gaps = writer.outbox(), gap_requests.outbox()
    old_s = min(OLD_S, config.stream.gap_start_overlap_s / 4)
    unproved = Unproved(
        forget=forget, gaps=gaps, hold=hold, clock=clock, items_max=config.redis.stream_items_max, old_s=old_s
    )
    sender = EdgeSender(
        name=LANES,
        items=channel.inbox,
        store=edge.store,
        codec=edge.codec,
        rng=rng,
        batch_max=config.redis.batch_max,
        patience_s=config.redis.patience_ms / 1000,
        fallback=fallback,
        look_s=max(old_s / 3, LOOK_MIN_S),
        is_open=edge.is_open,
        kept=unproved.kept,
        lost=unproved.read_again,
    )
    child = Child(name="lanes_sender", run=sender.run, reads=(channel,), writes=(fallback, gaps))
    return LaneSending(channel=channel, outbox=channel.outbox(), sender=sender, unproved=unproved, child=child)


def lanes_of(sending: LaneSending | None) -> tuple[Channel[LanedTrade], ...]:
    """Returns the channel in front of the edge, if there is one."""
    return () if sending is None else (sending.channel,)
