"""The edge in front of the database: who may be dropped there when it falls behind, and who waits."""

from collections.abc import Callable, Sequence

from config.schema import ChannelConfig
from engine.runtime.channel import Channel, LanePolicy
from protocols.channels import Overflow
from protocols.trades import Lane, LanedTrade, TradeSource


def writer_channel(config: ChannelConfig, *, forget: Callable[[Sequence[str]], None]) -> Channel[LanedTrade]:
    """Returns the channel of the sync writer."""
    return lane_channel("writer", config, forget=forget)


def lane_channel(name: str, config: ChannelConfig, *, forget: Callable[[Sequence[str]], None]) -> Channel[LanedTrade]:
    """Returns a channel of trades on their way to the database.

    Lane 2 of the stream is shed as soon as more than `shed_above` trades wait; `forget` is given its ids, so that history can
    bring it again. All else waits for room: lanes 0 and 1, and lane 2 from history. Whoever reads history can wait, and does
    not ask again for a page that he has read.
    """
    policy = LanePolicy[LanedTrade](
        lanes=len(Lane),
        lane_of=_queue_of,
        shed_from=Lane.KNOWN,
        shed_above=config.shed_above,
        shed=lambda laned: forget([laned.trade.trade_id]),
    )
    return Channel(name, config.capacity, Overflow.LANES, policy)


def _queue_of(laned: LanedTrade) -> Lane:
    return laned.lane if laned.trade.source is TradeSource.STREAM else min(laned.lane, Lane.FOLLOWED)
