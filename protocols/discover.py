"""Lists in which users find traders (domain.md §9, pages Discover and Fire feed), and the port where they come from.

Money is USD, prices are USD a share, rates and returns are parts of one. What nobody knows is None, never 0 (I8).
"""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol

import attrs
import msgspec

from protocols.feed import FeedPosition, FeedRow

LEADER_SORTS = ("pnl", "volume", "roi", "winRate")
COPIED_SORTS = ("followers", "strategies")
COPYABLE_SORTS = ("low", "net", "capacity")
SPARKLINE_DAYS = 14
ACTIVE_TRADES_MIN = 3
CONSISTENT_DAYS_MIN = 5


class TraderCard(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A trader in a list."""

    wallet: str
    name: str | None
    image: str | None
    followers: int
    """Users of this engine."""
    is_followed: bool
    """By the caller."""
    sparkline: list[Decimal | None]
    """Realised profit of each of the 14 UTC days that end with the anchor of the rankings, with today before there is one;
    None where his closes are not known so far."""


class LeaderRow(TraderCard, frozen=True, rename="camel", kw_only=True):
    """A place of the leaderboard of all time, as the venue told it last; the win rate is our count."""

    rank: int | None
    """By profit."""
    rank_volume: int | None
    pnl: Decimal | None
    volume: Decimal | None
    roi: Decimal | None
    win_rate: Decimal | None
    """Of positions that he closed: the part that gained, as far as they are known here."""
    trades: int | None
    """As the venue counts them, else BUY trades that this engine has seen."""


class WinnerRow(TraderCard, frozen=True, rename="camel", kw_only=True):
    """A place of the rankings by realised profit within a window."""

    rank: int
    total_traders: int
    pnl: Decimal
    previous_pnl: Decimal | None
    """Of the window of equal length before."""
    previous_rank: int | None


class ActiveRow(TraderCard, frozen=True, rename="camel", kw_only=True):
    """What a trader did within 24 hours."""

    trades: int
    buys: int
    volume: Decimal
    """USD of these trades, both sides."""
    last_trade_at: datetime


class ConsistentRow(TraderCard, frozen=True, rename="camel", kw_only=True):
    """On how many of his days a trader won."""

    winning_days: int
    days: int
    """UTC days of the last 30 on which he closed something."""
    share: Decimal
    """winning_days / days."""
    pnl: Decimal
    """Of these days, more than 0."""


class CopiedRow(TraderCard, frozen=True, rename="camel", kw_only=True):
    """By how many a trader is copied."""

    strategies: int
    """Running strategies of all users that name him or copy whom their owner follows."""


class CopyableRow(TraderCard, frozen=True, rename="camel", kw_only=True):
    """What copying a trader would have made after all costs; details are his `Copyability`."""

    size_usd: Decimal
    grade: str
    net_return: Decimal
    low: Decimal
    high: Decimal
    copied: int
    days: int
    capacity: str
    capacity_usd: Decimal | None
    flags: list[str]
    computed_at: datetime


class BigTrade(FeedRow, frozen=True, rename="camel", kw_only=True):
    """A trade with what was paid for it."""

    notional: Decimal


@attrs.frozen(kw_only=True)
class ListQuery:
    """A page of any list."""

    user_id: str
    rows_max: int
    min_trades: int | None = None
    """At least so many are known of the trader."""
    category: str | None = None
    """A niche in which he has resolved trades."""


@attrs.frozen(kw_only=True)
class LeaderList:
    """A page of the leaderboard."""

    rows: Sequence[LeaderRow]
    sparkline_to: date
    """The anchor of the rankings, else today."""


@attrs.frozen(kw_only=True)
class FireCandidate:
    """A BUY trade of a trader whose record lets him into the fire feed, and that record."""

    row: FeedRow
    position: FeedPosition
    trade_usd: Decimal
    win_rate: Decimal
    """Of 30 days."""
    resolved_count: int
    """Of 30 days."""
    roi: Decimal | None
    """Of 30 days, else of all time."""
    average_usd: Decimal | None
    """Mean trade of 30 days, else of all time."""


class DiscoverLists(Protocol):
    """Where the lists come from. All methods raise `TransientError`; none of them writes.

    `after` is the key of the last row of the page before, in the order of the list; None begins.
    """

    async def leaderboard(self, query: ListQuery, sort: str, after: tuple[Decimal, str] | None) -> LeaderList:
        """Returns active traders by one of `LEADER_SORTS`, highest first; those without the figure not. Key: figure, wallet."""
        ...

    async def winners(self, query: ListQuery, window: str, after: tuple[int, str] | None) -> list[WinnerRow]:
        """Returns traders with a profit in a window of the rankings. Key: rank, wallet."""
        ...

    async def active(self, query: ListQuery, until: datetime, after: tuple[int, str] | None) -> list[ActiveRow]:
        """Returns traders by stored trades of the 24 hours before `until`, at least `min_trades`. Key: trades, wallet."""
        ...

    async def consistent(self, query: ListQuery, days_min: int, after: tuple[Any, ...] | None) -> list[ConsistentRow]:
        """Returns traders with a profit by their share of winning days. Key: share, days, wallet."""
        ...

    async def copied(self, query: ListQuery, sort: str, after: tuple[int, int, str] | None) -> list[CopiedRow]:
        """Returns traders by one of `COPIED_SORTS`. Key: that figure, the other one, wallet."""
        ...

    async def copyable(self, query: ListQuery, sort: str, after: tuple[Decimal, str] | None) -> list[CopyableRow]:
        """Returns traders of whom there is enough evidence by one of `COPYABLE_SORTS`, highest first. Key: figure, wallet."""
        ...

    async def big_trades(self, query: ListQuery, until: datetime, after: tuple[Decimal, str] | None) -> list[BigTrade]:
        """Returns trades of the hour before `until` at up to 0.94 for at least 10 USD. Key: notional, trade id."""
        ...

    async def fire_candidates(self, since: datetime, after: FeedPosition | None, rows_max: int) -> list[FireCandidate]:
        """Returns the newest 10 BUY trades of each of the 100 best records, newest first, not older than `since`."""
        ...
