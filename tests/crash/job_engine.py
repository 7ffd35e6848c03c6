"""A scheduler in a process of its own, with one slow job: `python job_engine.py DSN SECONDS`.

The job writes its beginning and its end into the table `job_marks`, so that a test can see what overlapped.
"""

import os
import sys

import attrs
import trio

from actors.scheduler import Scheduler
from config.jobs import JobConfig
from engine.adapters.postgres.database import Connection, DatabaseOptions, database_loop
from engine.adapters.postgres.job_store import PostgresJobStore
from engine.adapters.system_clock import SystemClock, process_owner_id, system_random
from protocols.jobs import RunningJob

TTL_S = 2.0
BEGAN = "INSERT INTO job_marks (run_id, pid, began) VALUES ($1, $2, clock_timestamp())"
ENDED = "UPDATE job_marks SET ended = clock_timestamp() WHERE run_id = $1"


@attrs.define(eq=False, kw_only=True)
class SlowJob:
    connection: Connection
    takes_s: float
    name: str = "slow"
    after: tuple[str, ...] = ()

    async def run(self, running: RunningJob) -> None:
        run_id = running.lease.run_id
        await self.connection.run(lambda raw: raw.execute(BEGAN, run_id, os.getpid()))
        for step in range(10):
            await trio.sleep(self.takes_s / 10)
            running.report(steps=step + 1)
        await self.connection.run(lambda raw: raw.execute(ENDED, run_id))


async def main(dsn: str, takes_s: float) -> None:
    options = DatabaseOptions(dsn=dsn)
    async with database_loop():
        scheduler = Scheduler(
            jobs=[SlowJob(connection=Connection(options, "slow job"), takes_s=takes_s)],
            # Not each minute: the slot that a test owes must not be followed by another one while it runs.
            settings={"slow": JobConfig(cron="0 * * * *")},
            store=PostgresJobStore(Connection(options, "jobs")),
            clock=SystemClock(),
            rng=system_random(),
            owner=process_owner_id(),
            holder=f"test process {os.getpid()}",
            lease_ttl_s=TTL_S,
            poll_s=0.2,
        )
        await scheduler.run()


if __name__ == "__main__":
    trio.run(main, sys.argv[1], float(sys.argv[2]))
