"""One suite for every store of live orders and real money."""

import attrs
import msgspec
import pytest
from engine_adapters.live_worlds import (
    INTERVAL_MS,
    T0,
    D,
    buy,
    bytes_for,
    hash_of,
    memory_live,
    owed,
    postgres_live,
    resolved,
    sell,
    told,
)

from protocols.live.events import Accepted, NotFound, Refused, Seen
from protocols.live.exits import ExitKind, ExitStatus
from protocols.live.orders import OrderOrigin, OrderStatus, OrderType, Side
from protocols.live.ports import Declined

ENDED = {"venue_status": "MATCHED", "at_ms": T0 + 60}


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
        await one.check()
        return
    async with postgres_live(options) as one:
        await one.strategy()
        yield one
        await one.check()


async def journaled(world, number, **changes):
    """Claims and journals an order."""
    claim = buy(number)
    await world.store.claim([claim])
    result = await world.store.journal([(claim, bytes_for(claim, number, **changes))])
    assert not result.refused
    return claim


async def bought(world, number, shares="20", **changes):
    """An order of 20 shares that has ended with so many of them at 0.50 and a fee of 1.25 %."""
    claim = await journaled(world, number, **changes)
    await world.store.apply(
        [told(number, f"t{number}", shares), Seen(order_hash=hash_of(number), matched_shares=D(shares), **ENDED)]
    )
    return claim


async def sold(world, number, one, shares, price="0.6", attempt=1):
    """Sells for an obligation, with one fill."""
    claim = sell(attempt, one, shares)
    assert await world.store.claim([claim])
    assert not (await world.store.journal([(claim, bytes_for(claim, number))])).refused
    return await world.store.apply([told(number, f"s{number}", shares, price, role="MAKER")])


async def test_a_journaled_order_locks_its_money_once(world):
    claim = buy(1)
    assert await world.store.claim([claim, claim]) == (claim,)
    assert await world.store.claim([claim]) == ()
    pair = (claim, bytes_for(claim, 1))
    first, again = await world.store.journal([pair]), await world.store.journal([pair])
    [order] = first.orders
    assert (order.signed, order.intent, order.status, order.version) == (pair[1], claim, OrderStatus.PLACED, 2)
    assert (again.orders, again.refused, again.balances) == (first.orders, {}, ())
    [balance] = first.balances
    assert (balance.available, balance.locked) == (D("89.4999"), D("10.5001"))
    assert await world.balance() == balance
    assert [line[1:3] for line in await world.ledger()] == [
        ("capital:1", "capital"),
        (f"lock:{claim.order_id}", "lock"),
    ]


async def test_other_bytes_for_a_journaled_claim_are_refused(world):
    claim = await journaled(world, 1)
    other = await world.store.journal([(claim, bytes_for(claim, 2)), (buy(7), bytes_for(buy(7), 7))])
    assert other.refused == {claim.order_id: "gone", buy(7).order_id: "gone"}
    assert (await world.orders())[claim.order_id].signed.order_hash == hash_of(1)


async def test_a_batch_locks_exactly_what_fits_in_its_order(world):
    claims = [buy(number) for number in range(1, 7)]
    await world.store.claim(claims)
    locks = ["40", "50.5", "30", "30.01", "0.000001", "29.999999"]
    pairs = [(one, bytes_for(one, n, lock_usd=D(locks[n - 1]))) for n, one in enumerate(claims, 1)]
    result = await world.store.journal(pairs)
    granted = [claims[n].order_id for n in (0, 1, 4)]
    assert [one.order_id for one in result.orders] == granted
    assert result.refused == dict.fromkeys([claims[n].order_id for n in (2, 3, 5)], "insufficient_cash")
    [balance] = result.balances
    assert (balance.available, balance.locked) == (D("9.499999"), D("90.500001"))
    assert await world.balance() == balance


async def test_strategies_of_one_batch_do_not_spend_each_others_money(world):
    await world.strategy("LT_A-other", "10")
    claims = [buy(1), buy(1, "LT_A-other"), buy(2), buy(2, "LT_A-other")]
    await world.store.claim(claims)
    locks = ["100", "10", "0.01", "0.01"]
    result = await world.store.journal([(one, bytes_for(one, n, lock_usd=D(locks[n]))) for n, one in enumerate(claims)])
    assert [one.order_id for one in result.orders] == [claims[0].order_id, claims[1].order_id]
    assert {one.strategy_id: one.available for one in result.balances} == {"LT_A": 0, "LT_A-other": 0}


