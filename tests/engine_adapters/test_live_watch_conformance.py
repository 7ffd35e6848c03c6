"""One suite for what is read beside live orders, and for capital: in memory as in the database."""

import attrs
import pytest
from engine_adapters.live_worlds import (
    LATER,
    T0,
    D,
    buy,
    bytes_for,
    hash_of,
    memory_live,
    owed,
    postgres_live,
    resolved,
    told,
)

from engine.adapters.memory.live_watch import MemoryLiveWatch
from engine.adapters.postgres.live_strategy_store import LiveStrategyStore, StrategyConflictError
from engine.adapters.postgres.live_watch_store import PostgresLiveWatchStore
from protocols.errors import RejectedError
from protocols.live.exits import ExitStatus
from protocols.live.watching import AwaitedRedemption, ReconciliationReport, UnsettledFill


@pytest.fixture(params=["memory", "postgres"])
def options(request):
    """The database of the second half; None in memory."""
    return None if request.param == "memory" else request.getfixturevalue("database")


@pytest.fixture
async def world(options, aio):
    if options is None:
        one = memory_live()
        await one.strategy()
        yield one
    else:
        async with postgres_live(options) as one:
            await one.strategy()
            yield one


def watch_of(world):
    if world.memory:
        return MemoryLiveWatch(world.memory.state)
    return PostgresLiveWatchStore(connection=world.connection, accounts=("main",))


async def bought(world, number, status="MATCHED", **changes):
    claim = buy(number, **changes)
    await world.store.claim([claim])
    await world.store.journal([(claim, bytes_for(claim, number))])
    await world.store.apply([told(number, f"t{number}", "20", status=status, match_ms=T0 - number)])


async def change_capital(world, delta):
    if world.memory:
        world.memory.change_capital("LT_A", D(delta))
    else:
        await LiveStrategyStore(world.connection).change_capital("LT_A", D(delta), by="test", reason="test")


async def test_fills_that_are_not_final_come_oldest_first_and_of_one_account(world):
    watch = watch_of(world)
    await bought(world, 1)
    await bought(world, 2, "CONFIRMED")
    await bought(world, 3, "RETRYING")
    wanted = [UnsettledFill(trade_id=f"t{n}", order_hash=hash_of(n), token_id="77", match_ms=T0 - n) for n in (3, 1)]
    assert list(await watch.unsettled("main", 10)) == wanted
    assert list(await watch.unsettled("main", 1)) == wanted[:1]
    assert list(await watch.unsettled("another", 10)) == []
    assert await watch.ours([hash_of(2), hash_of(9)]) == {hash_of(2)}


async def test_settled_positions_are_awaited_by_token_until_they_are_redeemed(world):
    watch = watch_of(world)
    await bought(world, 1)
    await bought(world, 2, token_id="78", condition_id="0xc1")
    await world.store.settle([resolved("1"), resolved("0.5", token_id="78", condition_id="0xc1")], LATER)
    first, second = (
        AwaitedRedemption(strategy_id="LT_A", condition_id=market, token_id=token)
        for market, token in (("0xc0", "77"), ("0xc1", "78"))
    )
    assert list(await watch.awaited(10, "")) == [first, second]
    assert list(await watch.awaited(1, "")) == [first]
    assert list(await watch.awaited(10, "77")) == [second]
    await world.store.release(T0, [("LT_A", "0xc0")])
    assert list(await watch.awaited(10, "")) == [second]


async def test_open_obligations_come_in_the_order_of_their_making(world):
    watch = watch_of(world)
    made = await world.store.open_exits([owed(1), owed(2), owed(3)])
    await world.store.save_exits([attrs.evolve(made[1], status=ExitStatus.VOID)])
    assert {one.cause for one in await watch.open_rows()} == {"sale-1", "sale-3"}


async def test_the_last_comparison_of_an_account_takes_the_place_of_the_one_before(world):
    watch = watch_of(world)
    assert await watch.last_ms("main") is None
    for at_ms in (T0, T0 + 5_000):
        report = ReconciliationReport(
            at_ms=at_ms, collateral_usd=D(5), cash_short_usd=D(0), working=0, open_orders=0, asked=0, not_found=0, unsettled=0
        )  # fmt: skip
        await watch.save("main", report)
    assert await watch.last_ms("main") == T0 + 5_000


async def test_capital_moves_the_peak_and_is_never_taken_beyond_what_is_available(world):
    await change_capital(world, "50")
    await change_capital(world, "-120")
    with pytest.raises((RejectedError, StrategyConflictError)):
        await change_capital(world, "-30.000001")
    one = await world.balance()
    assert (one.initial, one.available, one.peak_equity) == (D(30), D(30), D(30))
    assert [line[1:4] for line in await world.ledger()] == [
        ("capital:1", "capital", D(100)),
        ("capital:2", "capital", D(50)),
        ("capital:3", "capital", D(-120)),
    ]
    await world.check()
