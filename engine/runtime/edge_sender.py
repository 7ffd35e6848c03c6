"""The task between a bounded channel and the store of an edge: what an actor sends leaves the process through here."""

import logging
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import attrs
import trio

from actors.rules.backoff import Backoff
from actors.rules.log_limit import LogLimit
from protocols.channels import Inbox, Outbox
from protocols.clock import Random
from protocols.edges import Appended, EdgeCodec, EdgeStore
from protocols.errors import MalformedError, TransientError

T = TypeVar("T")
_log = logging.getLogger(__name__)
FULL_PAUSE_S = 0.05


@attrs.define(eq=False, kw_only=True)
class EdgeSender(Generic[T]):
    """channel → store, in batches. The channel in front is an ordinary one, with its size, lanes and counters.

    While the store does not answer, or is full, the items are held in the channel, whose policy says who waits and what
    goes. With a `fallback` they are handed to it instead, once that has lasted for `patience_s`: a batch whose answer was
    lost may then arrive twice. Without one this waits, and backpressure reaches the source.
    """

    name: str
    items: Inbox[T]
    store: EdgeStore
    codec: EdgeCodec[T]
    rng: Random
    batch_max: int = 500
    patience_s: float = 1.0
    look_s: float | None = None
    """After so long without anything to send the store is asked whether it still has what lay in it; None: never."""
    retry_first_s: float = 0.05
    """First pause after a failure of the store; in between it doubles, up to 2 s."""
    fallback: Outbox[T] | None = None
    is_open: Callable[[bool, str], None] = lambda _answers, _why: None
    """Told whether the store takes items, and why not; never waits."""
    kept: Callable[[Sequence[T], Appended], None] = lambda _items, _answer: None
    """Told what the store has taken; never waits."""
    lost: Callable[[], None] = lambda: None
    """Told that the store began anew, and lost whatever lay in it; never waits."""
    appended: int = attrs.field(init=False, default=0)
    displaced: int = attrs.field(init=False, default=0)
    """Older items, unread, that had to go for ours."""
    refused: int = attrs.field(init=False, default=0)
    """Items that the codec does not let leave."""
    rerouted: int = attrs.field(init=False, default=0)
    failures: int = attrs.field(init=False, default=0)
    restarts: int = attrs.field(init=False, default=0)
    """How often the store was found to have begun anew."""
    lost_at_most: int = attrs.field(init=False, default=0)
    """Items that lay there then, by the last answer before."""
    answers: bool = attrs.field(init=False, default=True)
    _number: int = attrs.field(init=False, default=0)
    _origin: str = attrs.field(init=False, default="")
    _length: int = attrs.field(init=False, default=0)
    _retry_at_s: float = attrs.field(init=False, default=float("-inf"))
    _backoff: Backoff = attrs.field(init=False)
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)

    def __attrs_post_init__(self) -> None:
        self._backoff = Backoff(first_s=self.retry_first_s, max_s=2.0, rng=self.rng)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Passes on until the channel ends; a batch is acknowledged there when the store, or the fallback, has it."""
        task_status.started()
        # The store remembers the last number of this process, also of a sender before: whoever ingests again begins above it.
        self._number = max(self._number, round(trio.current_time() * 1_000_000))
        try:
            while batch := await self._next():
                await self._pass_on(batch)
        finally:
            # Nobody sends here any more: what was said of the store would be said for ever.
            self.is_open(True, "")

    async def _next(self) -> Sequence[T]:
        while self.look_s is not None and self._length:
            with trio.move_on_after(self.look_s):
                return await self.items.batch(self.batch_max)
            await self._look()
        return await self.items.batch(self.batch_max)

    async def _look(self) -> None:
        """Offers nothing, for the answer: a store that is lost while nobody sends would be noticed with the next item only."""
        self._number += 1
        try:
            answer = await self.store.append(self._number, [])
        except TransientError:
            # Whether that is trouble shows when there is something to send.
            self.failures += 1
            return
        self._note(answer)
        self.kept([], answer)

    async def _pass_on(self, batch: Sequence[T]) -> None:
        pairs = [pair for item in batch if (pair := self._encoded(item)) is not None]
        since_s, is_new = trio.current_time(), True
        while pairs:
            if self.fallback is not None and self._gives_up(since_s):
                await self.fallback.send_many(item for item, _ in pairs)
                self.rerouted += len(pairs)
                return
            if is_new:
                # A number belongs to these very items: after a lost answer they are offered under it again.
                self._number += 1
            try:
                answer = await self.store.append(self._number, [body for _, body in pairs])
            except TransientError as error:
                is_new = False
                await self._failed(str(error), since_s)
                continue
            is_new = True
            self._note(answer)
            self.kept([item for item, _ in pairs[: answer.kept]], answer)
            pairs = pairs[answer.kept :]
            if not answer.kept and pairs:
                await self._wait(FULL_PAUSE_S, f"full: {answer.length} items that nobody has read", since_s)

    def _gives_up(self, since_s: float) -> bool:
        """Whether these have to take the other way: the store has not taken any for too long, and is not due to be tried."""
        if self.answers:
            return False
        return trio.current_time() < self._retry_at_s or trio.current_time() - since_s >= self.patience_s

    def _encoded(self, item: T) -> tuple[T, bytes] | None:
        try:
            return item, self.codec.encode(item)
        except MalformedError as error:
            self.refused += 1
            if self._log_limit.allows("refused", trio.current_time()) is not None:
                _log.error("item refused at the edge", extra={"edge": self.name, "error": str(error)})
            return None

    def _note(self, answer: Appended) -> None:
        if self._origin and answer.origin != self._origin:
            self.restarts += 1
            self.lost_at_most += self._length
            _log.error("the store of the edge began anew", extra={"edge": self.name, "lost_at_most": self._length})
            self.lost()
        self._origin, self._length = answer.origin, answer.length
        self.appended += answer.kept
        self.displaced += answer.dropped
        if answer.kept:
            self._backoff.reset()
            if not self.answers:
                self.answers = True
                self.is_open(True, "")
                _log.info("edge takes items again", extra={"edge": self.name})

    async def _failed(self, why: str, since_s: float) -> None:
        self.failures += 1
        await self._wait(self._backoff.next_s(), why, since_s)

    async def _wait(self, pause_s: float, why: str, since_s: float) -> None:
        now_s = trio.current_time()
        if now_s - since_s >= self.patience_s:
            self.answers = False
        if not self.answers:
            self._retry_at_s = now_s + pause_s
            self.is_open(False, why)
            if self._log_limit.allows("store", now_s) is not None:
                fields = {"edge": self.name, "error": why, "held": self.fallback is None}
                _log.warning("edge takes no items now", extra=fields)
            if self.fallback is not None:
                return
        await trio.sleep(pause_s)
