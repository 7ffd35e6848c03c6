"""What a strategy looks at when its targets disagree or pile up: who stands on which outcome, and what it holds itself.

Market outcomes are told by their tokens. Money is micro-USD or USD, shares are micro-shares, times are epoch milliseconds.
"""

from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Protocol

import attrs
import msgspec


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One outcome of a market, as some traders stand on it."""

    token_id: str
    targets: int
    """Traders who hold more of this outcome than of any other."""
    usd_micro: int
    """What traders paid for what they hold of it, less what they got back; summed up."""


class Crowd(msgspec.Struct, frozen=True, kw_only=True):
    """How the targets of some strategies stand in a market, the trade that is decided counted in."""

    sides: tuple[Side, ...]
    """Every outcome that one of them has traded, in the order of tokens."""


class Stand(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one strategy had when its policy for conflicts was asked, decisions on their way counted in."""

    against: tuple[str, ...] = ()
    """Tokens of other outcomes of the market that it holds from other traders than the one of this trade."""
    beside: int = 0
    """Other traders from whom it holds the outcome of this trade."""
    event_usd: Decimal = Decimal(0)
    """Open cost in the markets of the event; of the market alone where the event is not known."""
    crowd: int | None = None
    """Its place in `Inputs.crowds`; None: it did not ask, or nobody knew."""


@attrs.frozen
class Circle:
    """Whose trades count for a strategy that asks how its targets stand."""

    wallets: Collection[str] | None
    """None: everyone's."""
    excluded: Collection[str] = frozenset()

    def counts(self, wallet: str) -> bool:
        """Returns whether a trader is one of them."""
        return (self.wallets is None or wallet in self.wallets) and wallet not in self.excluded


@attrs.frozen(kw_only=True)
class MarketFill:
    """A trade of somebody in a market."""

    trade_id: str
    wallet: str
    condition_id: str
    token_id: str
    shares_micro: int
    """Less than zero: sold."""
    usd_micro: int
    """Paid for them; less than zero: received."""
    trade_ms: int


class MarketFills(Protocol):
    """Stored trades of markets."""

    async def market_fills(
        self, condition_ids: Sequence[str], *, since_ms: int, wallets: Collection[str] | None, fills_max: int
    ) -> list[MarketFill]:
        """Returns the latest trades of lane 0 of each market, at most `fills_max` of one, in the order of their commits.

        `wallets` None: of everyone. Raises `TransientError`.
        """
        ...
