"""The wallets that matter, read from `follows`, `traders` and the strategies."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import asyncpg
import attrs
import trio

from engine.adapters.postgres.database import Connection
from protocols.trades import Lane

VERSION = "SELECT version FROM target_version"
# Keyset pages: no session state between them, and memory for one page only.
# Lane 0: marked as targets by hand; followed by the owner of a strategy that copies whom he follows; named by a strategy; in
# `traders`, where a strategy copies the leaderboard; and whoever was copied and not closed yet, since his sales must be seen.
FOLLOWED_PAGE = """
SELECT trader_wallet AS wallet, CASE WHEN bool_or(is_target OR EXISTS (
    SELECT 1 FROM ft_wallets
    WHERE owner_id = follows.user_id AND target_mode = 'followed' AND is_active AND archived_at IS NULL
)) THEN 0 ELSE 1 END AS lane
FROM follows WHERE active AND trader_wallet > $1
GROUP BY trader_wallet ORDER BY trader_wallet LIMIT $2
"""
NAMED_PAGE = """
SELECT DISTINCT named.wallet, 0 AS lane FROM (
    SELECT unnest(target_traders) AS wallet FROM ft_wallets
    WHERE target_mode = 'list' AND is_active AND archived_at IS NULL
) AS named
WHERE named.wallet > $1 ORDER BY named.wallet LIMIT $2
"""
COPIED_PAGE = """
SELECT DISTINCT trader_address AS wallet, 0 AS lane FROM ft_orders
WHERE outcome = 'OPEN' AND trader_address > $1 ORDER BY trader_address LIMIT $2
"""
KNOWN_PAGE = """
SELECT wallet_address AS wallet, CASE WHEN EXISTS (
    SELECT 1 FROM ft_wallets WHERE target_mode = 'leaderboard' AND is_active AND archived_at IS NULL
) THEN 0 ELSE 2 END AS lane
FROM traders WHERE is_active AND wallet_address > $1 ORDER BY wallet_address LIMIT $2
"""
EVERYONE = """
SELECT EXISTS (SELECT 1 FROM ft_wallets WHERE target_mode = 'everyone' AND is_active AND archived_at IS NULL)
"""
PAGE_ROWS = 2_000


@attrs.define(eq=False)
class PostgresTargetStore:
    """`TargetStore` over one long-lived connection; `changed` is set by NOTIFY where a listener runs."""

    connection: Connection
    _changed: trio.Event = attrs.field(init=False, factory=trio.Event)

    async def version(self) -> int:
        """Returns the version of the sets. Raises `TransientError`."""

        async def work(raw: asyncpg.Connection) -> int:
            return int(await raw.fetchval(VERSION))

        return await self.connection.run(work)

    async def wallets(self) -> AsyncIterator[Sequence[tuple[str, Lane]]]:
        """Yields pages of (wallet, lane). Raises `TransientError`."""
        for statement in (FOLLOWED_PAGE, NAMED_PAGE, COPIED_PAGE, KNOWN_PAGE):
            last = ""
            while page := await self.connection.run(_page(statement, last)):
                yield [(row["wallet"], Lane(row["lane"])) for row in page]
                last = page[-1]["wallet"]

    async def everyone(self) -> bool:
        """Returns whether some strategy copies every trade of the platform. Raises `TransientError`."""

        async def work(raw: asyncpg.Connection) -> bool:
            return bool(await raw.fetchval(EVERYONE))

        return await self.connection.run(work)

    async def wait_changed(self, timeout_s: float) -> None:
        """Returns when a notification came, at the latest after `timeout_s`."""
        with trio.move_on_after(timeout_s):
            await self._changed.wait()
        self._changed = trio.Event()

    def notify(self) -> None:
        """Says that the sets may have changed."""
        self._changed.set()


def _page(statement: str, last: str) -> Callable[[asyncpg.Connection], Awaitable[list[asyncpg.Record]]]:
    async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
        return await raw.fetch(statement, last, PAGE_ROWS)

    return work
