"""Bounded, named channels whose counters always close: sent = received + dropped + depth.

Channels belong to the wiring, not to actors: an actor that crashes loses nothing, its successor finds the same channel
and is handed again what its predecessor had in hand.
"""

from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any, Generic, TypeVar

import attrs
import trio

from engine.runtime.buffers import Buffer, FifoBuffer, LaneBuffer
from engine.runtime.channel_statistics import ChannelStatistics, DeadLetter
from protocols.channels import Overflow

T = TypeVar("T")
DELIVERIES_MAX = 3
DEAD_LETTERS_KEPT = 100


@attrs.frozen(kw_only=True)
class LanePolicy(Generic[T]):
    """How a channel with the policy `lanes` tells importance apart (see `LaneBuffer`)."""

    lanes: int
    lane_of: Callable[[T], int]
    shed_from: int
    shed_above: int
    shed: Callable[[T], None] = lambda item: None
    """Told of each item that was shed; never waits."""


@attrs.define(eq=False)
class Channel(Generic[T]):
    """One edge of the graph. Create it in the wiring; give actors its `inbox` and an `outbox()` each."""

    name: str
    capacity: int
    overflow: Overflow = Overflow.BLOCK
    lane_policy: LanePolicy[T] | None = None
    _buffer: Buffer[T] = attrs.field(init=False)
    _sent: int = attrs.field(init=False, default=0)
    _received: int = attrs.field(init=False, default=0)
    _redelivered: int = attrs.field(init=False, default=0)
    _peak_depth: int = attrs.field(init=False, default=0)
    _dropped_by: Counter[tuple[int, str]] = attrs.field(init=False, factory=Counter)
    _in_hand: list[T] = attrs.field(init=False, factory=list)
    _in_hand_crashes: int = attrs.field(init=False, default=0)
    """How often readers have crashed with what is in hand."""
    _again: deque[tuple[T, int]] = attrs.field(init=False, factory=deque)
    """Items to hand out again, each with the crashes it has seen."""
    _dead_count: int = attrs.field(init=False, default=0)
    dead_letters: deque[DeadLetter] = attrs.field(init=False, factory=lambda: deque(maxlen=DEAD_LETTERS_KEPT))
    _open_outboxes: int = attrs.field(init=False, default=0)
    _closed: bool = attrs.field(init=False, default=False)
    _arrival: trio.lowlevel.ParkingLot = attrs.field(init=False, factory=trio.lowlevel.ParkingLot)
    _room: trio.lowlevel.ParkingLot = attrs.field(init=False, factory=trio.lowlevel.ParkingLot)
    inbox: "ChannelInbox[T]" = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        if self.capacity < 1:
            raise ValueError(f"channel {self.name}: capacity must be at least 1")
        if (self.overflow is Overflow.LANES) != (self.lane_policy is not None):
            raise ValueError(f"channel {self.name}: the policy `lanes` and a lane policy go together")
        if self.lane_policy is not None:
            self._buffer = LaneBuffer(
                self.capacity,
                self.lane_policy.lanes,
                self.lane_policy.lane_of,
                self.lane_policy.shed_from,
                self.lane_policy.shed_above,
            )
        else:
            self._buffer = FifoBuffer(self.capacity, drop_oldest=self.overflow is Overflow.DROP_OLDEST)
        self.inbox = ChannelInbox(self)

    def outbox(self, *, leaves_ratio: float = 0) -> "ChannelOutbox[T]":
        """Returns a writing end for one more sender; the stream ends when all of them are closed.

        One that waits for room leaves so great a share of the capacity to senders that cannot wait.
        """
        if self._closed:
            raise trio.ClosedResourceError(self.name)
        self._open_outboxes += 1
        return ChannelOutbox(self, leaves_ratio)

    def resize(self, capacity: int, shed_above: int) -> None:
        """Changes how many items may wait, and with lanes from where on some are shed; at once, and never waits.

        Nothing that waits is dropped. Above a smaller capacity the policy holds for what comes next, until reading has
        made room; senders that wait for the room of a greater one go on. Raises `ValueError` below 1.
        """
        if capacity < 1 or shed_above < 1:
            raise ValueError(f"channel {self.name}: capacity and shed_above must be at least 1")
        self.capacity = self._buffer.capacity = capacity
        if isinstance(self._buffer, LaneBuffer):
            self._buffer.shed_above = shed_above
        self._room.unpark_all()

    def statistics(self) -> ChannelStatistics:
        """Returns the counters as they stand now."""
        return ChannelStatistics(
            name=self.name,
            capacity=self.capacity,
            depth=self._buffer.depth,
            peak_depth=self._peak_depth,
            sent=self._sent,
            received=self._received,
            dropped=self._dropped_by.total(),
            dropped_by=dict(self._dropped_by),
            redelivered=self._redelivered,
            dead_lettered=self._dead_count,
            unacknowledged=len(self._in_hand) + len(self._again),
        )

    def rewind(self, error: BaseException) -> list[DeadLetter]:
        """Takes back what the crashed reader had in hand, to hand it out again one by one.

        Returns the letters that are dead now: an item alone in hand whose reader failed for the third time.
        """
        if len(self._in_hand) == 1 and self._in_hand_crashes + 1 >= DELIVERIES_MAX:
            letter = DeadLetter(channel=self.name, item=repr(self._in_hand[0])[:500], error=repr(error)[:300])
            self.dead_letters.append(letter)
            self._dead_count += 1
            self._in_hand = []
            return [letter]
        self._in_hand_crashes += 1
        self.take_back()
        return []

    def take_back(self) -> None:
        """Takes back what a reader that was cancelled had in hand, to hand it out again; holds it against no item."""
        self._again.extendleft((item, self._in_hand_crashes) for item in reversed(self._in_hand))
        self._in_hand = []

    def close(self) -> None:
        """Ends the stream at once, whoever still has an outbox; what waits can still be read."""
        self._closed = True
        self._arrival.unpark_all()
        self._room.unpark_all()

    def _put(self, item: T) -> bool:
        """Returns whether `item` itself was kept."""
        self._sent += 1
        buffer = self._buffer
        gone = buffer.put(item)
        if buffer.depth > self._peak_depth:
            self._peak_depth = buffer.depth
        if gone is None:
            return True
        if self.lane_policy is not None and gone.lane >= self.lane_policy.shed_from:
            self._dropped_by[gone.lane, "shed"] += 1
            self.lane_policy.shed(gone.item)
        else:
            self._dropped_by[gone.lane, "full"] += 1
        return not gone.is_offered

    def _must_wait(self, item: T) -> bool:
        waits = self.overflow is Overflow.BLOCK or self.overflow is Overflow.LANES
        return waits and not self._buffer.has_room_for(item)


