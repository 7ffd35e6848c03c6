"""What a channel holds: one queue, or one queue a lane."""

from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import attrs

T = TypeVar("T")


class Buffer(Protocol[T]):
    """Items in waiting. `put` returns what had to go, with its lane."""

    depth: int

    def has_room_for(self, item: T) -> bool: ...
    def put(self, item: T) -> tuple[T, int] | None: ...
    def take(self) -> T: ...


@attrs.define(eq=False)
class FifoBuffer(Generic[T]):
    """First in, first out; with `drop_oldest` a full buffer gives up its oldest item, else it refuses."""

    capacity: int
    drop_oldest: bool = False
    depth: int = attrs.field(init=False, default=0)
    _items: deque[T] = attrs.field(init=False, factory=deque)

    def has_room_for(self, item: T) -> bool:
        """Whether `put` would keep everything it has."""
        return self.depth < self.capacity

    def put(self, item: T) -> tuple[T, int] | None:
        """Keeps `item`; returns the item that had to go and its lane (0), which may be `item` itself."""
        if self.depth < self.capacity:
            self._items.append(item)
            self.depth += 1
            return None
        if not self.drop_oldest:
            return item, 0
        self._items.append(item)
        return self._items.popleft(), 0

    def take(self) -> T:
        """Returns the oldest item."""
        self.depth -= 1
        return self._items.popleft()


@attrs.define(eq=False)
class LaneBuffer(Generic[T]):
    """One queue a lane; lane 0 leaves first.

    Lanes from `shed_from` on may be shed: as soon as more than `shed_above` items wait, the oldest item of the least
    important of them goes. All other lanes are kept up to `capacity`, after which their sender has to wait.
    """

    capacity: int
    lanes: int
    lane_of: Callable[[T], int]
    shed_from: int
    shed_above: int
    depth: int = attrs.field(init=False, default=0)
    _queues: tuple[deque[T], ...] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._queues = tuple(deque() for _ in range(self.lanes))

    def has_room_for(self, item: T) -> bool:
        """Whether `put` would keep every item that may not be shed."""
        if self.lane_of(item) >= self.shed_from:
            return True
        return self.depth < self.capacity or any(self._queues[self.shed_from :])

    def put(self, item: T) -> tuple[T, int] | None:
        """Keeps `item`; returns the item that had to go and its lane, which may be `item` itself.

        Called without room, it returns `item`: an item that may not be shed is never exchanged for another.
        """
        lane = self.lane_of(item)
        if not self.has_room_for(item):
            return item, lane
        self._queues[lane].append(item)
        self.depth += 1
        limit = min(self.shed_above, self.capacity)
        if self.depth <= limit:
            return None
        for victim in range(self.lanes - 1, self.shed_from - 1, -1):
            if self._queues[victim]:
                self.depth -= 1
                return self._queues[victim].popleft(), victim
        return None

    def take(self) -> T:
        """Returns the oldest item of the most important lane."""
        for queue in self._queues:
            if queue:
                self.depth -= 1
                return queue.popleft()
        raise IndexError("take from an empty buffer")
