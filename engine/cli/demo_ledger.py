"""Whether real money adds up: the tables among themselves, and against the venue's own account. For the demo.

Everything is worked out again from the columns, without the code that wrote them (I1, I2).
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import asyncpg
import attrs

from engine.adapters.postgres.database import DatabaseOptions, once

ZERO = Decimal(0)
MICRO = Decimal("0.000001")
ROUNDING = Decimal("0.0001")
"""USD an order may differ: the venue rounds each match, ours is told price and shares."""
FIGURES = ("initial", "available", "locked", "cooldown", "realized_pnl", "drift")
STRATEGIES = """
SELECT b.strategy_id, b.initial, b.available, b.locked, b.cooldown, b.realized_pnl, b.drift,
    coalesce(l.initial, 0) AS l_initial, coalesce(l.available, 0) AS l_available, coalesce(l.locked, 0) AS l_locked,
    coalesce(l.cooldown, 0) AS l_cooldown, coalesce(l.realized, 0) AS l_realized_pnl, coalesce(l.drift, 0) AS l_drift,
    coalesce(q.waiting, 0) AS waiting
FROM lt_balances AS b
LEFT JOIN (
    SELECT strategy_id, sum(initial) AS initial, sum(available) AS available, sum(locked) AS locked,
        sum(cooldown) AS cooldown, sum(realized) AS realized, sum(drift) AS drift FROM lt_ledger GROUP BY strategy_id
) AS l USING (strategy_id)
LEFT JOIN (
    SELECT strategy_id, sum(amount) AS waiting FROM lt_cooldown_queue WHERE released_at IS NULL GROUP BY strategy_id
) AS q USING (strategy_id)
ORDER BY b.strategy_id
"""
ORDERS = """
SELECT o.strategy_id, o.cause, o.attempt, o.side, o.status, o.ended, o.order_hash, o.token_id, o.version, o.filled_shares,
    o.filled_usd, o.fee_usd, o.shares_open, o.cost_open, o.outcome, coalesce(f.shares, 0) AS fill_shares,
    coalesce(f.fee, 0) AS fill_fee, coalesce(f.unsettled, 0) AS unsettled, coalesce(s.sold, 0) AS sold
FROM lt_orders AS o
LEFT JOIN (
    SELECT lt_order_id, sum(shares) FILTER (WHERE status <> 'FAILED') AS shares,
        sum(fee_usd) FILTER (WHERE status <> 'FAILED') AS fee,
        count(*) FILTER (WHERE status NOT IN ('CONFIRMED', 'FAILED')) AS unsettled
    FROM lt_fills GROUP BY lt_order_id
) AS f USING (lt_order_id)
LEFT JOIN (
    SELECT lot_order_id, sum(shares) AS sold FROM lt_lot_sales WHERE NOT unwound GROUP BY lot_order_id
) AS s ON s.lot_order_id = o.lt_order_id
ORDER BY o.created_at, o.lt_order_id
"""
Row = Mapping[str, Any]


@attrs.frozen(kw_only=True)
class Standing:
    """How live trading stands."""

    problems: Sequence[str]
    """What does not add up, in words; empty: nothing."""
    filled: int
    """Orders of which something was bought or sold."""
    strategies: Mapping[str, Row]
    """Money and figures by strategy."""


async def standing_of(
    options: DatabaseOptions, account: Callable[[], Awaitable[dict[str, Any]]], start_usd: Decimal
) -> Standing:
    """Compares tables and venue. What moves in between is a problem too: then it is to be asked again.

    Raises `TransientError`.
    """
    strategies, orders = await _tables(options)
    venue = await account()
    _, after = await _tables(options)
    moved = [] if _versions(orders) == _versions(after) else ["orders are still moving"]
    return Standing(
        problems=[*moved, *problems_of(strategies, orders, venue, start_usd)],
        filled=sum(order["filled_shares"] > 0 for order in orders),
        strategies={row["strategy_id"]: _figures(row, orders) for row in strategies},
    )


def problems_of(
    strategies: Sequence[Row], orders: Sequence[Row], venue: dict[str, Any], start_usd: Decimal
) -> list[str]:
    """Returns what does not add up, in words: rows of `STRATEGIES` and `ORDERS` against the venue's account."""
    return [*_unrest(orders), *_books(strategies, orders), *_against(orders, venue, start_usd)]


