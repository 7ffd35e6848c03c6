"""Fixtures that several folders use: a real PostgreSQL, a migrated database for each test, the recorded data."""

import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

from engine_postgres.server_fixtures import DatabaseServer, database_server
from file_order import chain_of, in_turn
from property.examples import examples

from engine.adapters.postgres.database import DatabaseOptions, database_loop
from engine.adapters.postgres.migrate import migrate

RECORDED = Path(__file__).parents[2] / "shared"
WORKERS_MAX = 4
# Of properties that say nothing else: a busy machine is no failure of theirs either.
settings.register_profile("polycopy", examples(settings().max_examples))
settings.load_profile("polycopy")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Workers for `-n auto`: for whole folders one more than cores, since tests wait a third of their time; none where they
    would cost time, output or a true figure."""
    options = config.option
    only_files = bool(config.args) and all(".py" in argument for argument in config.args)
    looks_closely = bool(options.keyword) or options.capture == "no" or config.getoption("lf", False)
    if only_files or looks_closely or options.markexpr != "not slow":
        return 0
    return min(len(os.sched_getaffinity(0)) + 1, WORKERS_MAX)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A file at a time, or a chain of files: what needs a browser shares one demo, and what is killed waits for its turn."""
    from xdist.scheduler import LoadFileScheduling

    class Files(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return chain_of(super()._split_scope(nodeid))

    return Files(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Workers take files in an order that keeps all of them busy; a single process goes on as they lie."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = {name: number for number, name in enumerate(in_turn(_file_of(item) for item in items))}
        items.sort(key=lambda item: place[_file_of(item)])


def _file_of(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


@pytest.fixture(scope="session")
def recorded() -> Path:
    """The folder with recorded data and payloads, which is not part of the project."""
    if not (RECORDED / "data").is_dir():
        pytest.skip("the recorded data is not beside this checkout")
    return RECORDED


@pytest.fixture(scope="session")
def postgres() -> Iterator[DatabaseServer]:
    """A throw-away server for the whole session."""
    with database_server() as server:
        yield server


@pytest.fixture(scope="session")
def migrated_template(postgres: DatabaseServer) -> str:
    """The name of a database with all migrations applied, to be copied for each test."""
    dsn = postgres.create_database()

    async def prepare() -> None:
        async with database_loop():
            await migrate(DatabaseOptions(dsn=dsn))

    trio.run(prepare)
    from engine_postgres.server_fixtures import database_name

    return database_name(dsn)


@pytest.fixture
def database(postgres: DatabaseServer, migrated_template: str) -> Iterator[DatabaseOptions]:
    """A migrated database of this test's own."""
    with postgres.database(template=migrated_template) as dsn:
        yield DatabaseOptions(dsn=dsn)


@pytest.fixture
async def aio() -> AsyncIterator[None]:
    """The asyncio loop that database connections need."""
    async with database_loop():
        yield
