import pytest
from hypothesis import given
from hypothesis import strategies as st
from property.examples import examples
from property.fake_history import FakeHistory, Past
from property.fake_stores import FakeTradeStore, MemorySpill
from property.fake_stream import FakeVenue, Plan
from property.made_trades import NOON_S, WALLET, laned, transaction
from property.ring_world import RingWorld
from trio._core import _run as trio_scheduler


def healthy():
    return FakeVenue([], trade_every_s=1.0)


def check_settled(world, until):
    assert world.missing(until) == []
    assert len(world.store.rows) == len(world.stored())
    assert world.report.finished
    assert world.report.left_behind == {}
    assert all(state.restarts == 0 for state in world.supervisor.states.values())


def test_every_trade_of_a_quiet_day_is_stored_once():
    check_settled(RingWorld(100, healthy()).run(), 99)


def test_a_database_that_is_down_costs_nothing_while_the_journal_has_room():
    check_settled(RingWorld(300, healthy(), FakeTradeStore(down_from_s=1, down_until_s=100)).run(), 299)


def test_what_neither_database_nor_journal_could_take_comes_back_from_history():
    world = RingWorld(400, healthy(), FakeTradeStore(down_from_s=1, down_until_s=60), MemorySpill(trades_max=5)).run()
    assert world.actors.sync_writer.handed_to_gap > 0
    check_settled(world, 380)


def test_a_history_that_is_down_does_not_keep_the_database_waiting():
    world = RingWorld(
        400,
        healthy(),
        FakeTradeStore(down_from_s=1, down_until_s=120),
        MemorySpill(trades_max=5),
        FakeHistory(down_until_s=1e9),
    ).run()
    # What could be kept nowhere is still missing, but what came after the outage is stored.
    assert max(world.missing(399)) <= 130


def test_everybody_full_at_once_is_no_deadlock():
    world = RingWorld(
        900, healthy(), FakeTradeStore(down_from_s=1, down_until_s=300), MemorySpill(trades_max=0), capacity=2
    ).run()
    check_settled(world, 850)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("down_s", [0.0, 3.0, 20.0])
def test_a_start_reads_from_the_last_trade_of_the_run_before_even_when_new_ones_are_committed_first(seed, down_s):
    before = laned(1, trade_ms=(NOON_S - 3_000) * 1000)
    store = FakeTradeStore(down_until_s=down_s, rows={before.trade.trade_id: before})
    world = RingWorld(200, healthy(), store, seed=seed)
    world.history.rows.append(Past(NOON_S - 1_500, (transaction(77_777), WALLET, 77_777_000_000)))
    assert 77_777 in world.run().stored()


def killed_and_started_again(kill_s, until_s, store, plans, history):
    """Two engines, one after the other, over one database and one history."""
    healthy_again = FakeVenue([], trade_every_s=1.0, horizon_s=until_s)
    history.rows = RingWorld(until_s, healthy_again).history.rows
    RingWorld(kill_s, FakeVenue(plans, trade_every_s=1.0), store, history=history).run(killed=True)
    return RingWorld(until_s, healthy_again, store, history=history).run(start_s=kill_s + 5)


def test_an_engine_that_was_killed_is_followed_by_one_that_reads_what_lies_between():
    world = killed_and_started_again(100.5, 300, FakeTradeStore(), [], FakeHistory())
    assert world.missing(290) == []


def test_a_gap_that_was_open_when_the_engine_was_killed_is_read_by_the_next_one():
    plans = [Plan(trades_until_s=50, lost_at_s=51), *[Plan(dial="refused")] * 8]
    world = killed_and_started_again(700, 1_000, FakeTradeStore(), plans, FakeHistory(down_until_s=750))
    assert world.missing(990) == []


@pytest.mark.parametrize("seed", range(3))
def test_one_seed_is_one_world(seed, monkeypatch):
    monkeypatch.setattr(trio_scheduler, "_ALLOW_DETERMINISTIC_SCHEDULING", True)

    def trace():
        trio_scheduler._r.seed(seed)
        plans = [Plan(trades_until_s=20, lost_at_s=30), Plan(dial="refused"), Plan(trades_until_s=40)]
        world = RingWorld(
            200,
            FakeVenue(plans, trade_every_s=1.0),
            FakeTradeStore(["hang then ok", "ack lost"], down_from_s=1, down_until_s=50),
            MemorySpill(trades_max=5),
            FakeHistory(script=["transient", "slow"]),
            seed=seed,
        ).run()
        return world.venue.dials_s, world.history.calls, list(world.store.rows), world.store.commits, world.report

    assert trace() == trace()


WORLDS = {
    "plans": st.lists(
        st.builds(
            Plan,
            dial=st.sampled_from(["ok", "ok", "ok", "refused", "crash"]),
            trades_until_s=st.sampled_from([0.0, 10.0, 60.0]),
            lost_at_s=st.sampled_from([60.0, 75.0, float("inf")]),
        ),
        max_size=4,
    ),
    "database_down_s": st.sampled_from([0.0, 5.0, 40.0]),
    "script": st.lists(
        st.sampled_from(["ok", "hang then ok", "hang then fail", "ack lost", "crash after"]), max_size=4
    ),
    "history_script": st.lists(st.sampled_from(["transient", "slow", "ok"]), max_size=5),
    "trades_max": st.sampled_from([0, 5, 10_000]),
    "capacity": st.sampled_from([2, 50]),
    "seed": st.integers(0, 3),
}


def check_ring(plans, database_down_s, script, history_script, trades_max, capacity, seed):
    world = RingWorld(
        700,
        FakeVenue(plans, trade_every_s=1.0),
        FakeTradeStore(script, down_from_s=1, down_until_s=database_down_s),
        MemorySpill(trades_max=trades_max),
        FakeHistory(script=history_script),
        capacity=capacity,
        seed=seed,
        stream={"recycle_interval_s": 200.0},
    ).run()
    first = world.actors.stream_reader
    assert first.frames["trade"] > 0
    opened_s = min(socket.opened_s for socket in world.venue.sockets)
    assert [number for number in world.missing(600) if number > opened_s] == []
    assert len(world.store.rows) == len(world.stored())


@examples(15)
@given(**WORLDS)
def test_whatever_fails_for_a_while_everything_is_stored_once_in_the_end(**world):
    check_ring(**world)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@examples(1_000)
@given(**WORLDS)
def test_whatever_fails_for_a_while_everything_is_stored_once_in_the_end_at_length(**world):
    check_ring(**world)
