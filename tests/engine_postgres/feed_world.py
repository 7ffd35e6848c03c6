"""A user who follows some wallets, trades of many, and the feed as a slow reference computes it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs

from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.feed_store import PostgresFeedStore
from protocols.feed import FeedPage, FeedPosition, FeedQuery

NOON_S = 1_780_000_000
NOON = datetime.fromtimestamp(NOON_S, tz=UTC)
CLEAR = """
WITH trades AS (DELETE FROM trades_public), followed AS (DELETE FROM follows), known AS (DELETE FROM traders)
DELETE FROM profiles WHERE user_name LIKE 'user %'
"""
MAKE_USER = "INSERT INTO profiles (user_name) VALUES ($1) RETURNING id::text"
FOLLOW = "INSERT INTO follows (user_id, trader_wallet, active) SELECT $1, unnest($2::text[]), $3"
TRADES = """
INSERT INTO trades_public (
    trade_id, lane, trader_wallet, transaction_hash, asset, condition_id, side, size, price, trade_timestamp, raw
)
SELECT new.trade_id, 1, new.wallet, '0x1', '7', new.condition_id, new.side, 1.5, 0.25, new.at, '{}'
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[]) AS new (trade_id, wallet, condition_id, side, at)
"""


def wallet(number: int) -> str:
    return f"0x{number:040x}"


def condition(number: int) -> str:
    return f"0x{number:064x}"


@attrs.frozen
class Fact:
    """One stored trade."""

    trade_id: str
    wallet_number: int
    age_s: float
    side: str = "BUY"
    market: int = 1

    @property
    def at(self) -> datetime:
        return NOON - timedelta(seconds=self.age_s)


@attrs.define(eq=False)
class FeedWorld:
    connection: Connection
    store: PostgresFeedStore = attrs.field(init=False)
    users: int = 0

    def __attrs_post_init__(self) -> None:
        self.store = PostgresFeedStore(self.connection)

    async def run(self, statement: str, *arguments: Any) -> Any:
        return await self.connection.run(lambda raw: raw.fetch(statement, *arguments))

    async def clear(self) -> None:
        await self.run(CLEAR)

    async def user(self, followed: Sequence[int], *, unfollowed: Sequence[int] = ()) -> str:
        self.users += 1
        [row] = await self.run(MAKE_USER, f"user {self.users}")
        await self.follow(row["id"], followed)
        await self.run(FOLLOW, row["id"], [wallet(number) for number in unfollowed], False)
        return row["id"]

    async def follow(self, user_id: str, numbers: Sequence[int]) -> None:
        await self.run(FOLLOW, user_id, [wallet(number) for number in numbers], True)

    async def trade(self, facts: Sequence[Fact]) -> None:
        columns = [
            (fact.trade_id, wallet(fact.wallet_number), condition(fact.market), fact.side, fact.at) for fact in facts
        ]
        if columns:
            await self.run(TRADES, *map(list, zip(*columns, strict=True)))

    async def walk(self, query: FeedQuery) -> list[FeedPage]:
        """All pages, from the first to the last."""
        pages = [await self.store.page(query)]
        while pages[-1].next is not None:
            assert len(pages) < 1_000, "it never ends"
            pages.append(await self.store.page(attrs.evolve(query, before=pages[-1].next)))
        return pages


def query(user_id: str, **changes: Any) -> FeedQuery:
    made: dict[str, Any] = {"user_id": user_id, "limit": 50, "since_ms": (NOON_S - 7 * 86_400) * 1000}
    return FeedQuery(**made | changes)


def reference(facts: Sequence[Fact], followed: Sequence[int], asked: FeedQuery) -> list[str]:
    """Trade ids of the whole feed, by sorting everything."""
    earliest = datetime.fromtimestamp(asked.since_ms / 1000, tz=UTC)
    chosen = [
        fact
        for fact in facts
        if fact.wallet_number in followed
        and fact.at >= earliest
        and asked.side in (None, fact.side)
        and (not asked.wallets or wallet(fact.wallet_number) in asked.wallets)
        and asked.condition_id in (None, condition(fact.market))
        and (asked.before is None or (fact.at, fact.trade_id) < (_moment(asked.before), asked.before.trade_id))
    ]
    return [fact.trade_id for fact in sorted(chosen, key=lambda fact: (fact.at, fact.trade_id), reverse=True)]


def _moment(position: FeedPosition) -> datetime:
    return datetime.fromtimestamp(0, tz=UTC) + timedelta(microseconds=position.trade_us)
