"""Runs jobs when they are due or asked for."""

import logging
from collections.abc import Callable, Mapping, Sequence

import attrs
import trio

from actors.job_runner import JobRunner
from actors.rules.backoff import Backoff
from actors.rules.cron_times import CronTimes, slot_owed
from actors.rules.log_limit import LogLimit
from config.jobs import JobConfig
from protocols.clock import Random, WallClock
from protocols.errors import TransientError
from protocols.jobs import Job, JobLease, JobState, JobStore

_log = logging.getLogger(__name__)
# Requests come through the database, and the wall clock may step: both are looked at this often.
POLL_S = 2.0
ANNOUNCE_S = 10.0
WITHDRAW_S = 1.0


@attrs.define(eq=False, kw_only=True)
class Scheduler:
    """clock, requests → jobs. Any number of engines may run one over the same store.

    What is due is decided against the slots on record, not against timers: a missed slot is run once, the latest one only,
    whether the engine was down or the clock stepped. Whoever claims a job first runs it.
    """

    jobs: Sequence[Job]
    settings: Mapping[str, JobConfig]
    """By name of the job; one without settings runs only when somebody asks for it."""
    store: JobStore
    clock: WallClock
    rng: Random
    owner: str
    """Unique to this process."""
    holder: str
    """Who that is, for people: host and process id."""
    lease_ttl_s: float
    places: Mapping[str, Callable[[], bool]] = attrs.field(factory=dict)
    """Whether a job can run in this process now; those not named always can."""
    concurrent_max: int = 4
    """More than there are jobs of hours, so that those of seconds never wait for them."""
    poll_s: float = POLL_S
    dependency_wait_s: float = 3_600.0
    """How long a due job waits for the jobs that it comes after, unless they are at it or yet to begin; then its slot is
    skipped."""
    running: dict[str, JobLease] = attrs.field(init=False, factory=dict)
    """What this scheduler runs now, by name."""
    succeeded_ms: dict[str, int] = attrs.field(init=False, factory=dict)
    """When each job that can run here last succeeded, in any engine; before the first time, when it became known."""
    interval_s: dict[str, float] = attrs.field(init=False, factory=dict)
    """The longest time between two slots of each enabled job that can run here."""
    _crons: dict[str, CronTimes] = attrs.field(init=False, factory=dict)
    """By name, as last read: settings may be reloaded."""
    _runner: JobRunner = attrs.field(init=False)
    _waiting: dict[str, "_Waiting"] = attrs.field(init=False, factory=dict)
    _claims: int = attrs.field(init=False, default=0)
    _announced_s: float = attrs.field(init=False, default=float("-inf"))
    _announced: Sequence[str] = attrs.field(init=False, default=())
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)

    def __attrs_post_init__(self) -> None:
        self._runner = JobRunner(store=self.store, lease_ttl_s=self.lease_ttl_s)
        for name in self.settings:
            self._cron(name)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Runs jobs until it is cancelled; those that run then are given back at once."""
        self.running.clear()
        self._waiting.clear()
        task_status.started()
        backoff = Backoff(first_s=self.poll_s / 4, max_s=30, rng=self.rng)
        try:
            async with trio.open_nursery() as nursery:
                while True:
                    pause_s = self.poll_s
                    try:
                        await self._look(nursery)
                        backoff.reset()
                    except TransientError as error:
                        pause_s = backoff.next_s()
                        if self._log_limit.allows("store", trio.current_time()) is not None:
                            _log.warning("jobs wait for the database", extra={"error": str(error)})
                    await trio.sleep(pause_s)
        finally:
            with trio.move_on_after(WITHDRAW_S, shield=True):
                await self._withdraw()

    def can_run(self, name: str) -> bool:
        """Returns whether there is such a job, and it can run in this process now."""
        return any(job.name == name and self._can_run_here(job) for job in self.jobs)

    def last_success_age_s(self) -> dict[str, float]:
        """Returns the age of each job's last success, for the metric; of one that never succeeded the time it is known."""
        now_ms = self.clock.now_ms()
        return {job: max(0, now_ms - then_ms) / 1000 for job, then_ms in self.succeeded_ms.items()}

    async def _look(self, nursery: trio.Nursery) -> None:
        """Looks at every job once and starts what is owed, those first that have waited longest."""
        jobs = [job for job in self.jobs if self._can_run_here(job)]
        names = [job.name for job in jobs]
        if trio.current_time() >= self._announced_s + ANNOUNCE_S or names != self._announced:
            await self.store.announce(self.owner, self.holder, names)
            self._announced_s, self._announced = trio.current_time(), names
        now_ms = self.clock.now_ms()
        # Jobs of other places as well, where one of ours comes after them.
        asked = list(dict.fromkeys([*names, *(earlier for job in jobs for earlier in job.after)]))
        # A later slot on record was run by a clock that was ahead; it holds up nothing before it.
        states = await self.store.states(asked, slots_until_ms=now_ms)
        self._note(names, states, now_ms)
        for job in sorted(jobs, key=self._waiting_since_s):
            # Claimed elsewhere, or by us: even the lease of a run of ours that hangs while it ends is alive.
            if job.name in self.running or states[job.name].held_by is not None:
                continue
            slot_ms = await self._owed(job, states, now_ms)
            state = states[job.name]
            if slot_ms is None and state.requested_by is None and not state.orphaned:
                continue
            if len(self.running) < self.concurrent_max:
                await self._start(job, slot_ms, nursery)

    def _note(self, names: Sequence[str], states: Mapping[str, JobState], now_ms: int) -> None:
        """Remembers what the metrics say, and forgets what waited here and cannot run here any more."""
        # Of a job that never succeeded: it must not look as if nobody expected anything of it (D75).
        since = {name: states[name].succeeded_ms or states[name].known_ms for name in names}
        self.succeeded_ms = {name: ms for name, ms in since.items() if ms is not None}
        enabled = [name for name in names if name in self.settings and self.settings[name].enabled]
        known = self.interval_s
        self.interval_s = {
            name: known[name] if self._is_read(name) and name in known else self._cron(name).longest_gap_s(now_ms)
            for name in enabled
        }
        for name in self._waiting.keys() - set(names):
            del self._waiting[name]

    def _can_run_here(self, job: Job) -> bool:
        return job.name not in self.places or self.places[job.name]()

    def _waiting_since_s(self, job: Job) -> float:
        waiting = self._waiting.get(job.name)
        return trio.current_time() if waiting is None else waiting.start_s

    async def _start(self, job: Job, slot_ms: int | None, nursery: trio.Nursery) -> None:
        self._claims += 1
        asked_s = trio.current_time()
        claimed = await self.store.claim(
            job.name,
            slot_ms=slot_ms,
            owner=f"{self.owner}/{self._claims}",
            holder=self.holder,
            ttl_s=self.lease_ttl_s,
        )
        if isinstance(claimed, JobLease):
            self._waiting.pop(job.name, None)
            self.running[job.name] = claimed
            nursery.start_soon(self._run_claimed, job, claimed, asked_s)

    async def _run_claimed(self, job: Job, lease: JobLease, asked_s: float) -> None:
        try:
            timeout_s = self.settings[job.name].timeout_s if job.name in self.settings else JobConfig().timeout_s
            await self._runner.run(job, lease, timeout_s=timeout_s, held_s=asked_s)
        finally:
            if self.running.get(job.name) is lease:
                del self.running[job.name]

    async def _owed(self, job: Job, states: Mapping[str, JobState], now_ms: int) -> int | None:
        """Returns the slot to run now: owed, its jitter over, and what it comes after done. May skip one."""
        settings, last = self.settings.get(job.name), states[job.name].last_slot
        if settings is None or not settings.enabled:
            return None
        cron = self._cron(job.name)
        if last is None:
            # Nothing was missed before the job was known here.
            await self._skip(job, cron.latest_until(now_ms), "the job is new here")
            return None
        slot_ms = slot_owed(cron, now_ms, last)
        waiting = self._waiting.get(job.name)
        if waiting is not None and waiting.slot_ms != slot_ms:
            del self._waiting[job.name]
            if slot_ms is not None and waiting.misses:
                await self._skip(job, waiting.slot_ms, f"{waiting.misses} before its next slot")
        if slot_ms is None:
            return None
        waiting = self._waiting.setdefault(job.name, self._new_wait(cron, slot_ms, settings.jitter_s))
        if trio.current_time() < waiting.start_s:
            return None
        missing = self._missing(job, states, slot_ms)
        waiting.misses = f"{', '.join(missing)} did not succeed" if missing else ""
        is_late = trio.current_time() >= waiting.start_s + self.dependency_wait_s
        if missing and is_late and not any(self._is_coming(name, states) for name in missing):
            await self._skip(job, slot_ms, f"{waiting.misses} within {self.dependency_wait_s:g} s")
        return None if missing else slot_ms

    def _is_coming(self, name: str, states: Mapping[str, JobState]) -> bool:
        """Returns whether a job runs now or is yet to run its slot: that may take longer than any fixed wait."""
        at_work = name in self.running or (name in states and states[name].held_by is not None)
        return at_work or name in self._waiting

    def _is_read(self, name: str) -> bool:
        known = self._crons.get(name)
        return known is not None and known.expression == self.settings[name].cron

    def _cron(self, name: str) -> CronTimes:
        expression = self.settings[name].cron
        known = self._crons.get(name)
        if known is None or known.expression != expression:
            known = self._crons[name] = CronTimes(expression)
        return known

    def _new_wait(self, cron: CronTimes, slot_ms: int, jitter_s: float) -> "_Waiting":
        # Longer than half-way to the next slot, a slot might never be run.
        longest_s = min(jitter_s, (cron.next_after(slot_ms) - slot_ms) / 2_000)
        return _Waiting(slot_ms=slot_ms, start_s=trio.current_time() + self.rng.uniform(0, longest_s))

    def _missing(self, job: Job, states: Mapping[str, JobState], slot_ms: int) -> list[str]:
        """Returns which jobs have not succeeded yet for their own latest slot at or before this one."""
        missing = []
        for name in job.after:
            state = states.get(name)
            needed_ms = self._cron(name).latest_until(slot_ms) if name in self.settings else slot_ms
            done_ms = [] if state is None else [state.succeeded_slot_ms, state.succeeded_start_ms]
            if not any(ms is not None and ms >= needed_ms for ms in done_ms):
                missing.append(name)
        return missing

    async def _skip(self, job: Job, slot_ms: int, reason: str) -> None:
        await self.store.skip(job.name, slot_ms, reason, holder=self.holder)
        _log.info("slot of a job skipped", extra={"job": job.name, "slot_ms": slot_ms, "reason": reason})

    async def _withdraw(self) -> None:
        self._announced_s = float("-inf")
        try:
            await self.store.withdraw(self.owner)
        except TransientError as error:
            _log.debug("scheduler not withdrawn", extra={"error": str(error)})


@attrs.define(eq=False, kw_only=True)
class _Waiting:
    """A slot that is owed and has not been started."""

    slot_ms: int
    start_s: float
    """Not before this; jitter."""
    misses: str = ""
    """What it waits for, when it waits for other jobs."""
