"""Settles live positions and releases proceeds, inside a transaction that holds the lease."""

from collections.abc import Sequence
from decimal import Decimal

import asyncpg

from actors.rules.live.ledger import Line
from actors.rules.live.settlement import FINAL_AFTER_S, Settlement, release, settle_lot
from engine.adapters.postgres.live_booking_writes import add_days, save_cooldowns, save_lines
from engine.adapters.postgres.live_order_rows import (
    EXIT_COLUMNS,
    ORDER_COLUMNS,
    columns,
    exit_of,
    lock_balances,
    order_of,
    save_balances,
    time_or_none,
)
from protocols.live.money import CooldownEntry, LiveBalance
from protocols.live.ports import Settled
from protocols.paper import Payouts

LOTS_MAX = 500
OPEN_MARKETS = """
SELECT condition_id, array_agg(DISTINCT token_id) AS token_ids FROM lt_orders
WHERE shares_open > 0 AND condition_id > $1 AND account = ANY ($3::text[]) GROUP BY condition_id ORDER BY condition_id LIMIT $2
"""
# A sale that is on its way may have sold it, and the chain may still undo a fresh purchase: their words come first.
LOTS = f"""
SELECT found.*, wanted.payout FROM unnest($1::text[], $2::text[], $3::numeric[])
    AS wanted (condition_id, token_id, payout) CROSS JOIN LATERAL (
    SELECT {ORDER_COLUMNS} FROM lt_orders
    WHERE shares_open > 0 AND lt_orders.condition_id = wanted.condition_id AND lt_orders.token_id = wanted.token_id
        AND lt_orders.account = ANY ($6::text[]) AND (
            SELECT count(*) FROM lt_orders AS sale WHERE sale.strategy_id = lt_orders.strategy_id
                AND sale.token_id = lt_orders.token_id AND sale.side = 'SELL' AND sale.signed_at > $5 AND NOT sale.ended
        ) = 0 AND (
            SELECT count(*) FROM lt_fills WHERE lt_fills.lt_order_id = lt_orders.lt_order_id
                AND lt_fills.status NOT IN ('CONFIRMED', 'FAILED')
                AND lt_fills.matched_at > $5
        ) = 0
    ORDER BY strategy_id, created_at LIMIT $4 FOR UPDATE
) AS found LIMIT $4
"""  # noqa: S608
CLOSE = """
UPDATE lt_orders AS old SET shares_open = 0, cost_open = 0, realized_usd = new.realized, outcome = new.outcome,
    resolved_at = now(), version = new.version, updated_at = now()
FROM unnest($1::text[]::uuid[], $2::numeric[], $3::text[], $4::bigint[]) AS new (id, realized, outcome, version)
WHERE old.lt_order_id = new.id
"""
END_EXITS = f"""
UPDATE lt_exits AS old SET status = 'SETTLED', closed_at = now(), detail = 'the market was resolved'
FROM unnest($1::text[], $2::text[]) AS new (strategy_id, token_id)
WHERE old.strategy_id = new.strategy_id AND old.token_id = new.token_id AND old.status = 'OPEN'
RETURNING {EXIT_COLUMNS.replace("strategy_id", "old.strategy_id").replace("token_id,", "old.token_id,")}
"""  # noqa: S608
# The value of what an operator, or the venue, has redeemed begins to cool down.
REDEEMED = """
UPDATE lt_cooldown_queue AS old SET available_at = $3::timestamptz + hours.cooldown * interval '1 hour'
FROM unnest($1::text[], $2::text[]) AS new (strategy_id, condition_id) CROSS JOIN LATERAL (
    SELECT cooldown_hours::double precision AS cooldown FROM lt_strategies
    WHERE lt_strategies.strategy_id = new.strategy_id LIMIT 1
) AS hours
WHERE old.strategy_id = new.strategy_id AND old.condition_id = new.condition_id AND old.available_at IS NULL
    AND old.released_at IS NULL
"""
DUE = """
UPDATE lt_cooldown_queue SET released_at = $1 WHERE id IN (
    SELECT id FROM lt_cooldown_queue
    WHERE released_at IS NULL AND available_at <= $1 AND live_account(strategy_id) = ANY ($2::text[])
    ORDER BY available_at LIMIT 500 FOR UPDATE
)
RETURNING strategy_id, cause, amount
"""


async def settle_lots(
    raw: asyncpg.Connection, payouts: Sequence[Payouts], now_ms: int, accounts: Sequence[str]
) -> Settled:
    """Closes open positions of accounts in resolved markets, some hundreds at once; what is left is found by the next call."""
    by_token = {(one.condition_id, token_id): usd for one in payouts for token_id, usd in one.by_token.items()}
    wanted = [(*key, usd) for key, usd in by_token.items()]
    final = time_or_none(now_ms - FINAL_AFTER_S * 1000)
    rows = await raw.fetch(LOTS, *columns(wanted, 3), LOTS_MAX, final, list(accounts)) if wanted else []
    if not rows:
        return Settled(lots=(), balances=(), exits=(), days={})
    found = [(order_of(row), row["payout"]) for row in rows]
    balances = await lock_balances(raw, (lot.strategy_id for lot, _ in found))
    done, lines = list[Settlement](), list[Line]()
    for lot, payout in found:
        one = settle_lot(lot, payout, balances.get(lot.strategy_id))
        if one.money.balance is not None:
            balances[lot.strategy_id] = one.money.balance
        done.append(one)
        lines += one.money.lines
    closed = [(one.lot.order_id, one.lot.realized_usd, one.settled.outcome, one.lot.version) for one in done]
    await raw.execute(CLOSE, *columns(closed, 4))
    await save_lines(raw, lines)
    await save_balances(raw, list(balances.values()))
    await save_cooldowns(raw, [(one.cooldown, one.lot.order_id) for one in done if one.cooldown is not None])
    today = await raw.fetchval("SELECT (now() AT TIME ZONE 'UTC')::date")
    days = await add_days(raw, [(one.lot.strategy_id, today, one.day) for one in done])
    pairs = sorted({(one.lot.strategy_id, one.lot.intent.token_id) for one in done})
    exits = await raw.fetch(END_EXITS, *columns(pairs, 2))
    return Settled(
        lots=tuple(one.settled for one in done),
        balances=tuple(balances.values()),
        exits=tuple(exit_of(row) for row in exits),
        days=days,
    )


async def release_due(
    raw: asyncpg.Connection, now_ms: int, redeemed: Sequence[tuple[str, str]], accounts: Sequence[str]
) -> tuple[LiveBalance, ...]:
    """Lets what was redeemed cool down, and makes spendable what accounts have cooled down, each once (D15)."""
    now = time_or_none(now_ms)
    if redeemed:
        await raw.execute(REDEEMED, *columns(list(redeemed), 2), now)
    rows = await raw.fetch(DUE, now, list(accounts))
    if not rows:
        return ()
    balances = await lock_balances(raw, (row["strategy_id"] for row in rows))
    lines = list[Line]()
    for row in rows:
        entry = CooldownEntry(
            strategy_id=row["strategy_id"], cause=row["cause"], amount=Decimal(row["amount"]), available_ms=now_ms
        )
        money = release(balances[row["strategy_id"]], entry)
        assert money.balance is not None
        balances[row["strategy_id"]] = money.balance
        lines += money.lines
    await save_lines(raw, lines)
    await save_balances(raw, list(balances.values()))
    return tuple(balances.values())
