"""The ledger in memory for some accounts: as in the database, nobody reads or writes the money of another."""

import attrs
import pytest
from engine_adapters.live_worlds import OTHER, T0, D, buy, bytes_for, memory_live, owed, told

from engine.adapters.memory.live_ledger import MemoryLiveLedger
from engine.adapters.memory.live_watch import MemoryLiveWatch
from protocols.paper import Payouts

THEIRS = f"LT_{OTHER}"
LATER = T0 + 900_000_000


@pytest.fixture
async def ledgers():
    world = memory_live()
    await world.strategy(cooldown_hours="1")
    await world.strategy(THEIRS, account="second", cooldown_hours="1")
    everybody = world.memory
    assert everybody is not None
    return [
        (
            MemoryLiveLedger(
                clock=everybody.clock, not_found_interval_ms=20_000, state=everybody.state, accounts=(account,)
            ),
            number,
            strategy_id,
            account,
        )
        for number, strategy_id, account in ((1, "LT_A", "main"), (2, THEIRS, "second"))
    ]


async def bought(store, number, strategy_id, account):
    claim = buy(number, strategy_id)
    await store.claim([claim])
    await store.journal([(claim, bytes_for(claim, number, account=account))])
    await store.apply([told(number, f"t{number}", "20", status="CONFIRMED")])


async def test_each_reads_its_own_accounts(ledgers):
    for store, number, strategy_id, account in ledgers:
        await bought(store, number, strategy_id, account)
        await store.claim([buy(number + 10, strategy_id)])
        await store.open_exits([owed(number, strategy_id)])
    for store, number, strategy_id, _ in ledgers:
        seen = await store.snapshot(T0)
        assert [one.strategy_id for one in seen.balances] == [strategy_id]
        assert [one.order_id for one in seen.claims] == [buy(number + 10, strategy_id).order_id]
        assert {one.strategy_id for one in seen.lots} == {one.strategy_id for one in seen.exits} == {strategy_id}
    everybody = attrs.evolve(ledgers[0][0], accounts=None)
    assert len((await everybody.snapshot(T0)).balances) == 2


async def test_a_resolution_settles_and_releases_what_is_theirs_by_them(ledgers):
    for store, number, strategy_id, account in ledgers:
        await bought(store, number, strategy_id, account)
    paid = [Payouts(condition_id="0xc0", by_token={"77": D(1)}, source="gamma")]
    for store, _, strategy_id, account in ledgers:
        assert await store.open_markets("", 10) == [("0xc0", frozenset({"77"}))]
        assert [one.strategy_id for one in (await store.settle(paid, LATER)).lots] == [strategy_id]
        assert await store.open_markets("", 10) == []
        watch = MemoryLiveWatch(store.state, (account,))
        assert [one.strategy_id for one in await watch.awaited(10, "")] == [strategy_id]
    for store, _, strategy_id, _ in ledgers:
        await store.release(LATER, [(strategy_id, "0xc0")])
        released = await store.release(LATER + 7_200_000)
        assert [one.strategy_id for one in released] == [strategy_id]
