"""Copies of users in PostgreSQL: read in one order, in portions, at one moment."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

import asyncpg
import attrs

from engine.adapters.postgres import portfolio_statements as sql
from engine.adapters.postgres.database import RunsWork
from protocols.live.orders import MANUAL
from protocols.portfolio import (
    CopiedFill,
    OfficialResult,
    OrderCursor,
    PortfolioQuery,
    Row,
    Stamps,
    TakesFills,
    TokenFacts,
)
from protocols.timestamps import utc_datetime

PORTION = 1_000
"""Fills that are decoded and matched before other tasks have their turn."""
_EPOCH = utc_datetime(0)


@attrs.define(eq=False)
class PostgresPortfolios:
    """`PortfolioStore`. All methods raise `TransientError`."""

    connection: RunsWork
    portion: int = PORTION

    async def read(
        self, query: PortfolioQuery, known: Stamps | None, into: Callable[[Collection[str]], TakesFills]
    ) -> tuple[Stamps, Mapping[str, TokenFacts]]:
        """Reads the fills of tokens that have changed, then what is stored of open ones; from one snapshot."""
        tokens = None if query.token_ids is None else list(query.token_ids)
        values = (query.user_id, _by_hand(query), query.strategy_id, query.account, tokens)

        async def work(raw: asyncpg.Connection) -> tuple[Stamps, Mapping[str, TokenFacts]]:
            async with raw.transaction(isolation="repeatable_read", readonly=True):
                stamps: Stamps = {row[0]: row[1] for row in await raw.fetch(sql.STAMPS, *values)}
                changed = _changed(stamps, known or {})
                book = into(changed)
                wanted = values if known is None else (*values[:4], changed)
                if changed:
                    cursor = await raw.cursor(sql.FILLS, *wanted)
                    while fills := await cursor.fetch(self.portion):
                        # They have the fields of `CopiedFill` in its order, and are taken apart at once.
                        book.take(cast("list[CopiedFill]", fills))
                return stamps, await _facts(raw, book.open_tokens())

        return await self.connection.run(work)

    async def facts(self, token_ids: Collection[str]) -> Mapping[str, TokenFacts]:
        """Returns what is stored of tokens."""
        return await self.connection.run(lambda raw: _facts(raw, token_ids))

    async def official(self, query: PortfolioQuery, token_ids: Collection[str]) -> Mapping[str, OfficialResult]:
        """Returns what the venue says, by token: the table of results first, what an import brought where that has nothing."""
        tokens, wallets = list(token_ids), sorted({wallet for wallet in query.accounts.values() if wallet})

        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            rows: list[asyncpg.Record] = await raw.fetch(sql.OFFICIAL_OF_ORDERS, query.user_id, tokens)
            if wallets:
                rows += await raw.fetch(sql.OFFICIAL, tokens, wallets)
            return rows

        return {row["token_id"]: OfficialResult(**row) for row in await self.connection.run(work)}

    async def orders(
        self, query: PortfolioQuery, *, before: OrderCursor | None, rows_max: int, kind: str | None = None
    ) -> Sequence[Row]:
        """Returns copied orders that were filled, newest first; with a kind only those."""
        at = None if before is None else moment_of(before.at_us)
        order_id = None if before is None else before.order_id
        values = (query.user_id, _by_hand(query), query.strategy_id, query.account, at, order_id, rows_max, kind)
        return [dict(row) for row in await self._rows(sql.ORDERS, *values)]

    async def trader_names(self, wallets: Collection[str]) -> Mapping[str, str]:
        """Returns the names of wallets that have one."""
        return {row["wallet"]: row["name"] for row in await self._rows(sql.TRADER_NAMES, list(wallets)) if row["name"]}

    async def user_id_of(self, user_name: str) -> str | None:
        """Returns the id of a user, or None."""
        rows = await self._rows(sql.USER_ID, user_name)
        return str(rows[0]["id"]) if rows else None

    async def _rows(self, statement: str, *values: Any) -> list[asyncpg.Record]:
        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            return await raw.fetch(statement, *values)

        return await self.connection.run(work)


def _changed(stamps: Stamps, known: Stamps) -> list[str]:
    return [
        *(token_id for token_id, stamp in stamps.items() if known.get(token_id) != stamp),
        *(token_id for token_id in known if token_id not in stamps),
    ]


def moment_of(us: int) -> datetime:
    """Returns the time of microseconds since the epoch."""
    return _EPOCH + timedelta(microseconds=us)


async def _facts(raw: asyncpg.Connection, token_ids: Collection[str]) -> dict[str, TokenFacts]:
    rows = await raw.fetch(sql.FACTS, list(token_ids)) if token_ids else []
    facts = {row[0]: TokenFacts(*row) for row in rows}
    unknown = [token_id for token_id in token_ids if "::" in token_id]
    if unknown:
        facts |= {row["token_id"]: TokenFacts(**row) for row in await raw.fetch(sql.OWN_PRICES, unknown)}
    return facts


def _by_hand(query: PortfolioQuery) -> list[str]:
    return [f"{MANUAL}:{account}" for account in query.accounts]
