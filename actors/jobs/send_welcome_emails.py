"""Welcomes users whose accounts are some hours old."""

from collections.abc import Sequence

import attrs

from protocols.clock import WallClock
from protocols.jobs import RunningJob
from protocols.notifications import NoticeJobStore

OLD_MS = 2 * 3_600_000
USERS_MAX = 50


@attrs.define(eq=False, kw_only=True)
class SendWelcomeEmails:
    """Only puts welcomes into the outbox, once for each user: sending them is the notifier's."""

    store: NoticeJobStore
    clock: WallClock
    sends_mail: bool
    """False: nobody is welcomed until there is a mail server."""
    users_max: int = USERS_MAX
    name: str = "send-welcome-emails"
    after: Sequence[str] = ()

    async def run(self, running: RunningJob) -> None:
        """Welcomes all who are due, some at a time. Raises `TransientError` and `FencedError`."""
        welcomed = 0
        running.report(welcomed=0)
        if not self.sends_mail:
            return
        until_ms = self.clock.now_ms() - OLD_MS
        while made := await self.store.welcome(running.lease, until_ms=until_ms, users_max=self.users_max):
            welcomed += made
            running.report(welcomed=welcomed)
