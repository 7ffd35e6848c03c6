"""What the job refresh-copy-pnl writes: prices and resolutions of open copies, from the rows of markets."""

import asyncpg
import attrs

from engine.adapters.postgres.database import RunsWork, row_count
from engine.adapters.postgres.job_fence import fenced
from protocols.jobs import JobLease
from protocols.portfolio import Refreshed
from protocols.timestamps import utc_datetime

# `updated_at` is when a copy itself changed last. It stands for the time of an exit or a resolution of which none is known, so
# what is merely looked up leaves it alone.
FIND_TOKENS = """
UPDATE orders SET token_id = found.token_id FROM (
    SELECT order_id, named.token_id FROM orders AS old CROSS JOIN LATERAL (
        SELECT min(market_tokens.token_id) AS token_id FROM market_tokens
        WHERE market_tokens.condition_id = old.market_id AND lower(market_tokens.outcome) = lower(old.outcome)
        HAVING count(*) = 1
    ) AS named
    WHERE old.token_id IS NULL ORDER BY order_id LIMIT $1
) AS found
WHERE orders.order_id = found.order_id
"""
OPEN_TOKENS = """
SELECT token_id FROM (
    (SELECT DISTINCT token_id FROM lt_orders WHERE shares_open > 0 AND token_id > $1 ORDER BY token_id LIMIT $2)
    UNION
    (SELECT DISTINCT token_id FROM orders
        WHERE user_exit_price IS NULL AND NOT market_resolved AND token_id > $1 ORDER BY token_id LIMIT $2)
) AS open ORDER BY token_id LIMIT $2
"""
# $1 tokens, $2 now. A price of which nobody knows when it was true is not kept, a payout is: it never changes. An older price
# never replaces a newer one, and nothing replaces a payout but another payout.
MARK = """
INSERT INTO copy_marks AS old (token_id, condition_id, price, priced_at, source, resolved_at)
SELECT token_id, condition_id, coalesce(payout, price),
    CASE WHEN payout IS NULL THEN priced_at ELSE coalesce(priced_at, $2) END,
    CASE WHEN payout IS NULL THEN 'markets' ELSE 'payout' END, CASE WHEN payout IS NOT NULL THEN coalesce(close_time, $2) END
FROM (
    SELECT token.token_id, token.condition_id, market.close_time,
        outcome_price(market.outcome_prices, token.outcome_index) AS price,
        coalesce(
            token.payout,
            CASE WHEN market.is_resolved THEN outcome_price(market.outcome_prices, token.outcome_index) END
        ) AS payout,
        coalesce(
            market.last_price_updated_at,
            CASE WHEN market.raw_gamma ->> 'outcomePrices' IS NOT NULL THEN market.updated_at END
        ) AS priced_at
    FROM market_tokens AS token JOIN markets AS market USING (condition_id) WHERE token.token_id = ANY ($1::text[])
) AS new
WHERE coalesce(payout, price) BETWEEN 0 AND 1 AND (payout IS NOT NULL OR priced_at IS NOT NULL)
ON CONFLICT (token_id) DO UPDATE SET price = excluded.price, priced_at = excluded.priced_at, source = excluded.source,
    resolved_at = coalesce(old.resolved_at, excluded.resolved_at)
WHERE CASE WHEN excluded.source = 'payout' THEN old.source <> 'payout' OR old.price <> excluded.price
    ELSE old.source <> 'payout' AND old.priced_at < excluded.priced_at END
"""
# What a copy gained per cent, at its exit or at what it is worth; nothing for one that cost next to nothing, whose gain no
# column holds. A market resolved for nobody has no outcome.
ORDERS = """
UPDATE orders SET current_price = new.price, current_price_at = new.priced_at, market_resolved = new.is_payout,
    market_resolved_at = new.resolved_at, resolved_outcome = new.winner, roi = new.roi, last_checked_at = $2
FROM (
    SELECT old.order_id, mark.price, mark.priced_at, mark.source = 'payout' AS is_payout, mark.resolved_at,
        CASE WHEN mark.source = 'payout' THEN (
            SELECT min(token.outcome) FROM market_tokens AS token JOIN markets AS market USING (condition_id)
            WHERE token.condition_id = mark.condition_id AND coalesce(
                token.payout, CASE WHEN market.is_resolved THEN outcome_price(market.outcome_prices, token.outcome_index) END
            ) >= 0.99 HAVING count(*) = 1
        ) END AS winner,
        CASE WHEN coalesce(old.price_when_copied, old.price) >= 0.000000000001 THEN
            round(100 * (mark.price / coalesce(old.price_when_copied, old.price) - 1), 6)
        END AS roi
    FROM orders AS old JOIN copy_marks AS mark USING (token_id)
    WHERE old.token_id = ANY ($1::text[]) AND old.user_exit_price IS NULL AND NOT old.market_resolved
) AS new
WHERE orders.order_id = new.order_id AND (
    orders.current_price, orders.current_price_at, orders.market_resolved, orders.market_resolved_at, orders.resolved_outcome,
    orders.roi
) IS DISTINCT FROM (new.price, new.priced_at, new.is_payout, new.resolved_at, new.winner, new.roi)
"""


@attrs.define(eq=False)
class PostgresCopyMarkStore:
    """`CopyMarkStore`. Not over the connection that extends the leases of jobs."""

    connection: RunsWork

    async def find_tokens(self, lease: JobLease, *, rows_max: int) -> int:
        """Names tokens of recorded copies. Raises `TransientError` or `FencedError`."""

        async def work(raw: asyncpg.Connection) -> int:
            async with fenced(raw, lease):
                return row_count(await raw.execute(FIND_TOKENS, rows_max))

        return await self.connection.run(work)

    async def refresh(self, lease: JobLease, *, token_after: str, tokens_max: int, now_ms: int) -> Refreshed:
        """Keeps prices of some tokens. Raises `TransientError` or `FencedError`."""
        now = utc_datetime(now_ms)

        async def work(raw: asyncpg.Connection) -> Refreshed:
            async with fenced(raw, lease):
                tokens = [row["token_id"] for row in await raw.fetch(OPEN_TOKENS, token_after, tokens_max)]
                marked = row_count(await raw.execute(MARK, tokens, now)) if tokens else 0
                orders = row_count(await raw.execute(ORDERS, tokens, now)) if tokens else 0
            more = len(tokens) == tokens_max
            return Refreshed(tokens=len(tokens), marked=marked, orders=orders, token_after=tokens[-1] if more else None)

        return await self.connection.run(work)
