import itertools
import json

import pytest
from property.fake_stream import FakeVenue, Plan
from property.made_trades import NOON_S, frame
from property.reader_world import ReaderWorld

from protocols.ingest import GapReason

START, RECONNECT, STALL = GapReason.START, GapReason.RECONNECT, GapReason.STALL
KEEP_ALIVE = [
    (n * 1.0, text) for n in range(1, 400) for text in ("PONG", "", b"pong", '{"topic":"comments","payload":{}}')
]


def pauses(times_s):
    return [later - earlier for earlier, later in itertools.pairwise(times_s)]


def test_it_subscribes_says_where_it_starts_and_pings():
    world = ReaderWorld(FakeVenue([], trade_every_s=1.0)).run(21)
    (socket,) = world.venue.sockets
    assert json.loads(socket.sent[0])["subscriptions"][0] == {"topic": "activity", "type": "trades"}
    assert socket.sent[1:] == ["PING"] * 4
    assert world.reasons == [START]
    assert world.interval_s(0) == (None, 0)
    assert world.received() >= set(range(1, 21))
    assert world.reader.frames["trade"] == len(world.got)


def test_keep_alive_and_other_frames_are_no_life():
    world = ReaderWorld(FakeVenue([Plan(frames=KEEP_ALIVE)], trade_every_s=1.0)).run(40)
    assert world.venue.dials_s[0] == 0
    assert 30 <= world.venue.dials_s[1] <= 32
    assert world.reasons == [START, STALL]
    assert world.reader.frames["keep_alive"] in (3 * 29, 3 * 30)


def test_the_stall_time_out_doubles_to_five_minutes_while_sockets_stay_silent():
    silent = [Plan(frames=KEEP_ALIVE) for _ in range(8)]
    world = ReaderWorld(FakeVenue(silent), {"recycle_interval_s": 86_400.0}).run(1_700)
    waits = pauses(world.venue.dials_s)[:6]
    # Between two sockets lies also the pause of the reconnect, at most 30 s.
    for wait_s, silence_s in zip(waits, [30, 60, 120, 240, 300, 300], strict=True):
        assert silence_s <= wait_s <= silence_s + 30


def test_data_brings_the_stall_time_out_back():
    plans = [Plan(), Plan(), Plan(frames=[(1, frame())]), Plan()]
    world = ReaderWorld(FakeVenue(plans), {"recycle_interval_s": 86_400.0}).run(400)
    waits = pauses(world.venue.dials_s)
    assert waits[2] == pytest.approx(31, abs=1.5)


def test_a_slow_but_living_stream_is_no_stall():
    frames = [(n * 29.0, frame(size=n)) for n in range(1, 10)]
    world = ReaderWorld(FakeVenue([Plan(frames=frames)]), {"recycle_interval_s": 86_400.0}).run(260)
    assert len(world.venue.sockets) == 1


def test_a_lost_socket_is_replaced_and_the_interval_since_the_last_data_is_asked_for():
    plans = [Plan(trades_until_s=20, lost_at_s=25)]
    world = ReaderWorld(FakeVenue(plans, trade_every_s=1.0)).run(40)
    assert world.reasons == [START, RECONNECT]
    since_s, until_s = world.interval_s(1)
    assert since_s == pytest.approx(20)
    assert until_s == pytest.approx(world.venue.dials_s[1], abs=0.01)
    assert 25 <= world.venue.dials_s[1] <= 27
    assert world.reader.reconnects["reconnect"] == 1


@pytest.mark.parametrize("kind", ["refused", "hang", "no subscription"])
def test_attempts_that_fail_are_one_a_step_that_doubles(kind):
    world = ReaderWorld(FakeVenue([Plan(dial=kind)] * 12), {"connect_timeout_s": 1.0}).run(600)
    waits = pauses(world.venue.dials_s)[:12]
    spent_s = 1.0 if kind == "hang" else 0.0
    for number, wait_s in enumerate(waits):
        step_s = min(30.0, 0.5 * 2**number)
        assert step_s / 2 <= wait_s - spent_s <= step_s + 1e-6
    assert len(world.venue.dials_s) >= 13


def test_a_server_that_accepts_and_drops_is_not_hammered():
    world = ReaderWorld(FakeVenue([Plan(lost_at_s=0.01)] * 1_000)).run(300)
    assert len(world.venue.dials_s) < 30


def test_a_server_that_replays_a_burst_and_drops_is_not_hammered():
    plans = [Plan(frames=[(0.01, frame(size=n))], lost_at_s=0.02) for n in range(1, 500)]
    world = ReaderWorld(FakeVenue(plans)).run(10)
    assert len(world.venue.dials_s) <= 50


def test_reconnects_are_jittered():
    plans = [Plan(frames=[(0.01, frame())], lost_at_s=10.0) for _ in range(30)]
    waits = [
        later - earlier - 10
        for seed in range(3)
        for earlier, later in [ReaderWorld(FakeVenue(plans), seed=seed).run(15).venue.dials_s[:2]]
    ]
    assert len({round(wait_s, 6) for wait_s in waits}) == 3


@pytest.mark.parametrize("close_takes_s", [0.0, 1.9])
@pytest.mark.parametrize("how", ["stall", "lost"])
def test_one_socket_at_a_time(how, close_takes_s):
    plan = Plan(trades_until_s=5, lost_at_s=8 if how == "lost" else float("inf"), close_takes_s=close_takes_s)
    world = ReaderWorld(FakeVenue([plan] * 5, trade_every_s=1.0)).run(400)
    assert len(world.venue.sockets) > 5
    assert world.venue.overlaps() == []


