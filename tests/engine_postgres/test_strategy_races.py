"""Several who change strategies at once, and a writer of orders meanwhile: nobody waits in a circle, nothing gets lost."""

import random
from contextlib import suppress
from decimal import Decimal

import attrs
import pytest
import trio
from engine_adapters.paper_worlds import decided, order, postgres_world, traded
from engine_postgres.test_strategy_store import ADMIN, balance, changed, made

from config.strategy_settings import settings_from
from engine.adapters.postgres.decision_statement import WRITE_DECIDED, decisions_json
from engine.adapters.postgres.pool import open_pool
from engine.adapters.postgres.strategy_store import StrategyConflictError, StrategyStore
from engine.adapters.postgres.trade_statement import trade_columns
from protocols.strategies import StrategySettings

WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted"


@pytest.fixture
async def store(database, aio):
    async with open_pool(database, "test", 8) as pool:
        yield StrategyStore(pool)


@pytest.fixture
async def owner(store):
    return await store.user_id("admin")


async def test_of_many_changes_at_once_each_version_is_made_once(store, owner):
    first = await made(store, owner)
    outcomes = []

    async def change(size):
        try:
            outcomes.append((await changed(store, first, bet_size=size)).version)
        except StrategyConflictError:
            outcomes.append(None)

    async with trio.open_nursery() as nursery:
        for size in range(2, 10):
            nursery.start_soon(change, size)
    assert sorted(outcomes, key=str) == [2] + [None] * 7
    assert [one.version for one in await store.versions("A")] == [2, 1]


async def test_files_and_changes_in_any_order_never_wait_for_each_other_in_a_circle(store, owner):
    names = [f"S{number}" for number in range(8)]
    await store.create([(name, StrategySettings()) for name in names], owner, "ann")
    rng = random.Random(4)

    async def importing():
        for _ in range(10):
            chosen = [await store.get(name) for name in rng.sample(names, 5)]
            stakes = settings_from({"bet_size": rng.randrange(100), "starting_balance": rng.randrange(1, 100)})
            made_too = [(f"N{number}", StrategySettings()) for number in rng.sample(range(10), rng.choice([0, 0, 2]))]
            with suppress(StrategyConflictError):
                await store.apply(made_too, [attrs.evolve(one, settings=stakes) for one in chosen], owner, "ann")
            if rng.random() < 0.3:
                await store.archive(rng.choice([f"N{number}" for number in range(10)]))

    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            for _ in range(6):
                nursery.start_soon(importing)


async def test_a_starting_balance_that_changes_while_the_first_order_is_written_waits_for_it(database, aio):
    async with postgres_world(database) as world, open_pool(database, "store", 1) as pool:
        store = StrategyStore(pool)
        owner = await pool.run(lambda raw: raw.fetchval(ADMIN))
        strategy = await made(store, owner)
        buy, leases, has_balance, refused = traded(1), world.leases, trio.Event(), []
        decision = decided(buy, order(buy)).decisions[0]
        values = (*trade_columns([buy]), decisions_json([(decision, buy.trade.trade_ms)]))

        async def work(raw):
            async with raw.transaction():
                # As the statement of the writer does: the balance first, the order refers to the strategy afterwards.
                await raw.execute("UPDATE ft_balances SET peak_equity = peak_equity")
                has_balance.set()
                while not await raw.fetchval(WAITING):
                    await raw.execute("SELECT pg_sleep(0.01)")
                return await raw.fetchrow(WRITE_DECIDED, *leases.columns, *values)

        async def restart():
            await has_balance.wait()
            try:
                await changed(store, strategy, starting_balance=500)
            except StrategyConflictError as error:
                refused.append(str(error))

        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(world.connection.run, work)
                nursery.start_soon(restart)
        assert len(refused) == 1
        assert await balance(pool) == (1000, Decimal("989.9"), 1000, 1)
