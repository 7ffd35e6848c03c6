import logging

import attrs
import pytest
import trio

from actors.watch import Watch
from config.schema import LimitsConfig, LoggingConfig


@attrs.frozen
class Gauge:
    name: str
    depth: int
    capacity: int
    dropped: int = 0


@attrs.define
class Gauges:
    heap: int = 61_200_000
    limit: int = 256_000_000
    lag_s: float = 0.0042

    def heap_bytes(self):
        return self.heap

    def memory_limit_bytes(self):
        return self.limit

    def worst_loop_lag_s(self):
        lag_s, self.lag_s = self.lag_s, 0.0
        return lag_s

    def channels(self):
        return [Gauge("raw_trades", 3, 4096), Gauge("writer", 50, 4096, 7)]


async def lines(caplog, gauges, seconds, **logging_settings):
    caplog.set_level(logging.INFO)
    watch = Watch(gauges=gauges, limits=LimitsConfig(), logging=LoggingConfig(**logging_settings))
    with trio.move_on_after(seconds):
        await watch.run()
    return [record for record in caplog.records if record.name == "actors.watch"]


async def test_one_line_a_minute_with_everything_an_operator_needs(autojump_clock, caplog):
    first, second = await lines(caplog, Gauges(), 130)
    assert (first.levelno, first.message) == (logging.INFO, "heap")
    assert (first.heap_mb, first.limit_mb, first.used_ratio, first.loop_lag_ms) == (61.2, 256.0, 0.239, 4.2)
    assert first.channels == {"raw_trades": "3/4096", "writer": "50/4096"}
    assert first.dropped == {"writer": 7}
    assert second.loop_lag_ms == 0


@pytest.mark.parametrize(
    ("heap", "level"),
    [(204_800_000, logging.INFO), (204_800_001, logging.WARNING), (300_000_000, logging.WARNING)],
)
async def test_above_four_fifths_of_the_limit_it_warns(autojump_clock, caplog, heap, level):
    (line,) = await lines(caplog, Gauges(heap=heap), 61)
    assert line.levelno == level
    assert line.message == ("heap above the warning ratio" if level == logging.WARNING else "heap")


async def test_without_a_known_limit_it_does_not_warn(autojump_clock, caplog):
    (line,) = await lines(caplog, Gauges(limit=0), 61)
    assert (line.levelno, line.used_ratio) == (logging.INFO, 0)


async def test_the_interval_is_configured(autojump_clock, caplog):
    assert len(await lines(caplog, Gauges(), 10.5, heap_interval_s=1.0)) == 10
