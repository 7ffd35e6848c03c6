"""The columns of the feed's row: what a statement selects, and the row in a record."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import msgspec

from protocols.amounts import decimal_from
from protocols.errors import MalformedError
from protocols.feed import FeedPosition, FeedRow

# Of a trade named `trades`, with what DESCRIPTIONS joins to it.
COLUMNS = """
    trades.trade_timestamp, trades.trade_id, trades.trader_wallet, trades.transaction_hash, trades.asset,
    trades.condition_id, trades.side, trim_scale(trades.price) AS price, trim_scale(trades.size) AS size,
    coalesce(trades.outcome, tokens.outcome) AS outcome,
    coalesce(trades.trader_name, traders.display_name) AS trader_name,
    coalesce(trades.trader_image, traders.profile_image) AS trader_image,
    coalesce(trades.market_title, markets.title) AS title,
    coalesce(trades.market_slug, markets.market_slug) AS slug,
    coalesce(trades.event_slug, markets.event_slug) AS event_slug,
    coalesce(trades.market_image, markets.image) AS image,
    markets.outcome_prices
"""
# One row each, looked up: a generic plan may think that reading all markets were cheaper.
DESCRIPTIONS = """
LEFT JOIN LATERAL (
    SELECT display_name, profile_image FROM traders WHERE wallet_address = trades.trader_wallet LIMIT 1
) AS traders ON true
LEFT JOIN LATERAL (
    SELECT title, market_slug, event_slug, image, outcome_prices FROM markets
    WHERE condition_id = trades.condition_id LIMIT 1
) AS markets ON true
LEFT JOIN LATERAL (
    SELECT outcome FROM market_tokens WHERE token_id = trades.asset LIMIT 1
) AS tokens ON true
"""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_JSON = msgspec.json.Decoder()


def feed_row(record: asyncpg.Record) -> FeedRow:
    """Returns the row of the feed in a record that has its columns."""
    return FeedRow(
        trade_id=record["trade_id"],
        trader_wallet=record["trader_wallet"],
        trader_name=record["trader_name"],
        trader_image=record["trader_image"],
        transaction_hash=record["transaction_hash"],
        asset=record["asset"],
        condition_id=record["condition_id"],
        side=record["side"],
        price=record["price"],
        size=record["size"],
        timestamp=(record["trade_timestamp"] - EPOCH) // timedelta(seconds=1),
        outcome=record["outcome"],
        title=record["title"],
        slug=record["slug"],
        event_slug=record["event_slug"],
        outcome_prices=_prices(record["outcome_prices"]),
        image=record["image"],
    )


def position_of(record: asyncpg.Record) -> FeedPosition:
    """Returns where a page ends whose last row is this one."""
    trade_us = (record["trade_timestamp"] - EPOCH) // timedelta(microseconds=1)
    return FeedPosition(trade_us=trade_us, trade_id=record["trade_id"])


def _prices(text: str | None) -> tuple[Decimal, ...] | None:
    """Stored prices are a list of texts or numbers; anything else is no price, and missing is missing."""
    if text is None:
        return None
    listed: Any = _JSON.decode(text)
    if not isinstance(listed, list):
        return None
    try:
        return tuple(decimal_from(str(price) if isinstance(price, float) else price, "price") for price in listed)
    except MalformedError:
        return None
