"""Stored trades of lane 0 in the order of their commits, and the bell that says that there are more."""

from collections.abc import Sequence
from contextlib import suppress

import attrs
import trio

from engine.adapters.postgres.database import DatabaseOptions, RunsWork, open_connection
from engine.adapters.postgres.paper_store import TRADE_COLUMNS, stored_trade
from protocols.copied import StoredTrade
from protocols.errors import TransientError
from protocols.ingest import TradeStore, WriteResult
from protocols.trades import Lane, LanedTrade

COPIED_CHANNEL = "polycopy_copied"
RING = f"NOTIFY {COPIED_CHANNEL}"
END = "SELECT coalesce(max(ingest_seq), 0) FROM trades_public"
# One process at a time writes lane 0, one transaction after the other: there `ingest_seq` rises in the order of commits.
AFTER = f"""
SELECT ingest_seq, {TRADE_COLUMNS} FROM trades_public WHERE lane = 0 AND ingest_seq > $1 ORDER BY ingest_seq LIMIT $2
"""  # noqa: S608 - constants only


@attrs.define(eq=False)
class PostgresCopiedTrades:
    """`CopiedTrades`."""

    connection: RunsWork

    async def end(self) -> int:
        """Returns the position of the last trade that is stored. Raises `TransientError`."""
        return int(await self.connection.run(lambda raw: raw.fetchval(END)))

    async def after(self, position: int, trades_max: int) -> Sequence[StoredTrade]:
        """Returns the next trades. Raises `TransientError`."""
        rows = await self.connection.run(lambda raw: raw.fetch(AFTER, position, trades_max))
        return [StoredTrade(stored_trade(row), row["ingest_seq"]) for row in rows]


@attrs.define(eq=False)
class RingingTrades:
    """`TradeStore` whose commits of lane 0 others hear of."""

    store: TradeStore
    written: trio.Event = attrs.field(init=False, factory=trio.Event)
    """Set, and replaced by whoever waits for it, when such trades were committed."""

    async def write(self, trades: Sequence[LanedTrade]) -> WriteResult:
        """Commits trades as the store behind it does, and raises what it raises."""
        result = await self.store.write(trades)
        if any(laned.lane is Lane.TARGET for laned in trades):
            self.written.set()
        return result


async def ring_when_written(options: DatabaseOptions, trades: RingingTrades) -> None:
    """Rings after commits until cancelled. A bell that does not ring costs a moment: who decides looks by himself, too."""
    async with open_connection(options, "bell") as connection:
        while True:
            await trades.written.wait()
            trades.written = trio.Event()
            with suppress(TransientError):
                await connection.run(lambda raw: raw.execute(RING))
