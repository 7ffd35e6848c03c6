"""Notifications: what users hear of, on which channels, and the ports of whoever tells them."""

import enum
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date, time
from typing import Any, Protocol

import attrs

from protocols.jobs import JobLease

MAIL = "mail"
"""The channel that goes to the address of the user himself; all others go where the operator says."""


class NoticeKind(enum.StrEnum):
    """What a notice is about. The values are those of `notifications.kind`."""

    MARKET_RESOLVED = "market_resolved"
    TRADER_CLOSED = "trader_closed"
    AUTO_CLOSE_EXECUTED = "auto_close_executed"
    AUTO_CLOSE_FAILED = "auto_close_failed"
    ORDER_FILLED = "order_filled"
    ORDER_REJECTED = "order_rejected"
    ORDER_LOST = "order_lost"
    STRATEGY_HALTED = "strategy_halted"
    DRIFT = "drift"
    WELCOME = "welcome"
    DAILY_SUMMARY = "daily_summary"
    TEST = "test"


URGENT = frozenset({NoticeKind.STRATEGY_HALTED, NoticeKind.DRIFT, NoticeKind.ORDER_LOST, NoticeKind.TEST})
"""Neither quiet hours nor the wait for a digest hold these up."""


class DeliveryStatus(enum.StrEnum):
    """How a notice stands on one channel."""

    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"
    """Given up."""
    SUPPRESSED = "suppressed"
    """The user does not want it."""


@attrs.frozen(kw_only=True)
class Preferences:
    """What a user wants. A user without a row wants everything, at any hour."""

    email: bool = True
    unwanted: frozenset[NoticeKind] = frozenset()
    quiet_from: time | None = None
    """Local; with `quiet_to`, which it never equals, or neither. From 22:00 to 07:00 goes over midnight."""
    quiet_to: time | None = None
    timezone: str = "UTC"


@attrs.frozen(kw_only=True)
class Notice:
    """One thing that one user hears of."""

    notification_id: int
    kind: NoticeKind
    payload: Mapping[str, Any]
    """JSON; amounts are texts."""
    happened_ms: int


@attrs.frozen(kw_only=True)
class ChannelRule:
    """Whose notices of which kinds go to a channel. None: everybody's, all of them."""

    name: str
    users: frozenset[str] | None = None
    kinds: frozenset[NoticeKind] | None = None
    needs_address: bool = False
    """Goes to the address of the user's profile."""


@attrs.frozen(kw_only=True)
class ClaimedDelivery:
    """A delivery that is ours for a while."""

    notice: Notice
    channel: str
    claim: int
    attempts: int
    """That failed before."""
    user_id: str
    user_name: str
    email: str | None
    is_disabled: bool
    """The user was shut out."""
    preferences: Preferences

    @property
    def key(self) -> tuple[int, str]:
        """Returns what it is known by."""
        return self.notice.notification_id, self.channel


@attrs.frozen(kw_only=True)
class OutgoingMessage:
    """What is handed to a channel."""

    number: int
    """Unique among those handed over together."""
    channel: str
    address: str | None
    """Of the user, where the channel goes to him."""
    title: str
    """One line without control characters."""
    text: str
    html: str


@attrs.frozen(kw_only=True)
class SendResult:
    """What became of one message."""

    number: int
    error: str | None = None
    """None: the channel took it. Else a short sentence of our own."""
    refused: bool = False
    """The channel answered and will not take it; trying again soon is of no use."""


@attrs.frozen(kw_only=True)
class Retry:
    """A delivery that failed and is tried again after some seconds; None: given up."""

    delivery: ClaimedDelivery
    error: str
    after_s: float | None


@attrs.frozen(kw_only=True)
class Backlog:
    """What waits. Times of quiet hours do not count."""

    facts: int
    pending: int
    oldest_s: float
    """Age of the oldest delivery that is due; 0: there is none."""
    failed: int
    """Given up within the last day."""


Told = Callable[[SendResult], Awaitable[None]]


class MessageSender(Protocol):
    """Hands messages to channels."""

    async def send(self, messages: Sequence[OutgoingMessage], told: Told) -> None:
        """Sends, and tells what became of each once, as soon as it is known; one that is not told may have been sent or not.

        Never raises for what the world does. `told` must not raise either.
        """
        ...


class NotificationStore(Protocol):
    """The outbox. All methods raise `TransientError`."""

    async def take_facts(self, facts_max: int) -> int:
        """Turns facts into notices of users and returns how many facts. Raises `RejectedError` and keeps them."""
        ...

    async def bury_fact(self) -> None:
        """Puts the oldest fact aside, which cannot be turned into anything."""
        ...

    async def note_overdue_exits(self) -> int:
        """Makes notices of obligations to sell whose deadline has passed; returns how many are new."""
        ...

    async def route(self, channels: Sequence[ChannelRule], *, window_s: float, notices_max: int) -> int:
        """Chooses channels for notices that have none yet and returns how many notices those were."""
        ...

    async def claim(self, channels: Sequence[str], *, lease_s: float, window_s: float) -> Sequence[ClaimedDelivery]:
        """Takes what is due, with what follows within the window on the same channel to the same user."""
        ...

    async def mark_sent(self, deliveries: Sequence[ClaimedDelivery]) -> None:
        """Says that deliveries were taken by their channels; again does no harm."""
        ...

    async def mark_failed(self, retries: Sequence[Retry]) -> None:
        """Says what failed, and when it is tried again. What another one has taken over stays his."""
        ...

    async def put_off(self, deliveries: Sequence[tuple[ClaimedDelivery, int]]) -> None:
        """Gives deliveries back until a moment in ms since the epoch: quiet hours."""
        ...

    async def suppress(self, deliveries: Sequence[ClaimedDelivery]) -> None:
        """Says that deliveries are not wanted."""
        ...

    async def backlog(self) -> Backlog:
        """Returns what waits."""
        ...


class NoticeJobStore(Protocol):
    """What the jobs of notifications write. Raises `TransientError`, and `FencedError` when the lease is lost."""

    async def sweep(self, lease: JobLease, *, since_ms: int) -> int:
        """Writes facts since a moment that no trigger has written; returns how many."""
        ...

    async def summarize(self, lease: JobLease, *, day: date, users_max: int) -> int:
        """Makes the summaries of a UTC day for some users who have none of it; returns how many."""
        ...

    async def welcome(self, lease: JobLease, *, until_ms: int, users_max: int) -> int:
        """Welcomes some users whose accounts are older than a moment; returns how many."""
        ...

    async def delete_old(self, lease: JobLease, *, now_ms: int, days: int, rows_max: int) -> int:
        """Deletes old notices with their deliveries, but no welcome: one who was welcomed is not welcomed again."""
        ...
