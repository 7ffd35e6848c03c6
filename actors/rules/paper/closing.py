"""Sales of copied traders, in proportion (D41): what part he sold, what that is of our orders, and what it brings."""

from decimal import Decimal

import attrs

from actors.rules.exact import EXACT, MICRO_USD, ONE, PRICE_QUANTUM, ZERO, down, half_up
from actors.rules.paper.fees import taker_fee
from protocols.decisions import Inputs, PaperClose
from protocols.paper import OpenOrder
from protocols.receipts import ClosedShares

DUST = Decimal("0.01")
"""Shares that are not worth keeping: they are sold with the rest."""


@attrs.frozen(kw_only=True)
class Closed:
    """What a sale came to."""

    order: OpenOrder | None
    """What is left of the position; None when nothing is."""
    shares: ClosedShares
    pnl: Decimal
    """Proceeds less the cost of the sold shares, USD."""
    fee: Decimal


def share_sold(sold_micro: int, holding_micro: int | None) -> Decimal:
    """Returns the part of his holding that a trader sold, more than 0 and at most 1, 18 decimals.

    Who sells more than he was known to hold, or of whom nothing is known, has sold all of it: what is copied from him must not
    outlive what he has.
    """
    if holding_micro is None or holding_micro <= sold_micro:
        return ONE
    return max(down(EXACT.divide(Decimal(sold_micro), Decimal(holding_micro)), PRICE_QUANTUM), PRICE_QUANTUM)


def close_of(order: OpenOrder, share: Decimal, inputs: Inputs, *, price: Decimal) -> PaperClose | None:
    """Returns the sale of a part of an order, or None where there is nothing to sell.

    Only what was bought from this trader in this token and before his sale; what was opened later is another position. Equal
    seconds count as before: the order would not be known yet if his purchase had come after.
    """
    is_his = (order.trader, order.token_id) == (inputs.wallet, inputs.token_id)
    if not is_his or order.trade_ms > inputs.trade_ms or order.shares <= 0:
        return None
    shares = _part(order.shares, inputs)
    if EXACT.subtract(order.shares, shares) < DUST:
        shares = order.shares
    if shares <= 0:
        return None
    market = inputs.market
    return PaperClose(
        wallet_id=order.wallet_id,
        order_id=order.order_id,
        source_trade_id=inputs.trade_id,
        shares=shares,
        share=share,
        price=price,
        fee_rate=None if market is None else market.fee_rate,
        fee_exponent=1 if market is None else market.fee_exponent,
        trade_ms=inputs.trade_ms,
    )


def _part(shares: Decimal, inputs: Inputs) -> Decimal:
    """The part of some shares that he sold of his, rounded down once, at the end: a third of 30 is 10."""
    sold, holding = inputs.size_micro, inputs.holding_micro
    if holding is None or holding <= sold:
        return shares
    return down(EXACT.divide(EXACT.multiply(shares, Decimal(sold)), Decimal(holding)), MICRO_USD)


def apply_close(order: OpenOrder, close: PaperClose) -> Closed:
    """Returns what a sale does to an open order: less than wanted is sold where less is open.

    The cost of sold shares is pro rata, half up to micro-USD; the last shares take what is left of it. The fee is taken from
    the proceeds and never exceeds them.
    """
    shares = min(close.shares, order.shares)
    gross = half_up(EXACT.multiply(shares, close.price), MICRO_USD)
    fee = min(taker_fee(shares, close.price, close.fee_rate, close.fee_exponent), gross)
    proceeds = EXACT.subtract(gross, fee)
    shares_left = EXACT.subtract(order.shares, shares)
    if shares_left > 0:
        released = half_up(EXACT.divide(EXACT.multiply(order.cost, shares), order.shares), MICRO_USD)
    else:
        released = order.cost
    pnl = EXACT.subtract(proceeds, released)
    cost_left = EXACT.subtract(order.cost, released)
    left = None
    if shares_left > 0:
        realized = EXACT.add(order.realized, pnl)
        left = attrs.evolve(order, shares=shares_left, cost=cost_left, realized=realized)
    closed = ClosedShares(
        order_id=order.order_id,
        wallet_id=order.wallet_id,
        shares=shares,
        proceeds=proceeds,
        cost_released=released,
        shares_left=max(shares_left, ZERO),
        cost_left=cost_left,
    )
    return Closed(order=left, shares=closed, pnl=pnl, fee=fee)
