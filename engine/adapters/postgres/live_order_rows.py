"""Rows of live orders, positions and balances as values, and the statements that lock and write them."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import asyncpg
import attrs

from protocols.live.exits import ExitKind, ExitStatus, LiveExit, Lot
from protocols.live.money import LiveBalance
from protocols.live.orders import LiveIntent, LiveOrder, OrderOrigin, OrderStatus, OrderType, Side, SignedOrder
from protocols.timestamps import utc_datetime

# What a claim is made of; times are epoch milliseconds.
INTENT_COLUMNS = """
    lt_order_id::text AS order_id, strategy_id, cause, attempt, part, origin, members, side, condition_id, token_id,
    token_label, market_title, market_slug, event_slug, ft_trader_wallet, ft_order_id::text AS ft_order_id,
    trim_scale(signal_price) AS signal_price, wanted_shares, wanted_usd, wanted_order_type,
    trim_scale(wanted_limit_price) AS wanted_limit_price, post_only,
    (extract(epoch FROM wanted_expires_at) * 1000)::bigint AS wanted_expires_ms,
    (extract(epoch FROM signal_at) * 1000)::bigint AS signal_ms,
    (extract(epoch FROM decided_at) * 1000)::bigint AS decided_ms
"""
ORDER_COLUMNS = (
    INTENT_COLUMNS
    + """,
    status, ended, order_hash, signed_body, account, order_type, trim_scale(limit_price) AS limit_price, size_shares, spend_usd,
    lock_usd, trim_scale(fee_rate) AS fee_rate, fee_exponent, negative_risk, venue_ended, venue_matched, filled_shares,
    filled_usd, fee_usd, shares_open, cost_open, realized_usd, not_found, reason, detail, version,
    (extract(epoch FROM signed_at) * 1000)::bigint AS signed_ms,
    (extract(epoch FROM not_found_at) * 1000)::bigint AS not_found_ms,
    (extract(epoch FROM placed_at) * 1000)::bigint AS placed_ms,
    (extract(epoch FROM ended_at) * 1000)::bigint AS ended_ms
"""
)
BALANCE_COLUMNS = tuple(field.name for field in attrs.fields(LiveBalance))
LISTED_BALANCE = ", ".join(BALANCE_COLUMNS)
LOCK_BALANCES = f"""
SELECT found.* FROM unnest($1::text[]) AS wanted (id) CROSS JOIN LATERAL (
    SELECT {LISTED_BALANCE} FROM lt_balances WHERE lt_balances.strategy_id = wanted.id LIMIT 1 FOR UPDATE
) AS found
"""  # noqa: S608
SAVE_BALANCES = """
UPDATE lt_balances AS old SET initial = new.initial, available = new.available, locked = new.locked,
    cooldown = new.cooldown, realized_pnl = new.realized_pnl, drift = new.drift, peak_equity = new.peak_equity,
    version = new.version
FROM unnest($1::text[], $2::numeric[], $3::numeric[], $4::numeric[], $5::numeric[], $6::numeric[], $7::numeric[],
    $8::numeric[], $9::bigint[])
    AS new (id, initial, available, locked, cooldown, realized_pnl, drift, peak_equity, version)
WHERE old.strategy_id = new.id
"""
LOT_COLUMNS = """
    lt_order_id::text AS order_id, strategy_id, ft_trader_wallet, condition_id, token_id, event_slug, shares_open, cost_open,
    (extract(epoch FROM signal_at) * 1000)::bigint AS signal_ms,
    (extract(epoch FROM coalesce(first_fill_at, signal_at)) * 1000)::bigint AS bought_ms
"""
EXIT_COLUMNS = """
    exit_id::text AS exit_id, strategy_id, cause, kind, condition_id, token_id, trader, trim_scale(share) AS share,
    trim_scale(signal_price) AS signal_price, status, target_shares, sold_shares, attempts, detail, slippage_pct,
    (extract(epoch FROM signal_at) * 1000)::bigint AS signal_ms,
    (extract(epoch FROM created_at) * 1000)::bigint AS created_ms,
    (extract(epoch FROM deadline_at) * 1000)::bigint AS deadline_ms,
    (extract(epoch FROM next_try_at) * 1000)::bigint AS next_try_ms
