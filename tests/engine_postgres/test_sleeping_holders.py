"""Who is put to sleep between the proof of a lease and the commit locks its row, and keeps nobody from it for long."""

import asyncpg
import pytest
import trio

from engine.adapters.postgres import job_fence, poll_statements
from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.leases import LeaseHold, LeaseOffice


@pytest.fixture
async def connections(database, aio):
    made = [Connection(database, name) for name in ("sleeper", "taker")]
    yield made
    for one in made:
        await one.aclose()


@pytest.mark.parametrize(("fence", "longest_s"), [(poll_statements.FENCE, 3), (job_fence.FENCE, 12)])
async def test_a_lease_is_taken_over_from_a_holder_that_sleeps_in_a_transaction(connections, fence, longest_s):
    sleeper, taker = connections
    mine = LeaseOffice(connection=sleeper, owner="a", holder="a", ttl_s=0.1)
    hold = await mine.acquire("ingest")
    assert isinstance(hold, LeaseHold)

    async def prove_and_sleep(raw: asyncpg.Connection) -> None:
        await raw.execute("BEGIN")
        assert await raw.fetchval(fence, hold.name, hold.owner, hold.epoch) == 1

    await sleeper.run(prove_and_sleep)
    await trio.sleep(0.2)
    with trio.fail_after(longest_s + 10):
        began_s = trio.current_time()
        taken = await LeaseOffice(connection=taker, owner="b", holder="b", ttl_s=5).acquire("ingest")
    assert isinstance(taken, LeaseHold)
    assert trio.current_time() - began_s < longest_s
