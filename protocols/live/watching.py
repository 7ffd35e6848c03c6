"""What those who follow orders to their end need besides the account: what is not settled yet, and what was found."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

import attrs

from protocols.live.events import Filled, Seen
from protocols.live.exits import LiveExit
from protocols.venue.clob_account import VenueFill, VenueOrder
from protocols.venue.clob_user import OrderUpdate


@attrs.frozen(kw_only=True)
class WatchTimes:
    """How patiently orders are watched, seconds."""

    ping_s: float = 10.0
    """Between two PING on the user socket (venue.md §2.2)."""
    stall_s: float = 30.0
    """A socket on which nothing at all came for so long is dead."""
    silence_s: float = 10.0
    """So long after a poll brought news of an order the socket must have said something too."""
    poll_s: float = 0.5
    poll_max_s: float = 5.0
    """How long an order that was sent is polled."""
    overlap_s: float = 60.0
    """How much earlier than necessary trades are read again."""
    interval_s: float = 60.0
    """Between two reconciliations."""
    not_found_interval_s: float = 20.0
    """At most one not-found of an order in this time."""
    in_flight_s: float = 15.0
    """So long an order that this run signed may be on its way to the venue: nobody asks for it by himself."""
    lookups_per_s: float = 10.0
    """Single look-ups of one account."""


UserNews = VenueFill | OrderUpdate
"""What a user socket says of the orders of its account."""


class UserSocket(Protocol):
    """An open, authenticated user socket of one account (venue.md §2.2)."""

    async def receive(self, news_max: int) -> Sequence[UserNews]:
        """Waits for a frame, then takes what is there; empty when it was only a PONG.

        Raises `TransientError` when the connection is gone.
        """
        ...

    async def ping(self) -> None:
        """Sends PING. Raises `TransientError` when the connection is gone."""
        ...

    async def aclose(self) -> None:
        """Closes the socket; bounded in time, never raises for a peer that is gone."""
        ...


class UserSocketDialer(Protocol):
    """Opens user sockets of one account; holds its credentials."""

    async def dial(self) -> UserSocket:
        """Connects and authenticates. Raises `TransientError` with a readable reason, `RejectedError` without credentials."""
        ...


@attrs.frozen(kw_only=True)
class UnsettledFill:
    """A booked fill that is neither CONFIRMED nor FAILED."""

    trade_id: str
    order_hash: str
    token_id: str
    match_ms: int


@attrs.frozen(kw_only=True)
class ForeignOrder:
    """An open order of the account that is none of ours. It is reported and left alone."""

    order_hash: str
    token_id: str
    side: str
    price: Decimal
    shares: Decimal
    """Still open."""


@attrs.frozen(kw_only=True)
class TokenDrift:
    """A token of which the venue has another amount than our positions say. Shares."""

    token_id: str
    ours: Decimal
    venue: Decimal


@attrs.frozen(kw_only=True)
class ReconciliationReport:
    """What one comparison of an account with the venue found: a row of `lt_reconciliations`."""

    at_ms: int
    collateral_usd: Decimal
    cash_short_usd: Decimal
    """What working orders and what strategies may still spend exceed the collateral by, 0 when they do not."""
    working: int
    """Our orders that had not ended."""
    open_orders: int
    """Of the venue, ours and others."""
    asked: int
    """Single look-ups of orders."""
    not_found: int
    unsettled: int
    """Fills that are not final."""
    foreign_orders: tuple[ForeignOrder, ...] = ()
    """At most a hundred of them."""
    foreign_fills: tuple[str, ...] = ()
    """Trade ids of fills of no order of ours since the comparison before, at most a hundred."""
    drifts: tuple[TokenDrift, ...] = ()


class ReconciliationStore(Protocol):
    """What reconciling reads and keeps. All methods raise `TransientError`."""

    async def last_ms(self, account: str) -> int | None:
        """Returns when the account was last compared, or None."""
        ...

    async def unsettled(self, account: str, fills_max: int) -> Sequence[UnsettledFill]:
        """Returns booked fills that are not final, oldest first."""
        ...

    async def ours(self, order_hashes: Sequence[str]) -> frozenset[str]:
        """Returns those of the hashes that are orders of ours, ended ones too."""
        ...

    async def save(self, account: str, report: ReconciliationReport) -> None:
        """Keeps a report in the place of the one before."""
        ...


@attrs.frozen(kw_only=True)
class AwaitedRedemption:
    """Proceeds of a settled market that wait for their redemption."""

    strategy_id: str
    condition_id: str
    token_id: str


class RedemptionStore(Protocol):
    """Settlements whose money has not come yet."""

    async def awaited(self, tokens_max: int, after: str) -> Sequence[AwaitedRedemption]:
        """Returns all that waits of the next tokens after one, in the order of their ids. Raises `TransientError`."""
        ...


class ExitRows(Protocol):
    """Obligations to sell as the database has them."""

    async def open_rows(self) -> Sequence[LiveExit]:
        """Returns all that are open, whoever made them; those that have become due are made first. Raises `TransientError`."""
        ...


def filled_of(fill: VenueFill, at_ms: int) -> Filled:
    """Returns a fill of the venue as news of an order."""
    return Filled(
        order_hash=fill.order_hash,
        trade_id=fill.trade_id,
        shares=fill.shares,
        price=fill.price,
        role=fill.role,
        status=fill.status,
        transaction_hash=fill.transaction_hash,
        match_ms=fill.match_ms,
        at_ms=at_ms,
    )


def seen_of(order: VenueOrder, at_ms: int) -> Seen:
    """Returns how an order stands as news of it."""
    return Seen(
        order_hash=order.order_hash,
        venue_status=order.status,
        matched_shares=order.matched_shares,
        trade_ids=order.trade_ids,
        at_ms=at_ms,
    )


def event_of(news: UserNews, at_ms: int) -> Filled | Seen:
    """Returns what a user socket said as news of an order."""
    if isinstance(news, VenueFill):
        return filled_of(news, at_ms)
    return Seen(
        order_hash=news.order_hash,
        venue_status=news.status,
        matched_shares=news.matched_shares,
        trade_ids=news.trade_ids,
        at_ms=at_ms,
    )
