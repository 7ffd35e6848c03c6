from hypothesis import given
from hypothesis import strategies as st
from property.examples import QUICK
from property.fake_markets import FakeCatalog, FakeMarketStore
from property.made_trades import condition
from property.registry_world import RegistryWorld
from property.supervised import CrashPlan, crash_sets

NUMBERS = st.integers(0, 12)


@QUICK
@given(
    asks=st.lists(st.tuples(st.floats(0, 100), NUMBERS), max_size=25),
    known=st.sets(NUMBERS),
    closed=st.sets(NUMBERS),
    refused=st.sets(NUMBERS, max_size=2),
    script=st.lists(st.sampled_from(["ok", "transient", "slow"]), max_size=10),
    fails=st.integers(0, 5),
    crash_at=crash_sets(60, apart=12),
)
def test_every_market_that_the_venue_has_is_learned_once(asks, known, closed, refused, script, fails, crash_at):
    store = FakeMarketStore(
        traded=[condition(number) for _, number in asks],
        fails=fails,
        refused=frozenset(map(condition, refused)),
        plan=CrashPlan(crash_at),
    )
    catalog = FakeCatalog(set(map(condition, known)), set(map(condition, closed)), script)
    world = RegistryWorld(store, catalog, {"retry_missing_s": 60.0})
    world.run([(at_s, condition(number)) for at_s, number in sorted(asks)], 2_000)
    asked = {number for _, number in asks}
    assert set(store.stored) == set(map(condition, (known | closed) & asked - refused))
    assert set(world.registry.absent) == set(map(condition, asked)) - set(store.stored)
    assert not world.requests.dead_letters
    # Absent ones are asked again at 60, 120, 240 … s; nothing is asked in a loop.
    assert len(catalog.calls) <= 2 * (7 * len(asked) + len(script) + len(crash_at) + fails)
