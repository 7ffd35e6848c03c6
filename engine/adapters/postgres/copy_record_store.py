"""Copies that users record, and what is noted on them, in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import asyncpg
import attrs

from engine.adapters.postgres.database import RunsWork, row_count
from engine.adapters.postgres.portfolio_store import moment_of
from protocols.errors import RejectedError
from protocols.portfolio import Closing, CopiedFrom, NewCopy, NewMark, Recorded, Row
from protocols.timestamps import utc_datetime

# An outcome is told by its token or its name, never by its place; a name that two have is nobody's.
OUTCOME = """
SELECT min(token.token_id) AS token_id, min(token.outcome) AS outcome, min(market.title) AS title,
    min(market.market_slug) AS slug, min(market.image) AS image
FROM market_tokens AS token JOIN markets AS market USING (condition_id)
WHERE condition_id = $1 AND CASE WHEN $2::text IS NULL THEN lower(token.outcome) = lower($3) ELSE token.token_id = $2 END
HAVING count(*) = 1
"""
# What this engine has bought itself is in the portfolio already.
IS_LIVE = "SELECT EXISTS (SELECT FROM lt_orders WHERE order_hash = lower($1))"
RECORD = """
INSERT INTO orders (order_id, copy_user_id, copied_trader_wallet, copied_market_title, market_id, token_id, outcome, side,
    price, size, filled_size, remaining_size, status, price_when_copied, amount_invested, fee_usd, trade_method, market_slug,
    market_image, created_at)
VALUES (coalesce($1, gen_random_uuid()::text), $2::text::uuid, $3, $4, $5, $6, $7, $8, $9, $10, $10, 0, 'filled', $9,
    round($9::numeric * $10::numeric, 6), $11, 'manual', $12, $13, $14)
ON CONFLICT (order_id) DO NOTHING RETURNING order_id
"""
IS_SAME = """
SELECT (copy_user_id, copied_trader_wallet, token_id, side, price, size, fee_usd)
    IS NOT DISTINCT FROM ($2::text::uuid, $3::text, $4::text, $5::text, $6::numeric, $7::numeric, $8::numeric)
FROM orders WHERE order_id = $1
"""
CLOSE = """
UPDATE orders SET user_exit_price = $3, user_closed_at = $4, updated_at = now()
WHERE order_id = $1 AND copy_user_id = $2::text::uuid AND side = 'BUY' AND user_exit_price IS NULL RETURNING user_exit_price
"""
CLOSED = """
SELECT user_exit_price FROM orders WHERE order_id = $1 AND copy_user_id = $2::text::uuid AND side = 'BUY'
"""
REMOVE = "DELETE FROM orders WHERE order_id = $1 AND copy_user_id = $2::text::uuid"
MARK = """
INSERT INTO copy_marks AS old (token_id, condition_id, price, priced_at, source)
SELECT token_id, condition_id, price, priced_at, 'quote'
FROM unnest($1::text[], $2::text[], $3::numeric[], $4::timestamptz[]) AS new (token_id, condition_id, price, priced_at)
ON CONFLICT (token_id) DO UPDATE SET price = excluded.price, priced_at = excluded.priced_at, source = 'quote'
WHERE old.priced_at < excluded.priced_at AND old.source <> 'payout'
"""
CURRENT_PRICES = """
UPDATE orders SET current_price = mark.price, current_price_at = mark.priced_at
FROM copy_marks AS mark
WHERE orders.token_id = ANY ($1::text[]) AND orders.user_exit_price IS NULL AND NOT orders.market_resolved
    AND mark.token_id = orders.token_id
    AND (orders.current_price, orders.current_price_at) IS DISTINCT FROM (mark.price, mark.priced_at)
"""
# That a snapshot has no such position says something only if it is younger than the copy.
HELD = """
SELECT pair.trader, pair.token_id, held.size AS shares, state.last_position_check_at AS checked_at,
    CASE WHEN held.size IS NOT NULL THEN true WHEN state.last_position_check_at > pair.since THEN false END AS still_holds,
    CASE WHEN held.size IS NULL THEN ended.closed_at END AS closed_at,
    CASE WHEN held.size IS NULL THEN ended.closed_reason END AS closed_reason
FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS pair (trader, token_id, since)
LEFT JOIN LATERAL (
    SELECT size FROM positions_current
    WHERE positions_current.wallet_address = pair.trader AND positions_current.token_id = pair.token_id LIMIT 1
) AS held ON true
LEFT JOIN LATERAL (
    SELECT last_position_check_at FROM wallet_poll_state WHERE wallet_poll_state.wallet_address = pair.trader LIMIT 1
) AS state ON true
LEFT JOIN LATERAL (
    SELECT closed_at, closed_reason FROM positions_closed
    WHERE positions_closed.wallet_address = pair.trader AND positions_closed.token_id = pair.token_id
    ORDER BY closed_at DESC LIMIT 1
) AS ended ON true
"""
NOTE_HELD = """
UPDATE orders SET trader_still_has_position = new.holds, trader_position_size = coalesce(new.shares, 0),
    trader_closed_at = new.closed_at, last_checked_at = new.checked_at
