"""Each kind of fact, written by the transaction in which it happens, told once and to the right people."""

import pytest
from actors_live.live_cases import T0
from engine_adapters.live_worlds import LATER, D, bought, buy, bytes_for, hash_of, journaled, owed, resolved, sold, told
from engine_postgres.notice_world import RESOLVE, notice_world, owned

from engine.adapters.postgres.live_manual_store import PostgresManualStore
from engine.adapters.postgres.live_strategy_store import LiveStrategyStore
from protocols.errors import RejectedError
from protocols.live.events import NotFound, Refused
from protocols.live.orders import OrderOrigin
from protocols.live.ports import Declined


@pytest.fixture
async def world(database, aio):
    async with notice_world(database) as one:
        yield one


def refused(number):
    return Refused(order_hash=hash_of(number), reason="not_enough_balance", detail="the venue says so", at_ms=T0 + 30)


async def test_an_order_that_ends_with_shares_is_told_once_however_often_news_of_it_comes(world):
    await bought(world.live, 1, "12")
    await world.live.store.apply([told(1, "t1", "12", status="CONFIRMED")])
    [said] = await world.told("order_filled")
    assert (said["strategy"], said["side"], said["shares"], said["usd"]) == ("LT_A", "BUY", "12", "6")
    await world.live.store.apply([told(1, "t2", "8")])
    await world.told()
    assert await world.kinds() == ["order_filled"]
    assert await world.facts() == []


async def test_a_refusal_by_the_venue_is_told_and_a_claim_that_a_rule_declined_is_not(world):
    await world.live.store.claim([buy(2)])
    await world.live.store.decline([Declined(order_id=buy(2).order_id, reason="price_moved", detail="far", at_ms=T0)])
    await journaled(world.live, 1)
    await world.live.store.apply([refused(1)])
    [said] = await world.told()
    assert await world.kinds() == ["order_rejected"]
    assert (said["reason"], said["detail"], said["order_id"]) == (
        "not_enough_balance",
        "the venue says so",
        buy(1).order_id,
    )


async def test_a_lost_order_is_told_and_a_late_fill_of_it_too(world):
    await journaled(world.live, 1)
    for number in range(3):
        await world.live.store.apply([NotFound(order_hash=hash_of(1), at_ms=T0 + 100_000 * (number + 1))])
    assert await world.kinds() == ["order_lost"]
    await world.live.store.apply([told(1, "t1", "20")])
    assert await world.kinds() == ["order_lost", "order_filled"]


async def test_a_resolved_market_is_told_whichever_comes_first_its_row_or_the_settlement(world):
    """D81: that somebody else has marked it resolved loses no notice, and finding it twice doubles none."""
    await world.market()
    await owned(world, 1)
    await owned(world, 2, "10")
    await world.live.fetch(RESOLVE)
    [first] = await world.told("market_resolved")
    assert (first["winner"], first["market"], first["copies"], first["unsettled"]) == ("Yes", "Will it rain?", 2, 0)
    # 30 shares paid at 1, for 15 USD and a fee.
    cost = sum(D(row["cost_open"]) for row in await world.live.fetch("SELECT cost_open FROM lt_orders"))
    assert D(first["pnl"]) == 30 - cost
    await world.live.store.settle([resolved("1")], LATER)
    assert (await world.told("market_resolved")) == [first]


async def test_a_settlement_without_a_market_row_is_told_with_the_same_figures(world):
    await owned(world, 1)
    cost = D((await world.live.fetch("SELECT cost_open FROM lt_orders"))[0]["cost_open"])
    await world.live.store.settle([resolved("0")], LATER)
    assert await world.facts() == [("settled", buy(1).order_id)]
    [said] = await world.told("market_resolved")
    assert D(said["pnl"]) == -cost
    assert "winner" not in said
    await world.market(resolved=True)
    assert await world.facts() == [("market", "0xc0")]
    assert len(await world.told("market_resolved")) == 1


async def test_a_market_in_which_nobody_holds_anything_is_nobodys_news(world):
    await world.market()
    await world.live.fetch(RESOLVE)
    assert await world.facts() == [("market", "0xc0")]
    assert await world.told() == []
    await world.live.fetch('UPDATE markets SET outcome_prices = \'["1", "0"]\', updated_at = now()')
    assert await world.facts() == []


async def test_a_trader_who_closes_is_told_to_those_who_hold_a_copy_of_that_token_from_him(world):
    await world.market()
    await owned(world, 1)
    closed = await world.closes()
    await world.closes("78")
    await world.closes(reason="redeemed", hours=2)
    [said] = await world.told("trader_closed")
    assert (said["trader"], said["shares"], said["strategies"]) == ("0x" + "11" * 20, "20", ["LT_A"])
    [row] = await world.live.fetch("SELECT subject_key FROM notifications WHERE kind = 'trader_closed'")
    assert row["subject_key"] == str(closed)
    # Resolved: that is the news.
    await world.live.fetch(RESOLVE)
    await world.closes(hours=3)
    assert len(await world.told("trader_closed")) == 1


