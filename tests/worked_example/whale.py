"""What travels, the port, and the rule: in the program these would lie in `protocols/` and `actors/rules/`."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

import attrs

from protocols.amounts import size_from_micro
from protocols.trades import Trade


@attrs.frozen(kw_only=True)
class Whale:
    """A trade that somebody should hear of."""

    trade_id: str
    wallet: str
    usd: Decimal


class WhaleStore(Protocol):
    """Where whales are kept. Raises `TransientError`."""

    async def record(self, whales: Sequence[Whale]) -> int:
        """Keeps each whale once, by its `trade_id`, all in one commit. Returns how many were new."""
        ...


def whale_of(trade: Trade, least_usd: Decimal) -> Whale | None:
    """Returns the whale that a trade is, from `least_usd` on, or None. USD are price times shares, exact."""
    usd = trade.price * size_from_micro(trade.size_micro)
    return Whale(trade_id=trade.trade_id, wallet=trade.wallet, usd=usd) if usd >= least_usd else None
