"""What the suites of live stores run against, unless a file says something else: memory, then PostgreSQL."""

import pytest
from engine_adapters.live_worlds import either_live


@pytest.fixture(params=["memory", "postgres"])
def options(request):
    """The database of the second half; None in memory."""
    return None if request.param == "memory" else request.getfixturevalue("database")


@pytest.fixture
async def world(options, aio):
    async with either_live(options) as one:
        yield one
