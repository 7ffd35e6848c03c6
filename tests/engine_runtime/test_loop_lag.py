import math
import time

import pytest
import trio
import trio.lowlevel
import trio.testing

from engine.runtime.latency import VALUES_KEPT, LatencyRecorder
from engine.runtime.loop_lag import LoopLag
from engine.runtime.readiness import Readiness


def busy(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


@pytest.fixture
async def lag():
    instrument = LoopLag()
    trio.lowlevel.add_instrument(instrument)
    yield instrument
    trio.lowlevel.remove_instrument(instrument)


async def test_the_length_of_a_pass_is_seen_and_forgotten_once_read(lag):
    await trio.lowlevel.checkpoint()
    lag.take_worst_s()
    busy(0.05)
    await trio.sleep(0.001)
    assert 0.05 <= lag.take_worst_s() < 5
    assert lag.take_worst_s() < 0.05


async def test_waiting_is_not_lag(lag):
    await trio.sleep(0.05)
    await trio.lowlevel.checkpoint()
    assert lag.quantile_s(0.5) < 0.05
    assert lag.passes > 0


async def test_steps_of_several_tasks_in_one_pass_add_up(lag):
    await trio.lowlevel.checkpoint()
    lag.take_worst_s()
    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(one_step)
    await trio.sleep(0.001)
    assert lag.take_worst_s() >= 0.05


async def one_step():
    busy(0.01)


async def test_quantiles_are_those_of_the_last_passes(lag):
    assert LoopLag().quantile_s(0.99) == 0.0
    busy(0.05)
    for _ in range(99):
        await trio.lowlevel.checkpoint()
    assert lag.quantile_s(0.5) <= lag.quantile_s(0.95) <= lag.quantile_s(1)
    assert lag.quantile_s(0.999) >= 0.05
    assert lag.quantile_s(0.5) < 0.05
    assert lag.quantile_s(1, passes=50) < 0.05


class Histogram:
    def __init__(self):
        self.values = []

    def observe(self, value):
        self.values.append(value)


def test_a_trade_of_an_earlier_run_has_no_latency():
    histogram = Histogram()
    recorder = LatencyRecorder(histogram)
    assert recorder.quantile_s(0.5) is None
    recorder.observe(math.nan)
    assert recorder.quantile_s(0.5) is None
    recorder.observe(2.0)
    assert histogram.values == [2.0]
    assert recorder.quantile_s(0.99) == 2.0


def test_latency_quantiles_come_from_the_last_values():
    recorder = LatencyRecorder(Histogram())
    for value in range(VALUES_KEPT * 2):
        recorder.observe(value)
    assert recorder.quantile_s(0) == VALUES_KEPT
    assert recorder.quantile_s(0.5) == VALUES_KEPT * 1.5
    assert recorder.quantile_s(1) == VALUES_KEPT * 2 - 1


def test_ready_is_when_nothing_is_open():
    readiness = Readiness()
    assert readiness.ready
    readiness.wait_for("database", "not reached")
    readiness.wait_for("stream", "no socket")
    readiness.wait_for("stream", "silent")
    assert readiness.open_conditions() == {"database": "not reached", "stream": "silent"}
    readiness.reached("database")
    readiness.reached("database")
    assert not readiness.ready
    readiness.reached("stream")
    assert readiness.ready
