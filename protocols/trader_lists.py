"""The lists of a trader's profile: positions, days, markets, activity.

Money is USD, prices are USD a share. What nobody knows is None, never 0 (I8).
"""

from datetime import date, datetime
from decimal import Decimal

import msgspec

OPEN_SORTS = ("value", "opened")
MARKET_SORTS = ("recent", "realized", "bought")
SortPlace = tuple[Decimal | None, str]
"""The figure that a list is sorted by, and the id among rows with the same; times as microseconds since the epoch."""


class OpenPosition(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A token that the trader holds, at the price of the snapshot in which it was seen last."""

    token_id: str
    condition_id: str
    outcome: str | None
    title: str | None
    slug: str | None
    event_slug: str | None
    image: str | None
    size: Decimal
    avg_price: Decimal | None
    price: Decimal | None
    cost: Decimal | None
    value: Decimal | None
    unrealized_pnl: Decimal | None
    realized_pnl: Decimal | None
    """Of what he sold of it."""
    redeemable: bool
    end_date: date | None
    opened_at: datetime
    """When it was seen first."""
    last_seen_at: datetime
    age_s: int
    """Seconds since then: as old are price and size."""


class ClosedPositionRow(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A token that the trader held and has given up: the venue's account of it, and what this engine saw of its end."""

    token_id: str
    condition_id: str
    outcome: str | None
    title: str | None
    slug: str | None
    event_slug: str | None
    bought_shares: Decimal | None
    """None until the venue's list of closed positions has been read."""
    avg_price: Decimal | None
    realized_pnl: Decimal | None
    closed_at: datetime
    is_unredeemed_loss: bool
    """Resolved against him and never redeemed."""
    reason: str | None
    """manual_close, market_closed or redeemed; None when this engine did not see it end."""
    opened_at: datetime | None
    """When this engine saw it first."""
    last_size: Decimal | None
    """Shares that it saw last."""
    source: str
    """venue, or observed while the venue's list has not been read that far."""


class DayPnl(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Positions that the trader closed on one UTC day."""

    date: date
    realized_pnl: Decimal
    pnl_to_date: Decimal
    closed: int
    won: int


class MarketResult(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What a trader did in one market."""

    condition_id: str
    title: str | None
    slug: str | None
    event_slug: str | None
    closed_positions: int
    won_positions: int
    bought: Decimal | None
    """Cost of everything that he ever bought of the closed positions."""
    realized_pnl: Decimal | None
    open_positions: int
    open_cost: Decimal | None
    open_value: Decimal | None
    unrealized_pnl: Decimal | None
    pending_buys: int
    """BUY trades that this engine has seen and whose market is not resolved."""
    pending_buy_usd: Decimal
    last_at: datetime | None
    """When a position was opened or closed last; None where only trades are known."""


class ActivityDay(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What a trader did on one UTC day."""

    day: date
    trades: int
    """That are stored now; older ones go (retention)."""
    buys: int
    """BUY trades that were counted for good."""
    buy_usd: Decimal
    closed: int
    won: int
    realized_pnl: Decimal | None
    """Of positions that he closed; None when none is known."""
