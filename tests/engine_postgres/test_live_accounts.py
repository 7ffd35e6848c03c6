"""Several engines on one database, each with accounts of its own: none reads or writes the money of another."""

import attrs
import pytest
import trio
from engine_adapters.live_worlds import OTHER, T0, D, buy, bytes_for, owed, postgres_live, told
from engine_postgres.test_live_order_store import store_over

from engine.adapters.postgres.database import listen
from engine.adapters.postgres.leases import LeaseHold, LeaseOffice, Leases
from engine.adapters.postgres.live_elsewhere_store import CLAIMS_CHANNEL, PostgresHeldCopies, PostgresOpenWork
from engine.adapters.postgres.live_watch_store import PostgresLiveWatchStore
from protocols.errors import FencedError
from protocols.live.elsewhere import HeldCopy
from protocols.paper import Payouts

THEIRS = f"LT_{OTHER}"
LATER = T0 + 900_000_000


@pytest.fixture
async def world(database, aio):
    """LT_A of the account main, and another strategy of the account second; an engine trades each."""
    async with postgres_live(database) as one:
        await one.strategy(cooldown_hours="1")
        await one.strategy(THEIRS, account="second", cooldown_hours="1")
        yield one
        await one.check()


@pytest.fixture
async def second(world):
    office = LeaseOffice(connection=world.connection, owner="another", holder="test", ttl_s=600)
    hold = await office.acquire("live:second")
    assert isinstance(hold, LeaseHold)
    return store_over(world, world.connection, Leases((hold,)), ("second",))


async def bought(store, number: int, strategy_id: str, account: str):
    """20 shares, filled."""
    claim = buy(number, strategy_id)
    await store.claim([claim])
    await store.journal([(claim, bytes_for(claim, number, account=account))])
    await store.apply([told(number, f"t{number}", "20", status="CONFIRMED")])
    return claim


async def test_each_engine_reads_its_own_accounts(world, second):
    for number, store, strategy_id, account in ((1, world.store, "LT_A", "main"), (2, second, THEIRS, "second")):
        await bought(store, number, strategy_id, account)
        await store.claim([buy(number + 10, strategy_id)])
        working = buy(number + 20, strategy_id)
        await store.claim([working])
        await store.journal([(working, bytes_for(working, number + 20, account=account))])
        await store.open_exits([owed(number, strategy_id)])
    for store, strategy_id, number in ((world.store, "LT_A", 1), (second, THEIRS, 2)):
        seen = await store.snapshot(T0)
        assert [one.strategy_id for one in seen.balances] == [strategy_id]
        assert [one.order_id for one in seen.claims] == [buy(number + 10, strategy_id).order_id]
        assert [one.intent.order_id for one in seen.working] == [buy(number + 20, strategy_id).order_id]
        assert {one.strategy_id for one in (*seen.lots, *seen.exits)} == {strategy_id}
        assert len(seen.lots) == len(seen.exits) == 1
    for account, number in (("main", 1), ("second", 2)):
        watch = PostgresLiveWatchStore(connection=world.connection, accounts=(account,))
        assert [one.cause for one in await watch.open_rows()] == [f"sale-{number}"]


async def test_a_resolution_settles_and_releases_what_is_theirs_by_them(world, second):
    await bought(world.store, 1, "LT_A", "main")
    await bought(second, 2, THEIRS, "second")
    paid = [Payouts(condition_id="0xc0", by_token={"77": D(1)}, source="gamma")]
    for store, strategy_id in ((world.store, "LT_A"), (second, THEIRS)):
        assert await store.open_markets("", 10) == [("0xc0", frozenset({"77"}))]
        settled = await store.settle(paid, LATER)
        assert [one.strategy_id for one in settled.lots] == [strategy_id]
        assert await store.open_markets("", 10) == []
    for account, strategy_id in (("main", "LT_A"), ("second", THEIRS)):
        watch = PostgresLiveWatchStore(connection=world.connection, accounts=(account,))
        assert [one.strategy_id for one in await watch.awaited(10, "")] == [strategy_id]
    await world.store.release(LATER, [("LT_A", "0xc0")])
    await second.release(LATER, [(THEIRS, "0xc0")])
    long_after = LATER + 7_200_000
    assert [one.strategy_id for one in await world.store.release(long_after)] == ["LT_A"]
    assert [one.strategy_id for one in await second.release(long_after)] == [THEIRS]


