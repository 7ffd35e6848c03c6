"""Entries that rest and may not rest any longer."""

import attrs
import pytest
import trio
from actors_live_flow.selling_world import Selling
from actors_live_flow.watched_venue import STRATEGY, bought, hash_for
from property.supervised import run_jumping

from protocols.live.orders import OrderOrigin, OrderType
from protocols.live.settings import Halt


def test_an_entry_that_rests_is_cancelled_after_its_time():
    world = Selling()

    async def main():
        now_ms = world.clock.now_ms()
        world.hold()
        rests_ms = world.settings.resting_s * 1000
        world.journal(bought(7, type_=OrderType.GTC, signed_ms=now_ms - rests_ms + 30_000))
        world.journal(bought(8, type_=OrderType.GTC, signed_ms=now_ms))
        await trio.sleep(25)
        assert world.venue.cancelled == []
        await trio.sleep(10)
        assert set(world.venue.cancelled) == {hash_for(7)}

    world.run(main, run_jumping)


@pytest.mark.parametrize("why", ["halt", "pause", "breaker"])
def test_no_entry_rests_of_a_strategy_that_may_not_enter(why):
    world = Selling()

    async def main():
        world.hold()
        world.journal(bought(7, type_=OrderType.GTC, signed_ms=world.clock.now_ms()))
        world.journal(bought(8, type_=OrderType.GTC, signed_ms=world.clock.now_ms(), origin=OrderOrigin.MANUAL))
        await trio.sleep(12)
        assert world.venue.cancelled == []
        registry = world.book.registry
        if why == "halt":
            registry.table = attrs.evolve(registry.table, halt=Halt(by="ann", reason="odd fills", since_ms=0))
        elif why == "breaker":
            registry.table = attrs.evolve(registry.table, breakers={STRATEGY: "DRAWDOWN"})
        else:
            registry.strategies = {STRATEGY: attrs.evolve(registry.strategies[STRATEGY], is_paused=True)}
        await trio.sleep(6)

    world.run(main, run_jumping)
    assert set(world.venue.cancelled) == {hash_for(7)}
