"""One open stream of the feed: a position, and what to send next."""

from collections.abc import Collection, Mapping
from sys import intern
from typing import Protocol

import attrs
import trio

from actors.rules.feed_bounds import FeedBounds
from actors.rules.feed_events import keep_alive, opening, resync, trade_event
from actors.rules.feed_ring import FeedRing
from protocols.errors import TransientError
from protocols.feed import FeedStreamStore


@attrs.define(eq=False)
class Call:
    """Waited for by clients that have seen everything; `first_seq` is the first event that concerns them, 0 if not known."""

    event: trio.Event = attrs.field(factory=trio.Event)
    first_seq: int = 0


@attrs.define(eq=False)
class Audience:
    """All streams of one user: they share the wallets."""

    user_id: str
    wallets: frozenset[str] = frozenset()
    digest: str = ""
    next_call: Call = attrs.field(init=False, factory=Call)

    def follow(self, digest: str, wallets: Collection[str]) -> None:
        """Replaces the wallets. A wallet that several users follow is kept once."""
        self.digest, self.wallets = digest, frozenset(map(intern, wallets))

    def call_if_concerned(self, first_by_wallet: Mapping[str, int]) -> None:
        """Wakes the streams if one of these wallets, whose first events are given, is followed."""
        concerned = first_by_wallet.keys() & self.wallets
        if concerned:
            self.call(min(first_by_wallet[wallet] for wallet in concerned))

    def call(self, first_seq: int) -> None:
        """Wakes the streams."""
        called, self.next_call = self.next_call, Call()
        called.first_seq = first_seq
        called.event.set()


class RingHost(Protocol):
    """What a stream needs of the hub."""

    ring: FeedRing
    store: FeedStreamStore
    bounds: FeedBounds
    catch_up_slots: trio.CapacityLimiter
    resyncs: int
    generation: int
    """Changes when numbers begin anew, in another or a restored database."""


@attrs.define(eq=False, kw_only=True)
class FeedSubscription:
    """Made by `FeedHub.subscribe`. Needs no closing: whoever drops it has unsubscribed."""

    host: RingHost
    audience: Audience
    position: int
    """Everything of this user's up to this `ingest_seq` was handed out."""
    is_lost: bool = False
    """It resumes from where no database of ours has been."""
    _generation: int = attrs.field(init=False)
    _opened: bool = attrs.field(init=False, default=False)
    _caught_up_rows: int = attrs.field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        self._generation = self.host.generation

    async def chunk(self) -> bytes:
        """Returns the next bytes of the stream: events, or a keep-alive after some silence. Never empty."""
        if not self._opened:
            self._opened = True
            return opening(self.position) if not self.is_lost else self._give_up()
        while True:
            ring = self.host.ring
            if self._generation != self.host.generation:
                return self._give_up()
            if self.position < ring.floor:
                if data := await self._from_database():
                    return data
                continue
            self._caught_up_rows = 0
            # From here to the wait nothing may be awaited: whatever comes after this look calls.
            events, self.position = ring.after(self.position, self.audience.wallets, self.host.bounds.chunk_bytes_max)
            if events:
                return b"".join([event.data for event in events])
            if (silence := await self._until_called()) is not None:
                return silence

    async def _until_called(self) -> bytes | None:
        call = self.audience.next_call
        with trio.move_on_after(self.host.bounds.keep_alive_s):
            await call.event.wait()
        if call.event.is_set():
            # Nothing before it concerned this user, even if it has left the ring by now.
            self.position = max(self.position, call.first_seq - 1)
            return None
        self.position = max(self.position, self.host.ring.last)
        return keep_alive(self.position)

    async def _from_database(self) -> bytes:
        """What the ring does not hold any more, as far as that is bounded; empty when nothing of it concerns this user."""
        bounds, until = self.host.bounds, self.host.ring.floor
        if until - self.position > bounds.catch_up_span or self._caught_up_rows >= bounds.catch_up_rows:
            return self._give_up()
        try:
            async with self.host.catch_up_slots:
                rows = await self.host.store.of_user(
                    self.audience.user_id, after=self.position, until=until, rows_max=bounds.catch_up_page_rows
                )
        except TransientError:
            await trio.sleep(bounds.poll_s)
            return keep_alive(self.position)
        self._caught_up_rows += len(rows)
        self.position = rows[-1][0] if len(rows) == bounds.catch_up_page_rows else until
        return b"".join([trade_event(seq, row).data for seq, row in rows])

    def _give_up(self) -> bytes:
        """Goes on at the present, and says so."""
        self._generation = self.host.generation
        self._caught_up_rows = 0
        self.position = self.host.ring.last
        self.host.resyncs += 1
        return resync(self.position)
