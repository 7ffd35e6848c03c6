"""Proposals of the tuner in the database of a running demo: `python -m browser.tuner_rows DATA_DIR NAME…`."""

import sys
from pathlib import Path

import trio
from engine_postgres.tuner_world import TunerWorld, evidence

from engine.adapters.postgres.database import Connection, DatabaseOptions, database_loop
from engine.adapters.postgres.embedded_server import running_server_dsn
from engine.adapters.postgres.job_store import PostgresJobStore
from protocols.jobs import JobLease
from protocols.tuner_search import Finding


async def propose(data_dir: str, names: list[str]) -> None:
    dsn = await running_server_dsn(Path(data_dir))
    assert dsn is not None
    async with database_loop():
        connection = Connection(DatabaseOptions(dsn=dsn), "browser rows")
        jobs, world = PostgresJobStore(connection), TunerWorld(connection)
        # A job of its own each time: the lease of the last one may not have run out yet.
        job = f"browser-rows-{names[0].lower()}"
        await jobs.request(job, "test")
        lease = await jobs.claim(job, slot_ms=None, owner=names[0], holder="test", ttl_s=60)
        assert isinstance(lease, JobLease)
        for name in names:
            await world.strategy(name)
            finding = Finding(
                wallet_id=name, version=1, text="It did better.", before={"price_min": "0.1"}, after={"price_min": "0.3"},
                evidence=evidence(),
            )  # fmt: skip
            assert await world.store.record(lease, finding) is not None
        await connection.aclose()


if __name__ == "__main__":
    trio.run(propose, sys.argv[1], sys.argv[2:])
