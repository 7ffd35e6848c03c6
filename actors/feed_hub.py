"""Reads new trades once and hands them to every open stream of the feed."""

import logging
import weakref
from collections.abc import Sequence

import attrs
import trio

from actors.feed_subscription import Audience, FeedSubscription
from actors.rules.backoff import Backoff
from actors.rules.feed_bounds import FeedBounds
from actors.rules.feed_events import FeedEvent, trade_event
from actors.rules.feed_ring import FeedRing
from actors.rules.log_limit import LogLimit
from protocols.clock import Random
from protocols.errors import TransientError
from protocols.feed import FeedStreamStore

_log = logging.getLogger(__name__)


@attrs.define(eq=False, kw_only=True)
class FeedHub:
    """trades in commit order → a ring of encoded events → as many clients as there are.

    A client is a position in the ring and a set of wallets; it is never waited for. While nobody listens nothing is read.
    A crash between two readings loses and repeats nothing: events and position change together, without waiting.
    """

    store: FeedStreamStore
    rng: Random
    bounds: FeedBounds = attrs.field(factory=FeedBounds)
    clients_max: int = 256
    events: int = attrs.field(init=False, default=0)
    """Trades put into the ring."""
    readings: int = attrs.field(init=False, default=0)
    failures: int = attrs.field(init=False, default=0)
    resyncs: int = attrs.field(init=False, default=0)
    """Streams told that they missed trades."""
    generation: int = attrs.field(init=False, default=0)
    """Counts how often numbers began anew, in another or a restored database."""
    ring: FeedRing = attrs.field(init=False)
    catch_up_slots: trio.CapacityLimiter = attrs.field(init=False)
    _audiences: "weakref.WeakValueDictionary[str, Audience]" = attrs.field(
        init=False, factory=weakref.WeakValueDictionary
    )
    """By user. Held by their subscriptions alone, so that whoever is gone is forgotten however he went."""
    _clients: "weakref.WeakSet[FeedSubscription]" = attrs.field(init=False, factory=weakref.WeakSet)
    _woken: trio.Event = attrs.field(init=False, factory=trio.Event)
    _wanted: trio.Event = attrs.field(init=False, factory=trio.Event)
    _live: trio.Event = attrs.field(init=False, factory=trio.Event)
    """Set while the ring ends at the present."""
    _follows_version: int | None = attrs.field(init=False, default=None)
    _follows_changed: bool = attrs.field(init=False, default=False)
    _follows_next_s: float = attrs.field(init=False, default=float("-inf"))
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)

    def __attrs_post_init__(self) -> None:
        self.ring = FeedRing(events_max=self.bounds.ring_events_max, bytes_max=self.bounds.ring_bytes_max)
        self.catch_up_slots = trio.CapacityLimiter(self.bounds.catch_ups_max)

    @property
    def clients(self) -> int:
        """Open streams."""
        return len(self._clients)

    def wake(self) -> None:
        """Says that trades were committed. Costs next to nothing, never waits."""
        self._woken.set()

    async def subscribe(self, user_id: str, after: int | None) -> FeedSubscription:
        """Returns a stream for a user: after an `ingest_seq`, or from now on.

        Raises `TransientError` when the database does not answer or too many streams are open.
        """
        if self.clients >= self.clients_max:
            raise TransientError(f"{self.clients_max} streams are open already")
        with trio.move_on_after(self.bounds.join_timeout_s):
            audience = await self._audience_of(user_id)
            self._wanted.set()
            await self._live.wait()
            # Another engine may have read further than this one.
            is_lost = after is not None and after > self.ring.last and after > await self.store.newest_seq()
            position = self.ring.last if after is None or is_lost else after
            subscription = FeedSubscription(host=self, audience=audience, position=position, is_lost=is_lost)
            self._clients.add(subscription)
            return subscription
        raise TransientError("new trades cannot be read from the database now")

    async def _audience_of(self, user_id: str) -> Audience:
        audience = self._audiences.get(user_id)
        if audience is None:
            found = await self.store.changed_follows({user_id: ""})
            audience = self._audiences.get(user_id)
            if audience is None:
                audience = Audience(user_id)
                self._audiences[user_id] = audience
                audience.follow(*found[user_id])
        return audience

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Follows the database while somebody listens, until cancelled."""
        backoff = Backoff(first_s=0.2, max_s=5.0, rng=self.rng)
        task_status.started()
        while True:
            if not self._audiences:
                await self._rest()
            try:
                is_behind = await self._advance()
                await self._refresh_follows()
            except TransientError as error:
                self.failures += 1
                if self._log_limit.allows("feed", trio.current_time()) is not None:
                    _log.warning("new trades not read, streams wait", extra={"error": str(error)})
                await trio.sleep(backoff.next_s())
                continue
            backoff.reset()
            await trio.sleep(0 if is_behind else self.bounds.pause_s)
            if not is_behind:
                with trio.move_on_after(self.bounds.poll_s):
                    await self._woken.wait()

    async def _rest(self) -> None:
        """Waits until somebody listens; what happened meanwhile is read then."""
        self._live = trio.Event()
        self._wanted = trio.Event()
        await self._wanted.wait()

    async def _advance(self) -> bool:
        """Reads one batch; True while more is waiting."""
        if not self._live.is_set():
            await self._catch_up_with_the_present()
        self._woken = trio.Event()
        began = self.ring.last
        batch = await self.store.committed_after(began, self.bounds.batch_rows)
        self.readings += 1
        self._note_version(batch.follows_version)
        if batch.newest < began:
            _log.warning("the database has fewer trades than before", extra={"newest": batch.newest, "read_to": began})
            self.generation += 1
            self._restart(batch.newest)
        elif batch.newest - batch.read_to > self.bounds.ring_events_max and self._live.is_set():
            # Faster than they can be read: the ring is refilled from its length before the present, who was behind is told.
            self._restart(batch.newest - self.bounds.ring_events_max // 2)
            return True
        else:
            self._publish([trade_event(seq, row) for seq, row in batch.rows], batch.read_to)
        if self.ring.last >= batch.newest:
            self._live.set()
        return self.ring.last < batch.newest

    async def _catch_up_with_the_present(self) -> None:
        """After a rest the ring holds the last trades again, so that whoever comes back finds what he missed."""
        newest = await self.store.newest_seq()
        begin = max(0, newest - self.bounds.ring_events_max)
        if not self.ring.floor <= begin <= self.ring.last:
            self._restart(begin)

    def _publish(self, events: Sequence[FeedEvent], read_to: int) -> None:
        self.ring.extend(events, read_to)
        self.events += len(events)
        first_by_wallet = {event.wallet: event.seq for event in reversed(events)}
        for audience in self._present():
            audience.call_if_concerned(first_by_wallet)

    def _restart(self, seq: int) -> None:
        self.ring.restart(seq)
        for audience in self._present():
            audience.call(0)

    def _present(self) -> list[Audience]:
        return list(self._audiences.values())

    def _note_version(self, version: int) -> None:
        if self._follows_version != version:
            self._follows_version = version
            self._follows_changed = True

    async def _refresh_follows(self) -> None:
        """Reads the follows of those listeners whose follows changed; one query for all, not more often than wanted."""
        if not self._follows_changed or trio.current_time() < self._follows_next_s:
            return
        self._follows_next_s = trio.current_time() + self.bounds.follows_interval_s
        self._follows_changed = False
        try:
            changed = await self.store.changed_follows({one.user_id: one.digest for one in self._present()})
        except TransientError:
            self._follows_changed = True
            raise
        for user_id, (digest, wallets) in changed.items():
            audience = self._audiences.get(user_id)
            if audience is not None:
                audience.follow(digest, wallets)
