"""Trades of lane 0 as a process reads them that decides about them and does not take them in."""

from collections.abc import Sequence
from typing import Protocol

import attrs

from protocols.trades import Trade


@attrs.frozen
class StoredTrade:
    """A trade, and where it stands in the order of commits."""

    trade: Trade
    position: int


class CopiedTrades(Protocol):
    """Stored trades of lane 0. Both methods raise `TransientError`."""

    async def end(self) -> int:
        """Returns the position of the last trade that is stored."""
        ...

    async def after(self, position: int, trades_max: int) -> Sequence[StoredTrade]:
        """Returns the next trades, in the order of their commits."""
        ...
