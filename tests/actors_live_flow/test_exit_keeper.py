import itertools
from collections import Counter
from decimal import Decimal

import pytest
import trio
from actors_live_flow.selling_world import Selling, lot, obligation
from actors_live_flow.watched_venue import TOKEN, bought, hash_for
from hypothesis import given
from hypothesis import strategies as st
from property.examples import FEW
from property.supervised import crash_sets, run_jumping

from protocols.live.exits import ExitKind, ExitStatus
from protocols.live.orders import OrderType
from protocols.live.settings import LiveSettings


def only(world):
    (one,) = world.store.exits.values()
    return one


def test_a_sale_of_the_trader_sells_our_share_of_it_at_a_capped_price():
    world = Selling()

    async def main():
        now_ms = world.clock.now_ms()
        later = lot(2, signal_ms=now_ms + 1)
        world.hold(lot(1, signal_ms=now_ms - 1), later, exits=[obligation(now_ms, share="0.5")])
        await trio.sleep(2)

    world.run(main, run_jumping)
    assert [(shares, limit) for _, shares, limit in world.sales] == [(10, Decimal("0.48"))]
    assert (only(world).status, only(world).sold_shares) == (ExitStatus.DONE, 10)
    assert world.store.lots["lot-2"].shares == 20


def test_what_is_held_by_hand_is_sold_with_the_trader_and_with_a_slippage_of_its_own():
    world = Selling()

    async def main():
        now_ms = world.clock.now_ms()
        by_hand, of_strategy = lot(1, signal_ms=now_ms - 1, strategy_id="manual:main"), lot(2, signal_ms=now_ms - 1)
        one = obligation(now_ms, strategy_id="manual:main", slippage_pct=Decimal(10))
        world.hold(by_hand, of_strategy, exits=[one])
        await trio.sleep(2)

    world.run(main, run_jumping)
    assert [(shares, limit) for _, shares, limit in world.sales] == [(20, Decimal("0.45"))]
    assert only(world).status is ExitStatus.DONE
    assert world.store.lots.keys() == {"lot-2"}


def test_what_is_left_is_offered_again_and_lower_after_a_pause_until_it_is_gone():
    world = Selling()
    world.refuses = 3

    async def main():
        now_ms = world.clock.now_ms()
        world.hold(lot(1, signal_ms=now_ms), exits=[obligation(now_ms)])
        world.books.depth = Decimal(12)
        await trio.sleep(60)

    world.run(main, run_jumping)
    limits = [limit for _, _, limit in world.sales]
    assert limits == sorted(limits, reverse=True)
    assert [shares for _, shares, _ in world.sales] == [20, 20, 20, 20, 8]
    times = [at_s for at_s, _, _ in world.sales]
    waits = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert all(wait_s >= least_s for wait_s, least_s in zip(waits, (1, 2, 4, 8), strict=True))
    assert only(world).status is ExitStatus.DONE


def test_bids_below_the_limit_lower_it_and_after_the_deadline_any_price_will_do():
    world = Selling()

    async def main():
        now_ms = world.clock.now_ms()
        world.hold(lot(1, signal_ms=now_ms), exits=[obligation(now_ms)])
        world.books.bid = None
        await trio.sleep(299)
        assert world.sales == []
        assert world.exits.overdue == []
        await trio.sleep(2)
        assert [one.exit_id for one in world.exits.overdue] == [only(world).exit_id]
        world.books.bid = Decimal("0.06")
        await trio.sleep(31)
        assert world.exits.overdue == []

    world.run(main, run_jumping)
    assert [(shares, limit) for _, shares, limit in world.sales] == [(20, Decimal("0.01"))]

    falling = Selling()

    async def fall():
        now_ms = falling.clock.now_ms()
        falling.hold(lot(1, signal_ms=now_ms), exits=[obligation(now_ms)])
        falling.books.bid = Decimal("0.4")
        await trio.sleep(100)

    falling.run(fall, run_jumping)
    ((_, _, limit),) = falling.sales
    assert Decimal("0.37") <= limit <= Decimal("0.4")


