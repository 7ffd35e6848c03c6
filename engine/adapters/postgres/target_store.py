"""The wallets that matter, read from `follows` and `traders`."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import asyncpg
import attrs
import trio

from engine.adapters.postgres.database import Connection
from protocols.trades import Lane

VERSION = "SELECT version FROM target_version"
# Keyset pages: no session state between them, and memory for one page only.
FOLLOWED_PAGE = """
SELECT trader_wallet AS wallet, CASE WHEN bool_or(is_target) THEN 0 ELSE 1 END AS lane
FROM follows WHERE active AND trader_wallet > $1
GROUP BY trader_wallet ORDER BY trader_wallet LIMIT $2
"""
KNOWN_PAGE = """
SELECT wallet_address AS wallet, 2 AS lane FROM traders
WHERE is_active AND wallet_address > $1 ORDER BY wallet_address LIMIT $2
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
        for statement in (FOLLOWED_PAGE, KNOWN_PAGE):
            last = ""
            while page := await self.connection.run(_page(statement, last)):
                yield [(row["wallet"], Lane(row["lane"])) for row in page]
                last = page[-1]["wallet"]

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
