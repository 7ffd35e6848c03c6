"""Edges as a process opens them by its roles, over a real Redis: who writes lanes, who hears, what readyz says without."""

import pytest
import trio
from engine_redis.redis_fixtures import redis_server

from config.cluster import roles_of
from config.loader import load_config
from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.leases import LeaseOffice
from engine.adapters.redis.connection import open_redis
from engine.adapters.system_clock import SystemClock, system_random
from engine.edge_hosting import EdgeContext, hosted_edges
from engine.lane_edge import LaneEdge
from engine.running import Engine
from engine.runtime.loop_lag import LoopLag
from engine.runtime.process_gauges import RuntimeGauges
from engine.runtime.readiness import Readiness
from engine.runtime.supervisor import Supervisor
from engine.runtime.traffic import Traffic

LEASES = "SELECT name FROM engine_leases WHERE expires_at > now()"
FAST = {"redis.timeout_s": "0.3", "redis.patience_ms": "200", "redis.take_over_idle_ms": "1000",
        "channels.lanes.transport": "redis", "channels.feed_events.transport": "redis"}  # fmt: skip


class Unmeasured:
    def observe(self, value):
        pass


@pytest.fixture
def redis():
    with redis_server() as server:
        yield server


@pytest.fixture
async def connection(database, aio):
    connection = Connection(database, "edges")
    yield connection
    await connection.aclose()


@pytest.fixture
def context_of(redis, database, connection):
    def context(roles, owner):
        config = load_config(environ={"POLYCOPY_REDIS__URL": redis.url}, overrides=FAST)
        engine = Engine(
            config=config,
            roles=roles_of(roles),
            supervisor=Supervisor(rng=system_random()),
            gauges=RuntimeGauges(loop_lag=LoopLag(), memory_mb=0, channels_of=lambda: ()),
            readiness=Readiness(),
            traffic=Traffic(),
        )
        return EdgeContext(
            engine=engine,
            options=database,
            office=LeaseOffice(connection=connection, owner=owner, holder=owner, ttl_s=5),
            stop=trio.Event(),
            clock=SystemClock(),
            rng=system_random(),
            latency=Unmeasured(),
        )

    return context


async def until(condition, timeout_s=20):
    with trio.fail_after(timeout_s):
        while not await condition():
            await trio.sleep(0.02)


async def leases(connection):
    return {row["name"] for row in await connection.run(lambda raw: raw.fetch(LEASES))}


async def test_only_an_engine_with_ingest_writes_lanes_also_one_that_stands_by(context_of, connection):
    context = context_of("ingest, decide", "one")
    async with hosted_edges(context) as lanes:
        assert isinstance(lanes, LaneEdge)
        await until(lambda: _holds(connection, {"lanes"}))
        await until(lambda: _is(lambda: context.engine.edges.lanes is not None))
        assert context.engine.edges.heard is None, "it shows no feed"
        context.stop.set()
    assert await leases(connection) == set(), "given back"


async def test_an_engine_that_only_serves_hears_and_writes_nothing(context_of, connection, redis):
    context = context_of("api", "two")
    async with hosted_edges(context) as lanes:
        edges = context.engine.edges
        assert (lanes, edges.told, edges.lanes) == (None, None, None)
        await until(lambda: _groups(redis, {b"two"}))
        assert await leases(connection) == set()
    assert await _groups(redis, set()), "its group went with it"


async def test_an_engine_that_neither_ingests_nor_serves_has_nothing_to_do_with_redis(context_of, redis):
    redis.stop()
    context = context_of("execute, jobs", "three")
    async with hosted_edges(context) as lanes:
        assert (lanes, context.engine.edges) == (None, None)


async def test_a_commit_is_heard_where_feeds_are_shown(context_of):
    sending, hearing = context_of("ingest, decide", "one"), context_of("api", "two")
    async with hosted_edges(hearing), hosted_edges(sending):
        notices = hearing.engine.edges.heard.notices

        async def heard():
            sending.engine.committed()
            return notices.heard > 0

        await until(heard)
        sending.stop.set()


async def test_redis_lost_is_told_by_readyz_and_no_server_is_taken_away_for_it(context_of, redis):
    serving, ingesting = context_of("api", "one"), context_of("ingest, decide", "two")
    async with hosted_edges(serving), hosted_edges(ingesting):
        await until(lambda: _is(lambda: ingesting.engine.edges.lanes is not None))
        await until(lambda: _is(lambda: serving.engine.edges.heard.keeper.figures is not None))
        assert serving.engine.readiness.degradations() == {}
        redis.stop()
        await until(lambda: _is(lambda: serving.engine.readiness.degradations().keys() == {"edge feed_events"}))
        assert serving.engine.readiness.ready, "users are served all the same"
        await until(lambda: _is(lambda: "edge lanes (reading)" in ingesting.engine.readiness.open_conditions()))
        assert not ingesting.engine.readiness.ready
        redis.start()
        await until(lambda: _is(lambda: serving.engine.readiness.degradations() == {}))
        await until(lambda: _is(lambda: ingesting.engine.readiness.ready))
        ingesting.stop.set()


async def _holds(connection, names):
    return await leases(connection) == names


async def _is(condition):
    return condition()


async def _groups(redis, names):
    async with open_redis(redis.address) as office:
        calls = office.connection("test")
        key = "{polycopy:edge:feed_events}:stream"
        found = await calls.call("XINFO", "GROUPS", key) if await calls.call("EXISTS", key) else []
        return {_name(group) for group in found} == names


def _name(group):
    pairs = group.items() if isinstance(group, dict) else zip(group[::2], group[1::2], strict=True)
    return dict(pairs)[b"name"]
