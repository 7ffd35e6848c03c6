"""The daily summary, and a sweep for what no trigger has written. Everything else is told as it happens."""

from collections.abc import Sequence
from datetime import timedelta

import attrs

from protocols.clock import WallClock
from protocols.jobs import RunningJob
from protocols.notifications import NoticeJobStore
from protocols.timestamps import utc_datetime

SWEEP_H = 36
"""So far back: longer than from one run to the next."""
USERS_MAX = 500


@attrs.define(eq=False, kw_only=True)
class CheckNotifications:
    """Facts of the last day and a half are written again, as triggers write them: what was told is not told twice."""

    store: NoticeJobStore
    clock: WallClock
    users_max: int = USERS_MAX
    name: str = "check-notifications"
    after: Sequence[str] = ()

    async def run(self, running: RunningJob) -> None:
        """Sweeps, then sums up the UTC day that is over. Raises `TransientError` and `FencedError`."""
        now_ms = self.clock.now_ms()
        found = await self.store.sweep(running.lease, since_ms=now_ms - SWEEP_H * 3_600_000)
        running.report(facts=found, summaries=0)
        day = utc_datetime(now_ms).date() - timedelta(days=1)
        summaries = 0
        while made := await self.store.summarize(running.lease, day=day, users_max=self.users_max):
            summaries += made
            running.report(summaries=summaries)
