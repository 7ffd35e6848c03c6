"""An engine whose filter is broken: `python crashing_engine.py`, configured by environment."""

import sys

import trio

from actors.trade_filter import TradeFilter
from config.loader import load_config
from engine.cli.hosting import host_engine


async def broken(self: TradeFilter, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    task_status.started()
    raise ZeroDivisionError("this filter is broken")


if __name__ == "__main__":
    TradeFilter.run = broken  # type: ignore[method-assign]
    sys.exit(host_engine(load_config, load_config()))
