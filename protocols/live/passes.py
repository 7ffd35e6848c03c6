"""What the backup jobs of live trading ask of a running engine: the passes that events make needless, most of the time."""

from collections.abc import Awaitable, Callable, Mapping

import attrs

from protocols.live.watching import ReconciliationReport


@attrs.frozen(kw_only=True)
class LivePasses:
    """Live trading of this process, while it holds the lease and both switches are on."""

    waiting: Callable[[], int]
    """Returns how many claims are neither journaled nor declined yet."""
    working: Callable[[], int]
    """Returns how many orders have not ended."""
    held: Callable[[], int]
    """Returns how many positions are open."""
    look: Callable[[], None]
    """Has claims and obligations read from the database; never waits."""
    compared_ages_s: Callable[[], Mapping[str, float | None]]
    """Returns how long ago each account was compared with the venue; None: never yet."""
    compare: Callable[[], Awaitable[Mapping[str, ReconciliationReport]]]
    """Compares every account with the venue. Raises `TransientError` and `RejectedError`."""
    settle: Callable[[], Awaitable[Mapping[str, int]]]
    """Settles resolved positions and releases proceeds; returns what it came to. Raises `TransientError`."""
    wallets: Mapping[str, str] = attrs.field(factory=dict)
    """By account: the address that its trades show, lower case."""
