import pytest
import trio
from actors_live_flow.filling_world import World
from actors_live_flow.watched_venue import NO_CRASH, bought, hash_for, update, venue_order

from protocols.live.events import Filled, Seen
from protocols.live.orders import OrderType


def test_what_the_socket_says_is_booked_and_ends_the_polls():
    world = World()

    async def main():
        world.load()
        world.journal(bought(1, signed_ms=world.now_ms()))
        await trio.sleep(10)
        polls = world.watcher.polls
        world.watcher.sent(hash_for(1))
        await trio.sleep(0.2)
        world.match(1)
        await trio.sleep(20)
        assert world.watcher.polls == polls
        assert world.watcher.polled == 0

    world.run(main)
    assert world.store.status(1) == "FILLED"
    assert world.watcher.events_by_source["socket"] == 1


def test_an_order_that_nobody_speaks_of_is_polled_each_half_second_for_five_seconds():
    world = World()

    async def main():
        world.load()
        world.journal(bought(1, signed_ms=world.now_ms()))
        await trio.sleep(10)
        world.venue.asked.clear()
        world.watcher.sent(hash_for(1))
        await trio.sleep(60)

    world.run(main)
    times = [at_s for at_s, _ in world.venue.asked]
    assert 8 <= len(times) <= 10
    assert 10 < times[0] <= 10.6
    assert times[-1] <= 15.1
    assert not world.store.events


def test_the_first_news_ends_the_polls_and_a_socket_that_kept_silent_is_replaced():
    world = World()

    async def main():
        world.sockets.deaf = True
        world.load()
        world.journal(bought(1, signed_ms=world.now_ms()))
        await trio.sleep(20)
        world.watcher.sent(hash_for(1))
        await trio.sleep(0.7)
        world.match(1)
        await trio.sleep(30)

    world.run(main)
    assert world.store.status(1) == "FILLED"
    assert world.watcher.reconnects["silent"] == 1
    assert world.watcher.polls <= 3


def test_a_delayed_order_and_a_match_without_its_trade_are_no_reason_to_stop():
    world = World()

    async def main():
        world.load()
        world.journal(bought(1, signed_ms=world.now_ms()))
        world.venue.shown[hash_for(1)] = venue_order(1, status="DELAYED")
        await trio.sleep(10)
        world.watcher.sent(hash_for(1))
        await trio.sleep(1.2)
        world.venue.shown[hash_for(1)] = venue_order(1, status="MATCHED", matched="10")
        await trio.sleep(1.2)
        assert world.watcher.polled == 1
        world.match(1, heard=False)
        await trio.sleep(1.2)
        assert world.watcher.polled == 0

    world.run(main)
    assert world.store.status(1) == "FILLED"


def test_fifty_orders_at_once_cost_ten_look_ups_a_poll():
    world = World()

    async def main():
        world.load()
        for number in range(50):
            world.journal(bought(number, signed_ms=world.now_ms()))
        await trio.sleep(10)
        world.venue.asked.clear()
        for number in range(50):
            world.watcher.sent(hash_for(number))
        await trio.sleep(4)

    world.run(main)
    seconds = [int(at_s) for at_s, _ in world.venue.asked]
    assert max(seconds.count(second) for second in set(seconds)) <= 20
    assert {order_hash for _, order_hash in world.venue.asked} == {hash_for(number) for number in range(50)}


def test_a_lost_socket_is_replaced_and_what_it_missed_is_read_again():
    world = World()

    async def main():
        world.load(bought(1, type_=OrderType.GTC, signed_ms=world.now_ms()))
        world.venue.shown[hash_for(1)] = venue_order(1)
        await trio.sleep(100)
        world.sockets.lose()
        world.match(1, 1, shares="4")
        world.venue.shown[hash_for(1)] = venue_order(1, matched="4")
        await trio.sleep(2)
        assert world.watcher.connected
        assert world.store.status(1) == "PARTIAL"
        world.match(1, 2, shares="6")
        await trio.sleep(1)

    world.run(main)
    assert world.store.status(1) == "FILLED"
    assert world.watcher.reconnects == {"start": 1, "lost": 1}


