"""One suite for every store: how much obligations owe, what they leave to the next one, and what holds up a settlement."""

from decimal import ROUND_DOWN

import attrs
from engine_adapters.live_worlds import (
    LATER,
    T0,
    D,
    bought,
    buy,
    bytes_for,
    hash_of,
    owed,
    resolved,
    sell,
    sold,
    told,
)

from protocols.live.events import Seen
from protocols.live.exits import ExitKind, ExitStatus

SOMEBODY = "0x" + "22" * 20


async def test_two_traders_in_one_token_are_followed_out_each_by_himself(world):
    await bought(world, 1)
    await bought(world, 2, claim={"trader": SOMEBODY})
    his, other = owed(3, share=D(1)), owed(4, share=D(1), trader=SOMEBODY)
    await world.store.open_exits([his, other])
    assert (await world.store.fixed_target(his.exit_id)).target_shares == 20
    fixed = await world.store.fixed_target(other.exit_id)
    assert (fixed.target_shares, fixed.status) == (20, ExitStatus.OPEN)


async def test_a_second_sale_takes_its_share_of_what_the_first_one_leaves(world):
    await bought(world, 1)
    await world.store.open_exits([owed(3), owed(4)])
    targets = [(await world.store.fixed_target(owed(number).exit_id)).target_shares for number in (3, 4)]
    assert targets == [10, 5]


async def test_many_small_sales_come_to_what_one_large_one_would(world):
    await bought(world, 1)
    total = D(0)
    for number in range(3, 43):
        one = owed(number, share=D("0.00045"))
        await world.store.open_exits([one])
        fixed = await world.store.fixed_target(one.exit_id)
        assert fixed.status in (ExitStatus.DUST, ExitStatus.OPEN)
        if fixed.status is ExitStatus.OPEN:
            shares = fixed.left_shares.quantize(D("0.01"), ROUND_DOWN)
            total += shares
            [left] = (await sold(world, 100 + number, fixed, str(shares))).exits
            await world.store.save_exits([attrs.evolve(left, status=ExitStatus.DUST)])
    assert D("0.34") <= total <= D("0.36")


async def test_a_sale_that_fails_reopens_an_obligation_that_ended_as_dust(world):
    await bought(world, 1)
    [one] = await world.store.open_exits([owed(3, share=D(1))])
    fixed = await world.store.fixed_target(one.exit_id)
    await sold(world, 10, fixed, "19")
    await world.store.save_exits([attrs.evolve(fixed, status=ExitStatus.DUST, detail="1 share is left")])
    failed = await world.store.apply([told(10, "s10", "19", "0.6", role="MAKER", status="FAILED")])
    [again] = failed.exits
    assert (again.status, again.left_shares) == (ExitStatus.OPEN, 20)
    assert [left.exit_id for left in (await world.store.snapshot(T0)).exits] == [one.exit_id]


async def test_nothing_is_settled_that_a_sale_on_its_way_may_have_sold(world):
    await bought(world, 1)
    [one] = await world.store.open_exits([owed(3, share=D(1))])
    fixed = await world.store.fixed_target(one.exit_id)
    claim = sell(1, fixed, "20")
    await world.store.claim([claim])
    await world.store.journal([(claim, bytes_for(claim, 10))])
    assert (await world.store.settle([resolved("1")], T0 + 60_000)).lots == ()
    over = Seen(order_hash=hash_of(10), venue_status="MATCHED", matched_shares=D(20), at_ms=T0 + 70)
    await world.store.apply([told(10, "s10", "20", "0.6"), over])
    assert (await world.store.settle([resolved("1")], LATER)).lots == ()
    assert await world.outcomes() == {buy(1).order_id: "SOLD", claim.order_id: "NONE"}


async def test_a_fresh_purchase_is_settled_when_the_chain_cannot_undo_it_any_more(world):
    await bought(world, 1)
    assert (await world.store.settle([resolved("1")], T0 + 60_000)).lots == ()
    await world.store.apply([told(1, "t1", "20", status="CONFIRMED")])
    [lot] = (await world.store.settle([resolved("1")], T0 + 60_000)).lots
    assert lot.outcome == "WON"


async def test_what_an_obligation_could_not_sell_is_not_carried_to_the_next_one(world):
    """Its lots went by other ways: what is bought afterwards owes nothing to it."""
    await bought(world, 1)
    [one] = await world.store.open_exits([owed(3, share=D(1))])
    fixed = await world.store.fixed_target(one.exit_id)
    await sold(world, 10, fixed, "5")
    left = (await world.store.snapshot(T0)).exits[0]
    await world.store.save_exits([attrs.evolve(left, status=ExitStatus.DONE, target_shares=left.sold_shares)])
    await world.store.apply([told(1, "t1", "20", status="FAILED")])
    await bought(world, 5)
    await world.store.open_exits([owed(6, share=D("0.1"))])
    assert (await world.store.fixed_target(owed(6).exit_id)).target_shares == 2


async def test_flattening_owes_all_that_is_held_whatever_others_have_promised(world):
    await bought(world, 1)
    await bought(world, 2, claim={"trader": SOMEBODY})
    his, everything = owed(3, share=D(1)), owed(4, kind=ExitKind.FLATTEN, trader=None, share=D(1))
    await world.store.open_exits([his, everything])
    assert (await world.store.fixed_target(his.exit_id)).target_shares == 20
    assert (await world.store.fixed_target(everything.exit_id)).target_shares == 40


async def test_a_sale_that_never_ends_holds_up_a_settlement_for_an_hour_at_most(world):
    await bought(world, 1)
    [one] = await world.store.open_exits([owed(3, share=D(1))])
    claim = sell(1, await world.store.fixed_target(one.exit_id), "20")
    await world.store.claim([claim])
    await world.store.journal([(claim, bytes_for(claim, 10))])
    assert (await world.store.settle([resolved("1")], T0 + 60_000)).lots == ()
    await world.store.apply([told(1, "t1", "20", status="CONFIRMED")])
    assert (await world.store.settle([resolved("1")], T0 + 3_000_000)).lots == ()
    [lot] = (await world.store.settle([resolved("1")], LATER)).lots
    assert lot.order_id == buy(1).order_id