@attrs.define(eq=False)
class ChannelOutbox(Generic[T]):
    """The writing end of one sender (see `protocols.channels.Outbox`)."""

    _channel: Channel[T]
    _leaves_ratio: float = 0
    _closed: bool = attrs.field(init=False, default=False)

    def feeds(self, channel: Channel[Any]) -> bool:
        """Returns whether this is an end of `channel`."""
        return self._channel is channel

    async def send(self, item: T) -> None:
        """Hands one item over, waiting as the channel's policy says."""
        await self.send_many((item,))

    async def send_many(self, items: Iterable[T]) -> None:
        """Hands items over in order with one checkpoint; waits for room as the policy says."""
        channel = self._channel
        await trio.lowlevel.checkpoint()
        try:
            for item in items:
                while not self._refused() and self._must_wait(item):
                    channel._arrival.unpark_all()
                    await channel._room.park()
                if self._refused():
                    raise trio.ClosedResourceError(channel.name)
                channel._put(item)
        finally:
            # However it ends: what was put must not wait for the next sender to wake the reader.
            channel._arrival.unpark_all()

    def send_nowait(self, item: T) -> bool:
        """Hands one item over without waiting; False when it was dropped, counted, because there was no room."""
        channel = self._channel
        if self._refused():
            raise trio.ClosedResourceError(channel.name)
        kept = channel._put(item)
        channel._arrival.unpark_all()
        return kept

    def send_many_nowait(self, items: Sequence[T]) -> int:
        """Hands items over without waiting and returns how many were kept; the others were dropped, counted."""
        channel = self._channel
        if self._refused():
            raise trio.ClosedResourceError(channel.name)
        kept = sum(map(channel._put, items))
        channel._arrival.unpark_all()
        return kept

    def close(self) -> None:
        """Says that this sender is done. Idempotent; the last one ends the stream."""
        if not self._closed:
            self._closed = True
            self._channel._open_outboxes -= 1
            # A task of this sender may be waiting for room; it has to learn that it waits in vain.
            self._channel._room.unpark_all()
            if self._channel._open_outboxes == 0:
                self._channel.close()

    def _must_wait(self, item: T) -> bool:
        channel = self._channel
        if self._leaves_ratio and channel._buffer.depth >= channel.capacity - int(
            channel.capacity * self._leaves_ratio
        ):
            return True
        return channel._must_wait(item)

    def _refused(self) -> bool:
        return self._closed or self._channel._closed


@attrs.define(eq=False)
class ChannelInbox(Generic[T]):
    """The reading end; one reader at a time (see `protocols.channels.Inbox`)."""

    _channel: Channel[T]

    async def batch(self, items_max: int) -> list[T]:
        """Waits for at least one item, then takes what is there; empty means the end of the stream."""
        channel = self._channel
        channel._in_hand, channel._in_hand_crashes = [], 0
        await trio.lowlevel.checkpoint()
        if channel._again:
            item, channel._in_hand_crashes = channel._again.popleft()
            channel._in_hand = [item]
            channel._redelivered += 1
            return [item]
        buffer = channel._buffer
        while not buffer.depth:
            if channel._closed:
                return []
            await channel._arrival.park()
        items = buffer.take_many(items_max)
        channel._received += len(items)
        channel._in_hand = items
        if channel._room:
            channel._room.unpark_all()
        return items.copy()

    def __aiter__(self) -> AsyncIterator[T]:
        """Item by item; sugar over `batch(1)`."""
        return self

    async def __anext__(self) -> T:
        """Acknowledges the last item and returns the next one."""
        # Not a generator: a reader that crashes would leave it half-run, and trio warns of every such one.
        if not (items := await self.batch(1)):
            raise StopAsyncIteration
        return items[0]
