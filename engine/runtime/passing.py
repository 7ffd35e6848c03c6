"""Waits until what lies in channels has gone through them."""

from collections.abc import Sequence
from typing import Any

import trio

from engine.runtime.channel import Channel

LOOK_S = 0.02


async def passed(channels: Sequence[Channel[Any]]) -> None:
    """Returns when all that was in these channels, which are in flow order, has been acknowledged, dropped or is dead.

    By the counts: where important items overtake others, as many have gone through as were there, and not always the same. The
    rest belongs to those of whom the least is promised.
    """
    for channel in channels:
        wanted = channel.statistics().sent
        while _ended(channel) < wanted:  # noqa: ASYNC110 - two counters of whoever reads; nothing to wait for but them
            await trio.sleep(LOOK_S)
    await trio.lowlevel.checkpoint()


def _ended(channel: Channel[Any]) -> int:
    stats = channel.statistics()
    return stats.sent - stats.depth - stats.unacknowledged
