"""One suite for every store of real money: sales, obligations, cool-down, resolved markets."""

import attrs
import msgspec
from engine_adapters.live_worlds import (
    LATER,
    T0,
    D,
    bought,
    buy,
    bytes_for,
    hash_of,
    journaled,
    owed,
    resolved,
    sell,
    sold,
    told,
)

from protocols.live.events import Refused, Seen
from protocols.live.exits import ExitKind, ExitStatus
from protocols.live.orders import OrderOrigin, Side

SOMEBODY = "0x" + "22" * 20


async def test_a_sale_takes_the_oldest_lots_of_its_obligation_first(world):
    later, first, second = [await bought(world, number) for number in (5, 1, 2)]
    one = owed(3, share=D(1))
    [made] = await world.store.open_exits([one, one])
    assert await world.store.open_exits([one]) == ()
    fixed = await world.store.fixed_target(made.exit_id)
    assert (fixed.target_shares, fixed.left_shares) == (40, 40)
    applied = await sold(world, 10, made, "30")
    assert {lot.order_id: lot.shares for lot in applied.lots} == {first.order_id: 0, second.order_id: 10}
    [left] = applied.exits
    assert (left.sold_shares, left.status) == (30, ExitStatus.OPEN)
    assert applied.orders[0].realized_usd == D("2.625")
    assert (applied.balances[0].realized_pnl, applied.balances[0].locked) == (D("2.625"), D("15.375"))
    done = await sold(world, 11, made, "10", attempt=2)
    assert done.exits[0].status is ExitStatus.DONE
    assert await world.outcomes() == {
        later.order_id: "OPEN", first.order_id: "SOLD", second.order_id: "SOLD",
        sell(1, made, "30").order_id: "NONE", sell(2, made, "10").order_id: "NONE",
    }  # fmt: skip


async def test_what_was_bought_in_a_batch_is_sold_in_the_same_batch(world):
    await journaled(world, 1)
    one = owed(3, share=D(1), kind=ExitKind.FLATTEN, trader=None)
    await world.store.open_exits([one])
    claim = sell(1, one, "20")
    await world.store.claim([claim])
    await world.store.journal([(claim, bytes_for(claim, 2))])
    applied = await world.store.apply([told(1, "t1", "20"), told(2, "s1", "20", "0.6", role="MAKER")])
    assert (applied.balances[0].locked, applied.balances[0].realized_pnl) == (D(0), D("1.75"))
    assert [order.realized_usd for order in applied.orders] == [D("1.75"), D("1.75")]


async def test_a_sale_that_fails_gives_the_shares_back_once(world):
    claim = await bought(world, 1)
    [one] = await world.store.open_exits([owed(3, share=D(1))])
    await world.store.fixed_target(one.exit_id)
    await sold(world, 10, one, "20")
    assert (await world.balance()).realized_pnl == D("1.75")
    failed = told(10, "s10", "20", "0.6", role="MAKER", status="FAILED")
    unwound = await world.store.apply([failed, failed])
    assert unwound.balances[0].realized_pnl == 0
    assert [(lot.order_id, lot.shares, lot.cost) for lot in unwound.lots] == [(claim.order_id, 20, D("10.25"))]
    assert (unwound.exits[0].sold_shares, unwound.exits[0].status) == (0, ExitStatus.OPEN)
    assert (await world.store.apply([failed])).orders == ()


