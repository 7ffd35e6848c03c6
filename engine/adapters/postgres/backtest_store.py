"""Stored trades, markets and days of traders, read in pages for backtests."""

from collections.abc import Sequence
from datetime import date, datetime

import asyncpg
import attrs

from engine.adapters.postgres.database import RunsWork
from engine.adapters.postgres.decision_market_store import MARKET_COLUMNS, market_of_row
from protocols.backtest import BacktestQuery, DayRow, PagePlace, PastTrade, StoredMarket, TradePage
from protocols.timestamps import utc_datetime

PAGE_ROWS = 5_000
WALLETS_PER_PAGE = 200
MARKETS_PER_QUERY = 2_000
_COLUMNS = """trade_id, lane, trader_wallet, transaction_hash, asset, condition_id, side, price, size, trade_timestamp,
    ingest_seq, ingested_at, outcome, outcome_index, market_title, market_slug, event_slug, trader_name"""
_WITHIN = (
    """trade_timestamp >= $1 AND trade_timestamp < $2 AND (trade_timestamp, ingest_seq) > ($1, $3) AND lane <= $4"""
)
# $1 the time that the last page ended with, $2 the end, $3 the number that it ended with, $4 lane, $5 rows. Times come out of
# an index in order; within one time few rows are sorted.
PAGE = f"SELECT {_COLUMNS} FROM trades_public WHERE {_WITHIN} ORDER BY trade_timestamp, ingest_seq LIMIT $5"  # noqa: S608
# $6 wallets: the beginning of each one's trades, and of these the first ones.
PAGE_OF_WALLETS = f"""
SELECT found.* FROM unnest($6::text[]) AS wanted (wallet) CROSS JOIN LATERAL (
    SELECT {_COLUMNS} FROM trades_public WHERE trader_wallet = wanted.wallet AND {_WITHIN}
    ORDER BY trade_timestamp, ingest_seq LIMIT $5
) AS found
ORDER BY trade_timestamp, ingest_seq LIMIT $5
"""  # noqa: S608
MARKETS = f"SELECT {MARKET_COLUMNS}, close_time FROM markets WHERE condition_id = ANY ($1::text[])"  # noqa: S608
# $1 the key that the last page ended with, $2 wallets or null, $3 the first day that is left out, $4 rows.
DAY_ROWS = """
SELECT wallet_address, day, niche, structure, bracket, trades, usd, resolved_trades, wins, resolved_usd, payout_usd
FROM trader_stats_daily
WHERE (wallet_address, day, niche, structure, bracket) > ($1, $2, $3, $4, $5)
    AND ($6::text[] IS NULL OR wallet_address = ANY ($6)) AND day < $7
ORDER BY wallet_address, day, niche, structure, bracket LIMIT $8
"""


@attrs.define(eq=False)
class PostgresBacktestStore:
    """`BacktestStore`. A page is one query; between pages nothing is held open."""

    reads: RunsWork
    page_rows: int = PAGE_ROWS

    async def trades(self, query: BacktestQuery, after: PagePlace | None = None) -> TradePage:
        """Returns the next trades of a query. Raises `TransientError`.

        Of more wallets than a query takes at once, all traders are read and the others left out.
        """
        wallets = None if query.wallets is None else frozenset(query.wallets)
        few = None if wallets is None or len(wallets) > WALLETS_PER_PAGE else sorted(wallets)
        place = after or PagePlace(utc_datetime(query.since_ms), -1)
        rows = await self._page(place, utc_datetime(query.until_ms), query.lane_max, few)
        more = len(rows) == self.page_rows
        return TradePage(
            trades=[_trade(row) for row in rows if wallets is None or row["trader_wallet"] in wallets],
            after=PagePlace(rows[-1]["trade_timestamp"], rows[-1]["ingest_seq"]) if more else None,
        )

    async def _page(
        self, place: PagePlace, until: datetime, lane_max: int, wallets: list[str] | None
    ) -> list[asyncpg.Record]:
        values = (place.trade_time, until, place.ingest_seq, lane_max, self.page_rows)

        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            if wallets is None:
                return await raw.fetch(PAGE, *values)
            return await raw.fetch(PAGE_OF_WALLETS, *values, wallets)

        return await self.reads.run(work)

    async def markets(self, condition_ids: Sequence[str]) -> dict[str, StoredMarket]:
        """Returns the markets that have a row. Raises `TransientError`."""
        wanted, found = sorted(set(condition_ids)), dict[str, StoredMarket]()
        for first in range(0, len(wanted), MARKETS_PER_QUERY):
            some = wanted[first : first + MARKETS_PER_QUERY]
            for row in await self.reads.run(lambda raw, some=some: raw.fetch(MARKETS, some)):  # type: ignore[misc]
                found[row["condition_id"]] = _market(row)
        return found

    async def day_rows(self, wallets: Sequence[str] | None, *, before: date) -> list[DayRow]:
        """Returns all that traders did before a day. Raises `TransientError`."""
        wanted = None if wallets is None else sorted(set(wallets))
        key: tuple[object, ...] = ("", date.min, "", "", "")
        found: list[DayRow] = []
        while True:
            values = (*key, wanted, before, self.page_rows)
            rows = await self.reads.run(lambda raw, values=values: raw.fetch(DAY_ROWS, *values))  # type: ignore[misc]
            found += [_day_row(row) for row in rows]
            if len(rows) < self.page_rows:
                return found
            key = tuple(rows[-1].values())[:5]


def _trade(row: asyncpg.Record) -> PastTrade:
    return PastTrade(
        trade_id=row["trade_id"],
        lane=row["lane"],
        wallet=row["trader_wallet"],
        transaction_hash=row["transaction_hash"],
        token_id=row["asset"],
        condition_id=row["condition_id"],
        side=row["side"],
        price=row["price"],
        size=row["size"],
        trade_ms=round(row["trade_timestamp"].timestamp() * 1000),
        ingested_ms=round(row["ingested_at"].timestamp() * 1000),
        outcome=row["outcome"],
        outcome_index=row["outcome_index"],
        title=row["market_title"],
        slug=row["market_slug"],
        event_slug=row["event_slug"],
        name=row["trader_name"],
    )


def _market(row: asyncpg.Record) -> StoredMarket:
    closed: datetime | None = row["close_time"]
    market = market_of_row(row)
    ended_ms = None if closed is None or not market.resolved else round(closed.timestamp() * 1000)
    return StoredMarket(market=market, ended_ms=ended_ms)


def _day_row(row: asyncpg.Record) -> DayRow:
    return DayRow(
        wallet=row["wallet_address"],
        day=row["day"],
        niche=row["niche"],
        structure=row["structure"],
        bracket=row["bracket"],
        trades=row["trades"],
        usd=row["usd"],
        resolved_trades=row["resolved_trades"],
        wins=row["wins"],
        resolved_usd=row["resolved_usd"],
        payout_usd=row["payout_usd"],
    )