async def test_a_declined_claim_is_over_and_a_journaled_one_is_not_declined(world):
    claim, kept = buy(1), await journaled(world, 2)
    await world.store.claim([claim])
    reasons = [Declined(order_id=one.order_id, reason="SPREAD", detail="9 > 5", at_ms=T0 + 9) for one in (claim, kept)]
    [order] = await world.store.decline(reasons)
    assert (order.order_id, order.status, order.ended, order.reason, order.detail, order.ended_ms) == (
        claim.order_id, OrderStatus.REJECTED, True, "SPREAD", "9 > 5", T0 + 9,
    )  # fmt: skip
    assert await world.store.decline(reasons) == ()
    assert (await world.store.journal([(claim, bytes_for(claim, 1))])).refused == {claim.order_id: "gone"}
    assert [one.order_id for one in (await world.store.snapshot(T0)).working] == [kept.order_id]


async def test_one_cause_has_one_attempt_alive_and_a_trade_is_copied_once(world):
    first = buy(1)
    assert await world.store.claim([first, buy(1, attempt=2)]) == (first,)
    await world.store.decline([Declined(order_id=first.order_id, reason="PAUSED", detail="", at_ms=T0)])
    joined = buy(2, members=("trade-2", "trade-1"))
    assert await world.store.claim([joined]) == ()
    alone = buy(3, members=("trade-3", "trade-4"))
    assert await world.store.claim([alone, buy(4), buy(5, members=("trade-5", "trade-3"))]) == (alone,)
    assert await world.store.claim([buy(9, "LT_GONE")]) == ()
    manual = buy(4, "manual:main", origin=OrderOrigin.MANUAL)
    assert await world.store.claim([manual]) == (manual,)


async def test_a_claim_waits_for_its_price_in_the_snapshot(world):
    one, two = buy(1, outcome="Yes", event_slug="e", post_only=True, order_type=OrderType.GTD, expires_ms=T0), buy(2)
    await world.store.claim([one, two])
    assert (await world.store.snapshot(T0)).claims == (one, two)


async def test_fills_cost_what_they_cost_and_the_rest_is_unlocked(world):
    claim = await journaled(world, 1)
    applied = await world.store.apply([told(1, "t1", "8")])
    [order] = applied.orders
    assert (order.status, order.ended, order.filled_shares, order.filled_usd, order.fee_usd) == (
        OrderStatus.PARTIAL, False, 8, 4, D("0.1"),
    )  # fmt: skip
    [lot] = applied.lots
    assert (lot.order_id, lot.shares, lot.cost, lot.bought_ms) == (claim.order_id, 8, D("4.1"), T0 + 30)
    [balance] = applied.balances
    assert (balance.available, balance.locked) == (D("89.4999"), D("10.5001"))
    over = await world.store.apply([Seen(order_hash=hash_of(1), matched_shares=D(8), **ENDED)])
    assert (over.orders[0].status, over.orders[0].ended) == (OrderStatus.PARTIAL, True)
    assert (over.balances[0].available, over.balances[0].locked) == (D("95.9"), D("4.1"))
    snapshot = await world.store.snapshot(T0)
    assert (snapshot.days["LT_A"].spent_usd, snapshot.working) == (D("4.1"), ())
    assert snapshot.lots == (lot,)
    assert snapshot.entries_ms == {"LT_A": (T0 + 10,)}


async def test_the_same_events_again_change_nothing(world):
    await journaled(world, 1)
    batch = [
        Accepted(order_hash=hash_of(1), venue_status="matched", matched_shares=D(20), at_ms=T0 + 20),
        told(1, "t1", "12"),
        told(1, "t1", "12"),
        told(1, "t2", "8"),
        Seen(order_hash=hash_of(1), matched_shares=D(20), **ENDED),
    ]
    await world.store.apply(batch)
    before, orders, ledger = await world.balance(), await world.orders(), await world.ledger()
    again = await world.store.apply([*batch, *reversed(batch)])
    assert (again.orders, again.balances, again.lots, again.days) == ((), (), (), {})
    assert (await world.balance(), await world.orders(), await world.ledger()) == (before, orders, ledger)


async def test_a_stranger_is_told_and_nothing_else_is_lost(world):
    await journaled(world, 1)
    applied = await world.store.apply([told(9, "t1", "3"), told(1, "t2", "3"), told(9, "t3", "3")])
    assert applied.unknown == (hash_of(9),)
    assert applied.orders[0].filled_shares == 3


