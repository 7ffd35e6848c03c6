"""The cold tier in real processes: killed in the middle, its lease taken away, and continued by whoever comes next."""

import signal

import trio
from crash.engine_process import engine_process
from simulation.ingest_world import ingest_world

from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.job_store import PostgresJobStore

QUIET = {"seed": 2, "wallets": 100, "lag_scale": 0, "cache_scale": 0, "start_paused": True}
WALLETS = [f"0x{n:040x}" for n in range(1, 61)]
SETTINGS = {
    "limits.lease_ttl_s": "2",
    "poller.hot.enabled": "false",
    "poller.cold.rate_per_s": "50",
    "poller.cold.burst": "1",
}
POLLED = "SELECT wallet_address, snapshots FROM wallet_poll_state WHERE snapshots > 0"
RUNS = "SELECT status, error FROM job_runs WHERE job = 'cold-poll' AND status <> 'skipped' ORDER BY run_id"


async def jobs(world, work):
    connection = Connection(world.database, "test")
    try:
        return await work(PostgresJobStore(connection))
    finally:
        await connection.aclose()


async def prepare(world):
    await world.fetch("INSERT INTO traders (wallet_address) SELECT unnest($1::text[])", WALLETS)
    await world.fault("http_slow", api="data", delay_s=0.1)


async def until_polled(world, count, timeout_s=90):
    with trio.fail_after(timeout_s):
        while len(rows := await world.fetch(POLLED)) < count:
            await trio.sleep(0.02)
    return {row["wallet_address"]: row["snapshots"] for row in rows}


async def until_statuses(world, *expected):
    with trio.fail_after(90):
        while tuple(row["status"] for row in await world.fetch(RUNS)) != expected:
            await trio.sleep(0.05)


async def test_a_killed_run_is_continued_by_the_next_engine_without_polling_anybody_twice(database, tmp_path):
    async with ingest_world(database, tmp_path / "spill", **QUIET) as world:
        await prepare(world)
        async with engine_process({**world.settings, **SETTINGS}) as first:
            await first.until_ready(timeout_s=90)
            await jobs(world, lambda store: store.request("cold-poll", "test"))
            await until_polled(world, 10)
            first.send(signal.SIGKILL)
            await first.wait()
        before = await until_polled(world, 10)
        assert len(before) < len(WALLETS)
        async with engine_process({**world.settings, **SETTINGS}) as second:
            await second.until_ready(timeout_s=90)
            await until_statuses(world, "abandoned", "succeeded")
        after = await until_polled(world, len(WALLETS))
        assert set(after.values()) == {1}


async def test_a_run_that_is_unlocked_writes_nothing_more_and_the_next_one_begins_at_once(database, tmp_path):
    async with ingest_world(database, tmp_path / "spill", **QUIET) as world:
        await prepare(world)
        async with engine_process({**world.settings, **SETTINGS, "limits.lease_ttl_s": "15"}) as engine:
            await engine.until_ready(timeout_s=90)
            await jobs(world, lambda store: store.request("cold-poll", "test"))
            await until_polled(world, 5)
            # Without force a lease that is held stays where it is.
            assert await jobs(world, lambda store: store.unlock("cold-poll", "an operator", force=False)) is not None
            assert await jobs(world, lambda store: store.unlock("cold-poll", "an operator", force=True)) is None
            # What had been asked for is asked for again; whoever finds the lease free makes the run.
            await until_statuses(world, "abandoned", "succeeded")
            runs = await world.fetch(RUNS)
            assert runs[0]["error"] == "unlocked by an operator"
        assert set((await until_polled(world, len(WALLETS))).values()) == {1}


async def test_an_engine_that_slept_through_a_take_over_books_nothing(database, tmp_path):
    async with ingest_world(database, tmp_path / "spill", **QUIET) as world:
        await prepare(world)
        elsewhere = {"writer.spill_dir": str(tmp_path / "other-spill")}
        async with engine_process({**world.settings, **SETTINGS}) as first:
            await first.until_ready(timeout_s=90)
            await jobs(world, lambda store: store.request("cold-poll", "test"))
            await until_polled(world, 5)
            first.send(signal.SIGSTOP)
            async with engine_process({**world.settings, **SETTINGS, **elsewhere}) as second:
                await second.until_ready(timeout_s=90)
                await until_statuses(world, "abandoned", "succeeded")
                first.send(signal.SIGCONT)
                await first.until_not_ready_because("lease ingest is held by")
                await trio.sleep(1)
        assert set((await until_polled(world, len(WALLETS))).values()) == {1}
        assert [row["status"] for row in await world.fetch(RUNS)] == ["abandoned", "succeeded"]
