import pytest
from hypothesis import given
from hypothesis import strategies as st
from property.examples import MANY, QUICK, SLOW
from property.fake_stores import OUTCOMES, WEATHER, FakeTradeStore, MemorySpill
from property.made_trades import LANES, ids, laned
from property.supervised import CrashPlan, crash_sets
from property.writer_world import WriterWorld

from protocols.trades import Lane

PAUSES = st.lists(st.sampled_from([0.0, 0.0, 0.01, 0.3, 1.5]), min_size=1, max_size=5)
SCRIPTS = st.lists(st.sampled_from(WEATHER), max_size=15)
TRADES = st.lists(LANES, max_size=25).map(lambda lanes: [laned(n, lane) for n, lane in enumerate(lanes)])
REFUSED = st.frozensets(st.integers(0, 24), max_size=3)
SIZES = {"batch_max": st.integers(1, 6), "capacity": st.integers(1, 10)}


def spaced(script):
    """Not more than one crash in three writes: what fails three times is dead-lettered, and that is another test."""
    since_crash, result = 3, []
    for outcome in script:
        if "crash" in outcome and since_crash < 3:
            outcome = "ok"
        since_crash = 0 if "crash" in outcome else since_crash + 1
        result.append(outcome)
    return result


def refused_ids(trades, numbers):
    return frozenset(one.trade.trade_id for n, one in enumerate(trades) if n in numbers)


def check_everything_is_stored_once(world, trades, refused):
    accepted = [one for one in trades if one.trade.trade_id not in refused]
    assert sorted(world.store.rows) == sorted(ids(accepted))
    assert world.spill.size_bytes == 0
    assert not world.requests
    assert not world.trades.dead_letters
    assert world.trades.statistics().unacknowledged == 0
    for lane in Lane:
        stored = [one for one in world.store.rows.values() if one.lane is lane]
        assert ids(stored) == ids([one for one in accepted if one.lane is lane])


@MANY
@given(trades=TRADES, script=SCRIPTS, pauses=PAUSES, refused=REFUSED, sizes=st.fixed_dictionaries(SIZES))
def test_whatever_the_database_does_every_trade_is_stored_once_and_in_order(trades, script, pauses, refused, sizes):
    refused = refused_ids(trades, refused)
    world = WriterWorld(FakeTradeStore(script, refused), MemorySpill(), **sizes)
    world.run(trades, pauses)
    check_everything_is_stored_once(world, trades, refused)
    assert world.writer.rejected >= len(refused)
    assert world.writer.inserted + script.count("ack lost") * 10 >= len(world.store.rows) >= world.writer.inserted
    assert world.writer.stored or not world.store.rows


@MANY
@given(
    trades=TRADES,
    script=st.lists(st.sampled_from(OUTCOMES), max_size=20).map(spaced),
    pauses=PAUSES,
    refused=REFUSED,
    sizes=st.fixed_dictionaries(SIZES),
)
def test_nothing_changes_when_the_writer_crashes_too(trades, script, pauses, refused, sizes):
    refused = refused_ids(trades, refused)
    world = WriterWorld(FakeTradeStore(script, refused), MemorySpill(), **sizes)
    world.run(trades, pauses)
    check_everything_is_stored_once(world, trades, refused)


@MANY
@given(
    trades=TRADES,
    script=SCRIPTS,
    pauses=PAUSES,
    crash_at=crash_sets(40, apart=6),
    after_effect=st.booleans(),
    segment_trades=st.integers(1, 5),
)
def test_nothing_changes_when_the_journal_crashes_it(trades, script, pauses, crash_at, after_effect, segment_trades):
    spill = MemorySpill(segment_trades=segment_trades, plan=CrashPlan(crash_at), after_effect=after_effect)
    world = WriterWorld(FakeTradeStore(script), spill)
    world.run(trades, pauses)
    check_everything_is_stored_once(world, trades, frozenset())


@QUICK
@given(
    trades=TRADES, script=SCRIPTS, pauses=PAUSES, trades_max=st.integers(0, 8), down_s=st.floats(0, 20),
    sizes=st.fixed_dictionaries(SIZES),
)  # fmt: skip
def test_what_fits_neither_database_nor_journal_is_counted_and_read_again(
    trades, script, pauses, trades_max, down_s, sizes
):
    world = WriterWorld(FakeTradeStore(script, down_until_s=down_s), MemorySpill(trades_max=trades_max), **sizes)
    world.run(trades, pauses)
    missing = [one for one in trades if one.trade.trade_id not in world.store.rows]
    assert all(world.covered(one) for one in missing)
    # Else the filter would take for repeats what history brings again.
    assert {one.trade.trade_id for one in missing} <= world.forgotten
    assert len(missing) <= world.writer.handed_to_gap
    assert world.spill.size_bytes == 0
    assert (world.writer.handed_to_gap == 0) == (not world.requests)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@SLOW
@given(
    trades=TRADES, script=st.lists(st.sampled_from(OUTCOMES), max_size=25).map(spaced), pauses=PAUSES, refused=REFUSED,
    sizes=st.fixed_dictionaries(SIZES),
)  # fmt: skip
def test_nothing_changes_when_the_writer_crashes_too_at_length(trades, script, pauses, refused, sizes):
    refused = refused_ids(trades, refused)
    world = WriterWorld(FakeTradeStore(script, refused), MemorySpill(), **sizes)
    world.run(trades, pauses)
    check_everything_is_stored_once(world, trades, refused)


def test_a_commit_that_answers_late_is_stored_once():
    world = WriterWorld(FakeTradeStore(["hang then ok"]), MemorySpill(), batch_max=2)
    trades = [laned(n) for n in range(6)]
    world.run(trades)
    assert list(world.store.rows) == ids(trades)
    assert world.writer.spilled == 6
    assert world.writer.replayed == 6
    # The first trade was committed alone, late, and came again from the journal.
    assert world.writer.repeated == 1


def test_rows_that_the_database_will_never_take_cost_no_other_row():
    trades = [laned(n) for n in range(8)]
    world = WriterWorld(FakeTradeStore(refused=refused_ids(trades, {2, 5})), MemorySpill(), batch_max=8)
    world.run(trades)
    assert list(world.store.rows) == ids([one for n, one in enumerate(trades) if n not in (2, 5)])
    assert world.writer.rejected == 2


def test_what_describes_a_trade_never_costs_it():
    trades = [laned(n) for n in range(8)]
    store = FakeTradeStore(refused_descriptions=refused_ids(trades, {0, 5}))
    world = WriterWorld(store, MemorySpill(), batch_max=8)
    world.run(trades)
    assert list(store.rows) == ids(trades)
    assert [one.trade.raw == "{}" for one in store.rows.values()] == [n in (0, 5) for n in range(8)]
    assert world.writer.rejected == 0


def test_the_next_batch_is_what_arrived_during_the_last_commit():
    world = WriterWorld(FakeTradeStore(["slow ok"]), MemorySpill(), batch_max=50, capacity=50)
    world.run([laned(n) for n in range(20)], [0.0, *[0.001] * 19])
    assert world.store.commits == [1, 19]
