"""Obligations to sell in PostgreSQL, inside a transaction that holds the lease."""

from collections.abc import Sequence

import asyncpg

from actors.rules.live.exits import fixed
from engine.adapters.postgres.live_order_rows import EXIT_COLUMNS, columns, exit_of, time_or_none
from protocols.live.exits import ExitStatus, LiveExit

INSERT = f"""
INSERT INTO lt_exits (
    exit_id, strategy_id, cause, kind, condition_id, token_id, trader, share, signal_price, signal_at, created_at, deadline_at,
    next_try_at
)
SELECT * FROM unnest(
    $1::text[]::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::numeric[], $9::numeric[],
    $10::timestamptz[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[]
)
ON CONFLICT DO NOTHING
RETURNING {EXIT_COLUMNS}
"""  # noqa: S608
# What a booking ended stays ended; what was sold is written by bookings alone. One that ends here owes no more than it says.
UPDATE = """
UPDATE lt_exits AS old SET status = CASE WHEN old.status = 'OPEN' THEN new.status ELSE old.status END,
    target_shares = CASE WHEN old.status = 'OPEN' AND new.status <> 'OPEN'
        THEN greatest(old.sold_shares, least(old.target_shares, new.target)) ELSE old.target_shares END,
    attempts = greatest(old.attempts, new.attempts), next_try_at = new.next_try, detail = new.detail,
    closed_at = CASE WHEN old.status = 'OPEN' AND new.status <> 'OPEN' THEN now() ELSE old.closed_at END
FROM unnest($1::text[]::uuid[], $2::text[], $3::integer[], $4::timestamptz[], $5::text[], $6::numeric[])
    AS new (id, status, attempts, next_try, detail, target)
WHERE old.exit_id = new.id
"""
ONE = f"SELECT {EXIT_COLUMNS} FROM lt_exits WHERE exit_id = $1::text::uuid FOR UPDATE"  # noqa: S608
# Buys of its lots that still work keep a target from being fixed.
HELD = """
SELECT coalesce(sum(shares_open), 0) AS shares, bool_or(NOT ended) AS works FROM lt_orders
WHERE token_id = $1 AND strategy_id = $2 AND side = 'BUY' AND (shares_open > 0 OR NOT ended)
    AND ($3::text IS NULL OR ft_trader_wallet = $3) AND ($5::text <> 'trader_sell' OR signal_at <= $4)
"""
# Other obligations may be selling the same shares: those of the same trader, and those that sell whosever they are.
PROMISED = """
SELECT coalesce(sum(greatest(0, target_shares - sold_shares)), 0) FROM lt_exits
WHERE strategy_id = $1 AND token_id = $2 AND status = 'OPEN' AND target_shares IS NOT NULL AND exit_id <> $3::text::uuid
    AND (trader IS NULL OR $4::text IS NULL OR trader = $4)
"""
# What earlier obligations of these lots did not sell, since it was too little, is sold with the next one, once.
CARRY = """
WITH dust AS (
    SELECT exit_id, target_shares - sold_shares AS shares FROM lt_exits
    WHERE strategy_id = $1 AND token_id = $2 AND trader IS NOT DISTINCT FROM $3 AND kind = 'trader_sell'
        AND status IN ('DUST', 'DONE') AND target_shares > sold_shares FOR UPDATE
), carried AS (
    UPDATE lt_exits SET target_shares = sold_shares, detail = 'the rest is sold with the next' FROM dust
    WHERE lt_exits.exit_id = dust.exit_id
)
SELECT coalesce(sum(shares), 0) FROM dust
"""
FIX = f"""
UPDATE lt_exits SET target_shares = $2, status = $3::text, detail = $4,
    closed_at = CASE WHEN $3::text = 'OPEN' THEN closed_at ELSE now() END
WHERE exit_id = $1::text::uuid RETURNING {EXIT_COLUMNS}
"""  # noqa: S608


async def insert_exits(raw: asyncpg.Connection, exits: Sequence[LiveExit]) -> tuple[LiveExit, ...]:
    """Makes obligations; returns those that are new."""
    rows = [
        (
            one.exit_id, one.strategy_id, one.cause, one.kind.value, one.condition_id, one.token_id, one.trader, one.share,
            one.signal_price, time_or_none(one.signal_ms), time_or_none(one.created_ms), time_or_none(one.deadline_ms),
            time_or_none(one.next_try_ms),
        )
        for one in exits
    ]  # fmt: skip
    return tuple(exit_of(row) for row in await raw.fetch(INSERT, *columns(rows, 13))) if rows else ()


async def update_exits(raw: asyncpg.Connection, exits: Sequence[LiveExit]) -> None:
    """Keeps status, attempts, times and detail, and of those that end what they still owe."""
    rows = [
        (one.exit_id, one.status.value, one.attempts, time_or_none(one.next_try_ms), one.detail, one.target_shares)
        for one in exits
    ]
    if rows:
        await raw.execute(UPDATE, *columns(rows, 6))


async def fix_target(raw: asyncpg.Connection, exit_id: str) -> LiveExit | None:
    """Fixes how much an obligation sells, once: its share of what is open, never what another one is selling already."""
    row = await raw.fetchrow(ONE, exit_id)
    if row is None:
        return None
    one = exit_of(row)
    if one.target_shares is not None or one.status is not ExitStatus.OPEN:
        return one
    held = await raw.fetchrow(
        HELD, one.token_id, one.strategy_id, one.trader, time_or_none(one.signal_ms), one.kind.value
    )
    assert held is not None
    if held["works"]:
        return None
    promised = await raw.fetchval(PROMISED, one.strategy_id, one.token_id, exit_id, one.trader)
    carried = await raw.fetchval(CARRY, one.strategy_id, one.token_id, one.trader)
    one = fixed(one, held["shares"], promised, carried)
    row = await raw.fetchrow(FIX, exit_id, one.target_shares, one.status.value, one.detail)
    assert row is not None
    return exit_of(row)
