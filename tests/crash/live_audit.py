"""What has to be true of real money, whatever happened: looked up in the tables and at the venue, without the engine's code."""

from collections import Counter
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import asyncpg

from engine.adapters.postgres.database import DatabaseOptions, once

# I2: what open shares cost, and what working rests may still cost. Written out again, from the columns alone.
LOCKED = """
SELECT strategy_id, sum(cost_open) + sum(CASE
    WHEN ended OR side = 'SELL' OR order_hash IS NULL THEN 0
    ELSE least(
        CASE WHEN spend_usd IS NOT NULL THEN greatest(0, lock_usd - filled_usd - fee_usd)
            ELSE ceil(lock_usd * greatest(0, size_shares - filled_shares) / size_shares * 1000000) / 1000000 END,
        CASE WHEN venue_ended
            THEN ceil(lock_usd * least(size_shares, greatest(0, venue_matched - filled_shares)) / size_shares * 1e6) / 1e6
            ELSE lock_usd END
    ) END) AS locked
FROM lt_orders WHERE NOT is_manual GROUP BY strategy_id
"""
BALANCES = "SELECT * FROM lt_balances"
LEDGER = """
SELECT strategy_id, sum(initial) AS initial, sum(available) AS available, sum(locked) AS locked, sum(cooldown) AS cooldown,
    sum(realized) AS realized, sum(drift) AS drift FROM lt_ledger GROUP BY strategy_id
"""
COOLING = (
    "SELECT strategy_id, sum(amount) AS waiting FROM lt_cooldown_queue WHERE released_at IS NULL GROUP BY strategy_id"
)
FILLS = """
SELECT lt_order_id, sum(shares) AS shares, sum(fee_usd) AS fee FROM lt_fills WHERE status <> 'FAILED' GROUP BY lt_order_id
"""
ORDERS = "SELECT * FROM lt_orders"
TWICE = """
SELECT strategy_id, cause FROM lt_orders WHERE origin = 'copy' AND order_hash IS NOT NULL
GROUP BY strategy_id, cause HAVING count(*) > 1
"""
SOLD = """
SELECT lot_order_id, sum(shares) AS shares FROM lt_lot_sales WHERE NOT unwound GROUP BY lot_order_id
"""
# Each strategy and each purchase of whom it copies: how many decisions speak of both.
DECIDED = """
SELECT trades.trade_id, trades.source, trades.ingested_at, wallets.number, (
    SELECT count(*) FROM decisions WHERE decisions.trade_id = trades.trade_id AND wallets.number = ANY (strategies)
) AS times
FROM trades_public AS trades CROSS JOIN ft_wallets AS wallets WHERE trades.lane = 0 AND trades.side = 'BUY'
"""


async def audit(options: DatabaseOptions) -> list[asyncpg.Record]:
    """Returns all orders. Raises `AssertionError` when money does not add up."""

    async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
        async with raw.transaction(isolation="repeatable_read"):
            locked = {row["strategy_id"]: row["locked"] for row in await raw.fetch(LOCKED)}
            ledger = {row["strategy_id"]: row for row in await raw.fetch(LEDGER)}
            cooling = {row["strategy_id"]: row["waiting"] for row in await raw.fetch(COOLING)}
            for row in await raw.fetch(BALANCES):
                _check_balance(row, ledger[row["strategy_id"]], locked, cooling)
            fills = {row["lt_order_id"]: row for row in await raw.fetch(FILLS)}
            sold = {row["lot_order_id"]: row["shares"] for row in await raw.fetch(SOLD)}
            orders = await raw.fetch(ORDERS)
            for order in orders:
                _check_order(order, fills.get(order["lt_order_id"]), sold.get(order["lt_order_id"], Decimal(0)))
            assert not await raw.fetch(TWICE), "a trade was copied by two orders"
            return list(orders)

    return await once(options, "live audit", work)


