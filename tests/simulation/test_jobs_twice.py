"""I11: whichever job there is, running it once more changes nothing. Jobs are found in the wiring, not listed here."""

import time
from collections import Counter
from typing import Any

import asyncpg
import pytest
import trio
from crash.paper_bots import make_bots
from simulation.api_world import traders
from simulation.asked_jobs import ONLY_ASKED
from simulation.ingest_world import IngestWorld, eventually, ingest_world

from actors.job_runner import JobRunner
from actors.rules.cron_times import CronTimes
from config.jobs import default_jobs
from engine.adapters.postgres.database import once, open_connection
from engine.adapters.postgres.job_store import PostgresJobStore
from engine.lifecycle import Running
from protocols.jobs import Job, JobLease, JobStatus

SETTINGS = {
    **ONLY_ASKED,
    # Nobody but the jobs is at work while tables are compared.
    "forward_testing.settle_interval_s": "600",
    "poller.hot.enabled": "false",
    # A stream that loses rows and stays open is what the gap filler does not see.
    "stream.stall_timeout_s": "600",
    "stream.stall_timeout_max_s": "600",
    "coverage.settle_s": "0",
    "coverage.window_min_s": "45",
    "coverage.rate_per_s": "50",
}
OWN = ("job_runs", "job_requests", "job_schedulers", "engine_leases")
"""History of jobs, and leases: a run shows there, of course."""
TABLES = """
SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY relname
"""
TIMES = """
SELECT table_name, column_name FROM information_schema.columns
WHERE table_schema = 'public' AND data_type LIKE 'timestamp%'
"""
OTHERS = ("ft_holdings", "notification_facts", "cluster_members")
"""Written by an actor that asks the venue some seconds after a copy; a queue that another actor empties; heartbeats."""
OLD_TRADES = """
INSERT INTO trades_public (
    trade_id, lane, trader_wallet, transaction_hash, asset, condition_id, side, size, price, trade_timestamp, raw
)
SELECT 'old-' || trade_id, lane, trader_wallet, transaction_hash, asset, condition_id, side, size, price,
    trade_timestamp - interval '400 days', raw
FROM trades_public LIMIT 50
"""
VENUES_MOMENT = "#- '{raw_gamma,updatedAt}'"
Dump = dict[str, Counter[str]]


async def dump_of(world: IngestWorld) -> Dump:
    """Every row of every table without its moments, counted."""

    async def read(raw: asyncpg.Connection) -> Dump:
        times: dict[str, list[str]] = {}
        for row in await raw.fetch(TIMES):
            times.setdefault(row["table_name"], []).append(row["column_name"])
        dump: Dump = {}
        for (table,) in await raw.fetch(TABLES):
            if table not in OWN + OTHERS:
                statement = f'SELECT (to_jsonb(t) - $1::text[] {VENUES_MOMENT})::text FROM "{table}" AS t'
                dump[table] = Counter(text for (text,) in await raw.fetch(statement, times.get(table, [])))
        return dump

    return await once(world.database, "dump", read)


def difference(before: Dump, after: Dump) -> dict[str, Any]:
    return {
        table: [text[:1_000] for counts in (before, after) for text in sorted(counts[table] - other[table])[:2]]
        for other in ({table: before[table] & after[table] for table in before},)
        for table in before
        if before[table] != after[table]
    }


async def run_once(world: IngestWorld, job: Job) -> None:
    """Under a lease, as the scheduler does it; wherever it may run."""
    async with open_connection(world.database, "twice") as connection:
        store = PostgresJobStore(connection)
        await store.request(job.name, "test")
        lease = await store.claim(job.name, slot_ms=None, owner=f"test {time.time()}", holder="test", ttl_s=60)
        assert isinstance(lease, JobLease)
        runner = JobRunner(store=store, lease_ttl_s=60)
        outcome = await runner.run(job, lease, timeout_s=120, held_s=trio.current_time())
    assert outcome is not None
    assert outcome.status is JobStatus.SUCCEEDED, f"{job.name}: {outcome.error}"


