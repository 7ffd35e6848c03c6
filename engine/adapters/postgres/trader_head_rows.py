"""The head of a trader's profile in the rows of its statements."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import asyncpg

from actors.rules.exact import EXACT, MICRO_USD, half_even
from protocols.traders import (
    WINDOWS,
    ClosedRecord,
    CopiedBy,
    Freshness,
    Leaderboard,
    OpenTotals,
    PnlWindow,
    Rankings,
    TradeRecord,
    TradeRecords,
    TraderHead,
)


def head_of(
    wallet: str,
    row: asyncpg.Record,
    *,
    records: TradeRecords | None,
    records_at: datetime | None,
    windows: Sequence[PnlWindow],
    copied: tuple[Sequence[CopiedBy], int],
    totals: OpenTotals,
) -> TraderHead:
    """Returns the head in a row of `HEAD` and what the other statements found."""
    return TraderHead(
        wallet=wallet,
        name=row["name"],
        image=row["image"],
        followers=row["followers"],
        is_followed=row["is_followed"],
        is_target=row["is_target"],
        leaderboard=_leaderboard(row),
        windows=windows,
        rankings=_rankings(row),
        records=records,
        closed=_closed(row),
        markets_traded=row["markets_traded"],
        active_days=row["active_days"],
        last_trade_at=row["last_trade_at"],
        copied_by=copied[0],
        copied_by_count=copied[1],
        open=totals,
        fresh=Freshness(
            leaderboard=row["leaderboard_at"],
            rankings=row["computed_at"],
            records=records_at,
            positions=row["last_position_check_at"],
            trades=row["trades_seen_at"],
            closed=row["last_backfilled_at"],
            daily=row["daily_at"],
        ),
    )


def windows_of(rows: Sequence[asyncpg.Record]) -> list[PnlWindow]:
    """Returns every window, with nothing in it where there is no row."""
    found = {row["window_key"]: row for row in rows}
    return [_window(key, found.get(key), found.get(f"{key}_PREV")) for key in WINDOWS]


def records_of(row: asyncpg.Record | None) -> TradeRecords | None:
    """Returns the record in a row of `trader_global_stats`."""
    if row is None:
        return None
    return TradeRecords(d7=_record(row, "d7"), d30=_record(row, "d30"), lifetime=_record(row, "l"))


def copied_rows(rows: Sequence[asyncpg.Record]) -> tuple[list[CopiedBy], int]:
    """Returns the first strategies that copy, and how many there are."""
    listed = [
        CopiedBy(wallet_id=row["wallet_id"], target_mode=row["target_mode"], is_live=row["is_live"]) for row in rows
    ]
    return listed, rows[0]["copying"] if rows else 0


def _window(key: str, row: asyncpg.Record | None, previous: asyncpg.Record | None) -> PnlWindow:
    return PnlWindow(
        window=key,
        pnl=None if row is None else row["pnl_sum"],
        rank=None if row is None else row["rank"],
        total_traders=None if row is None else row["total_traders"],
        first_day=None if row is None else row["window_start"],
        last_day=None if row is None else row["window_end"],
        previous_pnl=None if previous is None else previous["pnl_sum"],
        previous_rank=None if previous is None else previous["rank"],
    )


def _leaderboard(row: asyncpg.Record) -> Leaderboard | None:
    if row["known"] is None:
        return None
    return Leaderboard(
        rank=row["rank"],
        rank_volume=row["rank_volume"],
        pnl=row["pnl"],
        volume=row["volume"],
        roi=row["roi"],
        win_rate=row["win_rate"],
        total_trades=row["total_trades"],
    )


def _rankings(row: asyncpg.Record) -> Rankings | None:
    if row["anchor_date"] is None:
        return None
    return Rankings(
        anchor_date=row["anchor_date"],
        wallets=row["wallets"],
        wallets_failed=row["wallets_failed"],
        is_complete=row["wallets_failed"] + row["wallets_waiting"] == 0,
    )


def _closed(row: asyncpg.Record) -> ClosedRecord | None:
    if row["days_known"] == 0:
        return None
    closed, won = row["closed"], row["won"]
    rate = half_even(EXACT.divide(Decimal(won), Decimal(closed)), MICRO_USD) if closed else None
    return ClosedRecord(closed=closed, won=won, win_rate=rate)


def _record(row: asyncpg.Record, prefix: str) -> TradeRecord:
    roi_pct: Decimal | None = row[f"{prefix}_total_roi_pct"]
    return TradeRecord(
        win_rate=row[f"{prefix}_win_rate"],
        resolved_count=row[f"{prefix}_resolved_count"],
        trade_count=row[f"{prefix}_count"],
        avg_trade_usd=row[f"{prefix}_avg_trade_size_usd"],
        roi=None if roi_pct is None else EXACT.divide(roi_pct, Decimal(100)),
    )
