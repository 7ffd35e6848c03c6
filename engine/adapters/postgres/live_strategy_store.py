"""Live strategies in PostgreSQL as their owners make and change them; every change is kept with who made it."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import asyncpg
import attrs

from actors.rules.live.ledger import Money, post
from config.live_settings import live_document_of
from engine.adapters.postgres.database import RunsWork
from engine.adapters.postgres.live_booking_writes import save_lines
from engine.adapters.postgres.live_order_rows import lock_balances, save_balances
from engine.adapters.postgres.live_table_store import FIELDS, live_strategy_of
from engine.adapters.postgres.strategy_rows import to_column
from engine.adapters.postgres.strategy_store import StrategyConflictError
from protocols.live.money import LiveBalance, Posting, PostingKind
from protocols.live.settings import LiveSettings, LiveStrategy

_NAMES = ", ".join(field.name for field in FIELDS)
_VALUES = ", ".join(f"${number}" for number in range(5, 5 + len(FIELDS)))
_ASSIGNED = ", ".join(f"{field.name} = ${number}" for number, field in enumerate(FIELDS, 3))
# Built once from the names of settings, which are constants of the program.
INSERT = "".join(
    (
        "INSERT INTO lt_strategies (strategy_id, user_id, ft_wallet_id, account, ",
        _NAMES,
        ") VALUES ($1, $2::text::uuid, $3, $4, ",
        _VALUES,
        ") ON CONFLICT DO NOTHING RETURNING strategy_id",
    )
)
UPDATE = "".join(
    (
        "UPDATE lt_strategies SET version = version + 1, updated_at = now(), ",
        _ASSIGNED,
        " WHERE strategy_id = $1 AND version = $2 AND is_active RETURNING version",
    )
)
INSERT_BALANCE = """
INSERT INTO lt_balances (strategy_id, initial, available, peak_equity) VALUES ($1, 0, 0, 0)
"""
# A running engine reads balances again.
TELL = "UPDATE lt_control SET version = version + 1"
INSERT_CHANGE = """
INSERT INTO lt_strategy_changes (strategy_id, version, change, changed_by)
SELECT $1, coalesce(max(version), 0) + 1, $2::text::jsonb, $3 FROM lt_strategy_changes WHERE strategy_id = $1
"""
ONE = """
SELECT *, (extract(epoch FROM launched_at) * 1000)::bigint AS launched_ms FROM lt_strategies WHERE strategy_id = $1
"""
ALL = """
SELECT *, (extract(epoch FROM launched_at) * 1000)::bigint AS launched_ms FROM lt_strategies
WHERE ($1::text IS NULL OR user_id = $1::uuid) ORDER BY strategy_id
"""
PAPER = "SELECT * FROM ft_wallets WHERE wallet_id = ANY ($1::text[])"
SET_PAUSED = """
UPDATE lt_strategies SET is_paused = $2, version = version + 1, updated_at = now(),
    launched_at = CASE WHEN $2 THEN launched_at ELSE coalesce(launched_at, now()) END
WHERE strategy_id = $1 AND is_active AND is_paused <> $2 RETURNING version
"""
ARCHIVE = """
UPDATE lt_strategies SET is_active = false, is_paused = true, version = version + 1, updated_at = now()
WHERE strategy_id = $1 AND is_active RETURNING version
"""
CLEAR_BREAKER = """
UPDATE lt_strategies SET breaker_reason = NULL, breaker_at = NULL, version = version + 1 WHERE strategy_id = $1
    AND breaker_reason IS NOT NULL RETURNING version
"""
HALT = """
UPDATE lt_control SET halted_by = $1, halted_reason = $2, halted_at = now() WHERE halted_by IS NULL RETURNING 1
"""
END_HALT = """
UPDATE lt_control SET halted_by = NULL, halted_reason = NULL, halted_at = NULL WHERE halted_by IS NOT NULL RETURNING 1
"""
NOTE_HALT = "INSERT INTO lt_halts (action, by_whom, reason) VALUES ($1, $2, $3)"
# Everything that is open or being bought, of one strategy or of all; the engine finds the rows. Each call is a cause of its
# own: what was bought since the last one has to be sold as well.
FLATTEN = """
INSERT INTO lt_exits (
    exit_id, strategy_id, cause, kind, condition_id, token_id, trader, share, signal_price, signal_at, deadline_at, next_try_at
)
SELECT gen_random_uuid(), held.strategy_id, 'flatten:' || (extract(epoch FROM clock_timestamp()) * 1000)::bigint, 'flatten',
    held.condition_id, held.token_id, NULL, 1, 0, now(), now() + lt_strategies.exit_deadline_s * interval '1 second', now()
