"""What lies in Redis, as far as its sender can tell: asked for again when Redis lost it, held when both may end together."""

import attrs
import pytest
from property.fake_history import FakeHistory
from property.filler_world import FillerWorld, LastTrade, gap
from property.made_trades import NOON_S, laned

from engine.lane_edge import HOLD_MAX_S, Unproved
from engine.runtime.channel import Channel
from protocols.edges import Appended
from protocols.ingest import GapReason
from protocols.trades import Lane

OLD_S = 30.0
TRADES = [laned(number, Lane.FOLLOWED, trade_ms=NOON_S * 1000 + number * 1000) for number in range(3)]


@attrs.define(eq=False)
class Clock:
    at_s: float = 0.0

    def now_ms(self):
        return round((NOON_S + self.at_s) * 1000)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def held():
    return []


@pytest.fixture
def forgotten():
    return []


@pytest.fixture
def unproved(clock, held, forgotten):
    gaps = Channel("gap_requests", 4)
    return Unproved(
        forget=forgotten.extend, gaps=gaps.outbox(), hold=held.append, clock=clock, items_max=100, old_s=OLD_S
    )


def in_seconds(one):
    return None if one is None else (one.since_ms / 1000 - NOON_S, one.until_ms / 1000 - NOON_S)


def test_what_is_taken_out_at_once_is_never_held(unproved, clock, held):
    for clock.at_s in range(300):
        now = laned(int(clock.at_s), Lane.FOLLOWED, trade_ms=clock.now_ms())
        unproved.kept([now], Appended(kept=1, length=1))
        unproved.kept([], Appended(kept=0, length=0))
    assert set(held) == {None}


def test_history_that_is_read_over_the_edge_is_told_to_the_database_once_in_a_while_only(unproved, clock, held):
    clock.at_s = 3600
    for _ in range(100):
        clock.at_s += 0.2
        unproved.kept(TRADES, Appended(kept=3, length=3))
        recent = laned(9, Lane.KNOWN, trade_ms=clock.now_ms())
        unproved.kept([recent], Appended(kept=1, length=1))
    assert len(set(held)) == 1
    unproved.kept([], Appended(kept=0, length=0))
    assert held[-1] is None


def test_what_nobody_takes_out_is_held_before_a_start_would_miss_it_and_told_again_once_in_a_while(
    unproved, clock, held
):
    unproved.kept(TRADES, Appended(kept=3, length=3))
    for clock.at_s in range(1, 300):
        unproved.kept([], Appended(kept=0, length=3))
        told = [one for one in held if one is not None]
        assert bool(told) == (clock.at_s >= OLD_S)
        assert all(one.since_ms == NOON_S * 1000 for one in told)
        assert not told or told[-1].until_ms > clock.now_ms(), "what is sent next is covered before it is told"
    assert len(set(told)) <= 300 / (HOLD_MAX_S / 2) + 1


def test_old_trades_that_history_brought_are_held_at_once(unproved, clock, held):
    clock.at_s = 3600
    unproved.kept(TRADES, Appended(kept=3, length=3))
    assert [in_seconds(one) for one in held] == [(0, 3600 + HOLD_MAX_S)]


@pytest.mark.parametrize(("length", "later_s"), [(0, 0), (0, 40), (1, 40)])
def test_an_empty_stream_proves_that_nothing_is_held_any_more(unproved, clock, held, length, later_s):
    clock.at_s = 3600
    unproved.kept(TRADES, Appended(kept=3, length=3))
    clock.at_s += later_s
    recent = laned(9, Lane.KNOWN, trade_ms=clock.now_ms())
    unproved.kept([recent][:length], Appended(kept=length, length=length))
    assert held[-1] is None


def test_what_a_stream_has_lost_is_asked_for_once(unproved, forgotten):
    unproved.kept(TRADES, Appended(kept=3, length=3))
    unproved.read_again()
    unproved.read_again()
    assert forgotten == [one.trade.trade_id for one in TRADES]
    assert unproved.lost == 3


def test_a_held_gap_is_read_by_the_next_run_and_not_by_this_one():
    held = gap(GapReason.OVERFLOW, -5_000, -4_000)
    store = LastTrade(last_ms=round((NOON_S - 100) * 1000))
    first = FillerWorld(FakeHistory([]), store=store)
    first.filler.hold(held)
    first.run([(1, gap(GapReason.STALL, -50, -40))])
    assert set(first.filler.readings) == {"stall"}
    assert store.gaps == [held]

    second = FillerWorld(FakeHistory([]), store=store)
    second.run([])
    assert set(second.filler.readings) == {"overflow"}
    assert store.gaps == []


def test_a_gap_that_is_held_no_longer_is_kept_no_longer():
    world = FillerWorld(FakeHistory([]))
    world.filler.hold(gap(GapReason.OVERFLOW, -5_000, -4_000))
    world.filler.hold(None)
    world.run([])
    assert world.store.gaps == []
