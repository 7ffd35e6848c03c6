from decimal import Decimal

import trio
from actors_live_flow.filling_world import World
from actors_live_flow.watched_venue import bought, hash_for, venue_order
from hypothesis import given
from hypothesis import strategies as st
from property.examples import QUICK
from property.supervised import crash_sets

from protocols.live.orders import OrderType

happenings = st.lists(
    st.tuples(st.sampled_from(["match", "lose", "down", "sent", "late", "wait"]), st.integers(0, 3)), max_size=25
)


@given(happens=happenings, crash_at=crash_sets(60), sent_before=st.integers(0, 2))
@QUICK
def test_whatever_breaks_every_fill_is_booked_once(happens, crash_at, sent_before):
    world = World(crash_at)
    world.watcher.events.sent_before_crash = sent_before
    matched = dict.fromkeys(range(4), Decimal(0))

    async def main():
        world.load(*(bought(n, type_=OrderType.GTC, shares="100", signed_ms=world.now_ms()) for n in range(4)))
        world.venue.shown = {hash_for(n): venue_order(n, shares="100") for n in range(4)}
        for trade, (what, number) in enumerate(happens):
            if what in ("match", "late"):
                matched[number] += 1
                world.match(number, trade, shares="1", heard=what == "match")
                shown = venue_order(number, shares="100", matched=str(matched[number]))
                world.venue.shown[hash_for(number)] = shown
            elif what == "sent":
                world.watcher.sent(hash_for(number))
            elif what == "lose":
                world.sockets.lose()
            elif what == "down":
                world.venue.weather.append("down")
            if what == "late":
                # Nobody was told: reconnecting finds it.
                world.sockets.lose()
            await trio.sleep(number * 1.5)
        await trio.sleep(300)

    world.run(main)
    booked = {n: sum(fill.shares for fill in world.store.fills.get(hash_for(n), {}).values()) for n in range(4)}
    assert booked == matched
    for number, shares in matched.items():
        assert world.store.orders[hash_for(number)].filled_shares == shares