"""


def intent_of(row: asyncpg.Record, inputs: str | None = None) -> LiveIntent:
    """Returns the claim in a row that has `INTENT_COLUMNS`."""
    wanted_type = row["wanted_order_type"]
    return LiveIntent(
        order_id=row["order_id"],
        strategy_id=row["strategy_id"],
        cause=row["cause"],
        attempt=row["attempt"],
        origin=OrderOrigin(row["origin"]),
        part=row["part"],
        members=tuple(row["members"]),
        side=Side(row["side"]),
        condition_id=row["condition_id"],
        token_id=row["token_id"],
        outcome=row["token_label"],
        market_title=row["market_title"],
        market_slug=row["market_slug"],
        event_slug=row["event_slug"],
        trader=row["ft_trader_wallet"],
        ft_order_id=row["ft_order_id"],
        signal_price=row["signal_price"],
        signal_ms=row["signal_ms"],
        decided_ms=row["decided_ms"],
        wanted_shares=row["wanted_shares"],
        wanted_usd=row["wanted_usd"],
        order_type=None if wanted_type is None else OrderType(wanted_type),
        limit_price=row["wanted_limit_price"],
        expires_ms=row["wanted_expires_ms"],
        post_only=row["post_only"],
        inputs=inputs,
    )


def order_of(row: asyncpg.Record) -> LiveOrder:
    """Returns the order in a row that has `ORDER_COLUMNS`."""
    return LiveOrder(
        intent=intent_of(row),
        status=OrderStatus(row["status"]),
        ended=row["ended"],
        signed=None if row["order_hash"] is None else _signed_of(row),
        venue_ended=row["venue_ended"],
        venue_matched=row["venue_matched"],
        filled_shares=row["filled_shares"],
        filled_usd=row["filled_usd"],
        fee_usd=row["fee_usd"],
        shares_open=row["shares_open"],
        cost_open=row["cost_open"],
        realized_usd=row["realized_usd"],
        not_found=row["not_found"],
        not_found_ms=row["not_found_ms"],
        reason=row["reason"],
        detail=row["detail"],
        placed_ms=row["placed_ms"],
        ended_ms=row["ended_ms"],
        version=row["version"],
    )


def _signed_of(row: asyncpg.Record) -> SignedOrder:
    return SignedOrder(
        order_hash=row["order_hash"],
        body=row["signed_body"],
        account=row["account"],
        order_type=OrderType(row["order_type"]),
        limit_price=row["limit_price"],
        size_shares=row["size_shares"],
        spend_usd=row["spend_usd"],
        lock_usd=row["lock_usd"],
        fee_rate=row["fee_rate"],
        fee_exponent=row["fee_exponent"],
        negative_risk=row["negative_risk"],
        signed_ms=row["signed_ms"],
    )


def lot_of(row: asyncpg.Record) -> Lot:
    """Returns the open position in a row that has `LOT_COLUMNS`."""
    return Lot(
        order_id=row["order_id"],
        strategy_id=row["strategy_id"],
        trader=row["ft_trader_wallet"],
        condition_id=row["condition_id"],
        token_id=row["token_id"],
        signal_ms=row["signal_ms"],
        bought_ms=row["bought_ms"],
        shares=row["shares_open"],
        cost=row["cost_open"],
        event_slug=row["event_slug"],
    )


def exit_of(row: asyncpg.Record) -> LiveExit:
    """Returns the obligation in a row that has `EXIT_COLUMNS`."""
    return LiveExit(**{**row, "kind": ExitKind(row["kind"]), "status": ExitStatus(row["status"])})


def balance_of(row: asyncpg.Record, prefix: str = "") -> LiveBalance:
    """Returns the balance in a row that has its columns, each with a prefix."""
    return LiveBalance(**{name: row[prefix + name] for name in BALANCE_COLUMNS})


async def lock_balances(raw: asyncpg.Connection, strategy_ids: Iterable[str]) -> dict[str, LiveBalance]:
    """Returns balances, locked to the end of the transaction; an order by hand has none."""
    rows = await raw.fetch(LOCK_BALANCES, sorted(set(strategy_ids)))
    return {row["strategy_id"]: balance_of(row) for row in rows}


async def save_balances(raw: asyncpg.Connection, balances: Sequence[LiveBalance]) -> None:
    """Writes balances that are locked."""
    if balances:
        await raw.execute(SAVE_BALANCES, *balance_columns(balances))


def balance_columns(balances: Sequence[LiveBalance]) -> list[list[Any]]:
    """Returns the values of `SAVE_BALANCES`."""
    return [[getattr(one, name) for one in balances] for name in BALANCE_COLUMNS]


def time_or_none(at_ms: int | None) -> Any:
    """Returns a time for the database."""
    return None if at_ms is None else utc_datetime(at_ms)


def columns(rows: Sequence[Sequence[Any]], count: int) -> list[list[Any]]:
    """Returns rows as columns for `unnest`, also when there are none."""
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(count)]


def nothing_below(value: Decimal) -> Decimal:
    """Returns a value that rounding may have brought below zero as zero."""
    return max(value, Decimal(0))


Rows = Mapping[str, asyncpg.Record]
