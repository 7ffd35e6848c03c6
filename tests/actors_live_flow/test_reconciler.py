import itertools
from collections import Counter
from decimal import Decimal

import attrs
import pytest
import trio
from actors_live_flow.reconciled_world import World
from actors_live_flow.watched_venue import ACCOUNT, TOKEN, bought, hash_for, venue_fill, venue_order

from protocols.live.events import Filled, NotFound, Seen
from protocols.live.exits import Lot
from protocols.live.orders import Fill, OrderType


def test_what_the_pages_show_is_not_asked_for_singly():
    world = World()

    async def main():
        world.load(*(bought(n, type_=OrderType.GTC, signed_ms=world.old_ms()) for n in range(30)))
        world.venue.shown = {hash_for(n): venue_order(n) for n in range(30)}
        await trio.sleep(1)
        assert world.reconciler.reconciled.is_set()

    world.run(main)
    assert world.venue.asked == []
    assert {event.order_hash for _, event in world.store.of(Seen)} == {hash_for(n) for n in range(30)}
    assert {world.store.status(n) for n in range(30)} == {"PENDING"}


def test_an_order_that_was_never_sent_is_lost_after_three_not_founds_an_interval_apart():
    world = World()

    async def main():
        world.load(bought(1, signed_ms=world.old_ms()))
        await trio.sleep(120)

    world.run(main)
    times = [at_s for at_s, _ in world.store.of(NotFound)]
    assert len(times) == 3
    assert all(later - earlier >= 20 for earlier, later in itertools.pairwise(times))
    assert times[-1] < 45
    assert world.store.status(1) == "LOST"


def test_what_is_just_being_sent_is_left_alone_unless_somebody_doubts_it():
    world = World()

    async def main():
        world.load()
        await trio.sleep(55)
        world.journal(bought(1, signed_ms=world.clock.now_ms()))
        await trio.sleep(8)
        assert world.reconciler.passes == 2
        assert world.venue.asked == []
        world.venue.shown[hash_for(1)] = venue_order(1)
        for _ in range(5):
            world.reconciler.ask(hash_for(1))
        await trio.sleep(0.5)
        assert world.venue.asked == [(pytest.approx(63), hash_for(1))]
        assert world.reconciler.pending == 0

    world.run(main)
    assert world.store.status(1) == "PENDING"


def test_fills_of_an_order_that_the_venue_does_not_show_are_found_among_trades():
    world = World()

    async def main():
        world.load(bought(1, signed_ms=world.old_ms()), bought(2, signed_ms=world.old_ms()))
        world.venue.fills = [venue_fill(1, match_ms=world.old_ms() + 500)]
        await trio.sleep(1)

    world.run(main)
    assert world.store.status(1) == "FILLED"
    assert {event.order_hash for _, event in world.store.of(NotFound)} == {hash_for(2)}


def test_an_order_in_doubt_whose_trade_is_there_was_found():
    world = World()

    async def main():
        world.load()
        await trio.sleep(20)
        world.journal(bought(1, signed_ms=world.clock.now_ms()))
        world.venue.fills = [venue_fill(1, shares="4", match_ms=world.clock.now_ms())]
        world.reconciler.ask(hash_for(1))
        await trio.sleep(10)

    world.run(main)
    assert [type(event) for _, event in world.store.events] == [Filled]
    assert world.store.status(1) == "PARTIAL"


def test_a_part_that_was_filled_stays_when_the_venue_has_forgotten_the_order():
    world = World()

    async def main():
        world.load(bought(1, signed_ms=world.old_ms()))
        world.venue.fills = [venue_fill(1, shares="4", match_ms=world.old_ms())]
        await trio.sleep(200)

    world.run(main)
    order = world.store.orders[hash_for(1)]
    assert (order.status.value, order.ended, order.filled_shares) == ("LOST", True, Decimal(4))


def test_a_match_whose_trade_shows_up_late_is_looked_for():
    world = World()

    async def main():
        world.load(bought(1, signed_ms=world.old_ms()))
        world.venue.shown[hash_for(1)] = venue_order(1, status="MATCHED", matched="10")
        await trio.sleep(200)
        assert world.store.status(1) == "PENDING"
        world.venue.fills = [venue_fill(1, match_ms=world.clock.now_ms() - 190_000)]
        await trio.sleep(61)

    world.run(main)
    assert world.store.status(1) == "FILLED"


def test_a_fill_that_is_not_final_is_asked_for_by_its_id_until_it_is():
    world = World()

    async def main():
        world.load(bought(1, signed_ms=world.old_ms()))
        world.venue.fills = [venue_fill(1, match_ms=world.old_ms())]
        await trio.sleep(300)
        # The venue's list of trades since a time does not go back that far any more.
        assert world.venue.calls["trade"] >= 3
        world.venue.fills = [attrs.evolve(world.venue.fills[0], status="CONFIRMED")]
        await trio.sleep(61)
        asked = world.venue.calls["trade"]
        await trio.sleep(200)
        assert world.venue.calls["trade"] == asked

    world.run(main)
    assert world.store.fills[hash_for(1)]["t-1-1"].status == "CONFIRMED"


