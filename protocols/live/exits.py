"""Obligations to sell: durable, retried until they are met, overdue when they take too long."""

import enum
from decimal import Decimal

import attrs
import msgspec


class ExitKind(enum.StrEnum):
    """Why something has to be sold."""

    TRADER_SELL = "trader_sell"
    """The copied trader sold: our share of it, of what was bought from him before that sale (D41)."""
    STOP_LOSS = "stop_loss"
    TAKE_PROFIT = "take_profit"
    MAX_HOLD = "max_hold"
    FLATTEN = "flatten"
    """An operator wants everything sold."""


class ExitStatus(enum.StrEnum):
    """How an obligation stands."""

    OPEN = "OPEN"
    DONE = "DONE"
    """What had to be sold is sold."""
    DUST = "DUST"
    """What is left is too little to be sold; it stays a position until its market resolves."""
    SETTLED = "SETTLED"
    """The market was resolved first."""
    VOID = "VOID"
    """There was nothing to sell."""


class ExitSignal(msgspec.Struct, frozen=True, kw_only=True):
    """A sale of a copied trader: what commit 1 turns into obligations of the strategies that hold what he sold."""

    trade_id: str
    trader: str
    condition_id: str
    token_id: str
    share: Decimal
    """Of his holding that he sold, 0 to 1."""
    price: Decimal
    trade_ms: int
    ft_wallet_ids: tuple[str, ...]
    """Paper strategies that sell when he sells."""


@attrs.frozen(kw_only=True)
class LiveExit:
    """A row of `lt_exits`. Unique by (strategy, cause, token)."""

    exit_id: str
    """Our uuid, made from strategy, cause and token."""
    strategy_id: str
    cause: str
    kind: ExitKind
    condition_id: str
    token_id: str
    trader: str | None
    """Only lots bought from him; None: all of the token."""
    share: Decimal
    """Of the open shares of those lots, 0 to 1."""
    signal_price: Decimal
    signal_ms: int
    """Lots whose own signal came later are not sold."""
    status: ExitStatus = ExitStatus.OPEN
    target_shares: Decimal | None = None
    """Fixed when no buy of those lots is open any more; None before."""
    sold_shares: Decimal = Decimal(0)
    attempts: int = 0
    created_ms: int
    deadline_ms: int
    next_try_ms: int
    detail: str | None = None
    slippage_pct: Decimal | None = None
    """Of the first limit below the price of the signal; None: as the strategy says."""

    @property
    def left_shares(self) -> Decimal:
        """Returns the shares that are still to be sold, as far as known."""
        return max(Decimal(0), (self.target_shares or Decimal(0)) - self.sold_shares)


@attrs.frozen(kw_only=True)
class Lot:
    """An open position: the open shares of one BUY."""

    order_id: str
    strategy_id: str
    trader: str | None
    condition_id: str
    token_id: str
    signal_ms: int
    bought_ms: int
    """When its first share was filled."""
    shares: Decimal
    cost: Decimal
    """USD with fee of the open shares."""
    event_slug: str | None = None


@attrs.frozen(kw_only=True)
class LotSale:
    """A part of a lot that a fill of a SELL sold."""

    lot_order_id: str
    shares: Decimal
    cost_released: Decimal
    proceeds: Decimal
    """USD after the fee."""
