"""A transaction that proves the lease of a job."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from engine.adapters.postgres.leases import proof_of_lease
from protocols.errors import FencedError
from protocols.jobs import JobLease

IDLE_MAX_MS = 10_000
"""A job may think between two statements; one that was put to sleep keeps nobody from the job for longer."""
# The lease's row is locked, so nobody takes the job over before the transaction ends.
FENCE = proof_of_lease(IDLE_MAX_MS)


@asynccontextmanager
async def fenced(raw: asyncpg.Connection, lease: JobLease) -> AsyncIterator[None]:
    """Opens a transaction under the lease. Raises `FencedError` when it is not ours any more."""
    async with raw.transaction():
        if await raw.fetchval(FENCE, lease.name, lease.owner, lease.epoch) is None:
            raise FencedError(f"the lease {lease.name} of epoch {lease.epoch} is not ours any more")
        yield


@asynccontextmanager
async def fenced_at_end(raw: asyncpg.Connection, lease: JobLease) -> AsyncIterator[None]:
    """The same for a transaction that may be long: the lease is proved just before the commit.

    While its row is locked nobody can extend it, so that under a lock held from the beginning a long transaction would lose the
    very lease that it proves. Raises `FencedError`, and then nothing was written.
    """
    async with raw.transaction():
        yield
        if await raw.fetchval(FENCE, lease.name, lease.owner, lease.epoch) is None:
            raise FencedError(f"the lease {lease.name} of epoch {lease.epoch} is not ours any more")
