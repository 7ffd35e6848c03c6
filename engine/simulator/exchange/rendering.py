"""Orders and trades as the REST API writes them (venue.md §4.7); the user socket has the same fields without prefixes."""

from typing import Any

from engine.simulator.exchange.orders import VenueOrder, shares_text
from engine.simulator.exchange.trades import Leg, VenueTrade
from engine.simulator.profiles import mixed_case
from engine.simulator.wire_numbers import decimal_text


def order_fields(order: VenueOrder) -> dict[str, Any]:
    """Returns the object of `/data/order/{id}`."""
    return {
        "id": order.order_id,
        "status": f"ORDER_STATUS_{order.state}",
        "owner": order.owner,
        "maker_address": mixed_case(order.funder),
        "market": order.market.condition_id,
        "asset_id": order.token_id,
        "side": order.side,
        "original_size": shares_text(order.size_micro),
        "size_matched": shares_text(order.matched_micro),
        "price": decimal_text(order.price),
        "outcome": order.market.outcomes[order.outcome_index],
        "expiration": str(order.expiration_s),
        "order_type": order.order_type,
        "associate_trades": list(order.trade_ids),
        "created_at": order.created_ms // 1000,
    }


def trade_fields(trade: VenueTrade, role: str) -> dict[str, Any]:
    """Returns what REST and the user socket say of a trade, but its status and hash. `role` is TAKER or MAKER.

    Token, side and price are the taker's even for a maker.
    """
    taker = trade.taker
    return {
        "id": trade.trade_id,
        "taker_order_id": taker.order_id,
        "market": trade.market.condition_id,
        "asset_id": trade.market.token_ids[taker.outcome_index],
        "side": taker.side,
        "size": shares_text(taker.size_micro),
        "fee_rate_bps": "0",
        "price": decimal_text(trade.limit_price),
        "match_time": str(trade.matched_ms // 1000),
        "last_update": str(trade.updated_ms // 1000),
        "outcome": trade.market.outcomes[taker.outcome_index],
        "bucket_index": trade.bucket_index,
        "owner": taker.owner,
        "maker_address": mixed_case(taker.funder),
        "maker_orders": [_maker_fields(trade, leg) for leg in trade.makers],
        "trader_side": role,
    }


def rest_trade(trade: VenueTrade, role: str) -> dict[str, Any]:
    """Returns an entry of `/data/trades`."""
    status = {"status": f"TRADE_STATUS_{trade.status}", "transaction_hash": trade.transaction_hash}
    return trade_fields(trade, role) | status


def role_in(trade: VenueTrade, funders: frozenset[str]) -> str | None:
    """Returns TAKER or MAKER for whoever has these wallets, or None when the trade is none of his."""
    if trade.taker.funder in funders:
        return "TAKER"
    return "MAKER" if any(leg.funder in funders for leg in trade.makers) else None


def _maker_fields(trade: VenueTrade, leg: Leg) -> dict[str, Any]:
    return {
        "order_id": leg.order_id,
        "owner": leg.owner,
        "maker_address": mixed_case(leg.funder),
        "matched_amount": shares_text(leg.size_micro),
        "price": decimal_text(leg.price),
        "fee_rate_bps": "0",
        "asset_id": trade.market.token_ids[leg.outcome_index],
        "outcome": trade.market.outcomes[leg.outcome_index],
        "outcome_index": leg.outcome_index,
        "side": leg.side,
    }
