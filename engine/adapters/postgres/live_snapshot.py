"""Everything that risk rules and recovery look at, in one reading."""

from collections.abc import Sequence
from datetime import timedelta

import asyncpg

from engine.adapters.postgres.live_order_rows import (
    EXIT_COLUMNS,
    INTENT_COLUMNS,
    LISTED_BALANCE,
    LOT_COLUMNS,
    ORDER_COLUMNS,
    balance_of,
    exit_of,
    intent_of,
    lot_of,
    order_of,
    time_or_none,
)
from protocols.live.money import DayFigures
from protocols.live.ports import LiveSnapshot

# $1 accounts.
BALANCES = f"SELECT {LISTED_BALANCE} FROM lt_balances WHERE live_account(strategy_id) = ANY ($1::text[])"  # noqa: S608
# The snapshot of a decision is what the stake is found from.
CLAIMS = f"""
SELECT {INTENT_COLUMNS}, (
    SELECT snapshot::text FROM decisions
    WHERE decisions.trade_id = lt_orders.cause AND decisions.part = lt_orders.part LIMIT 1
) AS inputs
FROM lt_orders WHERE NOT ended AND order_hash IS NULL AND account = ANY ($1::text[]) ORDER BY created_at, lt_order_id
"""  # noqa: S608
WORKING = f"""
SELECT {ORDER_COLUMNS} FROM lt_orders WHERE NOT ended AND order_hash IS NOT NULL AND account = ANY ($1::text[])
"""  # noqa: S608
LOTS = f"SELECT {LOT_COLUMNS} FROM lt_orders WHERE shares_open > 0 AND account = ANY ($1::text[])"  # noqa: S608
EXITS = f"""
SELECT {EXIT_COLUMNS} FROM lt_exits WHERE status = 'OPEN' AND live_account(strategy_id) = ANY ($1::text[]) ORDER BY created_at
"""  # noqa: S608
DAYS = """
SELECT strategy_id, spent_usd, lost_usd, pnl_usd FROM lt_daily WHERE day = $2 AND live_account(strategy_id) = ANY ($1::text[])
"""
# Bounded on both sides, or a generic plan would rather read every order.
ENTRIES = """
SELECT strategy_id, array_agg((extract(epoch FROM signed_at) * 1000)::bigint ORDER BY signed_at) AS times FROM lt_orders
WHERE signed_at > $2 AND signed_at <= $3 AND origin = 'copy' AND account = ANY ($1::text[]) GROUP BY strategy_id
"""
MINUTE = timedelta(minutes=1)


async def read_snapshot(raw: asyncpg.Connection, now_ms: int, accounts: Sequence[str]) -> LiveSnapshot:
    """Returns the state of some accounts as one transaction sees it."""
    now, theirs = time_or_none(now_ms), list(accounts)
    async with raw.transaction(isolation="repeatable_read", readonly=True):
        days = await raw.fetch(DAYS, theirs, now.date())
        entries = await raw.fetch(ENTRIES, theirs, now - MINUTE, now + MINUTE)
        return LiveSnapshot(
            balances=tuple(balance_of(row) for row in await raw.fetch(BALANCES, theirs)),
            claims=tuple(intent_of(row, row["inputs"]) for row in await raw.fetch(CLAIMS, theirs)),
            working=tuple(order_of(row) for row in await raw.fetch(WORKING, theirs)),
            lots=tuple(lot_of(row) for row in await raw.fetch(LOTS, theirs)),
            exits=tuple(exit_of(row) for row in await raw.fetch(EXITS, theirs)),
            days={
                row["strategy_id"]: DayFigures(
                    spent_usd=row["spent_usd"], lost_usd=row["lost_usd"], pnl_usd=row["pnl_usd"]
                )
                for row in days
            },
            entries_ms={row["strategy_id"]: tuple(row["times"]) for row in entries},
        )
