"""Edits and lists the follows of a user."""

from collections.abc import Sequence
from typing import Any

import asyncpg
import attrs

from engine.adapters.postgres.database import Connection, RunsWork, row_count
from engine.adapters.postgres.trader_sources import trades_of

ADD = """
INSERT INTO follows AS old (user_id, trader_wallet, is_target)
SELECT profiles.id, wallet, $3 FROM profiles CROSS JOIN unnest($2::text[]) AS new (wallet) WHERE profiles.user_name = $1
ON CONFLICT (user_id, trader_wallet) DO UPDATE SET active = true, is_target = excluded.is_target
WHERE NOT old.active OR old.is_target <> excluded.is_target
"""
REMOVE = """
UPDATE follows SET active = false
FROM profiles WHERE profiles.id = follows.user_id AND profiles.user_name = $1
AND follows.active AND follows.trader_wallet = ANY ($2::text[])
"""
LIST = """
SELECT follows.trader_wallet AS wallet, follows.is_target AS target, follows.created_at AS since,
    (SELECT count(*) FROM trades_public WHERE trades_public.trader_wallet = follows.trader_wallet) AS trades,
    (SELECT max(trade_timestamp) FROM trades_public WHERE trades_public.trader_wallet = follows.trader_wallet) AS last_trade
FROM follows JOIN profiles ON profiles.id = follows.user_id
WHERE profiles.user_name = $1 AND follows.active AND follows.trader_wallet > $2
ORDER BY follows.trader_wallet LIMIT $3
"""
HAS_USER = "SELECT EXISTS (SELECT 1 FROM profiles WHERE user_name = $1)"
PAGE_ROWS = 1_000


@attrs.define(eq=False)
class FollowStore:
    """Follows of one user. All methods raise `TransientError` with the database."""

    connection: Connection
    user_name: str

    async def user_exists(self) -> bool:
        """Whether there is such a user."""

        async def work(raw: asyncpg.Connection) -> bool:
            return bool(await raw.fetchval(HAS_USER, self.user_name))

        return await self.connection.run(work)

    async def add(self, wallets: Sequence[str], *, target: bool) -> int:
        """Follows wallets (lower case) and returns how many follows changed."""

        async def work(raw: asyncpg.Connection) -> str:
            return await raw.execute(ADD, self.user_name, sorted(set(wallets)), target)

        return row_count(await self.connection.run(work))

    async def remove(self, wallets: Sequence[str]) -> int:
        """Stops following wallets and returns how many were followed."""

        async def work(raw: asyncpg.Connection) -> str:
            return await raw.execute(REMOVE, self.user_name, sorted(set(wallets)))

        return row_count(await self.connection.run(work))

    async def page(self, after: str = "") -> list[dict[str, Any]]:
        """Returns the next page of follows in the order of wallets; empty at the end."""

        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            return await raw.fetch(LIST, self.user_name, after, PAGE_ROWS)

        return [dict(row) for row in await self.connection.run(work)]


FOLLOW_AS_USER = """
INSERT INTO follows AS old (user_id, trader_wallet)
SELECT profiles.id, wallet FROM profiles CROSS JOIN unnest($2::text[]) AS new (wallet) WHERE profiles.id = $1
ON CONFLICT (user_id, trader_wallet) DO UPDATE SET active = true, is_target = false WHERE NOT old.active
"""
UNFOLLOW_AS_USER = """
UPDATE follows SET active = false WHERE user_id = $1 AND active AND trader_wallet = ANY ($2::text[])
"""
# Who is on no leaderboard is called as in his newest trade.
FOLLOWS_OF_USER = f"""
SELECT page.trader_wallet AS wallet, page.is_target AS target, page.created_at AS since,
    coalesce(traders.display_name, newest.trader_name) AS name, coalesce(traders.profile_image, newest.trader_image) AS image
FROM (
    SELECT * FROM follows WHERE user_id = $1 AND active AND trader_wallet > $2 ORDER BY trader_wallet LIMIT $3
) AS page
LEFT JOIN traders ON traders.wallet_address = page.trader_wallet
LEFT JOIN LATERAL (
    SELECT trader_name, trader_image FROM trades_public WHERE {trades_of("page.trader_wallet")}
    ORDER BY trade_timestamp DESC, trade_id DESC LIMIT 1
) AS newest ON true
ORDER BY page.trader_wallet
"""  # noqa: S608 - constants only


@attrs.define(eq=False)
class UserFollowStore:
    """Follows by user id, over a connection or a pool; one statement a call. All methods raise `TransientError`."""

    connection: RunsWork

    async def add(self, user_id: str, wallets: Sequence[str]) -> int:
        """Follows wallets (lower case) and returns how many were not followed before. Targets stay targets."""

        async def work(raw: asyncpg.Connection) -> str:
            return await raw.execute(FOLLOW_AS_USER, user_id, sorted(set(wallets)))

        return row_count(await self.connection.run(work))

    async def remove(self, user_id: str, wallets: Sequence[str]) -> int:
        """Stops following wallets and returns how many were followed."""

        async def work(raw: asyncpg.Connection) -> str:
            return await raw.execute(UNFOLLOW_AS_USER, user_id, sorted(set(wallets)))

        return row_count(await self.connection.run(work))

    async def page(self, user_id: str, after: str, rows_max: int) -> list[dict[str, Any]]:
        """Returns wallet, target, since, name and image of the next follows in the order of wallets."""

        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            return await raw.fetch(FOLLOWS_OF_USER, user_id, after, rows_max)

        return [dict(row) for row in await self.connection.run(work)]
