"""What a process has journaled and a promoted standby does not know is journaled again, before anything is read."""

import pytest
import trio.testing
from actors_live.live_cases import T0
from engine_adapters.live_worlds import D, buy, bytes_for, postgres_live, told

from engine.adapters.postgres.live_order_memory import KEPT_S, OrderMemory
from engine.adapters.postgres.live_order_store import AGAIN_MAX, PostgresLiveOrderStore

LOSE = """
DELETE FROM lt_order_members; DELETE FROM lt_ledger WHERE kind = 'lock'; DELETE FROM lt_orders;
UPDATE lt_balances SET available = initial, locked = 0
"""


@pytest.fixture
async def world(database, aio):
    async with postgres_live(database) as one:
        await one.strategy(capital="10000")
        yield one
        await one.check()


def store_over(world, memory, accounts=("main",)):
    return PostgresLiveOrderStore(
        connection=world.connection, leases=world.leases, accounts=accounts, not_found_interval_ms=20_000, memory=memory
    )


async def sent(store, *numbers):
    pairs = [(buy(number), bytes_for(buy(number), number)) for number in numbers]
    await store.claim([intent for intent, _ in pairs])
    await store.journal(pairs)
    return pairs


async def lose(world):
    await world.connection.run(lambda raw: raw.execute(LOSE))


async def test_lost_orders_are_working_again_with_the_same_hashes_and_their_money_locked(world):
    memory = OrderMemory()
    pairs = await sent(store_over(world, memory), 1, 2, 3)
    before = await world.balance()
    await lose(world)
    snapshot = await store_over(world, memory).snapshot(T0)
    assert sorted(one.signed.order_hash for one in snapshot.working) == sorted(one.order_hash for _, one in pairs)
    after = await world.balance()
    assert (after.available, after.locked) == (before.available, before.locked)


async def test_what_the_database_knows_stays_as_it_is(world):
    memory = OrderMemory()
    first = store_over(world, memory)
    await sent(first, 1, 2)
    await first.apply([told(1, "t1", "3")])
    before = await world.store.snapshot(T0)
    assert await store_over(world, memory).snapshot(T0) == before


async def test_a_claim_that_was_made_again_is_not_signed_again(world):
    memory = OrderMemory()
    [(claim, signed)] = await sent(store_over(world, memory), 1)
    await lose(world)
    # Whoever decides has read the trade again.
    await world.store.claim([claim])
    snapshot = await store_over(world, memory).snapshot(T0)
    assert snapshot.claims == ()
    assert [one.signed for one in snapshot.working] == [signed]


async def test_another_accounts_orders_are_left_to_whoever_trades_it(world):
    memory = OrderMemory()
    await sent(store_over(world, memory), 1)
    await lose(world)
    snapshot = await store_over(world, memory, accounts=("second",)).snapshot(T0)
    assert (snapshot.working, await world.fetch("SELECT 1 FROM lt_orders")) == ((), [])


async def test_more_than_one_statement_takes(world):
    memory = OrderMemory()
    numbers = range(1, AGAIN_MAX + 3)
    pairs = [(buy(number), bytes_for(buy(number), number, lock_usd=D(1))) for number in numbers]
    memory.keep(pairs)
    snapshot = await store_over(world, memory).snapshot(T0)
    assert len(snapshot.working) == len(pairs)


async def test_what_happened_to_them_is_booked_as_ever(world):
    memory = OrderMemory()
    await sent(store_over(world, memory), 1)
    await lose(world)
    store = store_over(world, memory)
    await store.snapshot(T0)
    applied = await store.apply([told(1, "t1", "3")])
    assert [one.filled_shares for one in applied.orders] == [3]


async def test_old_orders_are_forgotten(autojump_clock):
    memory = OrderMemory()
    memory.keep([(buy(1), bytes_for(buy(1), 1))])
    await trio.sleep(KEPT_S + 1)
    assert memory.of(["main"]) == []
    memory.keep([(buy(2), bytes_for(buy(2), 2))])
    assert len(memory._kept) == 1
