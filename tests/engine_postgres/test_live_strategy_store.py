"""Live strategies as operators change them: who did what, what money does, and what the engine reads of it."""

import json

import attrs
import pytest
import trio
from actors_live.live_cases import T0
from engine_adapters.live_worlds import OTHER, D, buy, bytes_for, postgres_live

from config.live_settings import live_document_of
from engine.adapters.postgres.live_order_store import PostgresLiveOrderStore
from engine.adapters.postgres.live_strategy_store import LiveStrategyStore
from engine.adapters.postgres.live_table_store import PostgresLiveTableStore
from engine.adapters.postgres.pool import open_pool
from engine.adapters.postgres.strategy_store import StrategyConflictError
from protocols.errors import RejectedError
from protocols.live.orders import OrderType
from protocols.live.settings import LiveSettings

CHANGES = "SELECT version, change, changed_by FROM lt_strategy_changes WHERE strategy_id = 'LT_A' ORDER BY version"
HALTS = "SELECT action, by_whom, reason FROM lt_halts ORDER BY halt_id"
UNUSUAL = LiveSettings(
    display_name="n", description="d", order_type=OrderType.GTD, resting_s=200, slippage_tolerance_pct=D("1.5"),
    min_order_size_usd=D(2), max_order_size_usd=D("3.5"), cooldown_hours=D("0.5"), max_position_size_usd=D(0),
    max_total_exposure_usd=D(7), daily_budget_usd=D("8.25"), max_daily_loss_usd=D(9), circuit_breaker_loss_pct=D(10),
    max_signal_age_s=11, max_price_rise_pct=None, max_price_fall_pct=D("12.5"), min_book_depth_pct=None,
    max_spread_pct=D(13), max_market_exposure_usd=D(14), max_event_exposure_usd=D(15), max_orders_per_minute=0,
    max_consecutive_failures=None, copy_sells=False, stop_loss_pct=D(16), take_profit_pct=D(170), max_hold_hours=D(18),
    exit_slippage_pct=D(19), exit_step_pct=D(20), exit_deadline_s=21,
)  # fmt: skip


@pytest.fixture
async def world(database, aio):
    async with postgres_live(database) as one:
        await one.strategy()
        yield one
        await one.check()


@pytest.fixture
async def store(world):
    return LiveStrategyStore(world.connection)


async def made(world, store, strategy_id="LT_B", settings=UNUSUAL, wallet_id=OTHER):
    return await store.create(
        strategy_id, user_id=world.user_id, ft_wallet_id=wallet_id, account="main", capital_usd=D("12.5"),
        settings=settings, by="ann",
    )  # fmt: skip


async def test_every_setting_comes_back_as_it_was_made(world, store):
    one = await made(world, store)
    assert one.settings == UNUSUAL
    assert await store.get("LT_B") == one
    assert {(two.strategy_id, two.settings) for two in await store.list(world.user_id)} >= {("LT_B", UNUSUAL)}
    assert (one.is_active, one.is_paused, one.version, one.launched_ms, one.enters) == (True, True, 1, None, False)
    plain = attrs.evolve(UNUSUAL, **{field.name: field.default for field in attrs.fields(LiveSettings)})
    changed = await store.update("LT_B", plain, version=1, by="bob")
    assert (changed.settings, changed.version) == (plain, 2)


async def test_a_strategy_is_made_once_with_its_capital_in_the_ledger(world, store):
    await made(world, store)
    for strategy_id in ("LT_B", "LT_C"):
        with pytest.raises(StrategyConflictError):
            await made(world, store, strategy_id)
    assert [line for line in await world.ledger() if line[0] == "LT_B"] == [
        ("LT_B", "capital:1", "capital", D("12.5"), D("12.5"), 0, 0, 0, 0)
    ]
    with pytest.raises(RejectedError):
        await made(world, store, "LT_D", wallet_id="NOBODY")
    assert await store.get("LT_D") is None


async def test_a_change_says_who_made_it_and_the_older_of_two_is_refused(world, store):
    async with open_pool(world.database, "test", 4) as pool:
        shared, outcomes = LiveStrategyStore(pool), []

        async def change(size):
            settings = LiveSettings(max_order_size_usd=D(size))
            try:
                outcomes.append((await shared.update("LT_A", settings, version=1, by=f"user {size}")).version)
            except StrategyConflictError:
                outcomes.append(None)

        async with trio.open_nursery() as nursery:
            for size in range(10, 16):
                nursery.start_soon(change, size)
    assert sorted(outcomes, key=str) == [2] + [None] * 5
    first, second = await world.fetch(CHANGES)
    now = (await store.get("LT_A")).settings
    assert (first["version"], first["changed_by"], second["version"]) == (1, "test", 2)
    assert json.loads(second["change"]) == {"settings": json.loads(json.dumps(live_document_of(now)))}
    assert second["changed_by"] == f"user {now.max_order_size_usd}"


