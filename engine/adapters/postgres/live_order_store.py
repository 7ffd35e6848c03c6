"""Live orders in PostgreSQL: claims, the journal (commit 2) and what events make of them. Fenced by a lease."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import asyncpg
import attrs

from engine.adapters.postgres.database import RunsWork
from engine.adapters.postgres.leases import HELD, Leases, fenced
from engine.adapters.postgres.live_booking import apply_events
from engine.adapters.postgres.live_claims import claim
from engine.adapters.postgres.live_exit_rows import fix_target, insert_exits, update_exits
from engine.adapters.postgres.live_order_memory import OrderMemory
from engine.adapters.postgres.live_order_rows import (
    BALANCE_COLUMNS,
    ORDER_COLUMNS,
    balance_of,
    columns,
    order_of,
    time_or_none,
)
from engine.adapters.postgres.live_settlement import OPEN_MARKETS, release_due, settle_lots
from engine.adapters.postgres.live_snapshot import read_snapshot
from protocols.live.events import OrderEvent
from protocols.live.exits import LiveExit
from protocols.live.money import LiveBalance
from protocols.live.orders import LiveIntent, LiveOrder, SignedOrder
from protocols.live.ports import Applied, Declined, Journaled, LiveSnapshot, Settled
from protocols.paper import Payouts

_log = logging.getLogger(__name__)
T = TypeVar("T")
AGAIN_MAX = 200
# One statement: fence, claims that are still open, money in the order of the batch, locks, ledger, journal. Orders of one
# strategy take turns: what does not fit is left out, what comes after it may fit. Rows are looked at once they are locked, so
# that a batch that is written again sees what a lost answer has hidden.
JOURNAL = f"""
WITH RECURSIVE {HELD.strip()}, wanted AS MATERIALIZED (
    SELECT * FROM fence CROSS JOIN unnest(
        $4::text[]::uuid[], $5::text[], $6::bytea[], $7::text[], $8::text[], $9::numeric[], $10::numeric[], $11::numeric[],
        $12::numeric[], $13::numeric[], $14::integer[], $15::boolean[], $16::timestamptz[]
    ) WITH ORDINALITY AS new (
        id, hash, body, account, order_type, limit_price, size_shares, spend_usd, lock_usd, fee_rate, fee_exponent,
        negative_risk, signed_at, n
    )
), open AS MATERIALIZED (
    SELECT wanted.*, found.* FROM wanted CROSS JOIN LATERAL (
        SELECT strategy_id, version, order_hash IS NOT NULL AS again FROM lt_orders
        WHERE lt_order_id = wanted.id AND status = 'PLACED' AND NOT ended
            AND (order_hash IS NULL OR order_hash = wanted.hash) LIMIT 1 FOR UPDATE
    ) AS found
), money AS MATERIALIZED (
    SELECT found.* FROM (SELECT DISTINCT strategy_id FROM open WHERE NOT again) AS owners CROSS JOIN LATERAL (
        SELECT strategy_id, available, drift FROM lt_balances
        WHERE lt_balances.strategy_id = owners.strategy_id LIMIT 1 FOR UPDATE
    ) AS found
), queue AS MATERIALIZED (
    SELECT open.*, money.available, money.drift, open.lock_usd = 0 OR open.strategy_id LIKE 'manual:%' AS is_free,
        row_number() OVER (PARTITION BY open.strategy_id ORDER BY open.n) AS turn
    FROM open LEFT JOIN money USING (strategy_id) WHERE NOT open.again
), turns AS (
    SELECT id, strategy_id, turn, fits, available - CASE WHEN fits AND NOT is_free THEN lock_usd ELSE 0 END AS cash
    FROM (
        SELECT *, is_free OR coalesce(drift = 0 AND lock_usd <= available, false) AS fits FROM queue WHERE turn = 1
    ) AS first
    UNION ALL
    SELECT id, strategy_id, turn, fits, cash - CASE WHEN fits AND NOT is_free THEN lock_usd ELSE 0 END FROM (
        SELECT queue.*, turns.cash,
            queue.is_free OR coalesce(queue.drift = 0 AND queue.lock_usd <= turns.cash, false) AS fits
        FROM turns JOIN queue ON queue.strategy_id = turns.strategy_id AND queue.turn = turns.turn + 1
    ) AS next
), granted AS MATERIALIZED (
    SELECT queue.* FROM queue JOIN turns USING (id) WHERE turns.fits
), ledger AS (
    INSERT INTO lt_ledger (strategy_id, cause, kind, order_id, initial, available, locked, cooldown, realized)
    SELECT strategy_id, 'lock:' || id, 'lock', id, 0, -lock_usd, lock_usd, 0, 0 FROM granted
    WHERE lock_usd > 0 AND strategy_id NOT LIKE 'manual:%'
), paid AS (
    UPDATE lt_balances AS old SET available = old.available - spent.usd, locked = old.locked + spent.usd,
        version = old.version + spent.orders
    FROM (
        SELECT strategy_id, sum(lock_usd) AS usd, count(*) AS orders FROM granted WHERE lock_usd > 0 GROUP BY strategy_id
    ) AS spent
    WHERE old.strategy_id = spent.strategy_id
    RETURNING old.*
), journaled AS (
    UPDATE lt_orders AS old SET order_hash = granted.hash, signed_body = granted.body, account = granted.account,
        order_type = granted.order_type, limit_price = granted.limit_price, size_shares = granted.size_shares,
        spend_usd = granted.spend_usd, lock_usd = granted.lock_usd, fee_rate = granted.fee_rate,
        fee_exponent = granted.fee_exponent, negative_risk = granted.negative_risk, signed_at = granted.signed_at,
        version = old.version + 1, updated_at = now()
    FROM granted WHERE old.lt_order_id = granted.id
    RETURNING old.*
), done AS (
    SELECT lt_order_id::text AS id, version FROM journaled UNION ALL SELECT id::text, version FROM open WHERE again
), facts AS (
    SELECT (SELECT count(*) FROM fence) AS fences,
        (SELECT array_agg(id ORDER BY id) FROM done) AS journaled,
        (SELECT array_agg(version ORDER BY id) FROM done) AS versions,
        ARRAY(SELECT id::text FROM open) AS open
)
SELECT facts.*, {", ".join(f"paid.{name}" for name in BALANCE_COLUMNS)} FROM facts LEFT JOIN paid ON true
"""  # noqa: S608
DECLINE = f"""
UPDATE lt_orders AS old SET status = 'REJECTED', ended = true, ended_at = new.at, reason = new.reason, detail = new.detail,
    version = old.version + 1, updated_at = now()
