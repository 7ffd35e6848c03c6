"""What the venue's Data API says of an account: what it holds, what it closed, what it did, and how it ranks (venue.md §5)."""

import enum
from collections import Counter
from decimal import Decimal
from typing import Protocol

import attrs

from protocols.venue.data_api import PageRow


@attrs.frozen(kw_only=True)
class TokenText:
    """What describes a token; every field may be absent."""

    outcome: str | None = None
    outcome_index: int | None = None
    """None where the venue writes its sentinel 999."""
    title: str | None = None
    slug: str | None = None
    event_slug: str | None = None
    icon: str | None = None
    end_date: str | None = None
    """ISO, as far as the venue says it: a day, or a moment."""


@attrs.frozen(kw_only=True)
class HeldPosition:
    """A token that an account holds now. Worthless ones of resolved markets are held until they are redeemed."""

    wallet: str
    """Lower case."""
    token_id: str
    condition_id: str
    shares_micro: int
    average_price: Decimal | None
    """USD a share; None where the venue writes nonsense."""
    cost_usd: Decimal | None
    value_usd: Decimal | None
    price: Decimal | None
    realized_usd: Decimal | None
    redeemable: bool
    mergeable: bool
    negative_risk: bool
    last_event_ms: int | None
    """None in v1, which does not say it."""
    text: TokenText
    raw: str
    """The row as JSON."""


@attrs.frozen(kw_only=True)
class ClosedPosition:
    """A token that an account held and has given up: sold, merged or redeemed."""

    wallet: str
    token_id: str
    condition_id: str
    bought_micro: int
    average_price: Decimal | None
    realized_usd: Decimal
    """Of all that was ever closed of this token."""
    closed_ms: int
    """Of the last event."""
    text: TokenText


@attrs.frozen(kw_only=True)
class HeldPage:
    """One response. A row that is not understood makes the snapshot incomplete: half a holding is none."""

    rows: tuple[HeldPosition, ...]
    nothing_left: int = 0
    """Rows of which less than a millionth of a share is left: no holding, and nothing wrong with them."""
    malformed: Counter[str]
    """Rows that were not understood, by reason."""
    rows_sent: int
    next_cursor: str | None


@attrs.frozen(kw_only=True)
class ClosedPage:
    """One response, newest close first."""

    rows: tuple[ClosedPosition, ...]
    malformed: Counter[str]
    rows_sent: int
    next_cursor: str | None


class ActivityKind(enum.StrEnum):
    """Kinds of activity that change a holding beside trades."""

    SPLIT = "SPLIT"
    MERGE = "MERGE"
    REDEEM = "REDEEM"
    CONVERSION = "CONVERSION"


@attrs.frozen(kw_only=True)
class Activity:
    """Something other than a trade that an account did."""

    wallet: str
    kind: ActivityKind
    condition_id: str
    shares_micro: int
    at_ms: int
    transaction_hash: str


@attrs.frozen(kw_only=True)
class ActivityPage:
    """One response, newest first. Trades are kept as the ingest wants them; rewards and rebates are counted, not kept."""

    trades: tuple[PageRow, ...]
    others: tuple[Activity, ...]
    malformed: Counter[str]
    """Rows that were not understood, by reason. `not_a_trade` counts those that were, and change no holding of tokens:
    rewards, rebates, deposits and the like."""
    rows_sent: int
    next_cursor: str | None


class Board(enum.StrEnum):
    """What a leaderboard is sorted by."""

    PNL = "PNL"
    VOLUME = "VOLUME"


class Period(enum.StrEnum):
    """What a leaderboard counts."""

    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"
    ALL = "ALL"


@attrs.frozen(kw_only=True)
class Standing:
    """A place on a leaderboard."""

    wallet: str
    rank: int
    pnl_usd: Decimal | None
    volume: Decimal | None
    """USD in v1, shares in v2 (venue.md §5.1)."""
    volume_is_usd: bool
    name: str | None
    image: str | None


@attrs.frozen(kw_only=True)
class LeaderboardPage:
    """One response, best first."""

    rows: tuple[Standing, ...]
    malformed: Counter[str]
    rows_sent: int
    next_cursor: str | None


class TraderAccounts(Protocol):
    """Accounts over HTTP. All methods raise `TransientError` (try again) and `RejectedError` (never this request).

    Pages go on with the `next_cursor` of the one before and the same arguments; None ends the list. A `TransientError` within
    a list may say that it moved while it was read: begin again without a cursor. A `RejectedError` within one says that the
    rest of it cannot be had. Pages without an end are the caller's business to bound. Rows of another wallet than the one
    asked for are malformed (`another_wallet`); those of another time or market are left out. `rows_sent` counts them all.
    """

    async def held_page(
        self, wallet: str, *, condition_ids: tuple[str, ...] = (), cursor: str | None = None
    ) -> HeldPage:
        """Returns a page of all that an account holds, worthless and redeemable tokens too, in all or some markets (≤ 20)."""
        ...

    async def closed_page(self, wallet: str, *, since_ms: int | None = None, cursor: str | None = None) -> ClosedPage:
        """Returns a page of closed positions, newest first; `since_ms` leaves out those closed earlier."""
        ...

    async def activity_page(
        self, wallet: str, *, since_s: int, until_s: int, cursor: str | None = None
    ) -> ActivityPage:
        """Returns a page of trades, splits, merges and redemptions with since_s <= time <= until_s, newest first."""
        ...

    async def leaderboard_page(self, board: Board, period: Period, *, cursor: str | None = None) -> LeaderboardPage:
        """Returns a page of a leaderboard over all categories."""
        ...
