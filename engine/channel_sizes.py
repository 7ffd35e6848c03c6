"""Gives the channels of a running engine the sizes of a configuration that was read again."""

from collections.abc import Iterable, Mapping
from typing import Any

from config.schema import ChannelConfig
from engine.runtime.channel import Channel


def resize_channels(channels: Iterable[Channel[Any]], sizes: Mapping[str, ChannelConfig]) -> None:
    """Resizes each channel that `sizes` names; nothing that waits in one is lost (see `Channel.resize`)."""
    for channel in channels:
        size = sizes.get(channel.name)
        if size is not None:
            channel.resize(size.capacity, size.shed_above)
