"""The database stalls, dies, and is not there at start: nothing is lost, and the engine says what it waits for."""

import os
import signal
from contextlib import asynccontextmanager

import pytest
import trio
from crash.engine_process import engine_process
from crash.frozen_server import freeze
from engine_postgres.server_fixtures import pgbouncer, scratch_directory
from simulation.ingest_world import eventually, ingest_world

from engine.adapters.postgres.database import DatabaseOptions, database_loop
from engine.adapters.postgres.embedded_server import run_embedded_server
from engine.adapters.postgres.migrate import migrate

PLATFORM = {"seed": 4, "rate_scale": 2, "wallets": 100, "lag_scale": 0, "cache_scale": 0, "start_paused": True}
IMPATIENT = {"writer.patience_ms": "100", "database.statement_timeout_s": "2", "limits.lease_ttl_s": "60"}


@asynccontextmanager
async def world_with_own_server(**options):
    with scratch_directory() as home:
        async with database_loop(), run_embedded_server(data_dir=home / "postgres", durable=False) as server:
            await migrate(DatabaseOptions(dsn=server.dsn))
            async with ingest_world(DatabaseOptions(dsn=server.dsn), home / "spill", **options) as world:
                world.settings |= IMPATIENT
                yield world, server


async def play(world, seconds):
    await world.post("/play", action="resume")
    await trio.sleep(seconds)


async def owed(world, wallets):
    fills = (await world.post("/ledger", wallets=wallets))["fills"]
    return {(f["transaction_hash"], f["wallet"], f["token_id"], f["side"], f["size_micro"]): f["count"] for f in fills}


async def everybody(world):
    """Follows the whole population: what the venue sends is what the database owes."""
    fills = []
    await world.post("/play", action="resume")
    while len({fill["wallet"] for fill in fills}) < 60:
        await trio.sleep(0.2)
        fills = (await world.post("/ledger", wallets=None))["fills"]
    await world.post("/play", action="pause")
    await world.follow(sorted({fill["wallet"] for fill in fills}))


async def played_through(world, running, trouble):
    """Plays while `trouble` happens and returns what is owed to the followed wallets from that time."""
    wallets = sorted(running.engine.actors.target_registry.current().lanes)
    before = await owed(world, wallets)
    await play(world, 0.5)
    await trouble()
    await play(world, 1)
    await world.post("/play", action="pause")
    with trio.fail_after(10):
        while (await world.state())["rows_in_flight"]:
            await trio.sleep(0.1)
    return {fill: count for fill, count in (await owed(world, wallets)).items() if fill not in before}


async def until_exactly(world, due, timeout_s=30):
    """Every fill that is owed, none more often than it happened; older ones may have been read again from history."""
    happened = await owed(world, None)
    stored = await world.stored()
    with trio.fail_after(timeout_s):
        while any(stored[fill] < count for fill, count in due.items()):
            await trio.sleep(0.2)
            stored = await world.stored()
    assert all(count <= happened.get(fill, 0) for fill, count in stored.items()), "doubled, or never traded"


async def test_a_server_that_answers_nothing_for_a_while_loses_nothing():
    async with world_with_own_server(**PLATFORM) as (world, server):
        await everybody(world)
        async with world.engine() as running:
            await eventually(lambda: len(running.engine.actors.target_registry.current().lanes) > 0)

            async def frozen():
                freeze(server, signal.SIGSTOP)
                await trio.sleep(4)
                freeze(server, signal.SIGCONT)

            due = await played_through(world, running, frozen)
            await until_exactly(world, due)
            assert running.engine.actors.sync_writer.spilled > 0
            assert running.engine.actors.sync_writer.spill.size_bytes == 0
            assert sum(state.restarts for state in running.engine.supervisor.states.values()) == 0


async def test_a_server_that_is_killed_and_comes_back_loses_nothing():
    async with world_with_own_server(**PLATFORM) as (world, server):
        await everybody(world)
        async with world.engine() as running:
            await eventually(lambda: len(running.engine.actors.target_registry.current().lanes) > 0)

            async def killed():
                os.kill(server.pid, signal.SIGQUIT)
                await server.wait_dead()
                await trio.sleep(1.5)
                await server.restart()

            due = await played_through(world, running, killed)
            await until_exactly(world, due)
            assert sum(state.restarts for state in running.engine.supervisor.states.values()) == 0


async def test_an_engine_started_before_its_database_waits_and_says_so(database, tmp_path):
    async with ingest_world(database, tmp_path / "spill", **PLATFORM) as world:
        settings = {**world.settings, "database.url": "postgresql://nobody@127.0.0.1:9/none", "logging.format": "json"}
        async with engine_process(settings) as engine:
            await engine.until_not_ready_because("database")
            engine.send(signal.SIGTERM)
            assert await engine.wait(timeout_s=5) == 0
            waiting = [line for line in engine.log_lines() if line["message"] == "not ready yet"]
            assert waiting
            assert waiting[0]["waiting_for"] == "database"


@pytest.mark.parametrize("said", [True, False], ids=["direct_url_given", "pooler_not_mentioned"])
async def test_a_pooler_in_transaction_mode_is_fine(said, database, tmp_path):
    with pgbouncer(database.dsn) as pooled:
        async with ingest_world(database, tmp_path / "spill", **PLATFORM) as world:
            await everybody(world)
            world.settings |= {"database.url": pooled}
            if said:
                world.settings |= {"database.direct_url": database.dsn}
            async with world.engine() as running:
                await eventually(lambda: len(running.engine.actors.target_registry.current().lanes) > 0)

                async def nothing():
                    return

                due = await played_through(world, running, nothing)
                await until_exactly(world, due)
