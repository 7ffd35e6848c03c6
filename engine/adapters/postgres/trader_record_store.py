"""Records of traders, as strategies are judged by them."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal

import asyncpg
import attrs

from engine.adapters.postgres.database import RunsWork
from protocols.decisions import ProfileRecord, TraderRecord, WindowRecord

CHANGED_MAX = 5_000
# $1 wallets, or null for those that changed after $2: at most $3, the oldest changes first.
RECORDS = """
SELECT stats.*, (
    SELECT json_agg(json_build_array(final_niche, structure, bracket, resolved_count, win_rate::text)
        ORDER BY final_niche, structure, bracket)
    FROM trader_profile_stats WHERE trader_profile_stats.wallet_address = stats.wallet_address
) AS profiles
FROM trader_global_stats AS stats
"""
FIND = RECORDS + "WHERE wallet_address = ANY ($1::text[])"
CHANGED = RECORDS + "WHERE seq > $1 ORDER BY seq LIMIT $2"
NEWEST = "SELECT coalesce(max(seq), -1) FROM trader_global_stats"


@attrs.define(eq=False)
class PostgresTraderRecords:
    """`TraderRecords`."""

    connection: RunsWork
    changed_max: int = CHANGED_MAX

    async def find(self, wallets: Sequence[str]) -> Mapping[str, TraderRecord]:
        """Returns the records that there are, in one query. Raises `TransientError`."""
        rows = await self.connection.run(lambda raw: raw.fetch(FIND, list(wallets)))
        return {row["wallet_address"]: trader_record(row) for row in rows}

    async def changed_since(self, position: int) -> tuple[Mapping[str, TraderRecord], int]:
        """Returns records that changed after a position, and the position reached. Raises `TransientError`.

        A call returns a bounded number; the next one goes on. Position 0 only returns where that is now: -1 while there is
        no record at all, after which everything is a change.
        """
        if position == 0:
            newest: int = await self.connection.run(lambda raw: raw.fetchval(NEWEST))
            return {}, newest
        rows = await self.connection.run(lambda raw: raw.fetch(CHANGED, position, self.changed_max))
        records = {row["wallet_address"]: trader_record(row) for row in rows}
        return records, rows[-1]["seq"] if rows else position


def trader_record(row: asyncpg.Record) -> TraderRecord:
    """Returns the record in a row of `RECORDS`."""
    profiles = [] if row["profiles"] is None else json.loads(row["profiles"])
    return TraderRecord(
        lifetime=_window(row, "l"),
        d30=_window(row, "d30"),
        d7=_window(row, "d7"),
        profiles=tuple(
            ProfileRecord(
                niche=niche, structure=structure, bracket=bracket, resolved_count=count, win_rate=Decimal(win_rate)
            )
            for niche, structure, bracket, count, win_rate in profiles
        ),
    )


def _window(row: asyncpg.Record, prefix: str) -> WindowRecord:
    roi_pct: Decimal | None = row[f"{prefix}_total_roi_pct"]
    return WindowRecord(
        resolved_count=row[f"{prefix}_resolved_count"],
        win_rate=row[f"{prefix}_win_rate"],
        trade_count=row[f"{prefix}_count"],
        avg_trade_usd=row[f"{prefix}_avg_trade_size_usd"],
        roi=None if roi_pct is None else roi_pct / 100,
    )
