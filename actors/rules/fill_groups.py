"""Fills of one order that are one decision: which fill belongs to which group, and what a group comes to."""

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal

import attrs

from actors.rules.strategy_index import Needs
from protocols.trades import Trade

_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
_PRICE_QUANTUM = Decimal(1).scaleb(-18)


@attrs.frozen
class GroupKey:
    """What fills of one group have in common."""

    part: str
    wallet: str
    token_id: str
    transaction_hash: str
    """Empty for a window of time."""


def group_key(part: str, needs: Needs, trade: Trade) -> GroupKey:
    """Returns the group that a BUY belongs to for strategies with these needs."""
    return GroupKey(part, trade.wallet, trade.token_id, trade.transaction_hash if needs.transaction else "")


def belongs(needs: Needs, first: Trade, trade: Trade) -> bool:
    """Returns whether a fill with the same key is of the same group as the first one."""
    return needs.transaction or abs(trade.trade_ms - first.trade_ms) <= needs.window_s * 1000


@attrs.frozen(kw_only=True)
class FillSum:
    """What some fills come to together."""

    size_micro: int
    price: Decimal
    """USD a share, weighted by shares, to 18 decimals."""


def summed(trades: Sequence[Trade]) -> FillSum:
    """Returns the sum of at least one fill."""
    if len(trades) == 1:
        return FillSum(size_micro=trades[0].size_micro, price=trades[0].price)
    size = sum(trade.size_micro for trade in trades)
    value = sum((_EXACT.multiply(trade.price, Decimal(trade.size_micro)) for trade in trades), Decimal(0))
    return FillSum(size_micro=size, price=_EXACT.divide(value, Decimal(size)).quantize(_PRICE_QUANTUM, context=_EXACT))
