"""What one tier of the pollers did, for metrics and for the history of its job."""

from collections import Counter

import attrs


@attrs.define(eq=False)
class PollFigures:
    """Plain counters of one tier."""

    calls: Counter[str] = attrs.field(factory=Counter)
    """Calls of the venue by `PollKind`."""
    saved: Counter[str] = attrs.field(factory=Counter)
    """Calls that were not made because the stream covers the wallet, by `PollKind`."""
    failures: Counter[str] = attrs.field(factory=Counter)
    """Polls that failed, by kind: `transient`, `rejected`, `malformed`, `timeout`."""
    polls: int = 0
    """Wallets polled well."""
    void: int = 0
    """Snapshots that came to nothing since another one was booked meanwhile."""
    trades: int = 0
    """Rows handed to the ingest."""
    malformed: Counter[str] = attrs.field(factory=Counter)
    """Rows that were not understood, by reason."""
    events: Counter[str] = attrs.field(factory=Counter)
    """Changes of positions by `PositionChange`, closes by `CloseReason`."""