async def _tables(options: DatabaseOptions) -> tuple[list[Row], list[Row]]:
    async def work(raw: asyncpg.Connection) -> tuple[list[Row], list[Row]]:
        async with raw.transaction(isolation="repeatable_read", readonly=True):
            strategies: list[Row] = [dict(row) for row in await raw.fetch(STRATEGIES)]
            orders: list[Row] = [dict(row) for row in await raw.fetch(ORDERS)]
        return strategies, orders

    return await once(options, "demo ledger", work)


def _versions(orders: Sequence[Row]) -> list[tuple[str, str, int, int]]:
    return [(order["strategy_id"], order["cause"], order["attempt"], order["version"]) for order in orders]


def _figures(row: Row, orders: Sequence[Row]) -> Row:
    mine = [order for order in orders if order["strategy_id"] == row["strategy_id"]]
    return {
        "orders": sum(order["order_hash"] is not None for order in mine),
        "filled": sum(order["filled_shares"] > 0 for order in mine),
        "open": sum(order["shares_open"] > 0 for order in mine),
        **{name: row[name] for name in FIGURES},
    }


def _unrest(orders: Sequence[Row]) -> list[str]:
    working, unsettled = sum(not order["ended"] for order in orders), sum(order["unsettled"] for order in orders)
    return [f"{working} orders have not ended, {unsettled} fills are not final"] if working or unsettled else []


def _books(strategies: Sequence[Row], orders: Sequence[Row]) -> list[str]:
    """Balance against ledger, queue and orders; orders against their fills and sales. At rest, locked is what is open."""
    found, locked = list[str](), dict[str, Decimal]()
    for order in orders:
        if order["side"] == "BUY":
            locked[order["strategy_id"]] = locked.get(order["strategy_id"], ZERO) + order["cost_open"]
        if (order["filled_shares"], order["fee_usd"]) != (order["fill_shares"], order["fill_fee"]):
            found.append(f"the order {order['order_hash']} is not the sum of its fills")
        held = order["filled_shares"] - order["sold"]
        if order["side"] == "BUY" and order["outcome"] in ("NONE", "OPEN", "SOLD") and order["shares_open"] != held:
            found.append(f"the order {order['order_hash']} has {order['shares_open']} open, not {held}")
    for row in strategies:
        name = row["strategy_id"]
        if row["available"] + row["locked"] + row["cooldown"] != row["initial"] + row["realized_pnl"] + row["drift"]:
            found.append(f"{name}: its money does not add up")
        found += [
            f"{name}: {figure} is {row[figure]}, its ledger says {row[f'l_{figure}']}"
            for figure in FIGURES
            if row[figure] != row[f"l_{figure}"]
        ]
        if row["locked"] != locked.get(name, ZERO):
            found.append(f"{name}: locked is {row['locked']}, its orders commit {locked.get(name, ZERO)}")
        if row["cooldown"] != row["waiting"]:
            found.append(f"{name}: cooldown is {row['cooldown']}, its queue has {row['waiting']}")
    return found


def _against(orders: Sequence[Row], venue: dict[str, Any], start_usd: Decimal) -> list[str]:
    """Journal, positions and cash against the venue's account. Nothing of a demo is redeemed: cash moves by trades alone."""
    journal = {order["order_hash"] for order in orders if order["order_hash"] is not None}
    found = [f"the venue has {one}, the journal has not" for one in venue["posts"] if one not in journal]
    found += [f"{one} was accepted {count} times" for one, count in venue["posts"].items() if count > 1]
    shares, cash = dict[str, Decimal](), start_usd
    for order in orders:
        sign = 1 if order["side"] == "BUY" else -1
        token_id = order["token_id"]
        shares[token_id] = shares.get(token_id, ZERO) + sign * order["filled_shares"]
        cash -= sign * order["filled_usd"] + order["fee_usd"]
    theirs = {token_id: Decimal(str(held)) for token_id, held in venue["positions"].items()}
    found += [
        f"{shares.get(token_id, ZERO)} shares of {token_id}, the venue has {theirs.get(token_id, ZERO)}"
        for token_id in sorted(shares.keys() | theirs.keys())
        if abs(shares.get(token_id, ZERO) - theirs.get(token_id, ZERO)) > MICRO
    ]
    spent = Decimal(str(venue["collateral_usd"]))
    if abs(cash - spent) > ROUNDING * max(1, len(orders)):
        found.append(f"cash should be {cash}, the venue has {spent}")
    return found
