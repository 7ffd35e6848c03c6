import itertools

import trio
from actors_live_flow.reconciled_world import World
from actors_live_flow.watched_venue import Venue, bought, hash_for, venue_fill, venue_order
from hypothesis import given
from hypothesis import strategies as st
from property.examples import QUICK
from property.supervised import crash_sets

from protocols.errors import TransientError
from protocols.live.events import Filled, NotFound
from protocols.live.orders import OrderType


class Failing(Venue):
    """Every fifteenth look-up fails."""

    async def order(self, order_hash):
        if len(self.asked) % 15 == 14:
            self.asked.append((0, "failed"))
            raise TransientError("502")
        return await super().order(order_hash)


def test_passes_that_fail_half_way_starve_nobody():
    world = World(venue_type=Failing)

    async def main():
        world.load(*(bought(n, signed_ms=world.old_ms()) for n in range(40)))
        await trio.sleep(60)

    world.run(main)
    assert {order_hash for _, order_hash in world.venue.asked} >= {hash_for(n) for n in range(40)}


kinds = st.lists(st.sampled_from(["resting", "filled", "half", "unknown", "cancelled"]), min_size=1, max_size=6)


@given(
    kinds=kinds,
    crash_at=crash_sets(60),
    weather=st.lists(st.sampled_from(["ok", "down", "refused"]), max_size=20),
    sent_before=st.integers(0, 2),
)
@QUICK
def test_whatever_breaks_every_order_comes_to_what_the_venue_has(kinds, crash_at, weather, sent_before):
    world = World(crash_at)
    world.reconciler.events.sent_before_crash = sent_before
    world.venue.weather = weather

    async def main():
        world.load(*(bought(n, type_=OrderType.GTC, signed_ms=world.old_ms()) for n in range(len(kinds))))
        for number, kind in enumerate(kinds):
            if kind == "resting":
                world.venue.shown[hash_for(number)] = venue_order(number)
            if kind == "half":
                world.venue.shown[hash_for(number)] = venue_order(number, matched="4")
            if kind == "cancelled":
                world.venue.shown[hash_for(number)] = venue_order(number, status="CANCELED")
            if kind in ("filled", "half"):
                shares = "10" if kind == "filled" else "4"
                world.venue.fills.append(venue_fill(number, shares=shares, match_ms=world.old_ms()))
        await trio.sleep(600)
        assert world.reconciler.reconciled.is_set()

    world.run(main)
    expected = {
        "resting": "PENDING",
        "filled": "FILLED",
        "half": "PARTIAL",
        "unknown": "LOST",
        "cancelled": "CANCELLED",
    }
    assert [world.store.status(n) for n in range(len(kinds))] == [expected[kind] for kind in kinds]
    assert all(len(fills) == 1 for fills in world.store.fills.values() if fills)
    assert {event.trade_id for _, event in world.store.of(Filled)} == {one.trade_id for one in world.venue.fills}
    for number in range(len(kinds)):
        times = [at_s for at_s, one in world.store.of(NotFound) if one.order_hash == hash_for(number)]
        assert all(later - earlier >= 20 for earlier, later in itertools.pairwise(times))
