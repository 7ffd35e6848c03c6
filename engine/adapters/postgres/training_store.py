"""Stored BUY trades for training, trader by trader, so that what is known of each is needed only while his trades are read."""

from collections.abc import AsyncIterator, Sequence
from datetime import date, datetime
from decimal import Decimal

import asyncpg
import attrs

from engine.adapters.postgres.database import RunsWork
from protocols.timestamps import utc_datetime

PAGE_ROWS = 5_000
WALLETS_PER_PAGE = 1_000
DAY_COUNTS = """
SELECT (trade_timestamp AT TIME ZONE 'UTC')::date AS day, count(*) AS trades FROM trades_public
WHERE side = 'BUY' AND trade_timestamp >= $1 AND trade_timestamp < $2 GROUP BY 1 ORDER BY 1
"""
WALLET_COUNTS = """
SELECT trader_wallet, count(*) AS trades FROM trades_public
WHERE trader_wallet > $1 AND side = 'BUY' AND trade_timestamp >= $2 AND trade_timestamp < $3
GROUP BY trader_wallet ORDER BY trader_wallet LIMIT $4
"""
_COLUMNS = """trade_id, trader_wallet, asset, condition_id, price, (size * 1000000)::bigint AS size_micro, trade_timestamp,
    outcome"""
# Of few traders with few trades each: $1 wallets, $2 since, $3 until, $4 to $6 the key of the last page, $7 rows.
OF_WALLETS = f"""
SELECT {_COLUMNS} FROM trades_public
WHERE trader_wallet = ANY ($1::text[]) AND side = 'BUY' AND trade_timestamp >= $2 AND trade_timestamp < $3
    AND (trader_wallet, trade_timestamp, trade_id) > ($4, $5, $6)
ORDER BY trader_wallet, trade_timestamp, trade_id LIMIT $7
"""  # noqa: S608
# Of one with many: his trades come out of an index in order.
OF_WALLET = f"""
SELECT {_COLUMNS} FROM trades_public
WHERE trader_wallet = $1 AND side = 'BUY' AND trade_timestamp >= $2 AND trade_timestamp < $3
    AND (trade_timestamp, trade_id) > ($2, $4)
ORDER BY trade_timestamp, trade_id LIMIT $5
"""  # noqa: S608


@attrs.frozen(kw_only=True)
class PastBuy:
    """A stored BUY."""

    trade_id: str
    wallet: str
    token_id: str
    condition_id: str
    price: Decimal
    size_micro: int
    trade_ms: int
    outcome: str | None


@attrs.define(eq=False)
class PostgresTrainingStore:
    """Read only. A page is one query; between pages nothing is held open."""

    reads: RunsWork
    page_rows: int = PAGE_ROWS

    async def day_counts(self, since_ms: int, until_ms: int) -> dict[date, int]:
        """Returns the number of BUY trades by UTC day, oldest first. Raises `TransientError`."""
        since, until = utc_datetime(since_ms), utc_datetime(until_ms)
        rows = await self.reads.run(lambda raw: raw.fetch(DAY_COUNTS, since, until))
        return {row["day"]: row["trades"] for row in rows}

    async def batches(self, since_ms: int, until_ms: int) -> AsyncIterator[list[str]]:
        """Yields wallets in their order, as many at once as have about a page of trades. Raises `TransientError`."""
        since, until = utc_datetime(since_ms), utc_datetime(until_ms)
        after, batch, trades = "", list[str](), 0
        while True:
            values = (after, since, until, WALLETS_PER_PAGE)
            rows = await self.reads.run(lambda raw, values=values: raw.fetch(WALLET_COUNTS, *values))  # type: ignore[misc]
            for row in rows:
                if batch and trades + row["trades"] > self.page_rows:
                    yield batch
                    batch, trades = [], 0
                batch.append(row["trader_wallet"])
                trades += row["trades"]
            if len(rows) < WALLETS_PER_PAGE:
                break
            after = rows[-1]["trader_wallet"]
        if batch:
            yield batch

    async def buys(self, wallets: Sequence[str], since_ms: int, until_ms: int) -> AsyncIterator[list[PastBuy]]:
        """Yields the trades of some wallets in pages, wallet by wallet, each one's in order. Raises `TransientError`."""
        since, until = utc_datetime(since_ms), utc_datetime(until_ms)
        key: tuple[str, datetime, str] = ("", since, "")
        while True:
            rows = await self._page(wallets, since, until, key)
            if rows:
                yield [_buy(row) for row in rows]
            if len(rows) < self.page_rows:
                return
            last = rows[-1]
            key = (last["trader_wallet"], last["trade_timestamp"], last["trade_id"])

    async def _page(
        self, wallets: Sequence[str], since: datetime, until: datetime, key: tuple[str, datetime, str]
    ) -> list[asyncpg.Record]:
        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            if len(wallets) == 1:
                return await raw.fetch(OF_WALLET, wallets[0], key[1], until, key[2], self.page_rows)
            return await raw.fetch(OF_WALLETS, list(wallets), since, until, *key, self.page_rows)

        return await self.reads.run(work)


def _buy(row: asyncpg.Record) -> PastBuy:
    return PastBuy(
        trade_id=row["trade_id"],
        wallet=row["trader_wallet"],
        token_id=row["asset"],
        condition_id=row["condition_id"],
        price=row["price"],
        size_micro=row["size_micro"],
        trade_ms=round(row["trade_timestamp"].timestamp() * 1000),
        outcome=row["outcome"],
    )
