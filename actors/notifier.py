"""Tells users what happened: facts become notices, notices deliveries, deliveries messages. At least once."""

import logging
from collections import Counter
from collections.abc import Sequence

import attrs
import trio

from actors.rules.backoff import Backoff
from actors.rules.log_limit import LogLimit
from actors.rules.notices.delivery_plan import after_failure, plan
from actors.rules.notices.rendering import message_of
from protocols.clock import Random, WallClock
from protocols.errors import RejectedError, TransientError
from protocols.notifications import (
    MAIL,
    Backlog,
    ChannelRule,
    ClaimedDelivery,
    MessageSender,
    NotificationStore,
    Retry,
    SendResult,
)

_log = logging.getLogger(__name__)
POLL_S = 2.0
FACTS_MAX = 500
NOTICES_MAX = 500
LOOK_S = 30.0
"""How often overdue obligations and what waits are looked at."""
UNANSWERED = "no answer in time"


@attrs.define(eq=False, kw_only=True)
class Notifier:
    """outbox → channels. Any number of engines may run one over the same store.

    A claim holds a delivery for a time; what a crash interrupts is claimed again after it. So nothing is lost, and what was
    handed to a channel just before a crash, and not marked, is sent twice.
    """

    store: NotificationStore
    sender: MessageSender
    channels: Sequence[ChannelRule]
    clock: WallClock
    rng: Random
    lease_s: float
    """Longer than sending can take."""
    window_s: float
    settings_url: str = ""
    poll_s: float = POLL_S
    sent: Counter[str] = attrs.field(init=False, factory=Counter)
    """Deliveries by channel."""
    failed: Counter[str] = attrs.field(init=False, factory=Counter)
    """Tries that failed, by channel."""
    given_up: Counter[str] = attrs.field(init=False, factory=Counter)
    facts: int = attrs.field(init=False, default=0)
    facts_buried: int = attrs.field(init=False, default=0)
    backlog: Backlog | None = attrs.field(init=False, default=None)
    """What waited when it was looked at last."""
    _unmarked: list[ClaimedDelivery] = attrs.field(init=False, factory=list)
    """Sent, and the store does not know yet."""
    _looked_s: float = attrs.field(init=False, default=float("-inf"))
    _wake: trio.Event = attrs.field(init=False, factory=trio.Event)
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Tells users until it is cancelled."""
        task_status.started()
        backoff = Backoff(first_s=self.poll_s, max_s=30, rng=self.rng)
        while True:
            self._wake = trio.Event()
            pause_s = self.poll_s
            try:
                # As long as there is something, there is no pause.
                if await self.round():
                    pause_s = 0
                backoff.reset()
            except TransientError as error:
                pause_s = backoff.next_s()
                self._warn("store", "notices wait for the database", error=str(error))
            with trio.move_on_after(pause_s):
                await self._wake.wait()

    def wake(self) -> None:
        """Says that there is something to send; never waits."""
        self._wake.set()

    async def round(self) -> bool:
        """Does once what is due; returns whether there may be more at once. Raises `TransientError`."""
        await self._mark_sent()
        more = await self._take_facts()
        routed = await self.store.route(self.channels, window_s=self.window_s, notices_max=NOTICES_MAX)
        if trio.current_time() >= self._looked_s + LOOK_S:
            await self.store.note_overdue_exits()
            self.backlog = await self.store.backlog()
            self._looked_s = trio.current_time()
        if not self.channels:
            return more or routed == NOTICES_MAX
        claimed = await self.store.claim(
            [one.name for one in self.channels], lease_s=self.lease_s, window_s=self.window_s
        )
        if claimed:
            await self._deliver(claimed)
            self.backlog = await self.store.backlog()
        return more or routed == NOTICES_MAX or bool(claimed)

    async def _take_facts(self) -> bool:
        """Returns whether there may be more. A fact that makes no sense is put aside alone."""
        try:
            taken = await self.store.take_facts(FACTS_MAX)
        except RejectedError:
            try:
                taken = await self.store.take_facts(1)
            except RejectedError as error:
                await self.store.bury_fact()
                self.facts_buried += 1
                self._warn("fact", "a fact could not be told to anybody", error=str(error))
                return True
            self.facts += taken
            return taken == 1
        self.facts += taken
        return taken == FACTS_MAX

    async def _deliver(self, claimed: Sequence[ClaimedDelivery]) -> None:
        wanted = plan(claimed, self.clock.now_ms())
        await self.store.put_off(wanted.later)
        await self.store.suppress(wanted.unwanted)
        await self._give_up(wanted.given_up)
        waiting = dict(enumerate(wanted.together))
        messages = [
            message_of(
                [one.notice for one in group],
                number=number,
                channel=group[0].channel,
                address=group[0].email if group[0].channel == MAIL else None,
                user_name=group[0].user_name,
                settings_url=self.settings_url,
            )
            for number, group in waiting.items()
        ]
        if messages:

            async def told(result: SendResult) -> None:
                await self._settle(waiting.pop(result.number), result)

            await self.sender.send(messages, told)
        for number, group in waiting.items():
            await self._settle(group, SendResult(number=number, error=UNANSWERED))

    async def _settle(self, group: Sequence[ClaimedDelivery], result: SendResult) -> None:
        """Writes down at once what became of a message: a crash repeats as little as can be.

        Without the database what was sent is remembered; what failed is claimed again when its claim has expired.
        """
        channel = group[0].channel
        try:
            if result.error is None:
                self.sent[channel] += len(group)
                self._unmarked += group
                await self._mark_sent()
                return
            chance = self.rng.random()
            retries = [after_failure(one, result, chance) for one in group]
            self.failed[channel] += len(group)
            self.given_up[channel] += sum(1 for one in retries if one.after_s is None)
            self._warn(f"send {channel}", "a message was not taken", channel=channel, error=result.error)
            await self.store.mark_failed(retries)
        except TransientError as error:
            self._warn("mark", "what became of a message waits for the database", error=str(error))

    async def _give_up(self, given_up: Sequence[ClaimedDelivery]) -> None:
        self.given_up.update(one.channel for one in given_up)
        error = "sending was cut short again and again"
        await self.store.mark_failed([Retry(delivery=one, error=error, after_s=None) for one in given_up])

    async def _mark_sent(self) -> None:
        """Raises `TransientError`; what was sent is remembered and marked before anything else is claimed."""
        if self._unmarked:
            await self.store.mark_sent(self._unmarked)
            self._unmarked = []

    def _warn(self, key: str, message: str, **fields: object) -> None:
        if self._log_limit.allows(key, trio.current_time()) is not None:
            _log.warning(message, extra=fields)
