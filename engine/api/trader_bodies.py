"""What the routes of traders answer."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec

from actors.rules.feed_cursor import cursor_text
from actors.rules.list_cursor import KeyValue
from engine.api.list_pages import next_cursor
from engine.api.route import Struct
from protocols.feed import FeedRow
from protocols.trader_lists import ActivityDay, ClosedPositionRow, DayPnl, MarketResult, OpenPosition
from protocols.traders import (
    ClosedRecord,
    CopiedBy,
    Freshness,
    Leaderboard,
    PartSizes,
    PnlWindow,
    Rankings,
    TradeList,
    TradeRecords,
    TraderParts,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PROFILE_SIZES = PartSizes(positions=50, trades=50, days=90)
"""Rows of each list that a profile begins with."""
OPEN_BY_VALUE = "open:value"


class PositionPage(Struct):
    """Positions of one state."""

    state: str
    """open or closed; the list of that name is there, the other one is not."""
    next_cursor: str | None
    open: list[OpenPosition] | msgspec.UnsetType = msgspec.UNSET
    closed: list[ClosedPositionRow] | msgspec.UnsetType = msgspec.UNSET


class TradePage(Struct):
    """Stored trades, newest first."""

    trades: list[FeedRow]
    next_cursor: str | None


class PnlPage(Struct):
    """Days on which something was closed, rising."""

    days: list[DayPnl]
    next_cursor: str | None


class MarketPage(Struct):
    """Markets of a trader."""

    markets: list[MarketResult]
    next_cursor: str | None


class ActivityPage(Struct):
    """Days on which a trader did something, newest first."""

    days: list[ActivityDay]
    next_cursor: str | None


class OpenPart(Struct):
    """What a trader holds: all of it in figures, and the most valuable positions."""

    count: int
    unpriced: int
    value: Decimal | None
    """Of those positions that have a price; null when none has one."""
    unrealized_pnl: Decimal | None
    positions: list[OpenPosition]
    next_cursor: str | None
    """Goes on at `/api/traders/{wallet}/positions?sort=value`."""


class TraderProfile(Struct):
    """A trader. What nobody knows is null."""

    wallet: str
    name: str | None
    image: str | None
    followers: int
    """Users of this engine who follow him."""
    is_followed: bool
    is_target: bool
    """Followed by the caller as a copy target."""
    copied_by: list[CopiedBy]
    """The caller's running strategies that copy him, the first 50."""
    copied_by_count: int
    leaderboard: Leaderboard | None
    rankings: Rankings | None
    """What `windows` were computed from; null before the first time."""
    windows: list[PnlWindow]
    closed: ClosedRecord | None
    """Of all positions that he closed; null until they have been read."""
    records: TradeRecords | None
    """Of the trades that this engine has seen."""
    markets_traded: int | None
    """As the venue counts them."""
    active_days: int
    """UTC days on which he is known to have traded or closed something."""
    last_trade_at: datetime | None
    open: OpenPart
    trades: TradePage
    daily: list[DayPnl]
    """The last 90 days with a close; more at `/api/traders/{wallet}/pnl`."""
    as_of: Freshness


def open_key(sort: str, row: OpenPosition) -> tuple[KeyValue, ...]:
    """Returns the key of an open position in the list of this order."""
    figure = row.value if sort == "value" else micros(row.opened_at)
    return (figure, row.token_id)


def market_key(sort: str, row: MarketResult) -> tuple[KeyValue, ...]:
    """Returns the key of a market in the list of this order."""
    if sort == "recent":
        figure = None if row.last_at is None else micros(row.last_at)
    else:
        figure = row.realized_pnl if sort == "realized" else row.bought
    return (figure, row.condition_id)


def micros(moment: datetime) -> Decimal:
    """Returns microseconds since the epoch: times are figures where a list may be sorted by either."""
    return Decimal((moment - EPOCH) // timedelta(microseconds=1))


def trade_page(found: TradeList) -> TradePage:
    """Returns a page of trades; its cursor is one of the feed's."""
    return TradePage(trades=list(found.rows), next_cursor=None if found.next is None else cursor_text(found.next))


def profile_body(parts: TraderParts) -> TraderProfile:
    """Returns the document of a profile."""
    head, limit = parts.head, PROFILE_SIZES.positions
    held = parts.open_positions
    return TraderProfile(
        wallet=head.wallet,
        name=head.name,
        image=head.image,
        followers=head.followers,
        is_followed=head.is_followed,
        is_target=head.is_target,
        copied_by=list(head.copied_by),
        copied_by_count=head.copied_by_count,
        leaderboard=head.leaderboard,
        rankings=head.rankings,
        windows=list(head.windows),
        closed=head.closed,
        records=head.records,
        markets_traded=head.markets_traded,
        active_days=head.active_days,
        last_trade_at=head.last_trade_at,
        open=OpenPart(
            count=head.open.count,
            unpriced=head.open.unpriced,
            value=head.open.value,
            unrealized_pnl=head.open.unrealized_pnl,
            positions=list(held[:limit]),
            next_cursor=next_cursor(held, limit, OPEN_BY_VALUE, lambda row: open_key("value", row)),
        ),
        trades=trade_page(parts.trades),
        daily=list(parts.days),
        as_of=head.fresh,
    )
