"""Writes the heap line: resident memory, its limit, loop lag, and every channel's depth."""

import logging

import attrs
import trio

from config.schema import LimitsConfig, LoggingConfig
from protocols.instruments import ProcessGauges

_log = logging.getLogger(__name__)


@attrs.define(eq=False, kw_only=True)
class Watch:
    """runtime → one log line each interval; a warning above `limits.memory_warn_ratio` of the limit."""

    gauges: ProcessGauges
    limits: LimitsConfig
    logging: LoggingConfig

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Writes lines until cancelled."""
        task_status.started()
        while True:
            await trio.sleep(self.logging.heap_interval_s)
            self._write_line()

    def _write_line(self) -> None:
        heap, limit = self.gauges.heap_bytes(), self.gauges.memory_limit_bytes()
        ratio = heap / limit if limit else 0.0
        high = ratio > self.limits.memory_warn_ratio
        _log.log(
            logging.WARNING if high else logging.INFO,
            "heap above the warning ratio" if high else "heap",
            extra={
                "heap_mb": round(heap / 1e6, 1),
                "limit_mb": round(limit / 1e6, 1),
                "used_ratio": round(ratio, 3),
                "loop_lag_ms": round(self.gauges.worst_loop_lag_s() * 1000, 1),
                "channels": {c.name: f"{c.depth}/{c.capacity}" for c in self.gauges.channels()},
                "dropped": {c.name: c.dropped for c in self.gauges.channels() if c.dropped},
            },
        )
