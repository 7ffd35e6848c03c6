import logging
from collections.abc import Iterator

import pytest
from engine_cli.cli_process import LiveEngine, live_engine
from engine_postgres.server_fixtures import scratch_directory


@pytest.fixture(scope="session")
def engine() -> Iterator[LiveEngine]:
    """One for all tests that need a running engine; they must not mind who is followed."""
    with scratch_directory() as home, live_engine(home) as running:
        yield running


@pytest.fixture
def own_logging() -> Iterator[None]:
    """Gives logging back as it was: a command sends it to its own standard error."""
    root, raises = logging.getLogger(), logging.raiseExceptions
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level, logging.raiseExceptions = handlers, level, raises
