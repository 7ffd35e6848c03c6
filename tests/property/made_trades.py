"""Rows, frames and trades made for tests."""

import json
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from protocols.decisions import DecidedTrade, Decision
from protocols.trade_identity import fill_key, trade_id_of
from protocols.trades import Lane, LanedTrade, RawTrade, Trade, TradeRow, trade_from_row
from protocols.venue.data_api import PageRow

NOON_S = 1_780_000_000
WALLET = "0x" + "ab" * 20
STRANGER = "0x" + "99" * 20


def wallet(number: int) -> str:
    return f"0x{number:040x}"


def condition(number: int) -> str:
    return f"0x{number:064x}"


def transaction(number: int) -> str:
    return f"0x{number:064x}"


def fields(**changes: Any) -> dict[str, Any]:
    """One row as the venue writes it."""
    row = {
        "proxyWallet": WALLET,
        "asset": "123456789",
        "conditionId": condition(7),
        "side": "BUY",
        "price": 0.26,
        "size": 2.7027,
        "transactionHash": transaction(1),
        "timestamp": NOON_S,
        "outcome": "No",
        "outcomeIndex": 1,
        "slug": "a-slug",
        "eventSlug": "an-event",
        "title": "A title",
        "name": "PPMT",
        "icon": "https://x.example/x.jpg",
        "profileImage": "",
    }
    return {name: value for name, value in (row | changes).items() if value is not ...}


def frame(kind: str = "trades", **changes: Any) -> str:
    """The frame around one row."""
    envelope = {"connection_id": "c=", "topic": "activity", "type": kind, "timestamp": NOON_S * 1000}
    return json.dumps(envelope | {"payload": fields(**changes)})


def row(**changes: Any) -> TradeRow:
    made = {
        "proxy_wallet": WALLET,
        "asset": "123456789",
        "condition_id": condition(7),
        "side": "BUY",
        "price": Decimal("0.26"),
        "size": Decimal("2.7027"),
        "transaction_hash": transaction(1),
        "timestamp": NOON_S,
    }
    return TradeRow(**(made | changes))


def raw(scope: str = "rtds:1:trades", seen_s: float = 0.0, **changes: Any) -> RawTrade:
    return RawTrade(row=row(**changes), scope=scope, text='{"payload":{}}', seen_s=seen_s)


def page_row(**changes: Any) -> PageRow:
    return PageRow(row=row(**changes), text=b'{"payload":{}}')


def laned(number: int, lane: Lane = Lane.FOLLOWED, *, trade_ms: int | None = None, ordinal: int = 0) -> LanedTrade:
    """The kept trade number `number`."""
    made = raw(
        proxy_wallet=wallet(number % 5),
        transaction_hash=transaction(number),
        timestamp=NOON_S + number if trade_ms is None else trade_ms,
    )
    key = fill_key(made.row, made.row.proxy_wallet)
    trade = trade_from_row(
        made, trade_id=trade_id_of(key, ordinal), wallet=made.row.proxy_wallet, payload_json=f'{{"number":{number}}}'
    )
    return LanedTrade(trade, lane)


def decided(laned_trade: LanedTrade, *parts: str) -> DecidedTrade:
    """The same trade with a decision for each part."""
    trade = laned_trade.trade
    decisions = tuple(
        Decision(
            part=part, trade_id=trade.trade_id, trade_ms=trade.trade_ms, decided_ms=trade.trade_ms, members=(),
            snapshot='{"price":"0.26"}', strategies=(1, 2), versions=(1, 3), reasons=("taken", "not_buy"),
            bankrolls=(Decimal("12.345678"), None),
        )
        for part in parts
    )  # fmt: skip
    return DecidedTrade(trade, laned_trade.lane, decisions)


def ids(trades: list[LanedTrade]) -> list[str]:
    return [one.trade.trade_id for one in trades]


def described(trade: Trade) -> tuple[Any, ...]:
    """A trade without its arrival, which is not part of what is kept."""
    return tuple(getattr(trade, name) for name in Trade.__struct_fields__ if name != "seen_s")


LANES = st.sampled_from(Lane)
JSON_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["", "0", "NaN", "\x00"]),
)
JSON_VALUES = st.recursive(
    JSON_SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=8,
)