def test_a_buy_that_rests_is_cancelled_first_and_no_target_is_fixed_while_it_lives():
    world = Selling()
    doubted = []
    world.exits._buys.doubt = doubted.append

    async def main():
        now_ms = world.clock.now_ms()
        world.hold(lot(1, signal_ms=now_ms - 5), exits=[obligation(now_ms)])
        world.store.buys_working = 1
        world.journal(bought(7, type_=OrderType.GTC, signed_ms=now_ms - 5))
        world.journal(bought(8, type_=OrderType.GTC, signed_ms=now_ms + 5))
        await trio.sleep(3)
        assert world.venue.cancelled == [hash_for(7)]
        assert doubted == [hash_for(7)]
        assert only(world).target_shares is None
        world.store.buys_working = 0
        order = world.book.order(hash_for(7))
        world.book._working.pop(order.order_id)
        await trio.sleep(3)

    world.run(main, run_jumping)
    assert only(world).status is ExitStatus.DONE
    assert world.venue.cancelled == [hash_for(7)]


def test_what_the_account_does_not_hold_is_not_offered_and_the_rest_is_sold():
    """Shares of a buy that failed on the chain were sold as another strategy's: what is left is less than the lots say."""
    world = Selling()

    async def main():
        now_ms = world.clock.now_ms()
        world.hold(lot(1, signal_ms=now_ms), exits=[obligation(now_ms)])
        world.is_short, world.venue.held_micro = True, {TOKEN: 12_345_678}
        await trio.sleep(5)
        assert [shares for _, shares, _ in world.sales] == [20, Decimal("12.34")]
        await trio.sleep(200)
        # Nothing is offered that would be refused, and the venue is asked now and then.
        assert len(world.sales) == 2
        assert 5 <= world.venue.calls["conditional"] <= 10
        assert only(world).detail == "the account holds 0.00 of the 7.66 shares"
        world.venue.held_micro = {TOKEN: 7_660_000}
        await trio.sleep(40)

    world.run(main, run_jumping)
    assert [shares for _, shares, _ in world.sales] == [20, Decimal("12.34"), Decimal("7.66")]
    assert only(world).status is ExitStatus.DONE


@pytest.mark.parametrize(
    ("shares", "bid", "status"), [("0.004", "0.5", "DUST"), ("3", "0.2", "DUST"), ("3", "0.5", "DONE")]
)
def test_what_is_too_little_to_be_sold_stays_as_dust(shares, bid, status):
    world = Selling()

    async def main():
        now_ms = world.clock.now_ms()
        world.books.bid = Decimal(bid)
        one = obligation(now_ms, signal_price=Decimal(bid))
        world.hold(lot(1, shares, cost=Decimal(shares) * Decimal(bid), signal_ms=now_ms), exits=[one])
        await trio.sleep(5)

    world.run(main, run_jumping)
    assert only(world).status.value == status


def test_rows_that_an_operator_makes_are_found_and_a_look_finds_them_at_once():
    world = Selling()

    async def main():
        now_ms = world.clock.now_ms()
        world.hold(lot(1, signal_ms=now_ms))
        await trio.sleep(11)
        one = obligation(now_ms, kind=ExitKind.FLATTEN, trader=None)
        world.store.exits[one.exit_id] = one
        world.exits.look()
        await trio.sleep(0.5)

    world.run(main, run_jumping)
    assert len(world.sales) == 1


def test_two_obligations_of_one_position_sell_one_after_the_other_and_never_more_than_there_is():
    world = Selling()

    async def main():
        now_ms = world.clock.now_ms()
        half, all_ = (
            obligation(now_ms, share="0.5"),
            obligation(now_ms, cause="flatten", kind=ExitKind.FLATTEN, trader=None),
        )
        world.hold(lot(1, signal_ms=now_ms), exits=[half, all_])
        await trio.sleep(30)

    world.run(main, run_jumping)
    assert sum(shares for _, shares, _ in world.sales) == 20
    assert {one.status for one in world.store.exits.values()} <= {ExitStatus.DONE, ExitStatus.VOID}


