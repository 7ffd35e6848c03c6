"""An edge that leaves the process, as its two ends see the place between them: a stream, or a table.

An item handed over lies in the store until one consumer has acknowledged it (or, on a fan-out edge, until each group has).
What a consumer took stays its own until it acknowledges, buries or gives it back, or until others may take it over.
"""

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

import attrs

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Delivery:
    """One item in the hands of this consumer."""

    item_id: str
    body: bytes
    deliveries: int
    """How often it was handed to a reader, this time included."""
    missed: int = 0
    """Items before it that were dropped unread; known on fan-out edges only, where each group has one reader."""


@attrs.frozen(kw_only=True)
class Appended:
    """What became of a batch that was offered."""

    kept: int
    """The first so many of them; the others found no room and may be offered again."""
    dropped: int = 0
    """Older items that nobody had read and that had to go for these."""
    origin: str = ""
    """Names the life of the store: it changes when the store began anew, empty."""
    length: int = 0
    """Items in the store after this."""


@attrs.frozen(kw_only=True)
class EdgeFigures:
    """The books of an edge over all processes: sent = acknowledged + dead + dropped + depth + in_hand.

    They are kept beside the items, in the same transaction, and are exact as long as the store lives; one that lost its
    contents begins anew with zeros. On a fan-out edge each group reads all of it: only `sent` and `dropped` mean something.
    """

    sent: int
    acknowledged: int
    dead: int
    dropped: int
    depth: int
    in_hand: int
    """Taken by some consumer, not acknowledged yet."""


class EdgeStore(Protocol):
    """The place between the ends. Every method raises `TransientError` when there is no answer; it is unknown then.

    With a lease, whoever has lost it gets `FencedError`, and nothing was written.
    """

    async def append(self, number: int, bodies: Sequence[bytes]) -> Appended:
        """Keeps bodies in order. A `number` that this sender used last is answered again and nothing is written twice."""
        ...

    async def take(self, items_max: int, wait_s: float) -> Sequence[Delivery]:
        """Makes items that nobody took before ours; waits up to `wait_s` for the first, none is fine."""
        ...

    async def mine(self) -> Sequence[Delivery]:
        """Returns all that is ours, oldest first: taken before a restart, or in an answer that was lost."""
        ...

    async def take_over(self) -> Sequence[Delivery]:
        """Makes ours what others took and left lying for too long; at most some hundreds, none is fine."""
        ...

    async def recount(self, item_id: str, deliveries: int) -> bool:
        """Writes down before a further delivery how often there was one; False: it is not ours any more, or gone."""
        ...

    async def acknowledge(self, item_ids: Sequence[str]) -> int:
        """Ends items of ours; returns how many were still ours."""
        ...

    async def bury(self, delivery: Delivery, reason: str) -> bool:
        """Moves an item of ours to the dead letters; False when it was not ours any more."""
        ...

    async def keep(self, item_ids: Sequence[str]) -> None:
        """Says that we still work on these, so that nobody takes them over."""
        ...

    async def give_back(self, items: Sequence[Delivery]) -> None:
        """Lets others take these over at once, with the deliveries that they say."""
        ...

    async def figures(self) -> EdgeFigures:
        """Returns the books as they stand."""
        ...


class EdgeCodec(Protocol, Generic[T]):
    """Turns the messages of one edge into bytes and back."""

    def encode(self, item: T) -> bytes:
        """Returns the bytes. Raises `MalformedError` for what does not fit or does not belong on this edge."""
        ...

    def decode(self, body: bytes) -> T:
        """Returns the message. Raises `MalformedError` for an unknown version, kind or field; nothing is guessed."""
        ...