async def test_one_lost_lease_of_several_is_enough(world, second):
    both = Leases((*world.leases.holds, *second.leases.holds))
    store = store_over(world, world.connection, both, ("main", "second"))
    claim = buy(1)
    assert await store.claim([claim]) == (claim,)
    assert (await store.journal([(claim, bytes_for(claim, 1))])).orders
    for name in ("live:main", "live:second"):
        await world.fetch("UPDATE engine_leases SET epoch = epoch + 1 WHERE name = $1", name)
        for call in (
            lambda: store.claim([buy(2)]),
            lambda: store.journal([(buy(2), bytes_for(buy(2), 2))]),
            lambda: store.apply([told(1, "t1", "20")]),
            lambda: store.settle([], LATER),
            lambda: store.release(LATER),
            lambda: store.latch("LT_A", "test", T0),
        ):
            with pytest.raises(FencedError, match="live:second of epoch"):
                await call()
        await world.fetch("UPDATE engine_leases SET epoch = epoch - 1 WHERE name = $1", name)
    assert (await store.apply([told(1, "t1", "20")])).orders


async def test_who_looks_at_leases_is_told_of_those_that_nobody_else_holds(world, second):
    mine = LeaseOffice(connection=world.connection, owner="me", holder="test", ttl_s=600)
    theirs = LeaseOffice(connection=world.connection, owner="another", holder="test", ttl_s=600)
    names = ["live:second", "live:main", "live:new"]
    assert await mine.free(names) == ["live:main", "live:new"]
    assert await theirs.free(names) == ["live:second", "live:new"]
    await theirs.release(second.leases.holds[0])
    assert await mine.free(names) == names
    assert await mine.free([]) == []


async def test_a_release_that_comes_late_does_not_end_what_was_taken_again_since(world):
    office = LeaseOffice(connection=world.connection, owner="me", holder="test", ttl_s=600)
    before, now = await office.acquire("live:new"), await office.acquire("live:new")
    assert isinstance(before, LeaseHold)
    assert isinstance(now, LeaseHold)
    await office.release(before)
    other = LeaseOffice(connection=world.connection, owner="another", holder="test", ttl_s=600)
    assert not isinstance(await other.acquire("live:new"), LeaseHold)
    with pytest.raises(FencedError):
        await office.extend(before)
    await office.extend(now)


async def test_no_lease_at_all_writes_nothing(world):
    store = store_over(world, world.connection, Leases(()), ())
    assert await store.claim([]) == ()
    assert (await store.snapshot(T0)).balances == ()
    claim = buy(1)
    with pytest.raises(FencedError):
        await store_over(world, world.connection, lost(world.leases)).claim([claim])


def lost(leases: Leases) -> Leases:
    return Leases(tuple(attrs.evolve(one, owner="somebody else") for one in leases.holds))


async def test_who_decides_knows_what_is_held_whoever_trades_it(world, second):
    copies = PostgresHeldCopies(world.connection)
    assert await copies.held() == []
    one, two = await bought(world.store, 1, "LT_A", "main"), buy(2, THEIRS)
    await second.claim([two])
    expected = {HeldCopy(claim.trader, "0xc0", "77", wallet) for claim, wallet in ((one, "A"), (two, OTHER))}
    assert set(await copies.held()) == expected


async def test_who_trades_finds_what_others_have_committed_for_it(world, second):
    work = PostgresOpenWork(world.connection, ("main",))
    assert await work.waiting() == []
    mine, theirs = buy(1), buy(2, THEIRS)
    await world.store.claim([mine])
    await second.claim([theirs])
    assert await work.waiting() == [mine.order_id]
    await world.store.journal([(mine, bytes_for(mine, 1))])
    assert await work.waiting() == []


async def test_the_bell_is_heard(world, second):
    heard = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen, world.database, CLAIMS_CHANNEL, heard.set)
        copies = PostgresHeldCopies(world.connection)
        with trio.fail_after(30):
            while not heard.is_set():
                await copies.ring()
                with trio.move_on_after(0.05):
                    await heard.wait()
        nursery.cancel_scope.cancel()
