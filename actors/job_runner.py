"""Runs a claimed job to an end that is on record, under a lease that is extended while it runs."""

import logging

import attrs
import trio

from protocols.errors import FencedError, TransientError
from protocols.jobs import Job, JobLease, JobOutcome, JobStatus, JobStore, RunningJob

_log = logging.getLogger(__name__)
EXTENSIONS_PER_TTL = 3
# We trust ourselves a little less long than others trust the lease.
TRUSTED_RATIO = 0.9
RETRY_S = 0.5
LAST_WORD_S = 2.0
ERROR_CHARS_MAX = 1_000
STOPPED = JobOutcome(status=JobStatus.ABANDONED, error="the engine stopped")


@attrs.define(eq=False, kw_only=True)
class JobRunner:
    """Runs jobs that somebody has claimed."""

    store: JobStore
    lease_ttl_s: float

    async def run(self, job: Job, lease: JobLease, *, timeout_s: float, held_s: float) -> JobOutcome | None:
        """Returns how the run ended, or None when the lease was lost: then others decide and nothing is recorded.

        `held_s` is the time (`trio.current_time`) from which the lease counts: before it was asked for. When cancelled
        itself, it gives the lease back at once, so that another engine may run the slot again.
        """
        kept = _Kept(running=RunningJob(lease=lease), held_s=held_s)
        fields = {"job": job.name, "run": lease.run_id, "attempt": lease.attempt}
        _log.info("job started", extra=fields)
        began_s = trio.current_time()
        finished: JobOutcome | None = None
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._keep_lease, kept, nursery.cancel_scope)
                outcome = await _ended(job, kept.running, timeout_s)
                if outcome is not None and await self._record(lease, outcome):
                    finished = outcome
                nursery.cancel_scope.cancel()
        finally:
            if finished is None and kept.lost is None:
                await self._give_back(kept.running)
        fields["took_s"] = round(trio.current_time() - began_s, 3)
        if finished is None:
            _log.warning("job lost its lease, nothing is recorded", extra={**fields, "error": kept.lost})
        else:
            level = logging.INFO if finished.status is JobStatus.SUCCEEDED else logging.ERROR
            done = {"status": finished.status.value, "error": finished.error, **finished.figures}
            _log.log(level, "job ended", extra={**fields, "outcome": done})
        return finished

    async def _keep_lease(self, kept: "_Kept", work: trio.CancelScope) -> None:
        """Extends the lease until it is lost or can no longer be trusted; then it ends the work."""
        lease, trusted_s = kept.running.lease, self.lease_ttl_s * TRUSTED_RATIO
        next_s = kept.held_s + self.lease_ttl_s / EXTENSIONS_PER_TTL
        while kept.lost is None:
            await trio.sleep_until(min(next_s, kept.held_s + trusted_s))
            asked_s = trio.current_time()
            next_s = asked_s + RETRY_S
            try:
                # Also when we slept too long: nobody may have taken it over.
                with trio.CancelScope(deadline=max(next_s, kept.held_s + trusted_s)):
                    await self.store.extend(lease, ttl_s=self.lease_ttl_s, figures=dict(kept.running.figures))
                    kept.held_s, next_s = asked_s, asked_s + self.lease_ttl_s / EXTENSIONS_PER_TTL
            except FencedError as error:
                kept.lost = str(error)
            except TransientError as error:
                _log.warning("lease of a job not extended", extra={"job": lease.job, "error": str(error)})
            if kept.lost is None and trio.current_time() >= kept.held_s + trusted_s:
                kept.lost = "it could not be extended in time"
        work.cancel()

    async def _record(self, lease: JobLease, outcome: JobOutcome) -> bool:
        """Tries until the end is on record, or the lease is somebody else's; whoever keeps the lease ends it, too."""
        while True:
            try:
                await self.store.finish(lease, outcome)
            except FencedError:
                return False
            except TransientError as error:
                _log.warning("end of a job not recorded yet", extra={"job": lease.job, "error": str(error)})
                await trio.sleep(RETRY_S)
            else:
                return True

    async def _give_back(self, running: RunningJob) -> None:
        """Says that this run will not end; without the database, the lease runs out by itself."""
        with trio.move_on_after(LAST_WORD_S, shield=True):
            try:
                await self.store.finish(running.lease, attrs.evolve(STOPPED, figures=dict(running.figures)))
            except (FencedError, TransientError) as error:
                _log.warning("lease of a job not given back", extra={"job": running.lease.job, "error": str(error)})


@attrs.define(eq=False, kw_only=True)
class _Kept:
    """A run and how sure we are of its lease."""

    running: RunningJob
    held_s: float
    lost: str | None = None


async def _ended(job: Job, running: RunningJob, timeout_s: float) -> JobOutcome | None:
    """Runs the job; one that finds itself fenced has no outcome. A bug in it is its own failure, nobody else's."""
    status, problem, is_fenced = JobStatus.SUCCEEDED, None, False
    try:
        with trio.move_on_after(timeout_s) as patience:
            await job.run(running)
        if patience.cancelled_caught:
            status, problem = JobStatus.FAILED, f"it took longer than {timeout_s:g} s and was ended"
    except* Exception as errors:  # also those grouped with a cancellation, which goes on by itself
        causes = _leaves(errors)
        is_fenced = any(isinstance(cause, FencedError) for cause in causes)
        expected = all(isinstance(cause, TransientError) for cause in causes)
        if not is_fenced:
            _log.warning("job failed", extra={"job": job.name}, exc_info=None if expected else errors)
        status = JobStatus.FAILED
        problem = "; ".join(f"{type(cause).__name__}: {cause}" for cause in causes)[:ERROR_CHARS_MAX]
    if is_fenced:
        return None
    return JobOutcome(status=status, error=problem, figures=dict(running.figures))


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
    return [error]
