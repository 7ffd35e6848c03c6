"""Rows about accounts in both spellings, and the decoders that read them."""

import json

import pytest
from property.made_trades import NOON_S, condition, fields

from protocols.venue.activity_rows import decode_activity_v1, decode_activity_v2
from protocols.venue.leaderboard_rows import decode_leaderboard_v1, decode_leaderboard_v2
from protocols.venue.position_rows import decode_closed_v1, decode_closed_v2, decode_held_v1, decode_held_v2

WALLET = "0x" + "ab" * 20
HELD_V1 = {
    "proxyWallet": WALLET, "asset": "7", "conditionId": condition(1), "size": 2.5, "avgPrice": 0.4, "initialValue": 1,
    "currentValue": 1.25, "curPrice": 0.5, "realizedPnl": -0.1, "redeemable": False, "mergeable": True,
    "negativeRisk": True, "title": "A title", "outcome": "Yes", "outcomeIndex": 0, "eventSlug": "event",
    "endDate": "2026-07-11",
}  # fmt: skip
CLOSED_V1 = {
    "proxyWallet": WALLET, "asset": "7", "conditionId": condition(1), "avgPrice": 0.47, "totalBought": 2100.073,
    "realizedPnl": 1113.0366, "curPrice": 1, "outcome": "Yes", "outcomeIndex": 0, "endDate": "2026-10-01",
    "timestamp": NOON_S,
}  # fmt: skip
STANDING_V1 = {"rank": "1", "proxyWallet": WALLET, "userName": "🐳", "vol": 72.5, "pnl": -8.25, "profileImage": ""}
TRADE_V1 = fields(type="TRADE", proxyWallet=WALLET)
REDEEM_V1 = TRADE_V1 | {"type": "REDEEM", "asset": "", "side": "", "price": 0, "outcomeIndex": 999, "outcome": ""}
V2_NAMES = {
    "proxyWallet": "proxy_wallet", "asset": "token_id", "conditionId": "condition_id", "size": "current_size",
    "avgPrice": "avg_price", "initialValue": "entry_cost_usdc", "currentValue": "current_value",
    "curPrice": "current_price", "realizedPnl": "realized_pnl", "negativeRisk": "negative_risk",
    "outcomeIndex": "outcome_index", "eventSlug": "event_slug", "endDate": "end_date", "totalBought": "total_size",
}  # fmt: skip
V2_TRADES = {"transactionHash": "transaction_hash", "profileImage": "profile_image", "size": "size"}
V2_BOARD = {"proxyWallet": "user_id", "userName": "user_name", "vol": "volume", "profileImage": "profile_image"}
CLOSED_NAMES = V2_NAMES | {"timestamp": "last_event_at"}
PAIRS = [
    pytest.param(decode_held_v1, decode_held_v2, HELD_V1, V2_NAMES, id="held"),
    pytest.param(decode_closed_v1, decode_closed_v2, CLOSED_V1, CLOSED_NAMES, id="closed"),
    pytest.param(decode_activity_v1, decode_activity_v2, TRADE_V1, V2_NAMES | V2_TRADES, id="trade"),
    pytest.param(decode_activity_v1, decode_activity_v2, REDEEM_V1, V2_NAMES | V2_TRADES, id="redemption"),
    pytest.param(decode_leaderboard_v1, decode_leaderboard_v2, STANDING_V1, V2_BOARD, id="standing"),
]
DECODERS = [each for pair in PAIRS for each in pair.values[:2]]


def encoded(value):
    return json.dumps(value).encode()


def v1(decode, *rows):
    return decode(encoded(rows))


def renamed(row, names):
    return {names.get(name, name): value for name, value in row.items()}


def enveloped(rows, **pagination):
    return encoded({"data": rows} | ({"pagination": pagination} if pagination else {}))


def rows_of(page):
    return page.trades + page.others if hasattr(page, "trades") else page.rows


def understood(page):
    return len(rows_of(page)) + getattr(page, "nothing_left", 0)
