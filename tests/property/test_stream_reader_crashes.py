import pytest
from hypothesis import given
from hypothesis import strategies as st
from property.examples import FEW, SLOW
from property.fake_stream import NEVER, FakeVenue, Plan
from property.made_trades import frame
from property.reader_world import ReaderWorld

from protocols.ingest import GapReason

RUN_S = 400.0
SETTINGS = {"recycle_interval_s": 120.0, "recycle_overlap_s": 5.0}
NOISE = ["PONG", "", "{", frame(price=None), '{"topic":"comments","payload":{}}']


@st.composite
def plans(draw):
    kind = draw(st.sampled_from(["ok"] * 8 + ["refused", "hang", "no subscription", "crash"]))
    healthy_s = draw(st.sampled_from([0.0, 0.5, 3.0, 20.0, 50.0, 200.0]))
    lost_after_s = draw(st.sampled_from([0.0, 0.1, 5.0, 20.0, NEVER, NEVER]))
    noise = [(at_s * 2.5, draw(st.sampled_from(NOISE))) for at_s in range(draw(st.integers(0, 30)))]
    return Plan(
        dial=kind,
        frames=noise,
        trades_until_s=healthy_s,
        lost_at_s=healthy_s + lost_after_s,
        close_takes_s=draw(st.sampled_from([0.0, 0.0, 1.5])),
    )


WORLDS = {
    "script": st.lists(plans(), max_size=10),
    "trade_every_s": st.sampled_from([1.0, 2.0, 7.0]),
    "capacity": st.sampled_from([3, 10_000]),
    "reads": st.booleans(),
    "filler_delay_s": st.sampled_from([0.0, 30.0]),
    "seed": st.integers(0, 5),
}


def check(script, trade_every_s, capacity, reads, filler_delay_s, seed):
    venue = FakeVenue(script, trade_every_s=trade_every_s, horizon_s=RUN_S)
    world = ReaderWorld(
        venue, SETTINGS, capacity=capacity, seed=seed, filler_delay_s=filler_delay_s, gap_capacity=2, reads=reads
    ).run(RUN_S)
    check_nothing_is_missed(world)
    check_sockets(world)
    check_counters(world)


def check_nothing_is_missed(world):
    """Every trade until the last data was received or lies in an interval that was asked for."""
    received = world.received() | {int(raw.row.size) for raw in left_in(world.trades)}
    if world.reader.last_data_s is None:
        return
    every_s = world.venue.trade_every_s
    for number in range(1, int(world.reader.last_data_s / every_s)):
        at_s = number * every_s
        if number not in received:
            assert world.is_asked(at_s), at_s
    assert world.reasons[0] is GapReason.START
    assert world.interval_s(0)[0] is None
    assert all(world.interval_s(number)[0] is not None for number in range(1, len(world.requests)))


def left_in(channel):
    return list(channel._in_hand) + [item for item, _ in channel._again] + list(channel._buffer._items)


def check_sockets(world):
    for begin_s, end_s in world.venue.overlaps():
        # A recycling; the goodbye to the old socket takes its time.
        assert end_s - begin_s <= 5 + 1.5 + 1e-6
    dials = world.venue.dials_s
    for number in range(len(dials) - 8):
        # Pauses of at least a quarter of a second: no burst of attempts, whatever the sockets do.
        assert dials[number + 8] - dials[number] >= 8 * 0.25 / 4


def check_counters(world):
    stats, reader = world.trades.statistics(), world.reader
    assert reader.frames["trade"] == stats.sent
    assert reader.overflowed == stats.dropped
    assert sum(reader.reconnects.values()) <= len(world.venue.sockets)


@FEW
@given(**WORLDS)
def test_every_trade_is_received_or_asked_for_whatever_the_venue_does(**world):
    check(**world)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@SLOW
@given(**WORLDS)
def test_every_trade_is_received_or_asked_for_whatever_the_venue_does_at_length(**world):
    check(**world)
