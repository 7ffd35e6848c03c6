"""What the CLOB sockets say, as JSON values (venue.md §2)."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from engine.simulator.book import BookView
from engine.simulator.exchange.events import BookChanged, OrderChanged, TickSizeChanged, TradeChanged, Traded
from engine.simulator.exchange.orders import shares_text
from engine.simulator.exchange.rendering import order_fields, trade_fields
from engine.simulator.gamma_market import iso
from engine.simulator.market import Market
from engine.simulator.wire_numbers import MICRO, decimal_text

_LEFT_OUT_OF_BOOKS = ("min_order_size", "neg_risk")
_PRICE_STEP = Decimal("0.001")


def book_frame(view: BookView) -> dict[str, Any]:
    """Returns a `book` event; its hash is that of the REST book of the same moment, which has two fields more."""
    fields = {name: value for name, value in view.rendered().items() if name not in _LEFT_OUT_OF_BOOKS}
    last = fields.pop("last_trade_price")
    return fields | {"event_type": "book", "last_trade_price": last}


def price_change_frame(event: BookChanged, views: Sequence[BookView]) -> dict[str, Any]:
    """Returns a `price_change` event. `views` are the books of both tokens after the change.

    Each entry's hash is the checksum of the whole book of its token with the time of the message.
    """
    hashes = [view.rendered()["hash"] for view in views]
    changes = [
        {
            "asset_id": event.market.token_ids[change.outcome_index],
            "price": decimal_text(change.price),
            "size": shares_text(change.size_micro),
            "side": change.side,
            "hash": hashes[change.outcome_index],
            "best_bid": _best(views[change.outcome_index].best_bid, "0"),
            "best_ask": _best(views[change.outcome_index].best_ask, "1"),
        }
        for change in event.changes
    ]
    return {
        "market": event.market.condition_id,
        "price_changes": changes,
        "timestamp": str(event.at_ms),
        "event_type": "price_change",
    }


def last_trade_frame(event: Traded) -> dict[str, Any]:
    """Returns a `last_trade_price` event: token, price and side are the taker's."""
    return {
        "market": event.market.condition_id,
        "asset_id": event.market.token_ids[event.outcome_index],
        "price": str(event.price.quantize(_PRICE_STEP)),
        "size": shares_text(event.size_micro),
        "fee_rate_bps": "0",
        "side": event.side,
        "timestamp": str(event.at_ms),
        "event_type": "last_trade_price",
        "transaction_hash": event.transaction_hash,
    }


def tick_size_frame(event: TickSizeChanged, token_id: str) -> dict[str, Any]:
    """Returns a `tick_size_change` event of one token."""
    return {
        "event_type": "tick_size_change",
        "market": event.market.condition_id,
        "asset_id": token_id,
        "old_tick_size": decimal_text(event.old),
        "new_tick_size": decimal_text(event.new),
        "timestamp": str(event.at_ms),
    }


def best_bid_ask_frame(view: BookView) -> dict[str, Any]:
    """Returns a `best_bid_ask` event."""
    bid, ask = view.best_bid or Decimal(0), view.best_ask or Decimal(1)
    return {
        "event_type": "best_bid_ask",
        "market": view.market.condition_id,
        "asset_id": view.market.token_ids[view.outcome_index],
        "best_bid": decimal_text(bid),
        "best_ask": decimal_text(ask),
        "spread": decimal_text(ask - bid),
        "timestamp": str(view.timestamp_ms),
    }


def new_market_frame(market: Market, now_ms: int) -> dict[str, Any]:
    """Returns a `new_market` event."""
    return {
        "event_type": "new_market",
        "id": market.market_id,
        "question": market.question,
        "market": market.condition_id,
        "condition_id": market.condition_id,
        "slug": market.slug,
        "assets_ids": list(market.token_ids),
        "outcomes": list(market.outcomes),
        "event_message": {"id": market.market_id, "slug": market.event_slug, "title": market.question},
        "timestamp": str(now_ms),
        "tags": [market.category],
        "active": True,
        "clob_token_ids": list(market.token_ids),
        "sports_market_type": "",
        "line": "",
        "game_start_time": iso(market.game_start_ms) if market.game_start_ms is not None else "",
        "order_price_min_tick_size": decimal_text(market.tick_size),
        "group_item_title": "",
        "taker_base_fee": "1000",
        "fees_enabled": bool(market.fee_rate),
        "fee_schedule": {
            "exponent": "1",
            "rate": decimal_text(market.fee_rate),
            "taker_only": True,
            "rebate_rate": "0.25",
        },
    }


def market_resolved_frame(market: Market, now_ms: int) -> dict[str, Any]:
    """Returns a `market_resolved` event; of a split verdict it names no winner."""
    fields: dict[str, Any] = {
        "event_type": "market_resolved",
        "id": market.market_id,
        "market": market.condition_id,
        "assets_ids": list(market.token_ids),
        "timestamp": str(now_ms),
        "tags": [market.category],
    }
    if market.payouts is not None and MICRO in market.payouts:
        winner = market.payouts.index(MICRO)
        fields |= {"winning_asset_id": market.token_ids[winner], "winning_outcome": market.outcomes[winner]}
    return fields


def order_frame(event: OrderChanged) -> dict[str, Any]:
    """Returns an `order` event as the order is now; the time is in milliseconds."""
    order = event.order
    fields = order_fields(order)
    fields |= {
        "event_type": "order",
        "type": event.kind,
        "status": str(event.status_text),
        "order_owner": order.owner,
        "associate_trades": fields["associate_trades"] or None,
        "created_at": str(order.created_ms // 1000),
        "timestamp": str(event.at_ms),
    }
    if event.killed:
        # The size of a killed BUY is its dollars (venue.md §2.2).
        spent = order.spend_micro if order.spend_micro is not None else order.size_micro
        fields |= {
            "original_size": shares_text(spent),
            "size_matched": "",
            "created_at": "",
            "outcome": "",
            "associate_trades": [],
        }
    return fields


def trade_frame(event: TradeChanged, role: str) -> dict[str, Any]:
    """Returns a `trade` event as the trade is now; its times are seconds."""
    return trade_fields(event.trade, role) | {
        "event_type": "trade",
        "type": "TRADE",
        "status": str(event.status),
        "trade_owner": event.trade.taker.owner,
        "timestamp": str(event.at_ms // 1000),
        "transaction_hash": event.transaction_hash,
    }


def _best(price: Decimal | None, none: str) -> str:
    return decimal_text(price) if price is not None else none