def recycled(plans, seconds=700, **settings):
    venue = FakeVenue(plans, trade_every_s=1.0)
    return ReaderWorld(venue, {"recycle_interval_s": 600.0, "recycle_overlap_s": 5.0} | settings).run(seconds)


def test_recycling_overlaps_shortly_and_asks_for_a_recycle_gap():
    world = recycled([])
    assert world.reasons == [START, GapReason.RECYCLE]
    assert 300 <= world.venue.dials_s[1] <= 600
    ((begin_s, end_s),) = world.venue.overlaps()
    assert end_s - begin_s <= 1.1
    assert world.received() >= set(range(1, 699))
    assert world.reader.reconnects["recycle"] == 1


def test_a_new_socket_that_stays_silent_takes_over_after_the_longest_overlap():
    world = recycled([Plan(trades_until_s=1e6), Plan()], 640)
    ((begin_s, end_s),) = world.venue.overlaps()
    assert end_s - begin_s == pytest.approx(5)
    assert world.reasons[:3] == [START, GapReason.RECYCLE, STALL]


@pytest.mark.parametrize("kind", ["refused", "hang", "no subscription"])
def test_a_recycling_that_fails_keeps_the_old_socket(kind):
    world = recycled([Plan(trades_until_s=1e6), Plan(dial=kind)])
    assert world.reasons == [START, GapReason.RECYCLE]
    assert world.venue.dials_s[2] - world.venue.dials_s[1] >= 100
    assert world.received() >= set(range(1, 699))


def test_an_old_socket_that_is_lost_while_the_new_one_is_dialled_costs_nothing():
    lost = Plan(trades_until_s=1e6, lost_at_s=float("inf"))
    world = recycled([lost, Plan(dial="hang")], 700)
    lost_at_s = world.venue.dials_s[1] + 4
    world = recycled([Plan(trades_until_s=1e6, lost_at_s=lost_at_s), Plan(dial="hang")], 700)
    missing = set(range(1, 690)) - world.received()
    assert all(world.is_asked(number) for number in missing)


GARBAGE = [
    "{", "null", "[1,2]", '{"topic":"activity","type":"trades","payload":7}', b"\xff\xfe", "x" * (2 << 20), "[" * 5_000,
    frame(price=None), frame(size="NaN"), frame(timestamp=[1]), frame(name="\ud800\x00"), '{"statusCode":401}',
    '{"topic":"activity","type":"trades","payload":{"timestamp":1e9999999,"side":"BUY","asset":"1"}}',
]  # fmt: skip


def test_garbage_is_counted_by_reason_and_nobody_dies(caplog):
    frames = [(1 + n * 0.001, text) for n, text in enumerate(GARBAGE * 20)]
    world = ReaderWorld(FakeVenue([Plan(frames=[*frames, (2, frame())])])).run(5)
    assert len(world.venue.sockets) == 1
    assert world.reader.frames["trade"] == len(world.got)
    assert sum(world.reader.frames.values()) == len(GARBAGE) * 20 + 1
    assert world.reader.frames["refused"] == 20
    assert world.reader.frames["too_large"] == 20
    # One line a reason in ten seconds, however many frames.
    assert len([record for record in caplog.records if record.message == "frame not understood"]) < 15


def test_nobody_can_make_it_wait_and_what_nobody_takes_is_counted_and_asked_for_again():
    world = ReaderWorld(FakeVenue([], trade_every_s=1.0), capacity=5, reads=False).run(20.5)
    assert world.reader.overflowed == 15
    assert world.trades.statistics().dropped == 15
    assert world.trades.statistics().depth == 5
    assert set(world.reasons) == {START, GapReason.OVERFLOW}
    assert all(world.is_asked(number) for number in range(6, 21))


def test_the_gap_of_an_overflow_covers_the_time_of_late_rows_not_only_of_their_arrival():
    late = [(500 + n * 0.001, frame(size=n, timestamp=NOON_S + n)) for n in range(1, 10)]
    world = ReaderWorld(
        FakeVenue([Plan(frames=late)]),
        {"stall_timeout_s": 600.0, "recycle_interval_s": 86_400.0},
        capacity=1,
        reads=False,
    ).run(501)
    assert world.reader.overflowed == 8
    assert all(world.is_asked(number) for number in range(2, 10))


def test_data_that_is_there_at_once_does_not_hide_the_gap_before_it():
    plans = [Plan(trades_until_s=20, lost_at_s=25), Plan(frames=[(0, frame(size=999))], trades_until_s=1e6)]
    for seed in range(8):
        world = ReaderWorld(FakeVenue(plans, trade_every_s=1.0), seed=seed).run(40)
        assert world.interval_s(1)[0] == pytest.approx(20)


def test_a_gap_that_the_filler_has_not_taken_yet_survives_a_crash():
    plans = [*[Plan(trades_until_s=50, lost_at_s=75)] * 3, Plan(dial="crash")]
    venue = FakeVenue(plans, trade_every_s=1.0)
    world = ReaderWorld(venue, filler_delay_s=1_000.0, gap_capacity=1).run(2_500)
    missing = set(range(1, 2_000)) - world.received()
    assert missing
    assert all(world.is_asked(number) for number in missing)
