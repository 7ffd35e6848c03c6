"""What the routes that report on strategies answer. Money is USD, prices USD a share, rates 0 to 1, `…Pct` per cent."""

from datetime import datetime
from decimal import Decimal

from actors.rules.paper.figures import figures_of, hours_remaining, status_of
from config.strategy_settings import document_of
from engine.api.bot_bodies import SettingsDocument
from engine.api.route import Struct
from protocols.ft_reports import DayRow, NichePnl, OrderRow, PublicRow, RankRow, StrategyStanding
from protocols.ft_statistics import Snapshot


class WalletFigures(Struct):
    """A strategy and how it did."""

    wallet_id: str
    display_name: str
    owner: str
    version: int
    created_at: datetime
    status: str
    """PAUSED, SCHEDULED, ENDED or ACTIVE."""
    hours_remaining: Decimal | None
    """Null when it has no end."""
    starting_balance: Decimal
    cash: Decimal
    exposure: Decimal
    """Stakes and fees of open orders."""
    realized_pnl: Decimal
    unrealized_pnl: Decimal | None
    """Of open positions with a price; null when there are open ones and none of them has one."""
    unmarked_positions: int
    """Open positions without a price; they count at their cost."""
    total_pnl: Decimal | None
    return_pct: Decimal | None
    win_rate: Decimal | None
    """won / (won + lost)."""
    avg_stake: Decimal | None
    sharpe: Decimal | None
    """Mean / standard deviation of the profit of orders that ended; not annualised."""
    max_drawdown: Decimal
    max_drawdown_pct: Decimal
    orders: int
    open_orders: int
    won: int
    lost: int
    sold: int
    void: int
    trades_seen: int
    """BUY trades that it decided about; counted within a minute."""
    trades_skipped: int
    made_pct: Decimal | None
    """Trades that became orders, of those seen."""


class WalletPage(Struct):
    """Strategies in the order of their names."""

    wallets: list[WalletFigures]
    next_cursor: str | None


class WalletDetail(Struct):
    """One strategy in full."""

    wallet: WalletFigures
    settings: SettingsDocument
    open_positions: list[OrderRow]
    """The newest 200; `/api/ft/orders?outcome=OPEN` has all."""
    recent_trades: list[OrderRow]
    """The 50 that ended last."""
    daily: list[DayRow]
    """The last 90 days."""
    by_niche: list[NichePnl]
    """Of the 1,000 orders that ended last."""


class PublicPage(Struct):
    """What everybody may know of strategies, in the order of their names."""

    wallets: list[PublicRow]
    next_cursor: str | None


class OrderPage(Struct):
    """Orders, newest first."""

    orders: list[OrderRow]
    next_cursor: str | None


class DayPage(Struct):
    """Days, rising."""

    days: list[DayRow]
    next_cursor: str | None


class RankPage(Struct):
    """Places, the best first."""

    ranks: list[RankRow]
    next_cursor: str | None


class SnapshotAnswer(Struct):
    """A strategy's money at a moment."""

    snapshot_at: datetime
    starting_balance: Decimal
    cash: Decimal
    realized_pnl: Decimal
    unrealized_pnl: Decimal | None
    total_pnl: Decimal | None
    return_pct: Decimal | None
    open_exposure: Decimal
    total_trades: int
    open_positions: int
    unmarked_positions: int


class SnapshotPage(Struct):
    """Snapshots, the oldest first."""

    snapshots: list[SnapshotAnswer]
    next_cursor: str | None


def wallet_figures(standing: StrategyStanding, now_ms: int) -> WalletFigures:
    """Returns a strategy and how it did."""
    strategy, balance = standing.strategy, standing.balance
    figures = figures_of(balance, standing.unrealized_pnl)
    seen, taken = standing.trades_seen, standing.trades_taken
    return WalletFigures(
        wallet_id=strategy.wallet_id,
        display_name=strategy.settings.display_name,
        owner=standing.owner_name,
        version=strategy.version,
        created_at=standing.created_at,
        status=status_of(strategy.settings, now_ms),
        hours_remaining=hours_remaining(strategy.settings, now_ms),
        starting_balance=balance.starting,
        cash=figures.cash,
        exposure=figures.exposure,
        realized_pnl=figures.realized_pnl,
        unrealized_pnl=figures.unrealized_pnl,
        unmarked_positions=standing.unmarked_positions,
        total_pnl=figures.total_pnl,
        return_pct=figures.return_pct,
        win_rate=figures.win_rate,
        avg_stake=figures.avg_stake,
        sharpe=figures.sharpe,
        max_drawdown=figures.max_drawdown,
        max_drawdown_pct=figures.max_drawdown_pct,
        orders=figures.orders,
        open_orders=figures.open_orders,
        won=figures.won,
        lost=figures.lost,
        sold=figures.sold,
        void=figures.void,
        trades_seen=seen,
        trades_skipped=seen - taken,
        made_pct=round(Decimal(100 * taken) / seen, 2) if seen else None,
    )


def settings_document(standing: StrategyStanding) -> SettingsDocument:
    """Returns every setting by its name."""
    return document_of(standing.strategy.settings)


def snapshot_answer(snapshot: Snapshot) -> SnapshotAnswer:
    """Returns a snapshot as it is shown."""
    return SnapshotAnswer(**{name: getattr(snapshot, name) for name in SnapshotAnswer.__struct_fields__})
