"""A replay of trades that the database holds: with their markets, and with records of traders as they stood then."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import attrs

from actors.rules.backtest.record_book import RecordBook
from engine.replay.host import ReplayOrder
from engine.replay.tape_markets import Resolution
from engine.simulator.tape import TapeRow
from protocols.amounts import size_micro
from protocols.backtest import BacktestQuery, BacktestStore, PastTrade, StoredMarket
from protocols.errors import RejectedError
from protocols.strategies import StrategySettings
from protocols.timestamps import utc_datetime

TRADES_MAX = 1_000_000


@attrs.frozen(kw_only=True)
class StoredTape:
    """Stored trades, ready to be played as often as one likes."""

    rows: Sequence[TapeRow]
    """In the order of time; may be empty."""
    resolutions: Sequence[Resolution]
    record_book: RecordBook
    markets_unknown: int
    """Markets of these trades that have no row."""
    markets_open: int
    """Markets whose payouts are not known, or were not by `known_until_ms`."""

    def order(self, bots: Sequence[tuple[str, StrategySettings]], **more: Any) -> ReplayOrder:
        """Returns the replay of these trades with strategies; `more` are fields of `ReplayOrder`."""
        return ReplayOrder(
            rows=self.rows, bots=bots, resolutions=self.resolutions, record_book=self.record_book, **more
        )


async def stored_tape(
    store: BacktestStore, query: BacktestQuery, *, known_until_ms: int | None = None, trades_max: int = TRADES_MAX
) -> StoredTape:
    """Returns the trades of a query. Raises `TransientError`, and `RejectedError` for more trades than `trades_max`.

    Of markets that ended after `known_until_ms` it is not known that they did: what was tried on trades of a time must not
    be judged by what came out later.
    """
    rows: list[TapeRow] = []
    page = await store.trades(query)
    while True:
        rows += [tape_row(trade) for trade in page.trades]
        if len(rows) > trades_max:
            raise RejectedError(f"more than {trades_max:,} stored trades; ask for fewer days or traders")
        if page.after is None:
            break
        page = await store.trades(query, page.after)
    ids = list(dict.fromkeys(row.condition_id for row in rows))
    markets = await store.markets(ids)
    wallets = dict.fromkeys(row.wallet for row in rows)
    days = await store.day_rows(list(wallets), before=utc_datetime(query.until_ms).date()) if rows else []
    resolutions = [resolution_of(one, known_until_ms) for one in markets.values()]
    return StoredTape(
        rows=rows,
        resolutions=resolutions,
        record_book=RecordBook.of(days),
        markets_unknown=len(ids) - len(markets),
        markets_open=sum(not one.payouts for one in resolutions),
    )


def tape_row(trade: PastTrade) -> TapeRow:
    """Returns a stored trade in the Data API's spelling, as a tape holds it."""
    fields: dict[str, Any] = {
        "proxyWallet": trade.wallet,
        "side": trade.side,
        "asset": trade.token_id,
        "conditionId": trade.condition_id,
        "size": trade.size,
        "price": trade.price,
        "timestamp": trade.trade_ms // 1000,
        "transactionHash": trade.transaction_hash,
        "title": trade.title,
        "slug": trade.slug,
        "eventSlug": trade.event_slug,
        "outcome": trade.outcome,
        "outcomeIndex": trade.outcome_index,
        "name": trade.name,
    }
    return TapeRow(
        wallet=trade.wallet,
        side=trade.side,
        token_id=trade.token_id,
        condition_id=trade.condition_id,
        transaction_hash=trade.transaction_hash,
        timestamp_s=trade.trade_ms // 1000,
        size_micro=size_micro(trade.size),
        price=trade.price,
        fields={name: value for name, value in fields.items() if value is not None},
    )


def resolution_of(stored: StoredMarket, known_until_ms: int | None) -> Resolution:
    """Returns what a replay is told of a market: what it pays only when that was known by then."""
    market, ended_ms = stored.market, stored.ended_ms
    known = market.resolved and (known_until_ms is None or (ended_ms is not None and ended_ms <= known_until_ms))
    return Resolution(
        condition_id=market.condition_id,
        slug=market.slug,
        payouts=_payouts(market.token_ids, market.outcome_prices) if known else {},
        closed_ms=ended_ms if known else None,
        market=market,
    )


def _payouts(tokens: Sequence[str], prices: Sequence[Decimal] | None) -> Mapping[str, Decimal]:
    return dict(zip(tokens, prices, strict=True)) if prices is not None and len(prices) == len(tokens) else {}