async def test_proceeds_cool_down_before_they_are_spent_and_are_released_once(world):
    await world.strategy("LT_A-other", "100", cooldown_hours="3")
    claim = buy(1, "LT_A-other")
    await world.store.claim([claim])
    await world.store.journal([(claim, bytes_for(claim, 1))])
    await world.store.apply([told(1, "t1", "20")])
    [one] = await world.store.open_exits([owed(3, "LT_A-other", share=D(1))])
    applied = await sold(world, 10, one, "20")
    assert applied.balances[0].cooldown == 12
    ready_ms = T0 + 30 + 3 * 3_600_000
    assert await world.store.release(ready_ms - 1) == ()
    [balance] = await world.store.release(ready_ms)
    assert (balance.cooldown, balance.available, balance.equity) == (0, D("101.75"), D("101.75"))
    assert await world.store.release(ready_ms) == ()
    # What was spendable already is taken from it when the sale fails after all.
    late = await world.store.apply([told(10, "s10", "20", "0.6", role="MAKER", status="FAILED")])
    assert (late.balances[0].available, late.balances[0].cooldown) == (D("89.75"), 0)


async def test_a_sale_that_fails_while_its_proceeds_cool_down_takes_them_away(world):
    await world.strategy("LT_A-other", "100", cooldown_hours="3")
    claim = buy(1, "LT_A-other")
    await world.store.claim([claim])
    await world.store.journal([(claim, bytes_for(claim, 1))])
    await world.store.apply([told(1, "t1", "20")])
    [one] = await world.store.open_exits([owed(3, "LT_A-other", share=D(1))])
    await sold(world, 10, one, "20")
    late = await world.store.apply([told(10, "s10", "20", "0.6", role="MAKER", status="FAILED")])
    assert (late.balances[0].available, late.balances[0].cooldown) == (D("89.75"), 0)
    assert await world.store.release(T0 + 9 * 3_600_000) == ()


async def test_a_sale_of_more_than_was_held_brings_proceeds_that_go_again_when_it_fails(world):
    await world.strategy("LT_A-other", "100", cooldown_hours="3")
    [one] = await world.store.open_exits([owed(3, "LT_A-other", share=D(1))])
    applied = await sold(world, 10, one, "20")
    assert (applied.balances[0].cooldown, applied.balances[0].realized_pnl) == (12, 12)
    late = await world.store.apply([told(10, "s10", "20", "0.6", role="MAKER", status="FAILED")])
    assert (late.balances[0].available, late.balances[0].cooldown) == (100, 0)
    assert await world.store.release(T0 + 10**10) == ()


async def test_a_resolved_position_waits_for_its_redemption(world):
    claim = await bought(world, 1)
    await world.store.open_exits([owed(3)])
    [(market, tokens)] = await world.store.open_markets("", 5)
    assert (market, tokens) == ("0xc0", {"77"})
    assert await world.store.open_markets("0xc0", 5) == []
    settled = await world.store.settle(
        [resolved("1"), resolved("1"), resolved("1", "78"), resolved("0", "77", "0xd0")], LATER
    )
    [lot] = settled.lots
    assert (lot.order_id, lot.outcome, lot.value, lot.pnl) == (claim.order_id, "WON", 20, D("9.75"))
    [balance] = settled.balances
    assert (balance.available, balance.locked, balance.cooldown, balance.peak_equity) == (
        D("89.75"),
        0,
        20,
        D("109.75"),
    )
    assert [one.status for one in settled.exits] == [ExitStatus.SETTLED]
    again = await world.store.settle([resolved("1")], LATER)
    assert (again.lots, again.balances, again.exits) == ((), (), ())
    assert await world.store.release(T0 + 10**10) == ()
    [released] = await world.store.release(T0, [("LT_A", "0xc0")])
    assert (released.available, released.cooldown) == (D("109.75"), 0)
    assert await world.store.release(T0, [("LT_A", "0xc0")]) == ()
    assert await world.outcomes() == {claim.order_id: "WON"}


async def test_a_fill_that_comes_after_the_resolution_is_settled_too(world):
    claim = await bought(world, 1, "8")
    assert len((await world.store.settle([resolved("0")], LATER)).lots) == 1
    late = await world.store.apply([told(1, "t2", "12")])
    assert (late.lots[0].shares, await world.outcomes()) == (12, {claim.order_id: "OPEN"})
    [lot] = (await world.store.settle([resolved("0.5")], LATER)).lots
    assert (lot.outcome, lot.value) == ("VOID", 6)
    assert (await world.balance()).realized_pnl == D("-4.1") + 6 - D("6.15")