async def test_capital_moves_the_peak_and_never_takes_what_is_locked(world, store):
    claim = buy(1)
    await world.store.claim([claim])
    await world.store.journal([(claim, bytes_for(claim, 1, lock_usd=D(60)))])
    given = await store.change_capital("LT_A", D(50), by="ann", reason="more")
    assert (given.initial, given.available, given.locked, given.peak_equity) == (150, 90, 60, 150)
    with pytest.raises(StrategyConflictError, match="only 90"):
        await store.change_capital("LT_A", D("-90.000001"), by="ann", reason="too much")
    taken = await store.change_capital("LT_A", D(-90), by="ann", reason="all")
    assert (taken.initial, taken.available, taken.locked, taken.peak_equity) == (60, 0, 60, 60)
    with pytest.raises(StrategyConflictError):
        await store.change_capital("LT_NONE", D(1), by="ann", reason="?")
    reasons = [json.loads(row["change"]).get("reason") for row in await world.fetch(CHANGES)]
    assert reasons == [None, "more", "all"]


async def test_capital_and_orders_at_once_never_spend_a_dollar_twice(world):
    claims = [buy(number) for number in range(20)]
    await world.store.claim(claims)
    journaled, taken = [], []
    async with open_pool(world.database, "test", 4) as pool:
        store = LiveStrategyStore(pool)
        orders = PostgresLiveOrderStore(
            connection=pool, leases=world.leases, accounts=("main",), not_found_interval_ms=20_000
        )

        async def take():
            for _ in range(20):
                try:
                    await store.change_capital("LT_A", D(-5), by="ann", reason="")
                    taken.append(5)
                except StrategyConflictError:
                    pass

        async def spend(some):
            for number in some:
                pair = (claims[number], bytes_for(claims[number], number, lock_usd=D(7)))
                journaled.extend((await orders.journal([pair])).orders)

        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(take)
                nursery.start_soon(spend, range(10))
                nursery.start_soon(spend, range(10, 20))
    balance = await world.balance()
    assert (balance.locked, balance.initial) == (7 * len(journaled), 100 - sum(taken))
    assert balance.available == 100 - sum(taken) - 7 * len(journaled)


async def test_pause_resume_and_archive_are_kept_with_who_did_it(world, store):
    assert not await store.set_paused("LT_A", True, by="ann")
    assert await store.set_paused("LT_A", False, by="ann")
    launched = (await store.get("LT_A")).launched_ms
    assert launched is not None
    assert await store.set_paused("LT_A", True, by="bob")
    assert await store.set_paused("LT_A", False, by="bob")
    assert (await store.get("LT_A")).launched_ms == launched
    assert await store.archive("LT_A", by="ann")
    assert not await store.archive("LT_A", by="ann")
    assert not await store.set_paused("LT_A", False, by="ann")
    with pytest.raises(StrategyConflictError):
        await store.update("LT_A", LiveSettings(), version=(await store.get("LT_A")).version, by="ann")
    who = [row["changed_by"] for row in await world.fetch(CHANGES)]
    assert who == ["test", "ann", "bob", "bob", "ann"]


async def test_the_engine_reads_the_table_again_whenever_something_changed(world, store):
    table, seen = PostgresLiveTableStore(world.connection), []

    async def changed():
        seen.append(await table.version())
        return len(seen) < 2 or seen[-1] > seen[-2]

    await changed()
    await store.set_paused("LT_A", False, by="ann")
    assert await changed()
    await world.store.latch("LT_A", "five refusals", T0)
    assert await changed()
    assert (await table.table()).breakers == {"LT_A": "five refusals"}
    await world.fetch("UPDATE ft_wallets SET bet_size = 3 WHERE wallet_id = 'A'")
    assert await changed()
    assert await store.halt(by="ann", reason="fire")
    assert await changed()
    assert not await store.halt(by="bob", reason="again")
    halted = await table.table()
    assert (halted.halt.by, halted.halt.reason) == ("ann", "fire")
    assert await store.end_halt(by="bob", reason="out")
    assert not await store.end_halt(by="bob", reason="out")
    assert await store.clear_breaker("LT_A", by="bob")
    assert not await store.clear_breaker("LT_A", by="bob")
    assert await changed()
    await store.archive("LT_A", by="ann")
    read = await table.table()
    [one] = read.strategies
    assert (one.strategy_id, one.is_active, one.ft_settings.bet_size) == ("LT_A", False, 3)
    assert (read.halt, read.breakers, read.version) == (None, {}, await table.version())
    assert [tuple(row) for row in await world.fetch(HALTS)] == [("halt", "ann", "fire"), ("resume", "bob", "out")]