FROM (
    SELECT DISTINCT strategy_id, condition_id, token_id FROM lt_orders
    WHERE side = 'BUY' AND (shares_open > 0 OR NOT ended) AND NOT is_manual AND ($1::text IS NULL OR strategy_id = $1)
) AS held JOIN lt_strategies USING (strategy_id)
WHERE NOT EXISTS (
    SELECT 1 FROM lt_exits AS old WHERE old.strategy_id = held.strategy_id AND old.token_id = held.token_id
        AND old.status = 'OPEN' AND old.kind = 'flatten'
)
ON CONFLICT DO NOTHING
RETURNING exit_id::text AS exit_id
"""


@attrs.define(eq=False)
class LiveStrategyStore:
    """Live strategies over a connection or a pool; one transaction a call. All methods raise `TransientError`."""

    connection: RunsWork

    async def create(
        self,
        strategy_id: str,
        *,
        user_id: str,
        ft_wallet_id: str,
        account: str,
        capital_usd: Decimal,
        settings: LiveSettings,
        by: str,
    ) -> LiveStrategy:
        """Makes a live strategy, paused, with its capital. Raises `StrategyConflictError` when there is one already."""

        async def work(raw: asyncpg.Connection) -> LiveStrategy:
            async with raw.transaction():
                values = [to_column(getattr(settings, field.name), field) for field in FIELDS]
                if await raw.fetchval(INSERT, strategy_id, user_id, ft_wallet_id, account, *values) is None:
                    raise StrategyConflictError(
                        f"{strategy_id}, or another mirror of {ft_wallet_id} by this user, exists"
                    )
                await raw.execute(INSERT_BALANCE, strategy_id)
                await _add_capital(raw, strategy_id, capital_usd)
                change = {"created": live_document_of(settings), "account": account, "capital_usd": str(capital_usd)}
                await raw.execute(INSERT_CHANGE, strategy_id, json.dumps(change), by)
                found = await _one(raw, strategy_id)
                assert found is not None
                return found

        return await self.connection.run(work)

    async def get(self, strategy_id: str) -> LiveStrategy | None:
        """Returns a strategy, also an archived one."""
        return await self.connection.run(lambda raw: _one(raw, strategy_id))

    async def list(self, user_id: str | None = None) -> "list[LiveStrategy]":
        """Returns the strategies of a user, or of all."""

        async def work(raw: asyncpg.Connection) -> "list[LiveStrategy]":
            rows = await raw.fetch(ALL, user_id)
            return await _with_paper(raw, rows)

        return await self.connection.run(work)

    async def update(self, strategy_id: str, settings: LiveSettings, *, version: int, by: str) -> LiveStrategy:
        """Changes settings of the version given. Raises `StrategyConflictError` when it has another one by now."""

        async def work(raw: asyncpg.Connection) -> LiveStrategy:
            async with raw.transaction():
                values = [to_column(getattr(settings, field.name), field) for field in FIELDS]
                if await raw.fetchval(UPDATE, strategy_id, version, *values) is None:
                    raise StrategyConflictError(f"{strategy_id} was changed by somebody else, or is archived")
                change = {"settings": live_document_of(settings)}
                await raw.execute(INSERT_CHANGE, strategy_id, json.dumps(change), by)
                found = await _one(raw, strategy_id)
                assert found is not None
                return found

        return await self.connection.run(work)

    async def change_capital(self, strategy_id: str, delta_usd: Decimal, *, by: str, reason: str) -> LiveBalance:
        """Gives or takes capital. Raises `StrategyConflictError` when more would be taken than is available."""

        async def work(raw: asyncpg.Connection) -> LiveBalance:
            async with raw.transaction():
                balance = await _add_capital(raw, strategy_id, delta_usd)
                await raw.execute(TELL)
                change = {"capital_delta_usd": str(delta_usd), "reason": reason}
                await raw.execute(INSERT_CHANGE, strategy_id, json.dumps(change), by)
                return balance

        return await self.connection.run(work)

    async def set_paused(self, strategy_id: str, paused: bool, *, by: str) -> bool:
        """Pauses or resumes entries; False when it is so already, or archived."""
        return await self._changed(SET_PAUSED, strategy_id, {"paused": paused}, by, paused)

    async def archive(self, strategy_id: str, *, by: str) -> bool:
        """Ends entries for good. What is open is followed to its end."""
        return await self._changed(ARCHIVE, strategy_id, {"archived": True}, by)

    async def clear_breaker(self, strategy_id: str, *, by: str) -> bool:
        """Clears a latched breaker; False when it was not latched."""
        return await self._changed(CLEAR_BREAKER, strategy_id, {"breaker": "cleared"}, by)

    async def halt(self, *, by: str, reason: str) -> bool:
        """Stops all entries; False when they are stopped already."""
        return await self._control(HALT, ("halt", by, reason), by, reason)

    async def end_halt(self, *, by: str, reason: str) -> bool:
        """Lets entries go on; False when they were not stopped."""
        return await self._control(END_HALT, ("resume", by, reason))

    async def flatten(self, strategy_id: str | None) -> Sequence[str]:
        """Makes obligations to sell everything of a strategy, or of all; returns their ids. Pause it first."""
        rows = await self.connection.run(lambda raw: raw.fetch(FLATTEN, strategy_id))
        return [row["exit_id"] for row in rows]

    async def _changed(self, statement: str, strategy_id: str, change: dict[str, Any], by: str, *values: Any) -> bool:
        async def work(raw: asyncpg.Connection) -> bool:
            async with raw.transaction():
                if await raw.fetchval(statement, strategy_id, *values) is None:
                    return False
                await raw.execute(INSERT_CHANGE, strategy_id, json.dumps(change), by)
                return True

        return await self.connection.run(work)

    async def _control(self, statement: str, note: tuple[str, str, str], *values: str) -> bool:
        async def work(raw: asyncpg.Connection) -> bool:
            async with raw.transaction():
                if await raw.fetchval(statement, *values) is None:
                    return False
                await raw.execute(NOTE_HALT, *note)
                return True

        return await self.connection.run(work)


async def _add_capital(raw: asyncpg.Connection, strategy_id: str, delta_usd: Decimal) -> LiveBalance:
    balances = await lock_balances(raw, [strategy_id])
    balance = balances.get(strategy_id)
    if balance is None:
        raise StrategyConflictError(f"there is no live strategy {strategy_id}")
    if delta_usd < 0 and balance.available + delta_usd < 0:
        raise StrategyConflictError(f"only {balance.available} USD of {strategy_id} are available")
    if not delta_usd:
        return balance
    posting = Posting(
        strategy_id=strategy_id, cause=f"capital:{balance.version}", kind=PostingKind.CAPITAL, initial=delta_usd,
        available=delta_usd,
    )  # fmt: skip
    money = post(Money(balance), posting)
    assert money.balance is not None
    # Capital that was given or taken is no profit and no loss: the peak moves with it (D20).
    after = attrs.evolve(money.balance, peak_equity=max(balance.peak_equity + delta_usd, money.balance.equity))
    await save_lines(raw, money.lines)
    await save_balances(raw, [after])
    return after


async def _one(raw: asyncpg.Connection, strategy_id: str) -> LiveStrategy | None:
    row = await raw.fetchrow(ONE, strategy_id)
    return None if row is None else (await _with_paper(raw, [row]))[0]


async def _with_paper(raw: asyncpg.Connection, rows: Sequence[asyncpg.Record]) -> list[LiveStrategy]:
    paper = {row["wallet_id"]: row for row in await raw.fetch(PAPER, [row["ft_wallet_id"] for row in rows])}
    return [live_strategy_of(row, paper[row["ft_wallet_id"]]) for row in rows]
