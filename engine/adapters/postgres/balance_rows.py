"""Rows of virtual money: balances and open orders as values, and the statements that write them back.

Whoever writes holds the row of the ingest lease, so that writers come one after another and never wait for each other's
balances.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import asyncpg
import attrs

from protocols.paper import Balance, OpenOrder

BALANCE_COLUMNS = tuple(field.name for field in attrs.fields(Balance))
_COUNTS = frozenset({"orders", "open_orders", "won", "lost", "sold", "void"})
_TYPES = {name: "bigint" if name in _COUNTS else "numeric" for name in BALANCE_COLUMNS}
_LISTED = ", ".join(BALANCE_COLUMNS)
_KEPT = [name for name in BALANCE_COLUMNS if name != "starting"]
BALANCES = f"SELECT wallet_id, {_LISTED} FROM ft_balances WHERE wallet_id = ANY ($1::text[]) ORDER BY wallet_id"  # noqa: S608
LOCK_BALANCES = BALANCES + " FOR UPDATE"
# The columns are the fields of `Balance`; no value stands in the text.
SAVE_BALANCES = f"""
UPDATE ft_balances AS old SET {", ".join(f"{name} = new.{name}" for name in _KEPT)}
FROM unnest($1::text[], {", ".join(f"${n}::{_TYPES[name]}[]" for n, name in enumerate(_KEPT, 2))})
    AS new (wallet_id, {", ".join(_KEPT)})
WHERE old.wallet_id = new.wallet_id
"""  # noqa: S608
ADD_DAILY = """
INSERT INTO ft_daily_stats AS old (wallet_id, day, won, lost, sold, void, pnl)
SELECT wallet_id, (coalesce(at, now()) AT TIME ZONE 'UTC')::date, sum((outcome = 'WON')::integer),
    sum((outcome = 'LOST')::integer), sum((outcome = 'SOLD')::integer), sum((outcome = 'VOID')::integer), sum(pnl)
FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::numeric[]) AS new (wallet_id, at, outcome, pnl)
GROUP BY 1, 2 ORDER BY 1, 2
ON CONFLICT (wallet_id, day) DO UPDATE SET
    won = old.won + excluded.won, lost = old.lost + excluded.lost, sold = old.sold + excluded.sold,
    void = old.void + excluded.void, pnl = old.pnl + excluded.pnl
"""
OPEN_ORDER_COLUMNS = """
    order_id::text AS order_id, wallet_id, trader_address AS trader, condition_id, token_id,
    (extract(epoch FROM order_time) * 1000)::bigint AS trade_ms, trim_scale(entry_price) AS entry_price,
    shares_open AS shares, cost_open AS cost, pnl AS realized, event_slug
"""


def shifted(statement: str, by: int) -> str:
    """Returns a statement whose parameters come after `by` others, to be part of a larger one."""
    return re.sub(r"\$(\d+)", lambda found: f"${int(found[1]) + by}", statement)


def open_order(record: asyncpg.Record) -> OpenOrder:
    """Returns the open order in a record that has `OPEN_ORDER_COLUMNS`."""
    return OpenOrder(
        order_id=record["order_id"],
        wallet_id=record["wallet_id"],
        trader=record["trader"],
        condition_id=record["condition_id"],
        token_id=record["token_id"],
        trade_ms=record["trade_ms"],
        entry_price=record["entry_price"],
        shares=record["shares"],
        cost=record["cost"],
        realized=record["realized"],
        event_slug=record["event_slug"],
    )


def balance_of(record: asyncpg.Record, prefix: str = "") -> Balance:
    """Returns the balance in a record that has its columns, each with a prefix."""
    return Balance(**{name: record[prefix + name] for name in BALANCE_COLUMNS})


async def lock_balances(raw: asyncpg.Connection, wallet_ids: Iterable[str]) -> dict[str, Balance]:
    """Returns balances, locked to the end of the transaction."""
    rows = await raw.fetch(LOCK_BALANCES, sorted(set(wallet_ids)))
    return {row["wallet_id"]: balance_of(row) for row in rows}


async def save_balances(raw: asyncpg.Connection, balances: Mapping[str, Balance]) -> None:
    """Writes balances that are locked."""
    await raw.execute(SAVE_BALANCES, *balance_values(balances))


def balance_values(balances: Mapping[str, Balance]) -> list[list[Any]]:
    """Returns the parameters of `SAVE_BALANCES`."""
    return [list(balances), *([getattr(balance, name) for balance in balances.values()] for name in _KEPT)]


async def add_daily(raw: asyncpg.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Adds to the figures of days: wallet id, time or None for now, outcome or OPEN for a partial sale, pnl in USD."""
    if rows:
        await raw.execute(ADD_DAILY, *(list(column) for column in zip(*rows, strict=True)))
