"""Rows of traders as pollers and jobs leave them, in a database that tests of profiles and lists read."""

import itertools
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import attrs

from engine.adapters.postgres.database import RunsWork

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
NOW_MS = round(NOW.timestamp() * 1000)
TODAY = date(2026, 6, 1)
SNAPSHOTS = itertools.count(1)


def wallet(number: int) -> str:
    return f"0x{number:040x}"


def condition(number: int) -> str:
    return f"0x{number:064x}"


class StillClock:
    """It is NOW."""

    def now_ms(self) -> int:
        return NOW_MS


@attrs.define(eq=False)
class ProfileWorld:
    connection: RunsWork

    async def run(self, statement: str, *arguments: Any) -> Any:
        return await self.connection.run(lambda raw: raw.fetch(statement, *arguments))

    async def put(self, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Inserts rows that all have the same columns; the others get their defaults."""
        listed = list(rows)
        if listed:
            columns = ", ".join(listed[0])
            await self.run(
                f"INSERT INTO {table} ({columns}) SELECT {columns} FROM jsonb_populate_recordset(NULL::{table}, $1::jsonb)",
                json.dumps(listed, default=str),
            )

    async def user(self, name: str, user_id: str | None = None) -> str:
        if user_id is not None:
            await self.put("profiles", [{"id": user_id, "user_name": name}])
        else:
            await self.put("profiles", [{"user_name": name}])
        [row] = await self.run("SELECT id::text FROM profiles WHERE user_name = $1", name)
        return str(row["id"])


def trade(trade_id: str, of: str, *, age_s: float = 0, **changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "trade_id": trade_id, "lane": 1, "trader_wallet": of, "transaction_hash": "0xh", "asset": "7",
        "condition_id": condition(1), "side": "BUY", "size": "10", "price": "0.5",
        "trade_timestamp": NOW - timedelta(seconds=age_s), "trader_name": None, "trader_image": None, "market_title": None,
        "raw": {},
    }  # fmt: skip
    assert changes.keys() <= made.keys()
    return made | changes


def held(of: str, token: str, **changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "wallet_address": of, "token_id": token, "condition_id": condition(1), "outcome": None, "size": "10",
        "avg_price": None, "cost_usd": None, "current_price": None, "value_usd": None, "realized_pnl": None,
        "redeemable": False, "mergeable": False, "market_title": None, "end_date": None,
        "opened_at": NOW - timedelta(days=1), "opened_snapshot": 1, "last_seen_at": NOW - timedelta(seconds=90),
    }  # fmt: skip
    assert changes.keys() <= made.keys()
    return made | changes


def told_closed(of: str, token: str, **changes: Any) -> dict[str, Any]:
    """As the venue lists it."""
    made: dict[str, Any] = {
        "wallet_address": of, "token_id": token, "condition_id": condition(1), "outcome": None, "market_title": None,
        "bought_shares": "10", "avg_price": None, "realized_pnl": "1", "closed_at": NOW - timedelta(days=2),
        "is_unredeemed_loss": False,
    }  # fmt: skip
    assert changes.keys() <= made.keys()
    return made | changes


def seen_closed(of: str, token: str, **changes: Any) -> dict[str, Any]:
    """As the poller saw it end."""
    made: dict[str, Any] = {
        "wallet_address": of, "token_id": token, "condition_id": condition(1), "outcome": None,
        "closed_reason": "manual_close", "size": "10", "avg_price": None, "realized_pnl": None, "market_title": None,
        "opened_at": NOW - timedelta(days=3), "opened_snapshot": next(SNAPSHOTS), "last_seen_at": NOW - timedelta(days=2),
        "closed_at": NOW - timedelta(days=2),
    }  # fmt: skip
    assert changes.keys() <= made.keys()
    return made | changes


def day_pnl(of: str, on: date, pnl: str, **changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "wallet_address": of, "date": on, "realized_pnl": pnl, "pnl_to_date": pnl, "closed_positions": 2,
        "won_positions": 1, "source": "test", "updated_at": NOW,
    }  # fmt: skip
    assert changes.keys() <= made.keys()
    return made | changes


def ranking(key: str, of: str, pnl: str, rank: int, total: int = 100) -> dict[str, Any]:
    return {
        "window_key": key, "wallet_address": of, "window_start": TODAY - timedelta(days=1), "window_end": TODAY,
        "pnl_sum": pnl, "rank": rank, "total_traders": total,
    }  # fmt: skip


def stats(of: str, **changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"wallet_address": of}
    for prefix in ("l", "d30", "d7"):
        made |= {
            f"{prefix}_win_rate": None, f"{prefix}_count": 0, f"{prefix}_resolved_count": 0,
            f"{prefix}_total_roi_pct": None, f"{prefix}_avg_trade_size_usd": None,
        }  # fmt: skip
    assert changes.keys() <= made.keys()
    return made | changes