FROM unnest($1::text[]::uuid[], $2::text[], $3::text[], $4::timestamptz[]) AS new (id, reason, detail, at)
WHERE old.lt_order_id = new.id AND old.status = 'PLACED' AND old.order_hash IS NULL
RETURNING {ORDER_COLUMNS.replace("reason,", "old.reason,").replace("detail,", "old.detail,")}
"""  # noqa: S608
KNOWN = "SELECT order_hash FROM lt_orders WHERE order_hash = ANY($1::text[])"
LATCH = """
UPDATE lt_strategies SET breaker_reason = $2, breaker_at = $3 WHERE strategy_id = $1 AND breaker_reason IS DISTINCT FROM $2
"""


@attrs.define(eq=False, kw_only=True)
class PostgresLiveOrderStore:
    """`LiveOrderStore` of some accounts, over one connection.

    Writers of an account's money come one after another: each holds the rows of the leases.
    """

    connection: RunsWork
    leases: Leases
    accounts: Sequence[str]
    """Whose orders these are; those of others are neither read nor changed."""
    not_found_interval_ms: int
    memory: OrderMemory = attrs.field(factory=OrderMemory)
    """Of this process: what it holds is journaled again before anything is read, in case that the database lost it."""
    _is_complete: bool = attrs.field(init=False, default=False)

    async def snapshot(self, today_ms: int) -> LiveSnapshot:
        """Returns the state of the UTC day in which `today_ms` lies, as one reading."""
        if not self._is_complete:
            remembered = self.memory.of(self.accounts)
            for n in range(0, len(remembered), AGAIN_MAX):
                await self._journal_again(remembered[n : n + AGAIN_MAX])
            self._is_complete = True
        return await self.connection.run(lambda raw: read_snapshot(raw, today_ms, self.accounts))

    async def claim(self, intents: Sequence[LiveIntent]) -> tuple[LiveIntent, ...]:
        """Claims causes that no trade brings; returns those that nobody had claimed before."""
        return tuple(await self._fenced(lambda raw: claim(raw, intents)))

    async def decline(self, declined: Sequence[Declined]) -> tuple[LiveOrder, ...]:
        """Ends claims as REJECTED; one that is journaled or ended stays as it is."""
        rows = [(one.order_id, one.reason, one.detail, time_or_none(one.at_ms)) for one in declined]
        found = await self._fenced(lambda raw: raw.fetch(DECLINE, *columns(rows, 4)))
        return tuple(map(order_of, found))

    async def journal(self, orders: Sequence[tuple[LiveIntent, SignedOrder]]) -> Journaled:
        """Commit 2: locks money and keeps the signed bytes of claims, in one statement; again is no harm."""
        rows = [
            (
                intent.order_id, signed.order_hash, signed.body, signed.account, signed.order_type.value,
                signed.limit_price, signed.size_shares, signed.spend_usd, signed.lock_usd, signed.fee_rate,
                signed.fee_exponent, signed.negative_risk, time_or_none(signed.signed_ms),
            )
            for intent, signed in orders
        ]  # fmt: skip
        found = await self.connection.run(lambda raw: raw.fetch(JOURNAL, *self.leases.columns, *columns(rows, 13)))
        if not found[0]["fences"]:
            raise self.leases.lost()
        versions = dict(zip(found[0]["journaled"] or (), found[0]["versions"] or (), strict=True))
        self.memory.keep(pair for pair in orders if pair[0].order_id in versions)
        open_ = set(found[0]["open"])
        return Journaled(
            orders=tuple(
                LiveOrder(intent=intent, signed=signed, version=versions[intent.order_id])
                for intent, signed in orders
                if intent.order_id in versions
            ),
            refused={
                intent.order_id: "insufficient_cash" if intent.order_id in open_ else "gone"
                for intent, _ in orders
                if intent.order_id not in versions
            },
            balances=tuple(balance_of(row) for row in found if row["strategy_id"] is not None),
        )

    async def apply(self, events: Sequence[OrderEvent]) -> Applied:
        """Books events in their order, each exactly once however often it comes."""
        return await self._fenced(lambda raw: apply_events(raw, events, self.not_found_interval_ms))

    async def settle(self, payouts: Sequence[Payouts], now_ms: int) -> Settled:
        """Closes open positions of resolved markets. A lot leaves OPEN once, whoever settles how often."""
        return await self._fenced(lambda raw: settle_lots(raw, payouts, now_ms, self.accounts))

    async def open_markets(self, after: str, markets_max: int) -> list[tuple[str, frozenset[str]]]:
        """Returns markets with open positions and their tokens, in the order of their ids."""
        rows = await self.connection.run(lambda raw: raw.fetch(OPEN_MARKETS, after, markets_max, list(self.accounts)))
        return [(row["condition_id"], frozenset(row["token_ids"])) for row in rows]

    async def release(self, now_ms: int, redeemed: Sequence[tuple[str, str]] = ()) -> tuple[LiveBalance, ...]:
        """Makes due proceeds spendable, and lets those of redeemed markets begin to cool down."""
        return await self._fenced(lambda raw: release_due(raw, now_ms, redeemed, self.accounts))

    async def open_exits(self, exits: Sequence[LiveExit]) -> tuple[LiveExit, ...]:
        """Makes obligations; returns those that are new."""
        return await self._fenced(lambda raw: insert_exits(raw, exits))

    async def save_exits(self, exits: Sequence[LiveExit]) -> None:
        """Keeps status, target, attempts, times and detail of obligations."""
        await self._fenced(lambda raw: update_exits(raw, exits))

    async def fixed_target(self, exit_id: str) -> LiveExit | None:
        """Fixes the target from the open lots of now, once; None while a buy of those lots is still working."""
        return await self._fenced(lambda raw: fix_target(raw, exit_id))

    async def latch(self, strategy_id: str, reason: str | None, at_ms: int) -> None:
        """Latches the breaker of a strategy, or clears it with None."""
        at = None if reason is None else time_or_none(at_ms)
        await self._fenced(lambda raw: raw.execute(LATCH, strategy_id, reason, at))

    async def _journal_again(self, orders: Sequence[tuple[LiveIntent, SignedOrder]]) -> None:
        """Does nothing for orders that the database knows. Their claims may be there: whoever decides has made them anew."""
        hashes = [signed.order_hash for _, signed in orders]
        known = {row["order_hash"] for row in await self.connection.run(lambda raw: raw.fetch(KNOWN, hashes))}
        lost = [pair for pair in orders if pair[1].order_hash not in known]
        if lost:
            await self.claim([intent for intent, _ in lost])
            done = await self.journal(lost)
            fields = {"orders": len(lost), "refused": len(done.refused)}
            _log.warning("orders that the database had lost are journaled again", extra=fields)

    async def _fenced(self, work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
        """Runs work in a transaction that holds the leases. Raises `TransientError`, `RejectedError` and `FencedError`."""

        async def whole(raw: asyncpg.Connection) -> tuple[bool, T | None]:
            async with fenced(raw, self.leases) as is_ours:
                return (True, await work(raw)) if is_ours else (False, None)

        held, result = await self.connection.run(whole)
        if not held:
            raise self.leases.lost()
        return result  # type: ignore[return-value]
