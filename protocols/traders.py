"""What users read about a trader: who he is, what he earned, holds and did, and the port where that comes from.

Money is USD, prices are USD a share, rates and returns are parts of one. What nobody knows is None, never 0 (I8).
"""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

import attrs
import msgspec

from protocols.feed import FeedPosition, FeedRow
from protocols.trader_lists import ActivityDay, ClosedPositionRow, DayPnl, MarketResult, OpenPosition, SortPlace

WINDOWS = ("1D", "7D", "30D", "3M", "6M", "ALL")
"""Windows of the rankings; all but the last have one of equal length before."""


class Leaderboard(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What the venue's leaderboard of all time said last, and what is stored beside it."""

    rank: int | None
    """By profit."""
    rank_volume: int | None
    pnl: Decimal | None
    volume: Decimal | None
    roi: Decimal | None
    win_rate: Decimal | None
    total_trades: int | None


class PnlWindow(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Realised profit within a window that ends at the anchor of the rankings."""

    window: str
    pnl: Decimal | None
    rank: int | None
    """Among `total_traders` of this window."""
    total_traders: int | None
    first_day: date | None
    last_day: date | None
    previous_pnl: Decimal | None
    """Of the window of equal length before; None for ALL, which has none."""
    previous_rank: int | None


class Rankings(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What the windows were computed from."""

    anchor_date: date
    """The newest day of the data: all windows end here."""
    wallets: int
    wallets_failed: int
    """Wallets whose history could not be read in full; their windows may lack something."""
    is_complete: bool
    """No wallet failed, and none waits for its turn to be read."""


class TradeRecord(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """BUY trades that this engine has seen, within one window of time."""

    win_rate: Decimal | None
    """Mean payout of those whose market is resolved."""
    resolved_count: int
    trade_count: int
    avg_trade_usd: Decimal | None
    roi: Decimal | None


class TradeRecords(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The records that strategies judge a trader by."""

    d7: TradeRecord
    d30: TradeRecord
    lifetime: TradeRecord


class ClosedRecord(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """All positions that the trader closed, as the venue tells them."""

    closed: int
    won: int
    win_rate: Decimal | None
    """won / closed: positions with a profit."""


class CopiedBy(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A running strategy of the caller's that copies the trader."""

    wallet_id: str
    target_mode: str
    """list, followed, leaderboard or everyone."""
    is_live: bool
    """A live strategy mirrors it."""


class OpenTotals(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """All open positions together."""

    count: int
    unpriced: int
    """Of these have no value; the sums leave them out."""
    value: Decimal | None
    unrealized_pnl: Decimal | None


class Freshness(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """When each part was last brought up to date; None: never."""

    leaderboard: datetime | None
    rankings: datetime | None
    records: datetime | None
    positions: datetime | None
    """The last complete snapshot."""
    trades: datetime | None
    """Pollers have read his trades up to here; the stream brings those since."""
    closed: datetime | None
    """All of his closed positions had been read."""
    daily: datetime | None


@attrs.frozen(kw_only=True)
class TraderHead:
    """Everything of a profile but its lists."""

    wallet: str
    name: str | None
    image: str | None
    followers: int
    is_followed: bool
    is_target: bool
    leaderboard: Leaderboard | None
    windows: Sequence[PnlWindow]
    rankings: Rankings | None
    records: TradeRecords | None
    closed: ClosedRecord | None
    markets_traded: int | None
    active_days: int
    last_trade_at: datetime | None
    copied_by: Sequence[CopiedBy]
    copied_by_count: int
    open: OpenTotals
    fresh: Freshness


@attrs.frozen(kw_only=True)
class TradeList:
    """Stored trades, newest first."""

    rows: Sequence[FeedRow]
    next: FeedPosition | None
    """Where the next page begins; None at the end."""


@attrs.frozen(kw_only=True)
class TraderParts:
    """A profile with the beginning of each list, read at once."""

    head: TraderHead
    open_positions: Sequence[OpenPosition]
    """The most valuable ones, one more than asked for where there are more."""
    trades: TradeList
    days: Sequence[DayPnl]
    """The newest ones, rising."""


@attrs.frozen(kw_only=True)
class PartSizes:
    """How many rows of each list are wanted with a profile."""

    positions: int
    trades: int
    days: int


class TraderReports(Protocol):
    """Where profiles come from. All methods raise `TransientError`; none of them writes. Wallets are lower case.

    `after` is the key of the last row of the page before; None begins.
    """

    async def profile(self, user_id: str, wallet: str, sizes: PartSizes) -> TraderParts | None:
        """Returns what is known of a trader, as a user sees him; None when nothing is."""
        ...

    async def is_known(self, wallet: str) -> bool:
        """Returns whether anything is known of a wallet."""
        ...

    async def open(self, wallet: str, sort: str, after: SortPlace | None, rows_max: int) -> list[OpenPosition]:
        """Returns open positions by one of `OPEN_SORTS`, highest first, those without the figure last; ids are tokens."""
        ...

    async def closed(self, wallet: str, after: tuple[datetime, str] | None, rows_max: int) -> list[ClosedPositionRow]:
        """Returns closed positions, the last closed first, equal times by token; the key is close and token."""
        ...

    async def trades(self, wallet: str, after: FeedPosition | None, limit: int) -> TradeList:
        """Returns a page of stored trades."""
        ...

    async def days(self, wallet: str, since: date, after: date | None, rows_max: int) -> list[DayPnl]:
        """Returns days on which he closed something, rising, from `since` on."""
        ...

    async def markets(self, wallet: str, sort: str, after: SortPlace | None, rows_max: int) -> list[MarketResult]:
        """Returns his markets by one of `MARKET_SORTS`, highest first, those without the figure last; ids are conditions."""
        ...

    async def activity(self, wallet: str, before: date | None, rows_max: int) -> list[ActivityDay]:
        """Returns days on which he did something, newest first."""
        ...
