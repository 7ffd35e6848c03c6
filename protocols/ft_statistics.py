"""Ports of the jobs that count: records of traders, reasons of decisions, hourly snapshots of strategies.

Every method is one short transaction that proves the job's lease and moves its own cursor, so that whatever a crash
interrupts is counted once. All of them raise `TransientError`, and `FencedError` when the lease is lost.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

import attrs

from protocols.jobs import JobLease


@attrs.frozen(kw_only=True)
class Counted:
    """What one transaction looked at."""

    rows: int
    """Rows of the source."""
    at_end: bool
    """There was no more when it began."""


@attrs.frozen(kw_only=True)
class SettledBuys:
    """What one transaction moved from open to resolved."""

    trades: int
    """BUY trades."""
    market_after: str | None
    """Where the next one goes on; None at the end."""


class TraderStatsStore(Protocol):
    """Records of traders, by what was counted since the last time."""

    async def count_trades(self, lease: JobLease, *, rows_max: int) -> Counted:
        """Counts the next trades in the order of their commits."""
        ...

    async def settle_buys(self, lease: JobLease, *, now_ms: int, market_after: str, rows_max: int) -> SettledBuys:
        """Moves BUY trades of resolved markets, in the order of markets."""
        ...

    async def move_windows(self, lease: JobLease, *, now_ms: int) -> int:
        """Returns the traders whose windows lost a day since the last call; their figures are due."""
        ...

    async def refresh(self, lease: JobLease, *, wallets_max: int) -> int:
        """Computes figures that are due, and returns of how many traders; fewer than `wallets_max`: none is left."""
        ...


class ReasonCountStore(Protocol):
    """How often strategies decided what."""

    async def count_reasons(self, lease: JobLease, *, rows_max: int) -> Counted:
        """Counts the next decisions in the order of their commits."""
        ...


@attrs.frozen(kw_only=True)
class SnapshotBatch:
    """What one transaction wrote."""

    written: int
    """Snapshots that were not there."""
    wallet_after: str | None
    """Where the next one goes on; None at the end."""


class SnapshotStore(Protocol):
    """Hourly snapshots."""

    async def write_hour(self, lease: JobLease, *, hour_ms: int, wallet_after: str, wallets_max: int) -> SnapshotBatch:
        """Writes the snapshots of an hour in the order of strategies; one that is there stays as it is."""
        ...


@attrs.frozen(kw_only=True)
class OpenToken:
    """A token of which a strategy holds some."""

    condition_id: str
    token_id: str
    outcome_index: int | None
    """Its place among the market's outcomes; None when the market is not known."""


@attrs.frozen(kw_only=True)
class Snapshot:
    """A strategy's money at a moment, USD."""

    snapshot_at: datetime
    starting_balance: Decimal
    cash: Decimal
    realized_pnl: Decimal
    unrealized_pnl: Decimal | None
    """Of the open positions that have a price; None when there are open ones and none of them has one."""
    total_pnl: Decimal | None
    return_pct: Decimal | None
    open_exposure: Decimal
    """Cost of what is open."""
    total_trades: int
    open_positions: int
    unmarked_positions: int
    """Open positions without a price: they count at their cost."""


class SnapshotReports(Protocol):
    """Snapshots as users read and ask for them. All methods raise `TransientError`."""

    async def open_tokens(self, wallet_id: str) -> Sequence[OpenToken]:
        """Returns the tokens of open positions."""
        ...

    async def write_now(self, wallet_id: str, *, now_ms: int, prices: Mapping[str, Decimal]) -> Snapshot | None:
        """Writes a snapshot with these prices by token, and returns it; None when there is no such strategy."""
        ...

    async def page(self, wallet_id: str, *, from_ms: int, to_ms: int, after_us: int, rows_max: int) -> list[Snapshot]:
        """Returns snapshots from the oldest on, later than `after_us` (microseconds since the epoch)."""
        ...
