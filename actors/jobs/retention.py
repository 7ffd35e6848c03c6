"""Deletes trades, decisions and logs that are too old, a short transaction at a time."""

from collections.abc import Sequence

import attrs
import trio

from config.jobs import RetentionConfig
from protocols.clock import WallClock
from protocols.housekeeping import RetentionStore
from protocols.jobs import JobLease, RunningJob
from protocols.notifications import NoticeJobStore
from protocols.trades import Lane


@attrs.define(eq=False, kw_only=True)
class Retention:
    """Lanes 1 and 2 go after `followed_days`, or `resolved_days` once their market is resolved; lane 0 after `target_days`.

    Decisions go with the trades of lane 0, by whole days, logs of live trading after `log_days`, notices
    of users after `notice_days`. Orders stay.
    Every transaction proves that the lease is held, so a run that was taken over deletes nothing more.
    """

    store: RetentionStore
    config: RetentionConfig
    clock: WallClock
    notices: NoticeJobStore | None = None
    name: str = "retention"
    after: Sequence[str] = ()

    async def run(self, running: RunningJob) -> None:
        """Deletes what is due now. Raises `TransientError` and `FencedError`."""
        now_ms = self.clock.now_ms()
        running.report(followed=0, targets=0, resolved=0, decision_days=0, logs=0, notices=0)
        for lane in (Lane.FOLLOWED, Lane.KNOWN):
            await self._delete_old(running, lane, "followed", now_ms, self.config.followed_days)
        await self._delete_old(running, Lane.TARGET, "targets", now_ms, self.config.target_days)
        await self._delete_resolved(running, now_ms)
        await self._delete_decisions(running, now_ms)
        await self._drop_logs(running, now_ms)
        await self._delete_notices(running, now_ms)

    async def _delete_old(self, running: RunningJob, lane: Lane, figure: str, now_ms: int, days: int) -> None:
        rows_max = self.config.batch_rows
        while True:
            batch = await self.store.delete_old(running.lease, lane, now_ms=now_ms, days=days, rows_max=rows_max)
            _count(running, figure, batch.deleted)
            if batch.deleted < rows_max:
                return
            await self._pause()

    async def _delete_resolved(self, running: RunningJob, now_ms: int) -> None:
        lease: JobLease = running.lease
        market_after: str | None = ""
        while market_after is not None:
            batch = await self.store.delete_resolved(
                lease,
                now_ms=now_ms,
                days=self.config.resolved_days,
                market_after=market_after,
                rows_max=self.config.batch_rows,
            )
            market_after = batch.market_after
            _count(running, "resolved", batch.deleted)
            await self._pause()

    async def _delete_decisions(self, running: RunningJob, now_ms: int) -> None:
        days, rows_max = self.config.target_days, self.config.batch_rows
        while (await self.store.drop_decisions(running.lease, now_ms=now_ms, days=days)).deleted:
            _count(running, "decision_days", 1)
            await self._pause()
        while True:
            batch = await self.store.delete_decisions(running.lease, now_ms=now_ms, days=days, rows_max=rows_max)
            if batch.deleted < rows_max:
                return
            await self._pause()

    async def _drop_logs(self, running: RunningJob, now_ms: int) -> None:
        days, rows_max = self.config.log_days, self.config.batch_rows
        while True:
            batch = await self.store.drop_logs(running.lease, now_ms=now_ms, days=days, rows_max=rows_max)
            if not batch.deleted:
                return
            _count(running, "logs", batch.deleted)
            await self._pause()

    async def _delete_notices(self, running: RunningJob, now_ms: int) -> None:
        days, rows_max = self.config.notice_days, self.config.batch_rows
        while self.notices is not None:
            deleted = await self.notices.delete_old(running.lease, now_ms=now_ms, days=days, rows_max=rows_max)
            _count(running, "notices", deleted)
            if deleted < rows_max:
                return
            await self._pause()

    async def _pause(self) -> None:
        await trio.sleep(self.config.batch_pause_ms / 1000)


def _count(running: RunningJob, figure: str, deleted: int) -> None:
    running.report(**{figure: int(running.figures[figure] or 0) + deleted})