def test_a_gap_is_read_from_where_it_began_and_not_from_the_oldest_order():
    world = World()

    async def main():
        world.load(bought(1, type_=OrderType.GTC, signed_ms=world.now_ms()))
        world.venue.shown[hash_for(1)] = venue_order(1)
        await trio.sleep(3_600)
        world.venue.read_since_s.clear()
        world.sockets.lose()
        lost_s = world.now_ms() / 1000
        await trio.sleep(10)
        assert world.venue.read_since_s
        assert all(lost_s - 75 <= since_s <= lost_s - 60 for since_s in world.venue.read_since_s)

    world.run(main)


def test_a_socket_that_is_only_slower_than_a_poll_is_kept():
    world = World()

    async def main():
        world.load()
        world.journal(bought(1, signed_ms=world.now_ms()))
        await trio.sleep(20)
        world.watcher.sent(hash_for(1))
        world.match(1, heard=False)
        await trio.sleep(5)
        world.sockets.say(world.venue.fills[0])
        await trio.sleep(40)
        assert world.watcher.events_by_source == {"poll": 1, "socket": 1}
        assert len(world.sockets.opened) == 1

    world.run(main)


@pytest.mark.parametrize(("pongs", "sockets"), [(True, 1), (False, 5)])
def test_a_socket_lives_while_anything_arrives_and_is_replaced_after_half_a_minute_of_silence(pongs, sockets):
    world = World()
    world.sockets.pongs = pongs

    async def main():
        world.load()
        await trio.sleep(150)

    world.run(main)
    assert len(world.sockets.opened) == sockets
    assert all(one.closed for one in world.sockets.opened[:-1])


def test_attempts_to_connect_are_spread_out_to_half_a_minute():
    world = World()
    world.sockets.refusals = 8

    async def main():
        world.load()
        await trio.sleep(200)

    world.run(main)
    waits = [b - a for a, b in zip(world.sockets.dials_s, world.sockets.dials_s[1:], strict=False)]
    for number, wait_s in enumerate(waits):
        step_s = min(30.0, 0.5 * 2**number)
        assert step_s / 2 <= wait_s - 0.05 <= step_s + 1e-6
    assert world.watcher.connected is False or world.sockets.opened


def test_a_public_row_of_our_wallet_makes_one_poll():
    world = World()

    async def main():
        world.load(bought(1, signed_ms=world.now_ms()))
        await trio.sleep(30)
        world.match(1, heard=False)
        for _ in range(5):
            world.watcher.nudge(["0xshown"])
        await trio.sleep(4.9)
        assert world.watcher.polls == 0
        await trio.sleep(1)

    world.run(main)
    assert world.watcher.polls == 1
    assert world.store.status(1) == "FILLED"


@pytest.mark.parametrize("told", ["before", "soon after"])
def test_a_public_row_of_what_the_socket_tells_makes_no_poll(told):
    world = World(NO_CRASH)

    async def main():
        world.load()
        world.journal(bought(1, signed_ms=world.now_ms()))
        await trio.sleep(30)
        polls = world.watcher.polls
        for tells in (told == "before", told != "before"):
            if tells:
                world.match(1, transaction_hash="0xSHOWN")
                await trio.sleep(1)
            else:
                world.watcher.nudge(["0xshown"])
        await trio.sleep(10)
        assert world.watcher.polls == polls

    world.run(main)
    assert world.store.status(1) == "FILLED"


def test_a_cancellation_by_the_venue_reaches_the_order():
    world = World()

    async def main():
        world.load(bought(1, type_=OrderType.GTC, signed_ms=world.now_ms()))
        await trio.sleep(1)
        world.sockets.say(update(1))
        world.sockets.say(update(1, status="CANCELED_EXPIRED_ORDER", kind="CANCELLATION"))
        await trio.sleep(1)

    world.run(main)
    assert world.store.status(1) == "CANCELLED"


def test_without_crashes_nothing_is_told_twice_by_polls():
    world = World(NO_CRASH)

    async def main():
        world.load()
        world.journal(bought(1, signed_ms=world.now_ms()))
        await trio.sleep(10)
        world.match(1)
        for _ in range(4):
            world.watcher.nudge(["0xshown"])
            await trio.sleep(6)

    world.run(main)
    assert world.watcher.polls == 4
    assert len(world.store.of(Filled)) == 1
    assert not world.store.of(Seen)
