"""What traders hold, as far as it is known, and what changed in it."""

import enum
from collections.abc import Mapping, Sequence

import attrs

from protocols.trader_accounts import HeldPosition


class PositionChange(enum.StrEnum):
    """What happened to a position between two complete snapshots."""

    OPENED = "opened"
    INCREASED = "increased"
    PARTLY_CLOSED = "partly_closed"
    CLOSED = "closed"
    """Nothing is left; the reason says how it ended."""


class CloseReason(enum.StrEnum):
    """How a position ended."""

    MANUAL_CLOSE = "manual_close"
    MARKET_CLOSED = "market_closed"
    REDEEMED = "redeemed"


@attrs.frozen(kw_only=True)
class PositionEvent:
    """One change of one position."""

    wallet: str
    token_id: str
    condition_id: str
    change: PositionChange
    before_micro: int
    after_micro: int
    seen_ms: int
    """Wall-clock time of the snapshot."""
    reason: CloseReason | None = None
    """Set with `CLOSED`."""


class MarketEnd(enum.StrEnum):
    """What our own table of markets says of one."""

    OPEN = "open"
    ENDED = "ended"
    """Closed or resolved: what is held there cannot be sold any more."""
    UNKNOWN = "unknown"


@attrs.frozen(kw_only=True)
class KnownPosition:
    """A stored position that has not ended as far as we know."""

    token_id: str
    condition_id: str
    shares_micro: int
    redeemable: bool
    mergeable: bool
    written_ms: int
    """Wall-clock time of a snapshot that had it; the latest one, or not much older."""
    missing_since_ms: int | None = None
    """Wall-clock time of the first snapshot that lacked it, if all since have; not believed yet."""


@attrs.frozen(kw_only=True)
class KnownWallet:
    """What is stored of a wallet's positions, as of one moment."""

    wallet: str
    snapshots: int
    """How many snapshots have been booked. One that was begun before another was booked is void: it may be the older one."""
    positions: tuple[KnownPosition, ...] = ()
    checked_ms: int | None = None
    """Wall-clock time of the last snapshot that was booked."""


@attrs.frozen(kw_only=True)
class PositionBooking:
    """What a complete snapshot changes. Booked as a whole or not at all."""

    wallet: str
    snapshots: int
    """As `KnownWallet` had it before the snapshot was asked for."""
    seen_ms: int
    """Wall-clock time at which the snapshot was asked for."""
    written: Sequence[HeldPosition] = ()
    """Rows that are new, changed, back again, or due to be refreshed."""
    closed: Mapping[str, CloseReason] = attrs.field(factory=dict)
    """By token."""
    missing: Sequence[str] = ()
    """Tokens that are absent from now on and not closed."""
