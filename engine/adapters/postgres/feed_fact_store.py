"""What is known about trades of the feed besides themselves: whether they are held still, and which strategies copied them."""

from collections.abc import Collection, Mapping, Sequence

import asyncpg
import attrs

from engine.adapters.postgres.database import RunsWork
from protocols.feed import TradeCopy

# One row each, looked up: a generic plan may think that reading a table were cheaper.
HELD = """
SELECT wanted.wallet, wanted.token_id
FROM unnest($1::text[], $2::text[]) AS wanted (wallet, token_id)
CROSS JOIN LATERAL (
    SELECT 1 FROM positions_current
    WHERE wallet_address = wanted.wallet AND token_id = wanted.token_id AND missing_since IS NULL LIMIT 1
) AS held
"""
# By the trade that an order names; the others of an aggregate are told by `why`.
COPIES = """
SELECT ft_orders.source_trade_id AS trade_id, ft_wallets.owner_id::text AS owner_id, ft_wallets.wallet_id,
    ft_wallets.display_name, ft_orders.outcome
FROM unnest($1::text[]) AS wanted (trade_id)
CROSS JOIN LATERAL (
    SELECT source_trade_id, wallet_id, outcome FROM ft_orders WHERE source_trade_id = wanted.trade_id OFFSET 0
) AS ft_orders
JOIN ft_wallets ON ft_wallets.wallet_id = ft_orders.wallet_id
ORDER BY ft_wallets.wallet_id
"""


@attrs.define(eq=False)
class PostgresFeedFacts:
    """`FeedFactStore` over a connection or a pool. All methods raise `TransientError`."""

    connection: RunsWork

    async def held(self, positions: Collection[tuple[str, str]]) -> Collection[tuple[str, str]]:
        """Returns those pairs of wallet and token that the wallet still holds, as far as it was looked at."""
        wallets, tokens = [one[0] for one in positions], [one[1] for one in positions]

        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            return await raw.fetch(HELD, wallets, tokens)

        return {(row["wallet"], row["token_id"]) for row in await self.connection.run(work)}

    async def copies(self, trade_ids: Sequence[str]) -> Mapping[str, Sequence[tuple[str, TradeCopy]]]:
        """Returns by trade which strategies copied it, each with the id of its owner."""

        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            return await raw.fetch(COPIES, list(trade_ids))

        found: dict[str, list[tuple[str, TradeCopy]]] = {}
        for row in await self.connection.run(work):
            copy = TradeCopy(wallet_id=row["wallet_id"], display_name=row["display_name"], outcome=row["outcome"])
            found.setdefault(row["trade_id"], []).append((row["owner_id"], copy))
        return found
