"""What the signals of trades are made of, for a page of trades at once."""

from collections.abc import Mapping, Sequence

import asyncpg
import attrs

from actors.rules.polysignal import SignalInputs, known_conviction
from engine.adapters.postgres.database import RunsWork

# One row each, looked up: a generic plan may think that reading a table were cheaper.
INPUTS = """
SELECT trades.trade_id, trim_scale(trades.price) AS price, trades.price * trades.size AS trade_usd,
    coalesce(trades.market_title, market.title) AS title,
    coalesce(stats.d30_win_rate, stats.l_win_rate) AS win_rate,
    coalesce(nullif(stats.d30_resolved_count, 0), stats.l_resolved_count) AS resolved_count,
    coalesce(stats.d30_avg_trade_size_usd, stats.l_avg_trade_size_usd) AS average_usd
FROM unnest($1::text[]) AS wanted (trade_id)
CROSS JOIN LATERAL (SELECT * FROM trades_public WHERE trade_id = wanted.trade_id LIMIT 1) AS trades
LEFT JOIN LATERAL (SELECT title FROM markets WHERE condition_id = trades.condition_id LIMIT 1) AS market ON true
LEFT JOIN LATERAL (
    SELECT * FROM trader_global_stats WHERE wallet_address = trades.trader_wallet LIMIT 1
) AS stats ON true
"""


@attrs.define(eq=False)
class PostgresSignalStore:
    """`SignalStore` over a connection or a pool."""

    connection: RunsWork

    async def inputs(self, trade_ids: Sequence[str]) -> Mapping[str, SignalInputs]:
        """Returns what is known about these trades, with one statement. Raises `TransientError`.

        The record of a trader is that of thirty days, else that of all time, as strategies have it; a model is not asked.
        """

        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            return await raw.fetch(INPUTS, list(trade_ids))

        return {row["trade_id"]: _inputs(row) for row in await self.connection.run(work)}


def _inputs(row: asyncpg.Record) -> SignalInputs:
    return SignalInputs(
        price=row["price"],
        conviction=known_conviction(row["trade_usd"], row["average_usd"]),
        win_rate=row["win_rate"],
        resolved_count=row["resolved_count"],
        probability=None,
        title=row["title"],
    )
