"""One contract, three transports: memory, Redis, PostgreSQL. Ten thousand histories with `-m slow`, some hundreds otherwise."""

import itertools

import pytest
import trio
import trio.testing
from engine_redis.redis_fixtures import redis_server
from hypothesis import given
from property.edge_history import HISTORIES, Contract
from property.edge_worlds import MemoryWorld, postgres_world, redis_world
from property.examples import FEW, MANY, QUICK, examples

from engine.adapters.postgres.database import DatabaseOptions, database_loop

ALL = examples(10_000)
LONGEST_S = 30
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def redis():
    with redis_server() as server:
        yield server


@pytest.fixture(scope="module")
def edge_database(postgres, migrated_template):
    with postgres.database(template=migrated_template) as dsn:
        yield DatabaseOptions(dsn=dsn)


def in_memory(history):
    async def main():
        await Contract(MemoryWorld()).run(history)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def over_redis(server, history):
    async def main():
        with trio.fail_after(LONGEST_S):
            async with redis_world(server.address, f"edge{next(_numbers)}") as world:
                await Contract(world).run(history)

    trio.run(main)


def over_postgres(options, history):
    async def main():
        with trio.fail_after(LONGEST_S):
            async with database_loop(), postgres_world(options, f"edge{next(_numbers)}") as world:
                await Contract(world).run(history)

    trio.run(main)


@MANY
@given(history=HISTORIES)
def test_a_memory_edge_keeps_the_contract(history):
    in_memory(history)


@QUICK
@given(history=HISTORIES)
def test_a_redis_edge_keeps_the_contract(redis, history):
    over_redis(redis, history)


@FEW
@given(history=HISTORIES)
def test_a_postgres_edge_keeps_the_contract(edge_database, history):
    over_postgres(edge_database, history)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@ALL
@given(history=HISTORIES)
def test_ten_thousand_histories_in_memory(history):
    in_memory(history)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@ALL
@given(history=HISTORIES)
def test_ten_thousand_histories_over_redis(redis, history):
    over_redis(redis, history)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@ALL
@given(history=HISTORIES)
def test_ten_thousand_histories_over_postgres(edge_database, history):
    over_postgres(edge_database, history)
