"""What changed in what traders hold."""

import enum

import attrs


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
