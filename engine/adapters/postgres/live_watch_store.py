"""What those who follow live orders read beside them: fills that are not final, awaited redemptions, open obligations."""

from collections.abc import Sequence

import asyncpg
import attrs
import msgspec

from engine.adapters.postgres.database import RunsWork
from engine.adapters.postgres.live_order_rows import EXIT_COLUMNS, exit_of
from protocols.live.exits import LiveExit
from protocols.live.settings import LiveSettings
from protocols.live.watching import AwaitedRedemption, ReconciliationReport, UnsettledFill
from protocols.timestamps import utc_datetime

BY_HAND_DEADLINE_S = LiveSettings().exit_deadline_s

LAST = "SELECT (extract(epoch FROM at) * 1000)::bigint FROM lt_reconciliations WHERE account = $1"
UNSETTLED = """
SELECT lt_fills.trade_id, lt_fills.order_hash, lt_orders.token_id,
    (extract(epoch FROM lt_fills.matched_at) * 1000)::bigint AS match_ms
FROM lt_fills JOIN lt_orders USING (lt_order_id)
WHERE lt_fills.status NOT IN ('CONFIRMED', 'FAILED') AND lt_orders.account = $1
ORDER BY lt_fills.matched_at, lt_fills.order_hash, lt_fills.trade_id LIMIT $2
"""
OURS = """
SELECT wanted.hash FROM unnest($1::text[]) AS wanted (hash) CROSS JOIN LATERAL (
    SELECT 1 FROM lt_orders WHERE lt_orders.order_hash = wanted.hash LIMIT 1
) AS found
"""
SAVE = """
INSERT INTO lt_reconciliations (account, at, collateral_usd, report) VALUES ($1, $2, $3, $4::text::jsonb)
ON CONFLICT (account) DO UPDATE SET at = excluded.at, collateral_usd = excluded.collateral_usd, report = excluded.report
"""
AWAITED = """
WITH tokens AS (
    SELECT DISTINCT token_id COLLATE "C" AS token_id FROM lt_cooldown_queue
    WHERE released_at IS NULL AND available_at IS NULL AND condition_id IS NOT NULL AND token_id COLLATE "C" > $1
        AND live_account(strategy_id) = ANY ($3::text[])
    ORDER BY 1 LIMIT $2
)
SELECT DISTINCT strategy_id, condition_id, token_id COLLATE "C" AS token_id FROM lt_cooldown_queue
WHERE released_at IS NULL AND available_at IS NULL AND condition_id IS NOT NULL
    AND token_id COLLATE "C" IN (SELECT token_id FROM tokens) AND live_account(strategy_id) = ANY ($3::text[])
ORDER BY 3, 1, 2
"""
OPEN_EXITS = f"""
SELECT {EXIT_COLUMNS} FROM lt_exits WHERE status = 'OPEN' AND live_account(strategy_id) = ANY ($1::text[])
ORDER BY created_at, exit_id
"""  # noqa: S608

# The trader has left a token that copies by hand are to leave with him: the shares bought on a signal before that are owed.
# Once for each closing, however often it is looked for; one that came while no engine ran is found later.
AUTO_CLOSES = """
INSERT INTO lt_exits (
    exit_id, strategy_id, cause, kind, condition_id, token_id, trader, share, signal_price, signal_at, deadline_at, next_try_at,
    slippage_pct
)
SELECT gen_random_uuid(), armed.strategy_id, 'closed:' || closed.id, 'trader_sell', closed.condition_id, closed.token_id,
    armed.trader, 1, least(1, greatest(0, coalesce(closed.current_price, 0))), closed.closed_at,
    now() + $1 * interval '1 second', now(), armed.slippage_pct
FROM lt_auto_closes AS armed CROSS JOIN LATERAL (
    SELECT * FROM positions_closed
    WHERE wallet_address = armed.trader AND positions_closed.token_id = armed.token_id AND closed_reason = 'manual_close'
        AND closed_at > armed.armed_at
    ORDER BY closed_at DESC, id DESC LIMIT 1
) AS closed
WHERE live_account(armed.strategy_id) = ANY ($2::text[]) AND EXISTS (
    SELECT 1 FROM lt_orders
    WHERE ft_trader_wallet = armed.trader AND lt_orders.token_id = armed.token_id AND side = 'BUY'
        AND (shares_open > 0 OR NOT ended) AND lt_orders.strategy_id = armed.strategy_id AND signal_at <= closed.closed_at
) AND NOT EXISTS (
    SELECT 1 FROM markets WHERE markets.condition_id = closed.condition_id AND is_resolved
)
ON CONFLICT (strategy_id, cause, token_id) DO NOTHING
"""


@attrs.define(eq=False, kw_only=True)
class PostgresLiveWatchStore:
    """`ReconciliationStore`, `RedemptionStore` and `ExitRows` of some accounts. Money is written elsewhere."""

    connection: RunsWork
    accounts: Sequence[str]

    async def last_ms(self, account: str) -> int | None:
        """Returns when an account was last compared, or None."""
        at_ms: int | None = await self.connection.run(lambda raw: raw.fetchval(LAST, account))
        return at_ms

    async def unsettled(self, account: str, fills_max: int) -> list[UnsettledFill]:
        """Returns booked fills that are not final, oldest first."""
        rows = await self.connection.run(lambda raw: raw.fetch(UNSETTLED, account, fills_max))
        return [UnsettledFill(**row) for row in rows]

    async def ours(self, order_hashes: Sequence[str]) -> frozenset[str]:
        """Returns those of the hashes that are orders of ours, ended ones too."""
        rows = await self.connection.run(lambda raw: raw.fetch(OURS, list(order_hashes)))
        return frozenset(row["hash"] for row in rows)

    async def save(self, account: str, report: ReconciliationReport) -> None:
        """Keeps a report in the place of the one before."""
        text = msgspec.json.encode(report).decode()
        at = utc_datetime(report.at_ms)
        await self.connection.run(lambda raw: raw.execute(SAVE, account, at, report.collateral_usd, text))

    async def awaited(self, tokens_max: int, after: str) -> list[AwaitedRedemption]:
        """Returns all that waits of the next tokens after one, in the order of their ids."""
        rows = await self.connection.run(lambda raw: raw.fetch(AWAITED, after, tokens_max, list(self.accounts)))
        return [AwaitedRedemption(**row) for row in rows]

    async def open_rows(self) -> list[LiveExit]:
        """Returns all obligations that are open, whoever made them; those of copies by hand are made here when they are due."""

        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            await raw.execute(AUTO_CLOSES, BY_HAND_DEADLINE_S, list(self.accounts))
            return await raw.fetch(OPEN_EXITS, list(self.accounts))

        return [exit_of(row) for row in await self.connection.run(work)]
