import signal

import pytest
import trio
from crash.engine_process import engine_process
from simulation.ingest_world import ingest_world

WAITING_WRITES = """
SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%INSERT INTO trades_public%'
"""
LOADED = {"seed": 5, "rate_scale": 20, "wallets": 200, "lag_scale": 0, "cache_scale": 0}


async def wallets_of(world):
    found: set[str] = set()
    while len(found) < 50:
        await trio.sleep(0.1)
        found = {fill["wallet"] for fill in (await world.post("/ledger", wallets=None))["fills"]}
    return sorted(found)


async def until_writes_wait(world):
    with trio.fail_after(20):
        while not await world.fetch(WAITING_WRITES):
            await trio.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
async def test_a_signal_under_load_drains_and_exits_0(number, database, tmp_path):
    async with ingest_world(database, tmp_path / "spill", **LOADED) as world:
        await world.follow(await wallets_of(world))
        async with engine_process({**world.settings, "logging.format": "json"}) as engine:
            await engine.until_ready()
            await world.until_stored()
            engine.send(number)
            assert await engine.wait() == 0, engine.log_text()
            report = next(line for line in engine.log_lines() if line["message"] == "stopped")
            assert report["finished"] is True
            assert report["drain_s"] <= 6
            assert not report["left_behind"].keys() & {"raw_trades", "writer"}


async def test_a_stalled_database_does_not_hold_up_the_stop_and_nothing_is_lost(database, tmp_path):
    """The drain ends within its deadline; what could not be committed waits in the journal."""
    async with ingest_world(database, tmp_path / "spill", **LOADED) as world:
        await world.follow(await wallets_of(world))
        settings = {**world.settings, "logging.format": "json", "limits.drain_s": "2", "writer.patience_ms": "100"}
        async with engine_process(settings) as engine:
            await engine.until_ready()
            await world.until_stored()
            async with world.locked_trades():
                await until_writes_wait(world)
                engine.send(signal.SIGTERM)
                assert await engine.wait(timeout_s=8) == 0, engine.log_text()
            assert any((tmp_path / "spill").rglob("*.spill"))


async def test_a_second_signal_exits_at_once(database, tmp_path):
    async with ingest_world(database, tmp_path / "spill", **LOADED) as world:
        await world.follow(await wallets_of(world))
        settings = {**world.settings, "limits.drain_s": "60", "writer.patience_ms": "60000"}
        async with engine_process(settings) as engine:
            await engine.until_ready()
            async with world.locked_trades():
                await until_writes_wait(world)
                engine.send(signal.SIGTERM)
                await trio.sleep(0.3)
                assert engine.process.poll() is None
                engine.send(signal.SIGTERM)
                assert await engine.wait(timeout_s=2) == 1