def test_it_goes_round_every_minute_with_nothing_open_and_keeps_cash_current():
    world = World()

    async def main():
        world.load()
        await trio.sleep(1)
        assert world.book.spendable(ACCOUNT) == 100
        world.venue.cash_micro = 42_500_000
        await trio.sleep(60)
        assert world.book.spendable(ACCOUNT) == Decimal("42.5")
        await trio.sleep(539)

    world.run(main)
    times = [at_s for at_s, _ in world.store.reports]
    assert len(times) >= 10
    assert max(later - earlier for earlier, later in itertools.pairwise(times)) <= 60.1


def test_a_venue_that_is_not_reached_costs_readiness_and_nothing_else():
    world = World(accounts=2)
    world.others[0].down = True

    async def main():
        world.load()
        await trio.sleep(100)
        assert world.reconciler.passes >= 2
        assert not world.reconciler.reconciled.is_set()
        world.others[0].down = False
        await trio.sleep(61)
        assert world.reconciler.reconciled.is_set()

    world.run(main)


def test_orders_and_fills_of_others_are_reported_and_left_alone():
    world = World()

    async def main():
        # An order of ours that has ended is not foreign.
        world.store.orders[hash_for(3)] = bought(3, shares="4", signed_ms=0)
        world.load(bought(1, type_=OrderType.GTC, signed_ms=world.old_ms()))
        world.venue.shown = {hash_for(n): venue_order(n, matched="4") for n in (1, 2)}
        world.venue.fills = [venue_fill(n, shares="4", match_ms=world.clock.now_ms()) for n in (1, 2, 3)]
        await trio.sleep(1)

    world.run(main)
    (_, report) = world.store.reports[-1]
    (foreign,) = report.foreign_orders
    assert (foreign.order_hash, foreign.shares) == (hash_for(2), 6)
    assert report.foreign_fills == ("t-2-1",)
    assert (report.working, report.open_orders) == (1, 2)
    assert {event.order_hash for _, event in world.store.events} == {hash_for(1), hash_for(3)}
    assert world.venue.cancelled == []


def lot(order_id, token_id, shares):
    return Lot(
        order_id=order_id, strategy_id="LT_A", trader=None, condition_id="0x", token_id=token_id, signal_ms=0,
        bought_ms=0, shares=Decimal(shares), cost=Decimal(1),
    )  # fmt: skip


def test_positions_are_compared_with_what_the_venue_holds():
    world = World()

    async def main():
        world.load(lots=[lot("a", "1", "10"), lot("b", "1", "5"), lot("c", "2", "7"), lot("d", TOKEN, "3")])
        world.venue.held_micro = {"1": 15_000_000, "2": 6_000_000}
        # A fill that is on its way to the chain counts with us and not yet there.
        world.store.fills[hash_for(9)] = {
            "t": Fill(
                trade_id="t", order_hash=hash_for(9), shares=Decimal(3), price=Decimal("0.5"), fee_usd=Decimal(0),
                role="TAKER", status="MATCHED", transaction_hash=None, match_ms=0,
            )
        }  # fmt: skip
        await trio.sleep(2)
        assert [(one.token_id, one.ours, one.venue) for one in world.reconciler.reports[ACCOUNT].drifts] == [
            ("2", 7, 6)
        ]
        world.venue.held_micro["2"] = 7_000_000
        await trio.sleep(62)
        assert world.reconciler.reports[ACCOUNT].drifts == ()

    world.run(main)


def test_ten_thousand_orders_that_the_venue_does_not_know_are_asked_for_at_a_bounded_rate():
    world = World()

    async def main():
        world.load(*(bought(n, signed_ms=world.old_ms()) for n in range(10_000)))
        await trio.sleep(100)

    world.run(main)
    assert 900 <= len(world.venue.asked) <= 1_010


def test_every_position_is_compared_within_a_quarter_of_an_hour_and_what_drifts_in_each_pass():
    world = World()
    tokens = [str(number) for number in range(1, 31)]

    async def main():
        world.load(lots=[lot(token, token, 1) for token in tokens])
        world.venue.held_micro = dict.fromkeys(tokens, 1_000_000) | {"1": 0}
        await trio.sleep(2)
        assert len(world.venue.balances) == 3
        for _ in range(15):
            await trio.sleep(60)
        looked = Counter(world.venue.balances)
        assert looked.keys() == set(tokens)
        assert looked["1"] >= 15
        assert looked.total() <= 3 + 16 * 3

    world.run(main)