async def test_an_obligation_that_is_met_is_told_and_its_orders_are_not(world):
    await owned(world, 1)
    [one] = await world.live.store.open_exits([owed(3)])
    fixed = await world.live.store.fixed_target(one.exit_id)
    await sold(world.live, 9, fixed, "10")
    kinds = await world.kinds()
    assert kinds == ["order_filled", "auto_close_executed"]
    [said] = await world.told("auto_close_executed")
    assert (said["why"], said["sold"], said["target"], said["usd"]) == ("trader_sell", "10", "10", "6")


async def test_an_obligation_past_its_deadline_is_told_once(world):
    await owned(world, 1)
    late = owed(3, deadline_ms=T0)
    await world.live.store.open_exits([late, owed(4, deadline_ms=4_000_000_000_000)])
    await world.live.fetch("UPDATE lt_exits SET deadline_at = now() - interval '1 minute' WHERE cause = 'sale-3'")
    assert [await world.outbox.note_overdue_exits() for _ in range(2)] == [1, 0]
    [said] = await world.told("auto_close_failed")
    assert said["exit_id"] == late.exit_id


async def test_a_breaker_is_told_each_time_it_latches(world):
    latch = "UPDATE lt_strategies SET breaker_reason = $1, breaker_at = clock_timestamp()"
    await world.live.fetch(latch, "5 losses in a row")
    await world.told()
    await world.live.fetch(latch, "still")
    await world.live.fetch("UPDATE lt_strategies SET breaker_reason = NULL, breaker_at = NULL")
    await world.live.fetch(latch, "again")
    assert [said["reason"] for said in await world.told("strategy_halted")] == ["5 losses in a row", "again"]


async def test_a_halt_is_told_to_administrators_and_whoever_trades_and_its_end_is_not(world):
    ann, _bob = await world.user("ann"), await world.user("bob")
    await world.live.fetch("UPDATE lt_strategies SET user_id = $1::text::uuid, launched_at = now()", ann)
    store = LiveStrategyStore(world.live.connection)
    await store.halt(by="carl", reason="maintenance")
    await store.end_halt(by="carl", reason="done")
    assert await world.told("strategy_halted") == [{"by": "carl", "reason": "maintenance"}] * 2
    rows = await world.live.fetch("SELECT user_name FROM notifications JOIN profiles ON id = user_id ORDER BY 1")
    assert [row["user_name"] for row in rows] == ["admin", "ann"]


async def test_drift_is_told_when_it_appears(world):
    drift = "UPDATE lt_balances SET drift = $1, available = initial + realized_pnl + $1 - locked - cooldown"
    for amount in (3, 5, 0, 1):
        await world.live.fetch(drift, amount)
        await world.told()
    assert [said["drift"] for said in await world.told("drift")] == ["3", "1"]


async def test_an_order_by_hand_is_told_to_whoever_placed_it(world):
    ann = await world.user("ann")
    live = world.live
    claim = buy(5, "manual:main", cause="k5", origin=OrderOrigin.MANUAL)
    store = PostgresManualStore(connection=live.connection, leases=live.leases)
    await store.claim_keyed(ann, "key", "hash", claim)
    await live.store.journal([(claim, bytes_for(claim, 5))])
    await live.store.apply([told(5, "t5", "20")])
    await world.told()
    rows = await live.fetch("SELECT user_id::text AS user_id, kind FROM notifications")
    assert [tuple(row) for row in rows] == [(ann, "order_filled")]


async def test_a_fact_is_there_exactly_when_its_transaction_is(world):
    """No lease, no booking, no fact."""
    await journaled(world.live, 1)
    await world.live.fetch(
        "UPDATE engine_leases SET epoch = epoch + 1 WHERE name = $1", world.live.leases.holds[0].name
    )
    with pytest.raises(Exception, match="ours any more"):
        await world.live.store.apply([told(1, "t1", "20")])
    assert await world.facts() == []


async def test_a_fact_that_makes_no_sense_is_kept_until_it_is_put_aside(world):
    await owned(world, 1)
    add = "INSERT INTO notification_facts (fact, subject) VALUES ($1, $2)"
    await world.live.fetch(add, "order", "no uuid")
    await world.live.fetch(add, "of a newer program", "x")
    for _ in range(2):
        with pytest.raises(RejectedError):
            await world.outbox.take_facts(10)
    await world.outbox.bury_fact()
    assert await world.outbox.take_facts(10) == 1
    assert await world.facts() == [("order", "no uuid")]
    assert (await world.outbox.backlog()).facts == 0
