"""What happened, in the order of time: fills, and whatever else accounts do."""

from bisect import bisect_left, insort
from collections.abc import Iterator
from operator import attrgetter
from typing import Generic, Protocol, TypeVar

_SEQUENCE_BITS = 40
_by_key = attrgetter("key")


class Keyed(Protocol):
    """Something with a place in time."""

    @property
    def key(self) -> int:
        """Sorts by time and then by appearance."""
        ...


_T = TypeVar("_T", bound=Keyed)


def key_at(block_s: int, sequence: int) -> int:
    """Returns the key of a place in time: a second, and the order of appearance within all there is."""
    return block_s << _SEQUENCE_BITS | sequence


class Series(Generic[_T]):
    """Things in the order of their keys; cheap to extend at the new end and to shorten at the old one."""

    def __init__(self) -> None:
        self._items: list[_T] = []
        self._head = 0

    def __len__(self) -> int:
        return len(self._items) - self._head

    def add(self, item: _T) -> None:
        """Inserts one where its time belongs."""
        if not self._items or item.key > self._items[-1].key:
            self._items.append(item)
        else:
            insort(self._items, item, lo=self._head, key=_by_key)

    def discard(self, item: _T) -> None:
        """Removes one that is in the series."""
        place = bisect_left(self._items, item.key, lo=self._head, key=_by_key)
        if place != self._head:
            del self._items[place]
            return
        self._head += 1
        # Forgotten ones may stay in memory for a while, an eighth of all at most.
        if self._head > 16 and self._head * 8 > len(self._items):
            del self._items[: self._head]
            self._head = 0

    def newest_first(self, before_key: int | None = None) -> Iterator[_T]:
        """Yields those older than `before_key`, newest first."""
        end = len(self._items)
        if before_key is not None:
            end = bisect_left(self._items, before_key, lo=self._head, key=_by_key)
        for place in range(end - 1, self._head - 1, -1):
            yield self._items[place]

    def oldest_first(self) -> Iterator[_T]:
        """Yields all, oldest first."""
        for place in range(self._head, len(self._items)):
            yield self._items[place]