FROM unnest($2::text[], $3::text[], $4::boolean[], $5::numeric[], $6::timestamptz[], $7::timestamptz[])
    AS new (trader, token_id, holds, shares, closed_at, checked_at)
WHERE orders.copy_user_id = $1::text::uuid AND orders.copied_trader_wallet = new.trader AND orders.token_id = new.token_id
    AND (orders.trader_still_has_position, orders.trader_position_size, orders.trader_closed_at)
        IS DISTINCT FROM (new.holds, coalesce(new.shares, 0), new.closed_at)
"""


@attrs.define(eq=False)
class PostgresCopyRecords:
    """`CopyRecords`. All methods raise `TransientError`."""

    connection: RunsWork

    async def record(self, copy: NewCopy) -> Recorded | None:
        """Records a copy, once for its id. Raises `RejectedError` when the id is that of another copy."""

        async def work(raw: asyncpg.Connection) -> Recorded | str | None:
            async with raw.transaction():
                token = await raw.fetchrow(OUTCOME, copy.condition_id, copy.token_id, copy.outcome)
                if token is None:
                    return None
                if copy.record_id is not None and await raw.fetchval(IS_LIVE, copy.record_id):
                    return "is an order of this engine, which is in the portfolio already"
                order_id = await raw.fetchval(
                    RECORD, copy.record_id, copy.user_id, copy.trader, token["title"], copy.condition_id,
                    token["token_id"], token["outcome"], copy.side, copy.price, copy.shares, copy.fee_usd, token["slug"],
                    token["image"], copy.at,
                )  # fmt: skip
                if order_id is not None:
                    return Recorded(order_id, is_new=True)
                same = await raw.fetchval(
                    IS_SAME, copy.record_id, copy.user_id, copy.trader, token["token_id"], copy.side, copy.price,
                    copy.shares, copy.fee_usd,
                )  # fmt: skip
                return Recorded(str(copy.record_id), is_new=False) if same else "was used for another copy"

        found = await self.connection.run(work)
        if isinstance(found, str):
            raise RejectedError(found)
        return found

    async def close(self, user_id: str, order_id: str, price: Decimal, at: datetime) -> Closing | None:
        """Notes at what price the rest of a purchase was sold, once."""

        async def work(raw: asyncpg.Connection) -> Closing | None:
            async with raw.transaction():
                closed = await raw.fetchval(CLOSE, order_id, user_id, price, at)
                if closed is not None:
                    return Closing(closed, changed=True)
                before = await raw.fetchval(CLOSED, order_id, user_id)
                return None if before is None else Closing(before, changed=False)

        return await self.connection.run(work)

    async def remove(self, user_id: str, order_id: str) -> bool:
        """Forgets a recorded copy."""
        return row_count(await self.connection.run(lambda raw: raw.execute(REMOVE, order_id, user_id))) > 0

    async def mark(self, marks: Sequence[NewMark]) -> int:
        """Keeps prices of quotes where they are newer; `orders.current_price` follows."""
        columns = (
            [one.token_id for one in marks], [one.condition_id for one in marks], [one.price for one in marks],
            [utc_datetime(one.priced_ms) for one in marks],
        )  # fmt: skip

        async def work(raw: asyncpg.Connection) -> int:
            async with raw.transaction():
                written = row_count(await raw.execute(MARK, *columns))
                await raw.execute(CURRENT_PRICES, columns[0])
                return written

        return await self.connection.run(work) if marks else 0

    async def held_by_traders(self, user_id: str, pairs: Sequence[CopiedFrom]) -> Sequence[Row]:
        """Returns who still holds what, from the snapshots of the pollers, and notes what is known on recorded copies."""
        asked = [
            [one.trader for one in pairs],
            [one.token_id for one in pairs],
            [moment_of(one.since_us) for one in pairs],
        ]
        names = ("trader", "token_id", "still_holds", "shares", "closed_at", "checked_at")

        async def work(raw: asyncpg.Connection) -> list[Row]:
            async with raw.transaction():
                rows: list[Row] = [dict(row) for row in await raw.fetch(HELD, *asked)]
                known = [row for row in rows if row["still_holds"] is not None]
                if known:
                    await raw.execute(NOTE_HELD, user_id, *([row[name] for row in known] for name in names))
                return rows

        return await self.connection.run(work) if pairs else []
