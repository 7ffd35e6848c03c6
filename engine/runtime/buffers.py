"""What a channel holds: one queue, or one queue a lane."""

from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import attrs

T = TypeVar("T")


@attrs.frozen
class Displaced(Generic[T]):
    """An item for which there was no room."""

    item: T
    lane: int
    is_offered: bool
    """Whether it is the very item that was offered, and not one that had waited."""


class Buffer(Protocol[T]):
    """Items in waiting. `put` returns what had to go, if anything.

    A new `capacity` below `depth` drops nothing: until reading has made room, whatever is put displaces one item.
    """

    capacity: int
    depth: int

    def has_room_for(self, item: T) -> bool: ...
    def put(self, item: T) -> Displaced[T] | None: ...
    def take_many(self, items_max: int) -> list[T]: ...


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

    def put(self, item: T) -> Displaced[T] | None:
        """Keeps `item`; returns the item that had to go, which may be `item` itself."""
        if self.depth < self.capacity:
            self._items.append(item)
            self.depth += 1
            return None
        if not self.drop_oldest:
            return Displaced(item, 0, is_offered=True)
        self._items.append(item)
        return Displaced(self._items.popleft(), 0, is_offered=False)

    def take_many(self, items_max: int) -> list[T]:
        """Returns the oldest items, at most `items_max`."""
        count = min(items_max, self.depth)
        self.depth -= count
        take = self._items.popleft
        return [take() for _ in range(count)]


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

    def put(self, item: T) -> Displaced[T] | None:
        """Keeps `item`; returns the item that had to go, which may be `item` itself.

        Called without room, it returns `item`: an item that may not be shed is never exchanged for another.
        """
        lane = self.lane_of(item)
        if not self.has_room_for(item):
            return Displaced(item, lane, is_offered=True)
        self._queues[lane].append(item)
        self.depth += 1
        limit = min(self.shed_above, self.capacity)
        if self.depth <= limit:
            return None
        for victim in range(self.lanes - 1, self.shed_from - 1, -1):
            if queue := self._queues[victim]:
                self.depth -= 1
                return Displaced(queue.popleft(), victim, is_offered=victim == lane and not queue)
        return None

    def take_many(self, items_max: int) -> list[T]:
        """Returns at most `items_max` items: the oldest of lane 0, then of lane 1, and so on."""
        items: list[T] = []
        for queue in self._queues:
            while queue and len(items) < items_max:
                items.append(queue.popleft())
        self.depth -= len(items)
        return items
