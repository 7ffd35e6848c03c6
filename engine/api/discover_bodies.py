"""What the lists of discovery answer."""

from datetime import date, datetime
from decimal import Decimal

from engine.api.route import Struct
from protocols.discover import ActiveRow, BigTrade, ConsistentRow, CopiedRow, CopyableRow, LeaderRow, WinnerRow


class LeaderPage(Struct):
    """Places of the leaderboard, the highest figure first; whoever lacks it is not there."""

    traders: list[LeaderRow]
    sparkline_to: date
    """The last of the 14 UTC days of each sparkline."""
    next_cursor: str | None


class WinnerPage(Struct):
    """Traders with a profit within the window."""

    window: str
    traders: list[WinnerRow]
    next_cursor: str | None


class ActivePage(Struct):
    """Traders by their trades within the 24 hours before `until`."""

    until: datetime
    """The pages of one walk count the same 24 hours."""
    traders: list[ActiveRow]
    next_cursor: str | None


class ConsistentPage(Struct):
    """Traders by their share of winning days."""

    traders: list[ConsistentRow]
    next_cursor: str | None


class CopiedPage(Struct):
    """Traders by how many copy them."""

    traders: list[CopiedRow]
    next_cursor: str | None


class CopyablePage(Struct):
    """Traders by what copying them would have made; who lacks the evidence is not there."""

    traders: list[CopyableRow]
    next_cursor: str | None


class BigTradePage(Struct):
    """Trades of the hour before `until`, the largest first."""

    until: datetime
    trades: list[BigTrade]
    next_cursor: str | None


class Discovery(Struct):
    """The top of each list; its cursor goes on in the list itself."""

    leaderboard: LeaderPage
    biggest_winners: WinnerPage
    most_active: ActivePage
    most_consistent: ConsistentPage
    most_copied: CopiedPage
    most_copyable: CopyablePage
    big_trades: BigTradePage


def copyable_key(sort: str, row: CopyableRow) -> Decimal:
    """Returns the figure that a row of the most copyable is sorted by."""
    figure = {"low": row.low, "net": row.net_return, "capacity": row.capacity_usd}[sort]
    assert figure is not None, "rows without the figure are not in the list"
    return figure


def leader_key(sort: str, row: LeaderRow) -> Decimal:
    """Returns the figure that a row of the leaderboard is sorted by."""
    figure = {"pnl": row.pnl, "volume": row.volume, "roi": row.roi, "winRate": row.win_rate}[sort]
    assert figure is not None, "rows without the figure are not in the list"
    return figure
