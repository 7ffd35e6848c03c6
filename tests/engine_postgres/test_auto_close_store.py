"""Copies by hand that are sold with their trader: armed with the order, owed when he closes, once, told to their owner."""

import pytest
from actors_live.live_cases import T0
from engine_adapters.live_worlds import D, bought, buy, bytes_for, hash_of, sell, told
from engine_postgres.notice_world import RESOLVE, TRADER, notice_world

from engine.adapters.postgres.auto_close_store import AutoCloseStore
from engine.adapters.postgres.live_manual_store import PostgresManualStore
from engine.adapters.postgres.live_report_store import LiveReportStore
from engine.adapters.postgres.live_watch_store import PostgresLiveWatchStore
from protocols.live.events import Seen
from protocols.live.exits import ExitKind, ExitStatus
from protocols.live.orders import OrderOrigin

MINE = "manual:main"
SLIPPAGE = D("2.5")


@pytest.fixture
async def world(database, aio):
    async with notice_world(database) as one:
        await one.market()
        yield one


@pytest.fixture
async def ann(world):
    return await world.user("ann")


@pytest.fixture
def rows(world):
    return PostgresLiveWatchStore(connection=world.live.connection, accounts=("main",))


async def copied(world, user_id, number, *, auto_close_pct=SLIPPAGE, shares="20", **changes):
    """A copy by hand of 20 shares that was filled."""
    live = world.live
    claim = buy(number, MINE, cause=f"k{number}", origin=OrderOrigin.MANUAL, **changes)
    store = PostgresManualStore(connection=live.connection, leases=live.leases)
    await store.claim_keyed(user_id, f"key{number}", "hash", claim, auto_close_pct=auto_close_pct)
    await live.store.journal([(claim, bytes_for(claim, number))])
    over = Seen(order_hash=hash_of(number), venue_status="MATCHED", matched_shares=D(shares), at_ms=T0 + 60)
    await live.store.apply([told(number, f"t{number}", shares), over])
    return claim


async def test_what_a_trader_closes_is_owed_once_by_those_who_are_to_leave_with_him(world, ann, rows):
    await copied(world, ann, 1)
    await copied(world, ann, 2, token_id="78", auto_close_pct=None)
    assert await rows.open_rows() == []
    await world.closes()
    await world.closes("78")
    await world.closes(reason="redeemed", hours=2)
    [one] = await rows.open_rows()
    assert (one.strategy_id, one.kind, one.trader, one.token_id) == (MINE, ExitKind.TRADER_SELL, TRADER, "77")
    assert (one.share, one.slippage_pct, one.status) == (1, D("2.5"), ExitStatus.OPEN)
    assert await rows.open_rows() == [one]
    fixed = await world.live.store.fixed_target(one.exit_id)
    assert fixed.target_shares == 20


async def test_it_is_sold_like_any_obligation_and_told_to_its_owner(world, ann, rows):
    await copied(world, ann, 1)
    strategys = await bought(world.live, 3)
    await world.closes()
    [one] = [row for row in await rows.open_rows() if row.strategy_id == MINE]
    one = await world.live.store.fixed_target(one.exit_id)
    claim = sell(1, one, "20")
    assert await world.live.store.claim([claim])
    assert not (await world.live.store.journal([(claim, bytes_for(claim, 9))])).refused
    await world.live.store.apply([told(9, "s9", "20", "0.6", role="MAKER")])
    left = await world.live.fetch("SELECT strategy_id, shares_open FROM lt_orders WHERE side = 'BUY' ORDER BY 1")
    assert [tuple(row) for row in left] == [(strategys.strategy_id, 20), (MINE, 0)]
    assert await rows.open_rows() == []
    await world.told()
    rows_of_ann = await world.live.fetch(
        "SELECT kind FROM notifications WHERE user_id = $1::text::uuid ORDER BY 1", ann
    )
    assert [row["kind"] for row in rows_of_ann] == ["auto_close_executed", "order_filled"]
    [exit_row] = await LiveReportStore(world.live.connection).exits(user_id=ann, ended=True)
    assert (exit_row["strategy_id"], exit_row["status"]) == (MINE, "DONE")
    await world.live.check()


async def test_an_overdue_one_is_told_to_its_owner(world, ann, rows):
    await copied(world, ann, 1)
    await world.closes()
    await rows.open_rows()
    await world.live.fetch("UPDATE lt_exits SET deadline_at = now() - interval '1 s'")
    assert await world.outbox.note_overdue_exits() == 1
    [row] = await world.live.fetch("SELECT user_id::text AS id FROM notifications WHERE kind = 'auto_close_failed'")
    assert row["id"] == ann


async def test_nothing_is_owed_of_what_came_later_of_a_resolved_market_or_of_nothing(world, ann, rows):
    await copied(world, ann, 1)
    await world.live.fetch("UPDATE lt_orders SET signal_at = now() + interval '1 minute'")
    await world.closes()
    assert await rows.open_rows() == []
    await world.live.fetch("UPDATE lt_orders SET signal_at = now() - interval '1 minute'")
    await world.live.fetch(RESOLVE)
    assert await rows.open_rows() == []
    await world.live.fetch(
        'UPDATE markets SET closed = false, resolution_status = NULL, outcome_prices = \'["0.5", "0.5"]\''
    )
    await world.live.fetch("UPDATE lt_orders SET shares_open = 0, cost_open = 0")
    assert await rows.open_rows() == []


async def test_what_closed_before_it_was_switched_on_is_not_owed(world, ann, rows):
    await copied(world, ann, 1, auto_close_pct=None)
    await world.closes()
    store = AutoCloseStore(world.live.connection)
    await store.arm(ann, "main", TRADER, "77", D(3))
    assert await rows.open_rows() == []
    await world.closes(hours=2)
    assert len(await rows.open_rows()) == 1


async def test_it_is_listed_changed_and_switched_off(world, ann, rows):
    await copied(world, ann, 1)
    store = AutoCloseStore(world.live.connection)
    await store.arm(ann, "main", TRADER, "77", D(3))
    [one] = await store.of_user(ann)
    assert (one["account"], one["copied_trader"], one["token_id"], one["slippage_pct"]) == ("main", TRADER, "77", 3)
    assert [await store.disarm("main", TRADER, "77") for _ in range(2)] == [True, False]
    await world.closes()
    assert await rows.open_rows() == []


async def test_an_obligation_still_needs_its_strategy(world):
    statement = """
    INSERT INTO lt_exits (
        exit_id, strategy_id, cause, kind, condition_id, token_id, share, signal_price, signal_at, deadline_at, next_try_at
    )
    VALUES (gen_random_uuid(), $1, 'c', 'flatten', 'c', 't', 1, 0, now(), now(), now())
    """
    with pytest.raises(Exception, match="lt_exits_owning_strategy_fkey"):
        await world.live.fetch(statement, "LT_GONE")
    await world.live.fetch(statement, "LT_A")
    await world.live.fetch("DELETE FROM lt_strategies WHERE strategy_id = 'LT_A'")
    assert await world.live.fetch("SELECT 1 FROM lt_exits") == []
