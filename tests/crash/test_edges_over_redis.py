"""Two processes and a Redis between them: trades through the stream, kills of either side, Redis killed and back empty."""

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from crash.engine_process import engine_process
from crash.test_kill import ledger, traders
from engine_redis.redis_fixtures import redis_server
from simulation.ingest_world import ingest_world

from engine.adapters.redis.connection import open_redis
from engine.adapters.redis.edge_store import RedisEdge, RedisEdgeStore

FAST = {"limits.lease_ttl_s": "2", "stream.gap_reread_s": "1", "logging.format": "json", "redis.timeout_s": "0.3",
        "redis.patience_ms": "200", "redis.take_over_idle_ms": "1000",
        "channels.lanes.transport": "redis", "channels.feed_events.transport": "redis"}  # fmt: skip
VENUE = {"seed": 5, "rate_scale": 6, "wallets": 200, "lag_scale": 0.1, "cache_scale": 0}
CATCH_UP_S = 100
LANES_OF_NOBODY = """
INSERT INTO engine_leases (name, owner, holder, epoch, expires_at)
VALUES ('lanes', gen_random_uuid(), 'nobody', 1, now() + interval '1 hour')
"""
OLDER_THAN_A_START_READS = """
SELECT 1 FROM ingest_gaps
WHERE reason = 'overflow' AND since_at < (SELECT max(trade_timestamp) FROM trades_public) - interval '10 s'
"""


pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def redis(monkeypatch):
    with redis_server() as server:
        monkeypatch.setenv("POLYCOPY_REDIS__URL", server.url)
        yield server


@asynccontextmanager
async def reader_process(settings):
    """The reading end alone, in a process of its own."""
    variables = {f"POLYCOPY_{name.upper().replace('.', '__')}": value for name, value in settings.items()}
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(  # noqa: ASYNC220 - it has to outlive the loop
            [sys.executable, str(Path(__file__).with_name("lane_reader.py"))],
            stderr=log,
            env=os.environ | variables | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()
            log.seek(0)
            print(log.read().decode()[-3000:])


async def holder_of(world, lease):
    rows = await world.fetch("SELECT holder FROM engine_leases WHERE name = $1 AND expires_at > now()", lease)
    return rows[0]["holder"] if rows else ""


async def until(condition, timeout_s=CATCH_UP_S):
    with trio.fail_after(timeout_s):
        while not await condition():
            await trio.sleep(0.1)


async def books(redis):
    async with open_redis(redis.address) as office:
        edge = RedisEdge(name="lanes", prefix="polycopy", items_max=1)
        store = RedisEdgeStore(edge=edge, calls=office.connection("t"), waiting=office.connection("t"), who="test")
        return await store.figures()


async def all_is_stored(world, wallets):
    """Whether each fill of these wallets is a row, and no row is anything else. The venue is paused first."""
    await world.post("/play", action="pause")
    while (await world.state())["rows_in_flight"]:
        await trio.sleep(0.1)
    due = await ledger(world, wallets)

    async def complete():
        return not due - await world.stored()

    await until(complete)
    assert await world.stored() - due == {}, "doubled, or never traded"
    await world.post("/play", action="resume")


@asynccontextmanager
async def world_of(database, tmp_path):
    async with ingest_world(database, tmp_path / "spill", **VENUE) as world:
        world.settings |= FAST
        wallets = await traders(world, 40)
        await world.follow(wallets)
        yield world, wallets


async def test_trades_go_through_another_process_and_survive_the_kill_of_either(database, tmp_path, redis):
    async with world_of(database, tmp_path) as (world, wallets):
        async with reader_process(world.settings) as reader:
            await until(lambda: _is(holder_of(world, "lanes"), "reader"))
            async with engine_process(world.settings) as engine:
                await engine.until_ready(timeout_s=CATCH_UP_S)
                await until(lambda: _at_least(redis, 30))
                assert (await world.stored()).total() >= 30
                assert await holder_of(world, "lanes") == "reader", "the other process writes what this one sends"
                reader.kill()
                # The engine itself has the reading end as soon as the lease has run out, with what the dead one had in hand.
                await until(lambda: _is_not(holder_of(world, "lanes"), ("", "reader")))
                await all_is_stored(world, wallets)
                engine.send(signal.SIGKILL)
                await engine.wait()
        async with engine_process(world.settings) as engine:
            await engine.until_ready(timeout_s=CATCH_UP_S)
            await all_is_stored(world, wallets)
            engine.send(signal.SIGTERM)
            assert await engine.wait() == 0, engine.log_text()
        figures = await books(redis)
        assert figures.sent == figures.acknowledged + figures.depth + figures.in_hand
        assert figures.dead == figures.dropped == 0


async def test_followed_trades_reach_the_database_without_redis_and_readyz_tells(database, tmp_path, redis):
    async with world_of(database, tmp_path) as (world, wallets), engine_process(world.settings) as engine:
        await engine.until_ready(timeout_s=CATCH_UP_S)
        await until(lambda: _at_least(redis, 10))
        redis.stop()
        await engine.until_not_ready_because("edge lanes", timeout_s=CATCH_UP_S)
        before = (await world.stored()).total()
        await until(lambda: _more(world, before + 20))
        # It comes back empty: what had lain in it is read again from history.
        redis.start()
        await engine.until_ready(timeout_s=CATCH_UP_S)
        await until(lambda: _at_least(redis, 10))
        await all_is_stored(world, wallets)


async def test_what_nobody_had_read_when_redis_and_the_engine_died_is_read_again(database, tmp_path, redis):
    async with world_of(database, tmp_path) as (world, wallets):
        # A start reads 4 s before the last commit; what lies in the stream for 1 s has to be known by then.
        world.settings |= {"stream.gap_start_overlap_s": "4"}
        copied, wallets = wallets[:20], wallets[20:]
        await world.follow(copied, target=True)
        await world.fetch(LANES_OF_NOBODY)
        async with engine_process(world.settings) as engine:
            await engine.until_ready(timeout_s=CATCH_UP_S)
            # Trades of lane 0 are committed meanwhile: the newest row says nothing of what lies in the stream.
            await until(lambda: _has_row(world, OLDER_THAN_A_START_READS))
            assert (await books(redis)).depth >= 10
            engine.send(signal.SIGKILL)
            await engine.wait()
        redis.stop()
        redis.start()
        await world.fetch("DELETE FROM engine_leases WHERE name = 'lanes'")
        async with engine_process(world.settings) as engine:
            await engine.until_ready(timeout_s=CATCH_UP_S)
            await all_is_stored(world, [*copied, *wallets])


async def _has_row(world, sql):
    return bool(await world.fetch(sql))


async def _is(answer, wanted):
    return await answer == wanted


async def _is_not(answer, unwanted):
    return await answer not in unwanted


async def _at_least(redis, count):
    return (await books(redis)).acknowledged >= count


async def _more(world, count):
    return (await world.stored()).total() >= count
