"""Jobs for administrators: what runs when, what ran, and running one now."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import attrs

from actors.rules.cron_times import CronTimes
from config.jobs import JobConfig
from engine.api.errors import ApiError, not_found
from engine.api.params import pattern, whole
from engine.api.route import ApiRoute, Call, Rate, Struct
from engine.job_places import job_note, whereabouts
from protocols.clock import WallClock
from protocols.jobs import JobRun, JobState, JobStore
from protocols.timestamps import utc_datetime
from protocols.users import Scope

RUNS_MAX = 100
_NAME = pattern(
    "name", "name of a job", "[a-z0-9-]{1,64}", allowed="a job's name: letters, digits and -", in_path=True, required=True
)  # fmt: skip
_UNKNOWN = {404: "there is no such job"}


class RunAnswer(Struct):
    """One run."""

    run_id: int
    job: str
    slot: datetime | None
    attempt: int
    status: str
    holder: str
    requested_by: str | None
    started_at: datetime
    ended_at: datetime | None
    duration_s: float | None
    error: str | None
    figures: dict[str, Any]


class JobAnswer(Struct):
    """One job: its settings, and how it stands."""

    name: str
    enabled: bool
    cron: str
    timeout_s: float
    next_slot: datetime | None
    """None while it is not enabled."""
    running_at: str | None
    """Who holds its lease."""
    requested_by: str | None
    """Who asked for a run that has not started yet."""
    last_success_at: datetime | None
    last_run: RunAnswer | None
    note: str | None
    """Why it can do nothing now: it needs an engine that ingests, or is not installed."""


class JobsAnswer(Struct):
    """Every job, and who schedules."""

    jobs: list[JobAnswer]
    schedulers: list[str]


class RunsAnswer(Struct):
    """A page of runs, newest first."""

    runs: list[RunAnswer]
    next_before: int | None
    """`before` of the next page."""


class RequestAnswer(Struct):
    """A run that will start within seconds where an engine runs."""

    request_id: int
    is_new: bool
    """False: it had been asked for already and not started yet."""


@attrs.define(eq=False, kw_only=True)
class _JobRoutes:
    store: JobStore
    settings: Mapping[str, JobConfig]
    clock: WallClock
    runs_here: Callable[[str], bool]

    async def list_jobs(self, _call: Call) -> JobsAnswer:
        now_ms = self.clock.now_ms()
        states = await self.store.states(list(self.settings), slots_until_ms=now_ms)
        schedulers = await self.store.schedulers()
        answers = []
        for name, settings in self.settings.items():
            last = await self.store.runs(name, before_run_id=None, runs_max=1)
            note = job_note(name, schedulers)
            answers.append(_job_answer(states[name], settings, now_ms, last[0] if last else None, note))
        return JobsAnswer(jobs=answers, schedulers=[one.holder for one in schedulers])

    async def list_runs(self, call: Call) -> RunsAnswer:
        limit = call.params["limit"]
        runs = await self.store.runs(self._known(call), before_run_id=call.params["before"], runs_max=limit)
        return RunsAnswer(
            runs=[_run_answer(run) for run in runs], next_before=runs[-1].run_id if len(runs) == limit else None
        )

    async def run_now(self, call: Call) -> RequestAnswer:
        name = self._known(call)
        if whereabouts(name) is not None and not self.runs_here(name):
            # It would wait for an engine that may never come.
            note = job_note(name, await self.store.schedulers())
            if note is not None:
                raise ApiError(409, "no_engine_for_job", f"{name} {note}")
        request = await self.store.request(name, call.principal.user_name)
        return RequestAnswer(request_id=request.request_id, is_new=request.is_new)

    def _known(self, call: Call) -> str:
        name: str = call.params["name"]
        if name not in self.settings:
            raise not_found("unknown_job", f"there is no job {name}")
        return name


def job_routes(
    *,
    store: JobStore,
    settings: Mapping[str, JobConfig],
    clock: WallClock,
    runs_here: Callable[[str], bool] = lambda _name: False,
) -> list[ApiRoute]:
    """Returns the routes of jobs. `settings` are those of the configuration, by name; `runs_here` is this process's word."""
    feature = _JobRoutes(store=store, settings=settings, clock=clock, runs_here=runs_here)
    return [
        ApiRoute(
            method="GET",
            path="/api/admin/jobs",
            handler=feature.list_jobs,
            scope=Scope.ADMIN,
            rate=Rate.ADMIN,
            summary="Every job: when it runs, whether it runs now, and its last run",
            answer=JobsAnswer,
        ),
        ApiRoute(
            method="GET",
            path="/api/admin/jobs/{name}/runs",
            handler=feature.list_runs,
            scope=Scope.ADMIN,
            rate=Rate.ADMIN,
            summary="Runs of a job, newest first",
            answer=RunsAnswer,
            params=(
                _NAME,
                whole("limit", "runs of one page", at_least=1, at_most=RUNS_MAX, default=50),
                whole("before", "only runs with a smaller id", at_least=1, at_most=10**18 - 1),
            ),
            refusals=_UNKNOWN,
        ),
        ApiRoute(
            method="POST",
            path="/api/admin/jobs/{name}/run",
            handler=feature.run_now,
            scope=Scope.ADMIN,
            rate=Rate.ADMIN,
            summary="Asks for a run now; runs that were asked for and not started are one",
            answer=RequestAnswer,
            params=(_NAME,),
            refusals={**_UNKNOWN, 409: "no engine that runs now can run it"},
        ),
    ]


def _job_answer(state: JobState, settings: JobConfig, now_ms: int, last: JobRun | None, note: str | None) -> JobAnswer:
    return JobAnswer(
        name=state.job,
        enabled=settings.enabled,
        cron=settings.cron,
        timeout_s=settings.timeout_s,
        next_slot=utc_datetime(CronTimes(settings.cron).next_after(now_ms)) if settings.enabled else None,
        running_at=state.held_by,
        requested_by=state.requested_by,
        last_success_at=_moment(state.succeeded_ms),
        last_run=None if last is None else _run_answer(last),
        note=note,
    )


def _run_answer(run: JobRun) -> RunAnswer:
    return RunAnswer(
        run_id=run.run_id,
        job=run.job,
        slot=_moment(run.slot_ms),
        attempt=run.attempt,
        status=run.status.value,
        holder=run.holder,
        requested_by=run.requested_by,
        started_at=utc_datetime(run.started_ms),
        ended_at=_moment(run.ended_ms),
        duration_s=run.duration_s,
        error=run.error,
        figures=dict(run.figures),
    )


def _moment(ms: int | None) -> datetime | None:
    return None if ms is None else utc_datetime(ms)
