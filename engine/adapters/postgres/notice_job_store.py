"""Daily summaries, welcomes, the sweep and the retention of notices: each call one transaction under the lease of its job."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import asyncpg
import attrs

from engine.adapters.postgres.database import RunsWork, row_count
from engine.adapters.postgres.job_fence import fenced
from engine.adapters.postgres.notice_statements import SWEEP
from protocols.jobs import JobLease
from protocols.timestamps import utc_datetime

# Only for whom something happened, or who holds something.
SUMMARIES = """
WITH money AS (
    SELECT strategy.user_id, sum(spent_usd) AS spent, sum(pnl_usd) AS pnl, jsonb_agg(jsonb_build_object(
        'strategy', strategy.strategy_id, 'spent', trim_scale(spent_usd)::text, 'pnl', trim_scale(pnl_usd)::text
    ) ORDER BY abs(pnl_usd) DESC, strategy.strategy_id) AS strategies
    FROM lt_daily JOIN lt_strategies AS strategy USING (strategy_id) WHERE day = $1 GROUP BY 1
), placed AS (
    SELECT owner.user_id, count(*) FILTER (WHERE filled_shares > 0) AS filled,
        count(*) FILTER (WHERE status = 'REJECTED' AND order_hash IS NULL) AS declined
    FROM lt_orders JOIN lt_order_owners AS owner USING (lt_order_id)
    WHERE created_at >= $2 AND created_at < $3 AND owner.user_id IS NOT NULL GROUP BY 1
), held AS (
    SELECT owner.user_id, count(DISTINCT token_id) AS open FROM lt_orders JOIN lt_order_owners AS owner USING (lt_order_id)
    WHERE shares_open > 0 AND owner.user_id IS NOT NULL GROUP BY 1
), paper AS (
    SELECT owner_id AS user_id, sum(stats.pnl) AS pnl, sum(won + lost + sold + void) AS settled
    FROM ft_daily_stats AS stats JOIN ft_wallets USING (wallet_id) WHERE day = $1 GROUP BY 1
)
INSERT INTO notifications (user_id, kind, subject_key, payload, happened_at)
SELECT profiles.id, 'daily_summary', $1::date::text, jsonb_strip_nulls(jsonb_build_object(
    'day', $1::date::text, 'spent', trim_scale(money.spent)::text, 'pnl', trim_scale(money.pnl)::text,
    'strategies', money.strategies, 'filled', placed.filled, 'declined', nullif(placed.declined, 0), 'open', held.open,
    'paper_pnl', trim_scale(paper.pnl)::text, 'paper_settled', paper.settled
)), $3
FROM profiles LEFT JOIN money ON money.user_id = profiles.id LEFT JOIN placed ON placed.user_id = profiles.id
LEFT JOIN held ON held.user_id = profiles.id LEFT JOIN paper ON paper.user_id = profiles.id
WHERE disabled_at IS NULL AND coalesce(money.user_id, placed.user_id, held.user_id, paper.user_id) IS NOT NULL
    AND NOT EXISTS (
        SELECT 1 FROM notifications
        WHERE notifications.user_id = profiles.id AND kind = 'daily_summary' AND subject_key = $1::date::text
    )
ORDER BY profiles.id LIMIT $4
ON CONFLICT (user_id, kind, subject_key) DO NOTHING
"""
WELCOME = """
INSERT INTO notifications (user_id, kind, subject_key, payload)
SELECT id, 'welcome', 'welcome', jsonb_build_object('user', user_name) FROM profiles
WHERE created_at < least($1, now()) AND disabled_at IS NULL AND email IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM notifications WHERE notifications.user_id = profiles.id AND kind = 'welcome'
)
ORDER BY created_at, id LIMIT $2
ON CONFLICT (user_id, kind, subject_key) DO NOTHING
"""
DELETE_OLD = """
DELETE FROM notifications WHERE notification_id = ANY (ARRAY (
    SELECT notification_id FROM notifications
    WHERE created_at < least($1, now()) - $2 * interval '24 hours' AND kind <> 'welcome' ORDER BY created_at LIMIT $3
))
"""


@attrs.define(eq=False)
class PostgresNoticeJobStore:
    """`NoticeJobStore`. Not over the connection that extends the leases of jobs."""

    connection: RunsWork

    async def sweep(self, lease: JobLease, *, since_ms: int) -> int:
        """Writes facts that no trigger has written. Raises `TransientError` or `FencedError`."""
        return await self._write(lease, SWEEP, utc_datetime(since_ms))

    async def summarize(self, lease: JobLease, *, day: date, users_max: int) -> int:
        """Makes summaries of a UTC day. Raises `TransientError` or `FencedError`."""
        begin = datetime.combine(day, time(), tzinfo=UTC)
        return await self._write(lease, SUMMARIES, day, begin, begin + timedelta(days=1), users_max)

    async def welcome(self, lease: JobLease, *, until_ms: int, users_max: int) -> int:
        """Welcomes users who can be reached. Raises `TransientError` or `FencedError`."""
        return await self._write(lease, WELCOME, utc_datetime(until_ms), users_max)

    async def delete_old(self, lease: JobLease, *, now_ms: int, days: int, rows_max: int) -> int:
        """Deletes old notices. Raises `TransientError` or `FencedError`."""
        return await self._write(lease, DELETE_OLD, utc_datetime(now_ms), days, rows_max)

    async def _write(self, lease: JobLease, statement: str, *values: Any) -> int:
        async def work(raw: asyncpg.Connection) -> int:
            async with fenced(raw, lease):
                return row_count(await raw.execute(statement, *values))

        return await self.connection.run(work)
