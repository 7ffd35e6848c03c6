"""How a balance changes. cash + open_cost = starting + realized_pnl before and after each change, exactly (I1)."""

from collections.abc import Sequence
from decimal import Decimal

import attrs

from actors.rules.exact import EXACT, ZERO, half_even
from actors.rules.paper.closing import Closed
from protocols.decisions import PaperOrder
from protocols.paper import Balance, SettledOrder

RATIO_QUANTUM = Decimal(1).scaleb(-12)


def opened(balance: Balance, orders: Sequence[PaperOrder]) -> Balance:
    """Returns the balance after orders were bought."""
    cost = sum((order.cost for order in orders), ZERO)
    return attrs.evolve(
        balance,
        cash=balance.cash - cost,
        open_cost=balance.open_cost + cost,
        fees=balance.fees + sum((order.fee for order in orders), ZERO),
        stakes=balance.stakes + sum((order.stake for order in orders), ZERO),
        orders=balance.orders + len(orders),
        open_orders=balance.open_orders + len(orders),
    )


def closed(balance: Balance, sale: Closed, *, realized_before: Decimal) -> Balance:
    """Returns the balance after a part of an order was sold; `realized_before` is what earlier sales of it earned.

    When nothing is left of the order it is final: sold.
    """
    after = attrs.evolve(
        balance,
        cash=balance.cash + sale.shares.proceeds,
        open_cost=balance.open_cost - sale.shares.cost_released,
        realized_pnl=balance.realized_pnl + sale.pnl,
        fees=balance.fees + sale.fee,
    )
    if sale.order is None:
        after = attrs.evolve(after, open_orders=after.open_orders - 1, sold=after.sold + 1)
        after = _final(after, realized_before + sale.pnl)
    return _with_drawdown(after)


def settled(balance: Balance, order: SettledOrder) -> Balance:
    """Returns the balance after a resolution closed what was left of an order."""
    after = attrs.evolve(
        balance,
        cash=balance.cash + order.payout,
        open_cost=balance.open_cost - order.cost_released,
        realized_pnl=balance.realized_pnl + order.payout - order.cost_released,
        open_orders=balance.open_orders - 1,
        won=balance.won + (order.outcome == "WON"),
        lost=balance.lost + (order.outcome == "LOST"),
        void=balance.void + (order.outcome == "VOID"),
    )
    return _with_drawdown(_final(after, order.pnl))


def _final(balance: Balance, pnl: Decimal) -> Balance:
    return attrs.evolve(
        balance,
        final_pnl_sum=balance.final_pnl_sum + pnl,
        final_pnl_squares=EXACT.fma(pnl, pnl, balance.final_pnl_squares),
    )


def _with_drawdown(balance: Balance) -> Balance:
    """Realised equity against its peak, in the order of events; the ratio is that of the peak it fell from."""
    equity = balance.starting + balance.realized_pnl
    peak = max(balance.peak_equity, equity)
    fall = peak - equity
    ratio = half_even(EXACT.divide(fall, peak), RATIO_QUANTUM) if peak > 0 else ZERO
    return attrs.evolve(
        balance,
        peak_equity=peak,
        max_drawdown=max(balance.max_drawdown, fall),
        max_drawdown_ratio=max(balance.max_drawdown_ratio, ratio),
    )