def test_while_nobody_knows_whether_a_claim_was_made_nothing_else_of_the_position_is_sold():
    world = Selling()
    world.store.lost_answers = 1
    missed = []
    world.exits.missed = lambda: missed.append(trio.current_time())

    async def main():
        now_ms = world.clock.now_ms()
        half, all_ = (
            obligation(now_ms, share="0.5"),
            obligation(now_ms, cause="flatten", kind=ExitKind.FLATTEN, trader=None),
        )
        world.hold(lot(1, signal_ms=now_ms), exits=[half, all_])
        await trio.sleep(60)

    world.run(main, run_jumping)
    assert sum(shares for _, shares, _ in world.sales) == 20
    assert len(missed) == 2


@pytest.mark.parametrize(
    ("settings", "bid", "kind"),
    [
        ({"stop_loss_pct": Decimal(20)}, "0.40", ExitKind.STOP_LOSS),
        ({"stop_loss_pct": Decimal(20)}, "0.41", None),
        ({"take_profit_pct": Decimal(50)}, "0.75", ExitKind.TAKE_PROFIT),
        ({"take_profit_pct": Decimal(50)}, "0.74", None),
        ({"max_hold_hours": Decimal("0.01")}, "0.50", ExitKind.MAX_HOLD),
        ({"max_hold_hours": Decimal(1)}, "0.50", None),
        ({}, "0.01", None),
    ],
)
def test_a_position_is_sold_by_itself_where_its_strategy_says_so(settings, bid, kind):
    world = Selling(settings=LiveSettings(**settings))
    world.books.bid = Decimal(bid)

    async def main():
        world.hold(lot(1, signal_ms=world.clock.now_ms()))
        await trio.sleep(60)

    world.run(main, run_jumping)
    assert [one.kind for one in world.store.exits.values()] == ([] if kind is None else [kind])
    assert bool(world.store.lots) is (kind is None)
    rounds = Counter(at_s for at_s, _ in world.books.calls)
    assert len(rounds) <= 32
    if not any(name in settings for name in ("stop_loss_pct", "take_profit_pct")) and kind is None:
        assert not rounds


def test_of_a_greatest_age_only_what_is_that_old_is_sold():
    world = Selling(settings=LiveSettings(max_hold_hours=Decimal(1)))

    async def main():
        now_ms = world.clock.now_ms()
        old, young = now_ms - 3_590_000, now_ms - 100
        world.hold(lot(1, "7", signal_ms=old), lot(2, "5", signal_ms=old), lot(3, "24", signal_ms=young))
        await trio.sleep(60)

    world.run(main, run_jumping)
    assert [shares for _, shares, _ in world.sales] == [12]
    assert set(world.store.lots) == {"lot-3"}


@given(crash_at=crash_sets(60), refuses=st.integers(0, 3), fails=st.integers(0, 3), depth=st.sampled_from([5, 10, 100]))
@FEW
def test_whatever_crashes_all_is_sold_once_and_no_two_attempts_are_alive(crash_at, refuses, fails, depth):
    world = Selling(crash_at)
    world.refuses, world.books.depth, world.store.fails = refuses, Decimal(depth), fails

    async def main():
        now_ms = world.clock.now_ms()
        flatten = obligation(now_ms, cause="flatten", kind=ExitKind.FLATTEN, trader=None)
        world.hold(
            lot(1, signal_ms=now_ms), lot(2, "10", signal_ms=now_ms), exits=[obligation(now_ms, share="0.5"), flatten]
        )
        await trio.sleep(400)

    world.run(main, run_jumping)
    assert world.store.lots == {}
    assert {one.status for one in world.store.exits.values()} <= {ExitStatus.DONE, ExitStatus.VOID}
    assert sum(one.filled_shares for one in world.store.orders.values()) == 30
    numbers = [(one.cause, one.attempt) for one in world.store.claims.values()]
    assert len(numbers) == len(set(numbers))
    times = [at_s for at_s, _, _ in world.sales]
    assert all(later - earlier > 0.099 for earlier, later in itertools.pairwise(times))
