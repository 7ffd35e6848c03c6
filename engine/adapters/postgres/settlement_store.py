"""Settlement in PostgreSQL: orders leave OPEN once, whoever settles how often."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

import asyncpg
import attrs

from actors.rules.paper import ledger
from actors.rules.paper.settlement import settle
from engine.adapters.postgres.balance_rows import (
    OPEN_ORDER_COLUMNS,
    add_daily,
    lock_balances,
    open_order,
    save_balances,
)
from engine.adapters.postgres.database import RunsWork
from engine.adapters.postgres.leases import LOCK_HELD, Leases
from protocols.decide_shards import SHARDS
from protocols.errors import FencedError, TransientError
from protocols.paper import DecisionMarkets, OpenMarket, Payouts, SettledOrder
from protocols.timestamps import utc_datetime

ORDERS_PER_TRANSACTION = 500
# Of these shards of strategies (`protocols/decide_shards.py`); NULL: of all strategies.
_OURS = f"""
(@shards::integer[] IS NULL OR wallet_id IN (SELECT wallet_id FROM ft_wallets WHERE number % {SHARDS} = ANY (@shards)))
"""  # noqa: S608 - constants only
OPEN_MARKETS = f"""
SELECT condition_id, array_agg(DISTINCT token_id) AS token_ids FROM ft_orders
WHERE outcome = 'OPEN' AND condition_id > $1 AND {_OURS.replace("@shards", "$3")}
GROUP BY condition_id ORDER BY condition_id LIMIT $2
"""  # noqa: S608
LOCK_ORDERS = f"""
SELECT {OPEN_ORDER_COLUMNS} FROM ft_orders
WHERE outcome = 'OPEN' AND condition_id = ANY ($1::text[]) AND token_id = ANY ($2::text[])
    AND {_OURS.replace("@shards", "$4")}
ORDER BY wallet_id, order_time, order_id LIMIT $3 FOR UPDATE
"""  # noqa: S608
UPDATE_ORDERS = """
UPDATE ft_orders AS old SET
    outcome = new.outcome, pnl = new.pnl, exit_price = new.payout, close_reason = 'resolution', shares_open = 0,
    cost_open = 0, resolved_time = coalesce(new.at, now()),
    winning_label = coalesce(
        (SELECT market_tokens.outcome FROM market_tokens WHERE token_id = new.winner),
        CASE WHEN old.token_id = new.winner THEN old.token_label END
    )
FROM unnest($1::text[], $2::text[], $3::numeric[], $4::numeric[], $5::timestamptz[], $6::text[])
    AS new (id, outcome, pnl, payout, at, winner)
WHERE old.order_id = new.id::uuid
"""
KEEP_PAYOUTS = """
UPDATE market_tokens SET payout = new.payout FROM unnest($1::text[], $2::text[], $3::numeric[])
    AS new (condition_id, token_id, payout)
WHERE market_tokens.token_id = new.token_id AND market_tokens.condition_id = new.condition_id
    AND market_tokens.payout IS DISTINCT FROM new.payout
"""


@attrs.frozen
class _Payout:
    usd: Decimal
    at: datetime | None
    winner: str | None
    """The token that pays one; None of a void market."""


@attrs.define(eq=False, kw_only=True)
class PostgresSettlementStore:
    """`SettlementStore`, fenced by the same leases as every other writer of virtual money."""

    connection: RunsWork
    leases: Leases
    markets: DecisionMarkets
    orders_max: int = ORDERS_PER_TRANSACTION
    shards: Collection[int] | None = None
    """Of the strategies whose orders are settled here; None: all of them."""

    async def open_markets(self, after: str, markets_max: int) -> list[OpenMarket]:
        """Returns markets with open orders beginning after an id, in the order of ids. Raises `TransientError`."""
        shards = self._shards()

        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            return await raw.fetch(OPEN_MARKETS, after, markets_max, shards)

        rows = await self.connection.run(work)
        known = await self.markets.find([row["condition_id"] for row in rows]) if rows else {}
        return [
            OpenMarket(
                condition_id=row["condition_id"],
                token_ids=frozenset(row["token_ids"]),
                market=known.get(row["condition_id"]),
            )
            for row in rows
        ]

    async def settle(self, payouts: Sequence[Payouts]) -> list[SettledOrder]:
        """Settles open orders, some hundreds a transaction so that trades need not wait for all of them.

        When a later transaction fails, what the earlier ones settled is returned and the rest is left to the next call. Raises
        `TransientError`, `RejectedError` and `FencedError` when nothing was settled.
        """
        paid = _by_token(payouts)
        if not paid:
            return []
        settled: list[SettledOrder] = []
        while True:
            try:
                batch = await self._settle_some(paid)
            except (TransientError, FencedError):
                if not settled:
                    raise
                return settled
            settled += batch
            if len(batch) < self.orders_max:
                return settled

    async def _settle_some(self, paid: Mapping[tuple[str, str], _Payout]) -> list[SettledOrder]:
        orders_max, shards = self.orders_max, self._shards()

        async def work(raw: asyncpg.Connection) -> list[SettledOrder] | None:
            async with raw.transaction():
                if not await raw.fetchval(LOCK_HELD, *self.leases.columns):
                    return None
                return await _settle(raw, paid, orders_max, shards)

        settled = await self.connection.run(work)
        if settled is None:
            raise self.leases.lost()
        return settled

    def _shards(self) -> list[int] | None:
        return None if self.shards is None else sorted(self.shards)


async def _settle(
    raw: asyncpg.Connection, paid: Mapping[tuple[str, str], _Payout], orders_max: int, shards: Sequence[int] | None
) -> list[SettledOrder]:
    condition_ids, token_ids = [key[0] for key in paid], [key[1] for key in paid]
    await raw.execute(KEEP_PAYOUTS, condition_ids, token_ids, [one.usd for one in paid.values()])
    rows = await raw.fetch(LOCK_ORDERS, condition_ids, token_ids, orders_max, shards)
    found = [(order, paid[order.condition_id, order.token_id]) for order in map(open_order, rows)]
    if not found:
        return []
    balances = await lock_balances(raw, (order.wallet_id for order, _ in found))
    settled, updates, days = [], [], []
    for order, payout in found:
        one = settle(order, payout.usd)
        balances[order.wallet_id] = ledger.settled(balances[order.wallet_id], one)
        settled.append(one)
        updates.append((one.order_id, one.outcome, one.pnl, payout.usd, payout.at, payout.winner))
        days.append((one.wallet_id, payout.at, one.outcome, one.payout - one.cost_released))
    await raw.execute(UPDATE_ORDERS, *(list(column) for column in zip(*updates, strict=True)))
    await save_balances(raw, balances)
    await add_daily(raw, days)
    return settled


def _by_token(payouts: Sequence[Payouts]) -> dict[tuple[str, str], _Payout]:
    paid = {}
    for one in payouts:
        at = None if one.resolved_ms is None else utc_datetime(one.resolved_ms)
        winner = next((token_id for token_id, usd in one.by_token.items() if usd == 1), None)
        for token_id, usd in one.by_token.items():
            paid[one.condition_id, token_id] = _Payout(usd, at, winner)
    return paid
