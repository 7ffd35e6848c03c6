"""Runs a job for a command: by asking the engine that runs, or in this process when none does."""

import os
import socket

import attrs
import click
import trio

from config.schema import EngineConfig
from config.sources import ConfigInputs
from engine.adapters.job_adapters import open_job_adapters
from engine.adapters.system_clock import SystemClock, process_owner_id
from engine.cli.database_access import OpenDatabase, with_database
from engine.cli.operator import operator_name
from engine.cli.terminal import plain, progress
from engine.job_places import job_note, whereabouts
from engine.job_wiring import JobPorts, jobs_of, runner_of
from engine.model_work import SideModelWork
from engine.runtime.traffic import Traffic
from engine.side_process import SideDesk
from engine.tuner_process import SideTunerSearch
from protocols.jobs import JobLease, JobRun, JobStatus, JobStore

LOOK_S = 0.3


@attrs.frozen(kw_only=True)
class RunReport:
    """What became of a request; `run` is None when nobody waited for it."""

    request_id: int
    where: str
    run: JobRun | None = None


async def run_job(config: EngineConfig, name: str, *, wait: bool, inputs: ConfigInputs) -> RunReport:
    """Asks for a run, and makes it here when no engine schedules. Raises as `with_database`.

    `inputs` is what the configuration was read from, for jobs that start processes of their own.
    """

    async def inside(database: OpenDatabase) -> RunReport:
        async with open_job_adapters(config, database.options, Traffic()) as io:
            side = SideDesk(config=inputs)
            ports = JobPorts(
                **attrs.asdict(io, recurse=False),
                side=side,
                model_work=SideModelWork(side=side, config=config.models),
                tuner_search=SideTunerSearch(side=side, config=config.tuner),
            )
            schedulers = await io.store.schedulers()
            if whereabouts(name) is not None and (note := job_note(name, schedulers)) is not None:
                raise click.ClickException(f"{name} {note}; nothing was asked for")
            request = await io.store.request(name, operator_name())
            if not any(name in one.jobs for one in schedulers):
                await _run_here(config, ports, name)
                ended = await io.store.run_of_request(request.request_id)
                return RunReport(request_id=request.request_id, where="here", run=ended)
            ended = await _ended(io.store, name, request.request_id) if wait else None
            return RunReport(request_id=request.request_id, where="in the engine", run=ended)

    return await with_database(config, inside, prepare=True)


async def _run_here(config: EngineConfig, ports: JobPorts, name: str) -> None:
    job = next(job for job in jobs_of(config, ports, SystemClock()) if job.name == name)
    holder = f"{socket.gethostname()} process {os.getpid()}, a command"
    asked_s = trio.current_time()
    claimed = await ports.store.claim(
        name, slot_ms=None, owner=process_owner_id(), holder=holder, ttl_s=config.limits.lease_ttl_s
    )
    if not isinstance(claimed, JobLease):
        state = (await ports.store.states([name], slots_until_ms=SystemClock().now_ms()))[name]
        raise click.ClickException(
            f"{name} cannot run here now: it is held by {plain(state.held_by or 'another command')}; what was asked for "
            "is kept, and the next engine runs it"
        )
    with progress(f"running {name}"):
        await runner_of(config, ports).run(job, claimed, timeout_s=config.jobs[name].timeout_s, held_s=asked_s)


async def _ended(store: JobStore, name: str, request_id: int) -> JobRun:
    """Waits for the run of a request; one that is abandoned is waited for again while it is to be repeated."""
    with progress(f"waiting for {name}"):
        while True:
            run = await store.run_of_request(request_id)
            if run is not None and run.status is not JobStatus.RUNNING:
                return run
            await trio.sleep(LOOK_S)
