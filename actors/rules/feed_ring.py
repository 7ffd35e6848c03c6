"""The last events of the feed, kept for everybody; clients have a position in it and nothing else."""

from bisect import bisect_right
from collections.abc import Collection, Sequence

import attrs

from actors.rules.feed_events import FeedEvent


@attrs.define(eq=False, kw_only=True)
class FeedRing:
    """All followed events after `floor` up to and with `last`. The oldest go when there are too many of them or of bytes."""

    events_max: int
    bytes_max: int
    floor: int = attrs.field(init=False, default=0)
    last: int = attrs.field(init=False, default=0)
    """How far the database has been read; events need not have this number."""
    _events: list[FeedEvent] = attrs.field(init=False, factory=list)
    _seqs: list[int] = attrs.field(init=False, factory=list)
    _bytes: int = attrs.field(init=False, default=0)

    def __len__(self) -> int:
        """Returns how many events are kept."""
        return len(self._events)

    @property
    def size_bytes(self) -> int:
        """Bytes of the events that are kept."""
        return self._bytes

    def restart(self, seq: int) -> None:
        """Forgets everything and goes on after `seq`."""
        self._events, self._seqs, self._bytes = [], [], 0
        self.floor = self.last = seq

    def extend(self, events: Sequence[FeedEvent], read_to: int) -> None:
        """Adds the next events, rising, after which everything up to `read_to` is known."""
        self._events += events
        self._seqs += [event.seq for event in events]
        self._bytes += sum(len(event.data) for event in events)
        self.last = max(self.last, read_to)
        # A quarter at a time: each removal moves the whole list.
        if len(self._events) > self.events_max or self._bytes > self.bytes_max:
            self._shrink(self.events_max * 3 // 4, self.bytes_max * 3 // 4)

    def after(self, seq: int, wallets: Collection[str], bytes_max: int) -> tuple[list[FeedEvent], int]:
        """Returns the next events of some wallets, at least one if there is one, and the position behind them.

        `seq` must not be below `floor`.
        """
        assert seq >= self.floor, "fallen out of the ring"
        found: list[FeedEvent] = []
        size_bytes = 0
        for at in range(bisect_right(self._seqs, seq), len(self._events)):
            event = self._events[at]
            if event.wallet in wallets:
                if found and size_bytes + len(event.data) > bytes_max:
                    return found, found[-1].seq
                found.append(event)
                size_bytes += len(event.data)
        return found, max(seq, self.last)

    def _shrink(self, events: int, size_bytes: int) -> None:
        cut = 0
        while len(self._events) - cut > events or self._bytes > size_bytes:
            self._bytes -= len(self._events[cut].data)
            cut += 1
        self.floor = self._seqs[cut - 1]
        del self._events[:cut], self._seqs[:cut]