async def test_a_lost_order_gives_its_money_back_and_a_late_fill_revives_it(world):
    await journaled(world, 1)
    asked = [NotFound(order_hash=hash_of(1), at_ms=T0 + n * INTERVAL_MS) for n in range(4)]
    lost = await world.store.apply(asked)
    assert (lost.orders[0].status, lost.balances[0].locked, lost.balances[0].available) == (OrderStatus.LOST, 0, 100)
    late = await world.store.apply([told(1, "t1", "20")])
    assert (late.orders[0].status, late.orders[0].reason) == (OrderStatus.FILLED, None)
    assert (late.balances[0].locked, late.balances[0].available) == (D("10.25"), D("89.75"))


async def test_what_cannot_be_paid_becomes_drift_that_later_money_pays_back(world):
    await journaled(world, 1)
    await world.store.apply([Refused(order_hash=hash_of(1), reason="gone", detail="", at_ms=T0 + 20)])
    await journaled(world, 2, lock_usd=D(100))
    late = await world.store.apply([told(1, "t1", "20")])
    assert (late.balances[0].available, late.balances[0].locked, late.balances[0].drift) == (0, D("110.25"), D("10.25"))
    claim = buy(3)
    await world.store.claim([claim])
    refused = await world.store.journal([(claim, bytes_for(claim, 3, lock_usd=D("0.01")))])
    assert refused.refused == {claim.order_id: "insufficient_cash"}
    paid = await world.store.apply([Refused(order_hash=hash_of(2), reason="min_size", detail="", at_ms=T0 + 20)])
    assert (paid.balances[0].available, paid.balances[0].locked, paid.balances[0].drift) == (D("89.75"), D("10.25"), 0)


async def test_a_failed_fill_is_unwound_once(world):
    await bought(world, 1)
    failed = told(1, "t1", "20", status="FAILED")
    unwound = await world.store.apply([failed, failed])
    assert (unwound.orders[0].filled_shares, unwound.lots[0].shares) == (0, 0)
    assert (unwound.balances[0].locked, unwound.balances[0].available) == (0, 100)
    assert (await world.store.apply([failed, told(1, "t1", "20", status="CONFIRMED")])).orders == ()
    assert (await world.store.snapshot(T0)).days["LT_A"].spent_usd == 0


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


async def test_a_resolved_position_waits_for_its_redemption(world):
    claim = await bought(world, 1)
    await world.store.open_exits([owed(3)])
    [(market, tokens)] = await world.store.open_markets("", 5)
    assert (market, tokens) == ("0xc0", {"77"})
    assert await world.store.open_markets("0xc0", 5) == []
    settled = await world.store.settle([resolved("1"), resolved("1"), resolved("1", "78"), resolved("0", "77", "0xd0")])
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
    again = await world.store.settle([resolved("1")])
    assert (again.lots, again.balances, again.exits) == ((), (), ())
    assert await world.store.release(T0 + 10**10) == ()
    [released] = await world.store.release(T0, [("LT_A", "0xc0")])
    assert (released.available, released.cooldown) == (D("109.75"), 0)
    assert await world.store.release(T0, [("LT_A", "0xc0")]) == ()
    assert await world.outcomes() == {claim.order_id: "WON"}


async def test_a_fill_that_comes_after_the_resolution_is_settled_too(world):
    claim = await bought(world, 1, "8")
    assert len((await world.store.settle([resolved("0")])).lots) == 1
    late = await world.store.apply([told(1, "t2", "12")])
    assert (late.lots[0].shares, await world.outcomes()) == (12, {claim.order_id: "OPEN"})
    [lot] = (await world.store.settle([resolved("0.5")])).lots
    assert (lot.outcome, lot.value) == ("VOID", 6)
    assert (await world.balance()).realized_pnl == D("-4.1") + 6 - D("6.15")


async def test_an_order_by_hand_has_fills_and_lots_and_no_money_of_ours(world):
    claim = buy(1, "manual:main", origin=OrderOrigin.MANUAL)
    await world.store.claim([claim])
    result = await world.store.journal([(claim, bytes_for(claim, 1, lock_usd=D(1_000)))])
    assert ([one.order_id for one in result.orders], result.balances) == ([claim.order_id], ())
    applied = await world.store.apply([told(1, "t1", "20")])
    assert (applied.balances, applied.days, applied.lots[0].shares) == ((), {}, 20)
    settled = await world.store.settle([resolved("1")])
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
    assert (await world.store.fixed_target(rest.exit_id)).target_shares == 14
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
