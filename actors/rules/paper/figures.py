"""The figures of a strategy, from its running balance alone (domain.md §2.11)."""

from decimal import Decimal

import attrs

from actors.rules.exact import CENT, EXACT, ZERO, half_even, half_up
from protocols.paper import Balance
from protocols.strategies import StrategySettings

RATE_QUANTUM = Decimal("0.000001")
_HUNDRED = Decimal(100)
_HOUR_MS = Decimal(3_600_000)


@attrs.frozen(kw_only=True)
class Figures:
    """USD, ratios 0 to 1, percentages where the name says so. None: there is nothing to take it of."""

    cash: Decimal
    exposure: Decimal
    """Stakes and fees of open orders."""
    realized_pnl: Decimal
    """Of sales and settlements, fees included."""
    unrealized_pnl: Decimal | None
    """Open shares at current prices less their cost; None when a position has no price."""
    total_pnl: Decimal | None
    return_pct: Decimal | None
    """total_pnl / starting balance x 100, 2 decimals."""
    win_rate: Decimal | None
    """won / (won + lost); sold and void orders are neither."""
    avg_stake: Decimal | None
    sharpe: Decimal | None
    """Mean / standard deviation (n - 1) of the profit of orders that are no longer open; not annualised."""
    max_drawdown: Decimal
    """Largest fall of starting balance + realised profit below its highest, in the order of events."""
    max_drawdown_pct: Decimal
    """The largest such fall as a share of the peak it fell from, in per cent, 2 decimals."""
    open_orders: int
    won: int
    lost: int
    sold: int
    void: int
    orders: int


def figures_of(balance: Balance, unrealized_pnl: Decimal | None) -> Figures:
    """Returns the figures of a balance; `unrealized_pnl` comes from whoever knows current prices."""
    total = None if unrealized_pnl is None else balance.realized_pnl + unrealized_pnl
    decided = balance.won + balance.lost
    return Figures(
        cash=balance.cash,
        exposure=balance.open_cost,
        realized_pnl=balance.realized_pnl,
        unrealized_pnl=unrealized_pnl,
        total_pnl=total,
        return_pct=None if total is None else return_pct(total, balance.starting),
        win_rate=_quotient(Decimal(balance.won), decided, RATE_QUANTUM),
        avg_stake=_quotient(balance.stakes, balance.orders, CENT),
        sharpe=_sharpe(balance),
        max_drawdown=balance.max_drawdown,
        max_drawdown_pct=half_up(balance.max_drawdown_ratio * _HUNDRED, CENT),
        open_orders=balance.open_orders,
        won=balance.won,
        lost=balance.lost,
        sold=balance.sold,
        void=balance.void,
        orders=balance.orders,
    )


def return_pct(total_pnl: Decimal, starting: Decimal) -> Decimal:
    """Returns a profit in per cent of the starting balance, 2 decimals."""
    return half_up(EXACT.divide(total_pnl * _HUNDRED, starting), CENT)


def status_of(settings: StrategySettings, now_ms: int) -> str:
    """Returns PAUSED, SCHEDULED, ENDED or ACTIVE."""
    if not settings.is_active:
        return "PAUSED"
    if settings.start_date is not None and now_ms < settings.start_date:
        return "SCHEDULED"
    return "ENDED" if settings.end_date is not None and now_ms >= settings.end_date else "ACTIVE"


def hours_remaining(settings: StrategySettings, now_ms: int) -> Decimal | None:
    """Returns the hours until the end of a strategy, never negative, 2 decimals; None when it has no end."""
    if settings.end_date is None:
        return None
    return half_up(EXACT.divide(Decimal(max(0, settings.end_date - now_ms)), _HOUR_MS), CENT)


def _sharpe(balance: Balance) -> Decimal | None:
    count = balance.won + balance.lost + balance.sold + balance.void
    if count < 2:
        return None
    # Variance = (sum of squares - sum^2 / n) / (n - 1).
    squared = EXACT.multiply(balance.final_pnl_sum, balance.final_pnl_sum)
    spread = EXACT.subtract(EXACT.multiply(balance.final_pnl_squares, Decimal(count)), squared)
    variance = EXACT.divide(spread, Decimal(count * (count - 1)))
    if variance <= ZERO:
        return None
    mean = EXACT.divide(balance.final_pnl_sum, Decimal(count))
    return half_even(EXACT.divide(mean, EXACT.sqrt(variance)), RATE_QUANTUM)


def _quotient(value: Decimal, count: int, quantum: Decimal) -> Decimal | None:
    return half_even(EXACT.divide(value, Decimal(count)), quantum) if count else None
