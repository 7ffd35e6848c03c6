"""One suite for every store of live orders: claims, the journal, and what fills make of a purchase."""

from engine_adapters.live_worlds import (
    INTERVAL_MS,
    T0,
    D,
    bought,
    buy,
    bytes_for,
    hash_of,
    journaled,
    told,
)

from protocols.live.events import Accepted, NotFound, Refused, Seen
from protocols.live.orders import OrderOrigin, OrderStatus, OrderType
from protocols.live.ports import Declined

ENDED = {"venue_status": "MATCHED", "at_ms": T0 + 60}


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