async def test_an_order_by_hand_has_fills_and_lots_and_no_money_of_ours(world):
    claim = buy(1, "manual:main", origin=OrderOrigin.MANUAL)
    await world.store.claim([claim])
    result = await world.store.journal([(claim, bytes_for(claim, 1, lock_usd=D(1_000)))])
    assert ([one.order_id for one in result.orders], result.balances) == ([claim.order_id], ())
    applied = await world.store.apply([told(1, "t1", "20")])
    assert (applied.balances, applied.days, applied.lots[0].shares) == ((), {}, 20)
    settled = await world.store.settle([resolved("1")], LATER)
    assert (settled.lots[0].pnl, settled.balances) == (D("9.75"), ())
    assert [line[0] for line in await world.ledger()] == ["LT_A"]


async def test_a_target_is_fixed_when_no_buy_works_and_promises_are_kept(world):
    await bought(world, 1)
    working = await journaled(world, 2)
    half, rest = owed(3), owed(4, kind=ExitKind.FLATTEN, trader=None, share=D(1))
    await world.store.open_exits([half, rest])
    assert await world.store.fixed_target(half.exit_id) is None
    await world.store.apply([Refused(order_hash=hash_of(2), reason="min_size", detail="", at_ms=T0 + 20)])
    assert working.order_id in await world.orders()
    assert (await world.store.fixed_target(half.exit_id)).target_shares == 10
    await bought(world, 5, "4")
    assert (await world.store.fixed_target(half.exit_id)).target_shares == 10
    # Whoever sells all sells also what the other one has not sold when his turn comes.
    assert (await world.store.fixed_target(rest.exit_id)).target_shares == 24
    nothing = owed(6, token_id="99")
    await world.store.open_exits([nothing])
    fixed = await world.store.fixed_target(nothing.exit_id)
    assert (fixed.target_shares, fixed.status) == (0, ExitStatus.VOID)
    assert await world.store.fixed_target("00000000-0000-5000-8000-00000000ffff") is None


async def test_obligations_keep_tries_and_end_once(world):
    [one] = await world.store.open_exits([owed(3)])
    later = attrs.evolve(one, attempts=2, next_try_ms=T0 + 900, detail="nobody bids")
    await world.store.save_exits([later, attrs.evolve(owed(9), attempts=4)])
    assert (await world.store.snapshot(T0)).exits == (later,)
    await world.store.save_exits([attrs.evolve(later, status=ExitStatus.DUST, attempts=1)])
    await world.store.save_exits([attrs.evolve(later, status=ExitStatus.OPEN)])
    assert (await world.store.snapshot(T0)).exits == ()


async def test_claims_of_exits_outlive_the_archive_of_their_strategy(world):
    claim = sell(1, owed(3), "5")
    assert (claim.side, claim.origin) == (Side.SELL, OrderOrigin.EXIT)
    await world.archive()
    assert await world.store.claim([claim, buy(1)]) == (claim,)
    kept = (await world.store.snapshot(T0)).claims
    assert kept == (msgspec.structs.replace(claim, inputs=None),)


async def test_what_fills_cost_is_told_once_however_often_they_are_told(world):
    claim = await journaled(world, 1)
    told_usd = []
    for status in ("MATCHED", "MATCHED", "MINED", "CONFIRMED"):
        over = Seen(order_hash=hash_of(1), venue_status="MATCHED", matched_shares=D(20), at_ms=T0 + 60)
        told_usd.append((await world.store.apply([told(1, "t1", "20", status=status), over])).spent_usd)
    cost = (await world.store.snapshot(T0)).lots[0].cost
    assert claim.side is Side.BUY
    assert [dict(one) for one in told_usd] == [{"main": cost}, {}, {}, {}]