async def populate(world: IngestWorld, running: Running, wallets: list[str]) -> None:
    """Trades of all lanes, some of them old; decisions, open orders of resolved markets, and trades that nobody has."""
    actors = running.engine.actors
    assert actors is not None
    await eventually(lambda: actors.stream_reader.connected and world.knows(len(wallets)))
    await world.post("/play", action="resume")
    with trio.fail_after(60):
        while (await world.fetch("SELECT count(*) FROM ft_orders"))[0][0] < 8:
            await trio.sleep(0.2)
    await world.fault("silence")
    await trio.sleep(2)
    await world.post("/play", action="pause")
    await world.post("/faults", kind="clear")
    for (condition_id,) in await world.fetch("SELECT DISTINCT condition_id FROM ft_orders LIMIT 4"):
        await world.post("/resolve", condition_id=condition_id, payouts=[1_000_000, 0])
    await world.fetch("UPDATE markets SET refresh_asked_at = now() - interval '1 day'")
    await world.fetch(OLD_TRADES)
    await quiet(world)


async def quiet(world: IngestWorld) -> Dump:
    """Waits until nothing is on its way to the database any more, and returns what is there."""
    last: Dump = {}
    with trio.fail_after(60):
        while (now := await dump_of(world)) != last:
            last = now
            await trio.sleep(0.4)
    return last


MAKES_MORE = {"train-model"}
"""Whoever asks for another training wants another model."""


def crosses_an_hour(began_s: float) -> bool:
    return int(began_s) // 3_600 != int(time.time()) // 3_600


async def twice(world: IngestWorld, job: Job) -> bool:
    """Runs a job twice, and returns whether the first run changed anything."""
    while True:
        began_s, start = time.time(), await dump_of(world)
        await run_once(world, job)
        first = await quiet(world)
        await run_once(world, job)
        changed = difference(first, await quiet(world))
        # With a new hour or day there may be something to do indeed.
        if not (changed and crosses_an_hour(began_s)):
            assert changed == {}, f"{job.name} ran once more and changed {changed}"
            return start != first


@pytest.mark.timeout(300)
async def test_every_job_run_once_more_changes_nothing(database, tmp_path):
    options = {"seed": 5, "wallets": 40, "lag_scale": 0, "cache_scale": 0, "start_paused": True}
    async with ingest_world(database, tmp_path / "spill", **options) as world:
        wallets = await traders(world, 8)
        await world.follow(wallets[:5], target=True)
        await world.follow(wallets[5:])
        await make_bots(database)
        async with world.engine(**SETTINGS) as running:
            services = running.engine.services
            assert services is not None
            jobs = {job.name: job for job in services.scheduler.jobs}
            await run_once(world, jobs["coverage-audit"])
            await populate(world, running, wallets)
            await world.fetch("UPDATE coverage_wallets SET audited_until = now() - interval '2 minutes'")
            effective = {name for name, job in jobs.items() if name not in MAKES_MORE and await twice(world, job)}
            assert (await world.fetch("SELECT count(*) FROM coverage_misses"))[0][0] > 0
        # Else it would be no wonder that the second run finds nothing to do.
        assert {
            "retention",
            "trader-stats",
            "ft-statistics",
            "ft-snapshot",
            "ft-resolve",
            "coverage-audit",
        } <= effective


async def test_every_job_has_its_times_and_every_name_its_job(database, tmp_path):
    async with ingest_world(database, tmp_path / "spill", start_paused=True) as world, world.engine() as running:
        services = running.engine.services
        assert services is not None
        jobs = {job.name: job for job in services.scheduler.jobs}
    assert jobs.keys() == default_jobs().keys()
    for name, settings in default_jobs().items():
        # A run that may take longer than the pause until the next one holds up its own slots.
        assert settings.timeout_s <= 10 * CronTimes(settings.cron).longest_gap_s(1_795_219_200_000), name
        assert set(jobs[name].after) <= jobs.keys()
    assert_no_circle(jobs)


def assert_no_circle(jobs: dict[str, Job]) -> None:
    left = dict(jobs)
    while left:
        first = [name for name, job in left.items() if not set(job.after) & left.keys()]
        assert first, f"each of {sorted(left)} waits for another one"
        for name in first:
            del left[name]