def _check_balance(row: Any, ledger: Any, locked: dict[str, Decimal], cooling: dict[str, Decimal]) -> None:
    assert row["available"] + row["locked"] + row["cooldown"] == row["initial"] + row["realized_pnl"] + row["drift"]
    for bucket in ("initial", "available", "locked", "cooldown", "drift"):
        assert row[bucket] >= 0, bucket
        assert row[bucket] == ledger[bucket], f"{bucket} is not the sum of its ledger"
    assert row["realized_pnl"] == ledger["realized"]
    assert row["locked"] == locked.get(row["strategy_id"], 0), "locked is not what orders commit"
    assert row["cooldown"] == cooling.get(row["strategy_id"], 0)


def _check_order(order: Any, fills: Any, sold: Decimal) -> None:
    assert order["filled_shares"] == (fills["shares"] if fills else 0), order
    assert order["fee_usd"] == (fills["fee"] if fills else 0)
    if order["side"] == "BUY" and order["outcome"] in ("NONE", "OPEN", "SOLD"):
        assert order["shares_open"] == order["filled_shares"] - sold, order


async def undecided(fetch: Callable[[str], Awaitable[list[Any]]]) -> list[Any]:
    """Returns strategies and purchases of which nothing was decided. Raises when something was decided twice."""
    rows = await fetch(DECIDED)
    assert all(row["times"] <= 1 for row in rows), "a strategy has decided twice about a trade"
    return [row for row in rows if not row["times"]]


def audit_venue(orders: list[asyncpg.Record], account: dict[str, Any]) -> Counter[str]:
    """Compares journal and venue. Raises `AssertionError` for an order that the journal does not have, or sent twice."""
    journal = {order["order_hash"]: order for order in orders if order["order_hash"] is not None}
    accepted = [order["id"] for order in account["orders"]]
    strangers = [one for one in accepted if one not in journal]
    assert not strangers, f"{len(strangers)} orders are at the venue and not in the journal"
    causes = Counter((journal[one]["strategy_id"], journal[one]["cause"], journal[one]["attempt"]) for one in accepted)
    assert not [cause for cause, count in causes.items() if count > 1], "a claim was sent as two orders"
    return Counter(order["status"] for order in orders)


def audit_end(orders: list[asyncpg.Record], account: dict[str, Any], start_usd: Decimal, redeemed: Decimal) -> None:
    """After everything has come to rest: nothing is open, and shares and dollars are those of the venue."""
    left = [(order["status"], order["origin"], order["reason"]) for order in orders if not order["ended"]]
    assert not left, f"never ended: {left[:5]}"
    accepted = {order["id"] for order in account["orders"]}
    for order in orders:
        if order["order_hash"] is not None and order["order_hash"] not in accepted:
            # A killed order is listed nowhere; the user socket may tell of it before its own answer does.
            killed = order["status"] == "CANCELLED" and "no orders found" in str(order["detail"]).lower()
            assert killed or order["status"] in ("LOST", "REJECTED"), (
                f"never at the venue, and ended otherwise: {dict(order)}"
            )
            assert order["filled_shares"] == 0
    held: Counter[str] = Counter()
    cash = start_usd + redeemed
    for order in orders:
        buys = order["side"] == "BUY"
        held[order["token_id"]] += order["filled_shares"] if buys else -order["filled_shares"]
        cash += -order["filled_usd"] - order["fee_usd"] if buys else order["filled_usd"] - order["fee_usd"]
    venue = {token: Decimal(str(shares)) for token, shares in account["positions"].items()}
    for token in held.keys() | venue.keys():
        assert abs(held[token] - venue.get(token, Decimal(0))) <= Decimal("0.000001"), f"shares of {token} differ"
    spent = Decimal(str(account["collateral_usd"]))
    assert abs(cash - spent) <= Decimal("0.0001") * max(1, len(orders)), f"ours {cash}, the venue's {spent}"
