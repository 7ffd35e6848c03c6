"""An outbox in memory with the promises of the real one, on trio's clock, and channels that fail on command."""

from collections.abc import Sequence

import attrs
import trio
from property.fake_prices import EPOCH_MS, TrioClock
from property.supervised import CrashPlan

from protocols.clock import Random
from protocols.errors import TransientError
from protocols.notifications import (
    Backlog,
    ChannelRule,
    ClaimedDelivery,
    DeliveryStatus,
    Notice,
    NoticeKind,
    OutgoingMessage,
    Preferences,
    Retry,
    SendResult,
    Told,
)


@attrs.define
class Row:
    notice: Notice
    channel: str
    user: str
    status: DeliveryStatus = DeliveryStatus.PENDING
    attempts: int = 0
    claim: int = 0
    next_s: float = 0.0
    claimed_until_s: float | None = None


@attrs.define(eq=False)
class FakeOutbox:
    """`NotificationStore`. `plan` makes calls crash, `weather` lets them fail; both before or after the change was made."""

    plan: CrashPlan
    weather: CrashPlan
    preferences: dict[str, Preferences] = attrs.field(factory=dict)
    facts: list[tuple[str, NoticeKind]] = attrs.field(factory=list)
    unrouted: list[tuple[Notice, str]] = attrs.field(factory=list)
    rows: dict[tuple[int, str], Row] = attrs.field(factory=dict)
    numbers: int = 0

    def _may_fail(self) -> None:
        if self.plan.due():
            self.plan.crash()
        if self.weather.due():
            raise TransientError("weather")

    async def take_facts(self, facts_max: int) -> int:
        self._may_fail()
        taken, self.facts = self.facts[:facts_max], self.facts[facts_max:]
        for user, kind in taken:
            self.numbers += 1
            subject, now_ms = f"subject {self.numbers:04}", EPOCH_MS + round(trio.current_time() * 1000)
            payload = {"market": subject, "strategy": subject}
            notice = Notice(notification_id=self.numbers, kind=kind, payload=payload, happened_ms=now_ms)
            self.unrouted.append((notice, user))
        self._may_fail()
        return len(taken)

    async def bury_fact(self) -> None:
        self.facts.pop(0)

    async def note_overdue_exits(self) -> int:
        return 0

    async def route(self, channels: Sequence[ChannelRule], *, window_s: float, notices_max: int) -> int:
        self._may_fail()
        found, self.unrouted = self.unrouted[:notices_max], self.unrouted[notices_max:]
        for notice, user in found:
            for one in channels:
                row = Row(notice, one.name, user, next_s=trio.current_time() + window_s)
                self.rows[notice.notification_id, one.name] = row
        self._may_fail()
        return len(found)

    async def claim(self, channels: Sequence[str], *, lease_s: float, window_s: float) -> Sequence[ClaimedDelivery]:
        self._may_fail()
        now_s = trio.current_time()
        free = [
            one
            for one in self.rows.values()
            if one.status is DeliveryStatus.PENDING
            and one.channel in channels
            and (one.claimed_until_s is None or one.claimed_until_s < now_s)
        ]
        due = {(one.user, one.channel) for one in free if one.next_s <= now_s}
        taken = [one for one in free if (one.user, one.channel) in due and one.next_s <= now_s + window_s]
        for one in taken:
            one.attempts += one.claimed_until_s is not None
            one.claim += 1
            one.claimed_until_s = now_s + lease_s
        self._may_fail()
        return [
            ClaimedDelivery(
                notice=one.notice, channel=one.channel, claim=one.claim, attempts=one.attempts, user_id=one.user,
                user_name=one.user, email=f"{one.user}@example.org", is_disabled=False,
                preferences=self.preferences.get(one.user, Preferences()),
            )
            for one in taken
        ]  # fmt: skip

    async def mark_sent(self, deliveries: Sequence[ClaimedDelivery]) -> None:
        self._may_fail()
        for one in deliveries:
            self.rows[one.key].status = DeliveryStatus.SENT
            self.rows[one.key].claimed_until_s = None
        self._may_fail()

    async def mark_failed(self, retries: Sequence[Retry]) -> None:
        self._may_fail()
        for one in retries:
            if (row := self._held(one.delivery)) is not None:
                row.attempts += 1
                row.status = DeliveryStatus.FAILED if one.after_s is None else DeliveryStatus.PENDING
                row.next_s, row.claimed_until_s = trio.current_time() + (one.after_s or 0), None
        self._may_fail()

    async def put_off(self, deliveries: Sequence[tuple[ClaimedDelivery, int]]) -> None:
        for one, until_ms in deliveries:
            if (row := self._held(one)) is not None:
                row.next_s, row.claimed_until_s = (until_ms - EPOCH_MS) / 1000, None

    async def suppress(self, deliveries: Sequence[ClaimedDelivery]) -> None:
        for one in deliveries:
            if (row := self._held(one)) is not None:
                row.status, row.claimed_until_s = DeliveryStatus.SUPPRESSED, None

    async def backlog(self) -> Backlog:
        pending = [one for one in self.rows.values() if one.status is DeliveryStatus.PENDING]
        return Backlog(facts=len(self.facts), pending=len(pending), oldest_s=0, failed=0)

    def _held(self, one: ClaimedDelivery) -> Row | None:
        row = self.rows[one.key]
        return row if row.claim == one.claim and row.status is DeliveryStatus.PENDING else None


@attrs.define(eq=False)
class FakeChannels:
    """`MessageSender`. A channel is down until a moment; what it took is kept by notice, as titles count them."""

    rng: Random
    clock: TrioClock
    down_until_s: dict[str, float]
    plan: CrashPlan
    lost: CrashPlan
    """Messages of which nobody is told, as when the process that sends is killed: half of them the channel has."""
    takes_s: float = 0.5
    messages: list[tuple[float, OutgoingMessage]] = attrs.field(factory=list)

    async def send(self, messages: Sequence[OutgoingMessage], told: Told) -> None:
        for one in messages:
            await trio.sleep(self.takes_s)
            if self.plan.due():
                self.plan.crash()
            if trio.current_time() < self.down_until_s.get(one.channel, 0):
                await told(SendResult(number=one.number, error="down", refused=self.rng.random() < 0.2))
                continue
            is_lost = self.lost.due()
            if is_lost and self.rng.random() < 0.5:
                continue
            self.messages.append((trio.current_time(), one))
            if is_lost:
                continue
            if self.plan.due():
                self.plan.crash()
            await told(SendResult(number=one.number))
