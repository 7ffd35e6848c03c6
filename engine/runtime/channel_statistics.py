"""What a channel tells of itself: counters that always close, and the items that made its reader fail."""

import attrs


@attrs.frozen(kw_only=True)
class DeadLetter:
    """An item that made its reader fail three times."""

    channel: str
    item: str
    error: str


@attrs.frozen(kw_only=True)
class ChannelStatistics:
    """A consistent reading of one channel."""

    name: str
    capacity: int
    depth: int
    peak_depth: int
    sent: int
    received: int
    """First deliveries: what was handed out again after a crash is counted once."""
    dropped: int
    dropped_by: dict[tuple[int, str], int]
    """By (lane, reason)."""
    redelivered: int
    dead_lettered: int
    unacknowledged: int
    """Handed out, and neither acknowledged nor dead: with the reader, or waiting to be handed out again."""
