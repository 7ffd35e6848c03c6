"""The two ends of a channel, as actors see them.

Deliberately the intersection of a memory channel and a consumer group, so that an edge can leave the process without an
actor noticing: no depth, no peeking, one reader per inbox (design.md §3).
"""

import enum
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Protocol, TypeVar

T = TypeVar("T")
Out = TypeVar("Out", contravariant=True)


class Overflow(enum.StrEnum):
    """What a full channel does with one item more."""

    BLOCK = "block"
    """The sender waits. One that may not wait (`send_nowait`) loses its item, counted."""
    DROP_OLDEST = "drop_oldest"
    DROP_NEWEST = "drop_newest"
    LANES = "lanes"
    """The oldest item of the least important lane that may be shed goes; the sender of any other lane waits."""


class Inbox(Protocol[T]):
    """The reading end. What was handed out stays in hand until the next request, and is handed out again after a crash."""

    async def batch(self, items_max: int) -> list[T]:
        """Waits for at least one item, then takes what is there, at most `items_max`. Empty means the end of the stream.

        Asking acknowledges the whole previous batch. After a crash of the reader its items come again one by one; an item
        that fails three times is dead-lettered.
        """
        ...

    def __aiter__(self) -> AsyncIterator[T]:
        """Item by item; sugar over `batch(1)`."""
        ...


class Outbox(Protocol[Out]):
    """The writing end."""

    async def send(self, item: Out) -> None:
        """Hands one item over, waiting as the channel's policy says."""
        ...

    async def send_many(self, items: Iterable[Out]) -> None:
        """Hands items over in order with one checkpoint; waits for room as the policy says."""
        ...

    def send_nowait(self, item: Out) -> bool:
        """Hands one item over without waiting; False when the channel was full and this item was dropped and counted."""
        ...

    def send_many_nowait(self, items: Sequence[Out]) -> int:
        """Hands items over without waiting and returns how many were kept; the others were dropped and counted."""
        ...
