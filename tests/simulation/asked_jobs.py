"""Runs of jobs that a test asks for, in the engine that runs."""

from typing import Any

import trio
from simulation.ingest_world import IngestWorld

from config.jobs import default_jobs
from engine.adapters.postgres.database import open_connection
from engine.adapters.postgres.job_store import PostgresJobStore
from protocols.jobs import JobStatus

ONLY_ASKED = {f"jobs.{name}.enabled": "false" for name in default_jobs()}
"""No job runs by the clock."""


async def asked(world: IngestWorld, name: str, *, timeout_s: float = 60) -> dict[str, Any]:
    """Has the job run in the engine, and returns its figures; it has to succeed."""
    status, figures, error = await asked_end(world, name, timeout_s=timeout_s)
    assert status is JobStatus.SUCCEEDED, error
    return figures


async def asked_end(
    world: IngestWorld, name: str, *, timeout_s: float = 60
) -> tuple[JobStatus, dict[str, Any], str | None]:
    """The same for one that may fail."""
    async with open_connection(world.database, "asked") as connection:
        store = PostgresJobStore(connection)
        request = await store.request(name, "test")
        with trio.fail_after(timeout_s):
            while True:
                run = await store.run_of_request(request.request_id)
                if run is not None and run.status is not JobStatus.RUNNING:
                    return run.status, dict(run.figures), run.error
                await trio.sleep(0.05)
