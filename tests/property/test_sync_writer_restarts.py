import tempfile
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from property.examples import FEW, SLOW
from property.fake_stores import WEATHER, FakeTradeStore, InlineJournal, MemorySpill
from property.made_trades import LANES, ids, laned
from property.supervised import run_jumping, supervisor
from property.test_sync_writer_crashes import PAUSES, SCRIPTS, TRADES, check_everything_is_stored_once
from property.writer_world import CALM_S, WriterWorld

from engine.adapters.spill_journal import open_journal
from protocols.trades import Lane

BYTES_MAX = 1 << 20


def opened(directory, run=0):
    return open_journal(Path(directory), bytes_max=BYTES_MAX, run_id=run.to_bytes(8, "big"))


def killed(journal):
    """What the system does with the files of a process that is no more."""
    journal.close()


def left_in(directory):
    journal, found = opened(directory, 99), []
    while (trades := journal._read_oldest()) is not None:
        found.extend(trades)
        journal._discard_oldest()
    journal.close()
    return found


@FEW
@given(trades=TRADES, script=SCRIPTS, pauses=PAUSES)
def test_the_writer_and_the_real_journal_store_everything_once(trades, script, pauses):
    with tempfile.TemporaryDirectory() as directory:
        journal = opened(directory)
        world = WriterWorld(FakeTradeStore(script), InlineJournal(journal))
        world.run(trades, pauses)
        check_everything_is_stored_once(world, trades, frozenset())
        assert not list(Path(directory).glob("*.spill"))
        assert journal.corrupt_records == 0
        journal.close()


async def live_until_killed(world, feed, life_s):
    """One process: it writes, then it is gone at once, whatever it was doing."""
    keeper = supervisor()
    with trio.move_on_after(life_s):
        async with trio.open_nursery() as nursery:
            await nursery.start(keeper.keep_alive, world.child(), keeper.policy)
            await feed()
            await trio.sleep_forever()


def store_over_kills(trades, script, pauses, lives_s):
    """Returns the world after several kills; what a dead process had not acknowledged is fed again, as gap_filler would."""
    with tempfile.TemporaryDirectory() as directory:
        world = WriterWorld(FakeTradeStore(script), None)

        async def main():
            outbox, sent = world.trades.outbox(), 0

            async def feed():
                nonlocal sent
                while sent < len(trades):
                    await trio.sleep(pauses[sent % len(pauses)])
                    await outbox.send(trades[sent])
                    sent += 1

            for run, life_s in enumerate([*lives_s, CALM_S]):
                journal = opened(directory, run)
                world.writer = world.new_writer(InlineJournal(journal))
                await live_until_killed(world, feed, life_s)
                killed(journal)
                stats = world.trades.statistics()
                if run < len(lives_s):
                    kept = set(world.store.rows) | set(ids(durable(directory)))
                    assert stats.sent - stats.depth - stats.unacknowledged <= len(kept)
            assert stats.depth == stats.unacknowledged == 0

        run_jumping(main)
        assert left_in(directory) == []
        return world


def durable(directory):
    """Reads every segment and forgets none."""
    journal, found = opened(directory, 98), []
    for segment in list(journal._segments):
        journal._segments = [segment]
        found.extend(journal._read_oldest())
    journal.close()
    return found


LIVES = st.lists(st.sampled_from([0.0, 0.2, 0.9, 1.1, 2.0, 3.7, 8.0]), max_size=4)


@FEW
@given(trades=TRADES, script=st.lists(st.sampled_from(WEATHER), max_size=25), pauses=PAUSES, lives_s=LIVES)
def test_a_new_process_over_the_old_journal_loses_nothing(trades, script, pauses, lives_s):
    world = store_over_kills(trades, script, pauses, lives_s)
    assert sorted(world.store.rows) == sorted(ids(trades))


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@SLOW
@given(trades=TRADES, script=st.lists(st.sampled_from(WEATHER), max_size=25), pauses=PAUSES, lives_s=LIVES)
def test_a_new_process_over_the_old_journal_loses_nothing_at_length(trades, script, pauses, lives_s):
    world = store_over_kills(trades, script, pauses, lives_s)
    assert sorted(world.store.rows) == sorted(ids(trades))


def test_trades_of_an_earlier_run_have_no_latency():
    world = store_over_kills([laned(n) for n in range(3)], ["hang then fail"] * 3, [0.0], [1.5])
    assert len(world.store.rows) == 3
    assert any(value != value for value in world.latency.values)


@FEW
@given(
    trades=st.lists(LANES, min_size=1, max_size=20).map(lambda lanes: [laned(n, lane) for n, lane in enumerate(lanes)])
)
def test_at_the_end_what_the_database_does_not_take_stays_in_the_journal(trades):
    world = WriterWorld(FakeTradeStore(down_until_s=1e9), MemorySpill())
    ended_s = []

    async def main():
        outbox = world.trades.outbox()
        keeper = supervisor()
        async with trio.open_nursery() as nursery:
            await nursery.start(keeper.keep_alive, world.child(), keeper.policy)
            await outbox.send_many(trades)
            outbox.close()
            began_s = trio.current_time()
        ended_s.append(trio.current_time() - began_s)

    run_jumping(main)
    left = [one for segment in world.spill.segments for one in segment]
    assert sorted(ids(left)) == sorted(ids(trades))
    for lane in Lane:
        assert ids([one for one in left if one.lane is lane]) == ids([one for one in trades if one.lane is lane])
    assert ended_s[0] < 2.5
