"""One low quote and a step of the wall clock: neither may sell anything for nothing, or stop a sale."""

from decimal import Decimal

import pytest
import trio
from actors_live_flow.selling_world import Selling, lot, obligation
from property.fake_prices import TrioClock
from property.supervised import run_jumping

from protocols.live.exits import ExitKind, ExitStatus
from protocols.live.settings import LiveSettings


def only(world):
    (one,) = world.store.exits.values()
    return one


def test_one_low_bid_ends_no_obligation():
    world = Selling()
    world.books.bid = Decimal("0.04")

    async def main():
        now_ms = world.clock.now_ms()
        world.hold(lot(1, signal_ms=now_ms), exits=[obligation(now_ms)])
        await trio.sleep(3)
        assert not world.sales
        world.books.bid = Decimal("0.49")
        await trio.sleep(60)

    world.run(main, run_jumping)
    assert only(world).status is ExitStatus.DONE


def test_one_low_bid_sets_off_no_stop_loss():
    world = Selling(settings=LiveSettings(stop_loss_pct=Decimal(20)))

    async def main():
        world.hold(lot(1, cost="10", signal_ms=world.clock.now_ms()))
        await trio.sleep(4.5)
        world.books.bid = Decimal("0.04")
        await trio.sleep(2)
        world.books.bid = Decimal("0.50")
        await trio.sleep(60)
        assert not world.store.exits
        world.books.bid = Decimal("0.30")
        await trio.sleep(60)

    world.run(main, run_jumping)
    assert (only(world).kind, only(world).status) == (ExitKind.STOP_LOSS, ExitStatus.DONE)


def test_a_stop_loss_is_set_off_while_more_is_bought():
    world = Selling(settings=LiveSettings(stop_loss_pct=Decimal(20)))

    async def main():
        world.hold(lot(1, cost="10", signal_ms=world.clock.now_ms()))
        await trio.sleep(3)
        world.books.bid = Decimal("0.10")
        for number in range(2, 8):
            later = lot(number, "1", cost="0.5", signal_ms=world.clock.now_ms())
            world.store.lots[later.order_id] = later
            world.book._take_lot(later)
            await trio.sleep(2)

    world.run(main, run_jumping)
    assert any(one.kind is ExitKind.STOP_LOSS for one in world.store.exits.values())


def test_nothing_is_written_again_and_again_while_nobody_bids():
    world = Selling()
    world.books.bid = None

    async def main():
        now_ms = world.clock.now_ms()
        world.hold(lot(1, signal_ms=now_ms), exits=[obligation(now_ms)])
        await trio.sleep(600)
        # A look every three seconds, and the rows every five.
        assert world.plan.calls < 400
        world.books.bid = Decimal("0.49")
        await trio.sleep(10)

    world.run(main, run_jumping)
    assert only(world).status is ExitStatus.DONE


def test_what_a_stop_loss_left_does_not_shield_what_is_bought_later():
    world = Selling(settings=LiveSettings(stop_loss_pct=Decimal(20)))
    world.books.bid = Decimal("0.30")

    async def main():
        now_ms = world.clock.now_ms()
        world.hold(lot(1, "19.2307", cost="10", signal_ms=now_ms))
        await trio.sleep(30)
        assert list(world.store.lots) == ["lot-1"]
        later = lot(2, "1000", cost="500", signal_ms=world.clock.now_ms())
        world.store.lots["lot-2"] = later
        world.book._take_lot(later)
        await trio.sleep(60)

    world.run(main, run_jumping)
    assert world.store.lots["lot-2"].shares < 1


class SteppingClock(TrioClock):
    def __init__(self) -> None:
        self.step_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.step_ms


@pytest.mark.parametrize("step_h", [-1, 1])
def test_a_step_of_the_wall_clock_neither_stops_a_sale_nor_sells_at_any_price(step_h):
    world = Selling(clock=SteppingClock())
    world.refuses = 1

    async def main():
        now_ms = world.clock.now_ms()
        world.hold(lot(1, signal_ms=now_ms), exits=[obligation(now_ms)])
        await trio.sleep(0.7)
        world.clock.step_ms = step_h * 3_600_000
        await trio.sleep(60)

    world.run(main, run_jumping)
    assert [limit for _, _, limit in world.sales] == [Decimal("0.48"), Decimal("0.46")]
    assert only(world).status is ExitStatus.DONE
