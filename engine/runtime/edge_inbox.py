"""The reading end of an edge that leaves the process: an `Inbox` over an `EdgeStore`."""

import logging
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Generic, TypeVar

import attrs
import trio

from actors.rules.backoff import Backoff
from actors.rules.log_limit import LogLimit
from engine.runtime.channel import DEAD_LETTERS_KEPT, DELIVERIES_MAX
from engine.runtime.channel_statistics import ChannelStatistics, DeadLetter
from protocols.clock import Random
from protocols.edges import Delivery, EdgeCodec, EdgeStore
from protocols.errors import MalformedError, TransientError

T = TypeVar("T")
_log = logging.getLogger(__name__)


@attrs.frozen
class _Held(Generic[T]):
    """An item in the hands of the reader."""

    delivery: Delivery
    item: T


@attrs.define(eq=False, kw_only=True)
class EdgeInbox(Generic[T]):
    """See `protocols.channels.Inbox`: asking acknowledges the previous batch, what a crash left comes again one by one.

    After a start what this consumer had in hand comes first, then what dead consumers left, then new items. How often an
    item was handed out is written down in the store before it is handed out again, so that one that kills its process is
    buried all the same. While the store does not answer the reader waits: that is weather, not a crash.
    """

    name: str
    store: EdgeStore
    codec: EdgeCodec[T]
    rng: Random
    wait_s: float = 1.0
    """Longest time that one request waits for new items."""
    take_over_interval_s: float = 5.0
    """How often it is looked for what dead consumers left."""
    retry_first_s: float = 0.05
    """First pause after a failure of the store; in between it doubles, up to 2 s."""
    received: int = attrs.field(init=False, default=0)
    """First deliveries by this end."""
    redelivered: int = attrs.field(init=False, default=0)
    taken_over: int = attrs.field(init=False, default=0)
    refused: int = attrs.field(init=False, default=0)
    """Items that the codec did not understand; each is a dead letter."""
    dead: int = attrs.field(init=False, default=0)
    missed: int = attrs.field(init=False, default=0)
    """Of a fan-out edge: items that had to go before this reader came to them."""
    lost_claims: int = attrs.field(init=False, default=0)
    """Items that were handed out here and belonged to another consumer, or to nobody, when they were to be acknowledged."""
    failures: int = attrs.field(init=False, default=0)
    answers: bool = attrs.field(init=False, default=True)
    """False while the store does not."""
    dead_letters: deque[DeadLetter] = attrs.field(init=False, factory=lambda: deque(maxlen=DEAD_LETTERS_KEPT))
    _in_hand: list[_Held[T]] = attrs.field(init=False, factory=list)
    _again: deque[Delivery] = attrs.field(init=False, factory=deque)
    """To be handed out one by one, each with the deliveries that it will have had then."""
    _new: deque[Delivery] = attrs.field(init=False, factory=deque)
    """Ours by an answer that was lost; never handed out."""
    _done: list[str] = attrs.field(init=False, factory=list)
    """Acknowledged by the reader; the store is not told yet."""
    _is_ack_unknown: bool = attrs.field(init=False, default=False)
    """Whether the answer to the last acknowledgement was lost."""
    _to_bury: list[tuple[Delivery, str]] = attrs.field(init=False, factory=list)
    _is_known: bool = attrs.field(init=False, default=False)
    """Whether it is known what the store has for this consumer; not at the start, and not after an answer was lost."""
    _is_unseen: bool = attrs.field(init=False, default=False)
    """Whether what else it has was lost with an answer about new items, so that no reader has seen it."""
    _next_look_s: float = attrs.field(init=False, default=float("-inf"))
    _closed: trio.Event = attrs.field(init=False, factory=trio.Event)
    _backoff: Backoff = attrs.field(init=False)
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)

    def __attrs_post_init__(self) -> None:
        self._backoff = Backoff(first_s=self.retry_first_s, max_s=2.0, rng=self.rng)

    async def batch(self, items_max: int) -> list[T]:
        """Waits for at least one item, then takes what is there; empty means that `close` was called and nothing is left.

        Raises `FencedError` when the lease of this reader is somebody else's by now.
        """
        self._done += [held.delivery.item_id for held in self._in_hand]
        self._in_hand = []
        await trio.lowlevel.checkpoint()
        while True:
            try:
                await self._settle()
                is_last = self._closed.is_set()
                await self._look_back()
                if items := await self._next(items_max, 0 if is_last else self.wait_s):
                    self._answered()
                    return items
                self._answered()
                if is_last and not (self._again or self._new or self._to_bury):
                    return []
            except TransientError as error:
                await self._failed(error)

    def __aiter__(self) -> AsyncIterator[T]:
        """Item by item; sugar over `batch(1)`."""
        return self

    async def __anext__(self) -> T:
        """Acknowledges the last item and returns the next one."""
        if not (items := await self.batch(1)):
            raise StopAsyncIteration
        return items[0]

    def rewind(self, error: BaseException) -> list[DeadLetter]:
        """Takes back what the crashed reader had in hand, to hand it out again one by one.

        Returns the letters that are dead now: an item alone in hand whose reader failed for the third time.
        """
        if len(self._in_hand) == 1 and self._in_hand[0].delivery.deliveries >= DELIVERIES_MAX:
            held = self._in_hand[0]
            self._in_hand = []
            self._to_bury.append((held.delivery, repr(error)[:300]))
            return [self._letter(repr(held.item), repr(error))]
        again = [attrs.evolve(held.delivery, deliveries=held.delivery.deliveries + 1) for held in self._in_hand]
        self._again.extendleft(reversed(again))
        self._in_hand = []
        return []

    def take_back(self) -> None:
        """Takes back what a reader that was cancelled had in hand; holds it against no item."""
        self._again.extendleft(reversed([held.delivery for held in self._in_hand]))
        self._in_hand = []

    def close(self) -> None:
        """Ends the stream for this reader: it gets what is there, and then an empty batch. Idempotent."""
        self._closed.set()

    async def leave(self) -> None:
        """Tells the store what is done, and gives the rest back so that others have it at once. Raises `TransientError`."""
        self.take_back()
        await self._settle()
        if not self._is_known:
            # A request for new items that was cancelled may have been answered.
            self._find(await self.store.mine(), is_new=self._is_unseen)
            self._is_known = True
        held = [*self._again, *self._new]
        if held:
            await self.store.give_back([attrs.evolve(one, deliveries=one.deliveries - 1) for one in held])
        self._again.clear()
        self._new.clear()
        self._is_known = self._is_unseen = False

    def in_work(self) -> list[str]:
        """Returns the ids of what is neither acknowledged nor dead."""
        return [held.delivery.item_id for held in self._in_hand] + [one.item_id for one in self._again]

    def statistics(self) -> ChannelStatistics:
        """Returns the counters of this end; what waits lies in the store (see `EdgeFigures`)."""
        unacknowledged = len(self._in_hand) + len(self._again)
        return ChannelStatistics(
            name=self.name, capacity=0, depth=0, peak_depth=0, sent=self.received + self.missed, received=self.received,
            dropped=self.missed, dropped_by={(0, "missed"): self.missed} if self.missed else {},
            redelivered=self.redelivered, dead_lettered=self.dead, unacknowledged=unacknowledged,
        )  # fmt: skip

    async def _settle(self) -> None:
        """Tells the store what the reader has done with."""
        if done := list(self._done):
            is_first, self._is_ack_unknown = not self._is_ack_unknown, True
            ended = await self.store.acknowledge(done)
            self._is_ack_unknown = False
            del self._done[: len(done)]
            if is_first:
                # What a lost answer has ended already is not ours any more either.
                self.lost_claims += len(done) - ended
        while self._to_bury:
            await self.store.bury(*self._to_bury[0])
            self._to_bury.pop(0)

    async def _look_back(self) -> None:
        if not self._is_known:
            self._find(await self.store.mine(), is_new=self._is_unseen)
            self._is_known = True
        if trio.current_time() >= self._next_look_s:
            self._is_known = self._is_unseen = False
            found = self._find(await self.store.take_over(), is_new=False)
            self.taken_over += found
            self._is_known = True
            self._next_look_s = trio.current_time() + self.take_over_interval_s

    def _find(self, deliveries: Sequence[Delivery], *, is_new: bool) -> int:
        """Notes what the store has for us and was not known here; returns how much that was."""
        known = {one.item_id for one in (*self._again, *self._new)}
        found = [one for one in deliveries if one.item_id not in known]
        if is_new:
            self._new.extend(found)
        else:
            self._again.extend(attrs.evolve(one, deliveries=one.deliveries + 1) for one in found)
        return len(found)

    async def _next(self, items_max: int, wait_s: float) -> list[T]:
        if self._again:
            return await self._next_again()
        if not self._new:
            self._is_known, self._is_unseen = False, True
            self._new.extend(await self.store.take(items_max, wait_s))
            self._is_known = True
        held = [self._opened(self._new.popleft()) for _ in range(min(items_max, len(self._new)))]
        self._in_hand = [one for one in held if one is not None]
        self.received += len(self._in_hand)
        return [one.item for one in self._in_hand]

    async def _next_again(self) -> list[T]:
        """Hands out one that was handed out before, here or by whoever had it; buries one that was too often."""
        delivery = self._again[0]
        if delivery.deliveries > DELIVERIES_MAX:
            reason = f"handed out {delivery.deliveries - 1} times, and never acknowledged"
            self._tell(self._letter(repr(delivery.body), reason))
            self._to_bury.append((self._again.popleft(), reason))
            return []
        is_ours = await self.store.recount(delivery.item_id, delivery.deliveries)
        self._again.popleft()
        if not is_ours:
            self.lost_claims += 1
            return []
        held = self._opened(delivery)
        if held is None:
            return []
        self.redelivered += 1
        self._in_hand = [held]
        return [held.item]

    def _opened(self, delivery: Delivery) -> _Held[T] | None:
        self.missed += delivery.missed
        try:
            return _Held(delivery, self.codec.decode(delivery.body))
        except MalformedError as error:
            self.refused += 1
            self._tell(self._letter(repr(delivery.body), str(error)))
            self._to_bury.append((delivery, str(error)[:300]))
            return None

    def _letter(self, item: str, error: str) -> DeadLetter:
        letter = DeadLetter(channel=self.name, item=item[:500], error=error[:300])
        self.dead += 1
        self.dead_letters.append(letter)
        return letter

    def _tell(self, letter: DeadLetter) -> None:
        """Of those that `rewind` returns, the supervisor tells."""
        if self._log_limit.allows("dead", trio.current_time()) is not None:
            _log.error("dead letter", extra={"channel": letter.channel, "item": letter.item, "error": letter.error})

    def _answered(self) -> None:
        self._backoff.reset()
        if not self.answers:
            self.answers = True
            _log.info("edge is read again", extra={"edge": self.name})

    async def _failed(self, error: TransientError) -> None:
        self.failures += 1
        self.answers = False
        held = self._log_limit.allows("store", trio.current_time())
        if held is not None:
            _log.warning("edge cannot be read now", extra={"edge": self.name, "error": str(error), "more": held})
        await trio.sleep(self._backoff.next_s())
