"""The store of jobs, for the time of one command."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import click

from config.schema import EngineConfig
from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.job_store import PostgresJobStore
from engine.cli.database_access import OpenDatabase, with_database
from engine.cli.terminal import plain
from protocols.jobs import JobStore

T = TypeVar("T")


def check_job(config: EngineConfig, name: str) -> None:
    """Raises a usage error for a name that is no job's."""
    if name not in config.jobs:
        known = ", ".join(config.jobs)
        raise click.BadParameter(f"there is no job {plain(name, 80)!r}; there are: {known}", param_hint="NAME")


async def with_job_store(config: EngineConfig, work: Callable[[JobStore], Awaitable[T]]) -> T:
    """Runs `work` with the store of a migrated database. Raises as `with_database`."""

    async def inside(database: OpenDatabase) -> T:
        connection = Connection(database.options, "jobs command")
        try:
            return await work(PostgresJobStore(connection))
        finally:
            await connection.aclose()

    return await with_database(config, inside, prepare=True)
