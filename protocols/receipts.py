"""What rides on a trade, and the answer when it cannot be kept."""

from collections.abc import Iterable
from decimal import Decimal

import attrs

from protocols.decisions import DecidedTrade, Decision
from protocols.live.orders import LiveIntent
from protocols.trades import LanedTrade


@attrs.frozen(kw_only=True)
class ClosedShares:
    """A close that took place."""

    order_id: str
    wallet_id: str
    shares: Decimal
    proceeds: Decimal
    """USD after the fee."""
    cost_released: Decimal
    shares_left: Decimal
    cost_left: Decimal


@attrs.frozen(kw_only=True)
class Receipt:
    """What became of one decision."""

    key: tuple[str, str]
    applied: bool
    """False: it was decided before, or could not be kept; nothing of it happened."""
    left_out: tuple[str, ...] = ()
    """Ids of orders that were not made although the decision was kept: the strategy copied one of the trades before, or is
    gone."""
    closed: tuple[ClosedShares, ...] = ()
    """What its closes came to, where positions were still open."""
    claims: tuple[LiveIntent, ...] = ()
    """Claims of live orders that were made with it."""
    exits: tuple[str, ...] = ()
    """Ids of obligations to sell that were made with it."""


def decisions_of(laned: LanedTrade) -> tuple[Decision, ...]:
    """Returns what was decided about a trade; nothing for one that no strategy saw."""
    return laned.decisions if isinstance(laned, DecidedTrade) else ()


def refused(trades: Iterable[LanedTrade]) -> tuple[Receipt, ...]:
    """Returns the receipts of decisions that will not be kept."""
    return tuple(Receipt(key=one.key, applied=False) for laned in trades for one in decisions_of(laned))


def without_decisions(laned: LanedTrade) -> LanedTrade:
    """Returns the trade and its importance only."""
    return LanedTrade(laned.trade, laned.lane)
