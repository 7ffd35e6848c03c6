"""What rides on a trade, and the answer when it cannot be kept."""

from collections.abc import Iterable

from protocols.decisions import DecidedTrade, Decision, Receipt
from protocols.trades import LanedTrade


def decisions_of(laned: LanedTrade) -> tuple[Decision, ...]:
    """Returns what was decided about a trade; nothing for one that no strategy saw."""
    return laned.decisions if isinstance(laned, DecidedTrade) else ()


def refused(trades: Iterable[LanedTrade]) -> tuple[Receipt, ...]:
    """Returns the receipts of decisions that will not be kept."""
    return tuple(Receipt(key=one.key, applied=False) for laned in trades for one in decisions_of(laned))


def without_decisions(laned: LanedTrade) -> LanedTrade:
    """Returns the trade and its importance only."""
    return LanedTrade(laned.trade, laned.lane)
