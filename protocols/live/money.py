"""The capital of live strategies: an append-only ledger and one balance a strategy. USD, exact to the micro.

available + locked + cooldown = initial + realized_pnl + drift, at all times (I1). locked is what open shares cost and what
working orders may still cost at their limit (I2). Only a lock may be refused; a fact of the venue always books, and what the
strategy cannot pay of it goes to `drift`, which stops its entries.
"""

import enum
from decimal import Decimal

import attrs

ZERO = Decimal(0)


class PostingKind(enum.StrEnum):
    """What a line of the ledger is about."""

    CAPITAL = "capital"
    """An operator gave or took capital."""
    LOCK = "lock"
    """An order was journaled."""
    COMMITMENT = "commitment"
    """What an order commits has changed: a fill, an end, an unwound fill, a revived order."""
    SALE = "sale"
    """Shares were sold."""
    SALE_UNWOUND = "sale_unwound"
    """A sale failed after it had been booked."""
    SETTLEMENT = "settlement"
    """A market was resolved."""
    RELEASE = "release"
    """Cooled-down or redeemed money became spendable."""
    CORRECTION = "correction"
    """An operator set something right, with a reason."""


@attrs.frozen(kw_only=True)
class Posting:
    """One line of the ledger. `cause` is unique in its strategy: posting again does nothing (D13, D16)."""

    strategy_id: str
    cause: str
    kind: PostingKind
    order_id: str | None = None
    initial: Decimal = ZERO
    available: Decimal = ZERO
    locked: Decimal = ZERO
    cooldown: Decimal = ZERO
    realized: Decimal = ZERO
    """Deltas. available + locked + cooldown = initial + realized in every posting."""


@attrs.frozen(kw_only=True)
class LiveBalance:
    """A row of `lt_balances`."""

    strategy_id: str
    initial: Decimal
    available: Decimal
    locked: Decimal = ZERO
    cooldown: Decimal = ZERO
    """Proceeds that wait: for the cool-down time, or for their redemption."""
    realized_pnl: Decimal = ZERO
    drift: Decimal = ZERO
    """What facts of the venue cost beyond what was available; more than 0 stops entries."""
    peak_equity: Decimal = ZERO
    """Highest initial + realized_pnl so far; lowered only by an explicit reset (D11)."""
    version: int = 1
    """Rises with every change: of two readings the higher one is newer."""

    @property
    def equity(self) -> Decimal:
        """Returns initial + realised profit."""
        return self.initial + self.realized_pnl


@attrs.frozen(kw_only=True)
class CooldownEntry:
    """Proceeds on their way to being spendable."""

    strategy_id: str
    cause: str
    """Of the posting that made it."""
    amount: Decimal
    available_ms: int | None
    """None: until it is redeemed."""
    condition_id: str | None = None
    """Of a settlement: the market that has to be redeemed, and its token and shares."""
    token_id: str | None = None
    shares: Decimal | None = None


@attrs.frozen(kw_only=True)
class DayFigures:
    """What a strategy did on one UTC day. Spent is counted by fills, on the day of the fill (D4, D5)."""

    spent_usd: Decimal = ZERO
    """Filled cost with fee, less what was unwound."""
    lost_usd: Decimal = ZERO
    """Sum of losses of orders that ended in loss."""
    pnl_usd: Decimal = ZERO
