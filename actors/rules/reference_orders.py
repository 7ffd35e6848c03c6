"""Rows of the reference's table `orders`: copies that its users made, mapped to ours (domain.md §6.2).

Nothing is guessed: a price that is none, a wallet that is none and a word that is no outcome are left out and named in `notes`;
what a copy cannot do without (its id, user, market, side, status) refuses the row.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from actors.rules.reference_rows import Mapped, Row, amount_of, object_of, time_of, uuid_of, wallet_of
from protocols.errors import MalformedError
from protocols.text import storable_or_none, storable_tree
from protocols.trades import canonical_condition_id

STATUSES = ("open", "partial", "filled", "matched", "cancelled", "expired", "failed")
# The reference wrote a sentence about the resolution, or where it can be read, in place of the outcome (D60).
_NO_OUTCOME = re.compile("resolved|https?:.*", re.IGNORECASE)
_TOKEN = re.compile("[1-9][0-9]{0,77}")
_CONDITION = re.compile("0x[0-9a-f]{64}")
_ID_CHARS_MAX = 100
_TEXTS = {
    "copied_trade_id": 100, "copied_trader_username": 200, "copied_market_title": 1_000, "outcome": 200, "order_type": 40,
    "time_in_force": 40, "market_slug": 300, "auto_close_error": 1_000, "auto_close_order_id": 100, "lt_strategy_id": 100,
}  # fmt: skip
_TIMES = (
    "trader_closed_at", "market_resolved_at", "last_checked_at", "user_closed_at", "auto_close_triggered_at",
    "auto_close_attempted_at", "polymarket_synced_at", "created_at", "updated_at",
)  # fmt: skip
_FLAGS = ("market_resolved", "notification_closed_sent", "notification_resolved_sent", "auto_close_on_trader_close")
_PRICES = ("price", "price_when_copied", "current_price", "user_exit_price", "polymarket_avg_price")
AMOUNT_MAX = Decimal(10) ** 12
"""Shares and USD of one order; its micro-units fit into 64 bits."""
_AMOUNTS = (
    "size",
    "filled_size",
    "remaining_size",
    "amount_invested",
    "trader_position_size",
    "polymarket_total_bought",
)
_encode = msgspec.json.Encoder(decimal_format="number").encode


def map_order(row: Row) -> Mapped:
    """Returns a copy; whom it belongs to has to be looked up. Raises `MalformedError` with the column as reason."""
    notes: list[str] = []
    raw = object_of(row.get("raw"))
    side = _word(row, "side").upper()
    if side not in ("BUY", "SELL"):
        raise MalformedError("side", side[:40])
    status = _word(row, "status").lower()
    if status not in STATUSES:
        raise MalformedError("status", status[:40])
    texts = {name: storable_or_none(_plain(row.get(name)), chars) for name, chars in _TEXTS.items()}
    times = {name: time_of(row.get(name)) for name in _TIMES}
    prices = {name: _within(row, name, Decimal(1), notes) for name in _PRICES}
    exit_price = prices.pop("user_exit_price")
    if side == "SELL" and exit_price is not None:
        notes.append("user_exit_price of a sale")
        exit_price = None
    if texts["outcome"] is None:
        notes.append("outcome is not known")
    amounts = {name: _within(row, name, AMOUNT_MAX, notes) for name in _AMOUNTS}
    if amounts["size"] is not None and not Decimal(amounts["size"]):
        amounts["size"] = None
    values = {
        "order_id": _order_id(row),
        "copy_user_id": uuid_of(row.get("copy_user_id"), "copy_user_id"),
        "copied_trader_wallet": _trader(row, notes),
        "market_id": _market(row),
        "token_id": _token(row, raw),
        "side": side,
        "status": status,
        "trade_method": row.get("trade_method") if row.get("trade_method") in ("quick", "manual") else None,
        "trader_still_has_position": _flag(row.get("trader_still_has_position")),
        "resolved_outcome": _resolved(row, notes),
        "user_exit_price": exit_price,
        "current_price_at": None if prices["current_price"] is None else times["last_checked_at"] or times["updated_at"],
        "roi": _text(amount_of(row, "roi", notes)),
        "polymarket_realized_pnl": _text(amount_of(row, "polymarket_realized_pnl", notes)),
        "auto_close_slippage_percent": _within(row, "auto_close_slippage_percent", Decimal(100), notes),
        "market_image": storable_or_none(_plain(row.get("market_image") or row.get("market_avatar_url")), 1_000),
        **{name: row.get(name) is True for name in _FLAGS},
        **texts, **times, **prices, **amounts,
        "raw": _encode(storable_tree(raw)).decode(),
    }  # fmt: skip
    return Mapped(values, tuple(notes))


def _order_id(row: Row) -> str:
    text = _word(row, "order_id")
    if len(text) > _ID_CHARS_MAX or not text.isprintable():
        raise MalformedError("order_id", repr(text)[:60])
    return text


def _word(row: Row, name: str) -> str:
    value = row.get(name)
    text = value.strip() if isinstance(value, str) else ""
    if not text:
        raise MalformedError(name, repr(value)[:40])
    return text


def _market(row: Row) -> str:
    condition_id = canonical_condition_id(_word(row, "market_id"))
    if not _CONDITION.fullmatch(condition_id):
        raise MalformedError("market_id", condition_id[:80])
    return condition_id


def _trader(row: Row, notes: list[str]) -> str | None:
    value = row.get("copied_trader_wallet")
    if value is None:
        return None
    try:
        return wallet_of(value)
    except MalformedError:
        notes.append("copied_trader_wallet")
        return None


def _token(row: Row, raw: Mapping[str, Any]) -> str | None:
    """The payload that the order was made from names the token; the table never did."""
    for value in (row.get("token_id"), raw.get("tokenId"), raw.get("token_id"), raw.get("asset"), raw.get("asset_id")):
        text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
        if _TOKEN.fullmatch(text):
            return text
    return None


def _resolved(row: Row, notes: list[str]) -> str | None:
    text = storable_or_none(_plain(row.get("resolved_outcome")), 200)
    if text is not None and _NO_OUTCOME.fullmatch(text.strip()):
        notes.append("resolved_outcome is no outcome")
        return None
    return text


def _within(row: Row, name: str, at_most: Decimal, notes: list[str]) -> str | None:
    """A number from 0 on, as a text; one that is out of range is left out: 55 may be cents, or not (D63)."""
    number = amount_of(row, name, notes)
    if number is None:
        return None
    if not 0 <= number <= at_most:
        notes.append(name)
        return None
    return _text(number)


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _plain(value: object) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _text(number: Decimal | None) -> str | None:
    return None if number is None else format(number, "f")
