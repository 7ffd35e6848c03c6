"""What the venue says of an account: orders, trades and balances (venue.md §2.2, §4.7)."""

import enum
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeGuard

import attrs

from protocols.amounts import decimal_from, exact_price
from protocols.errors import MalformedError
from protocols.text import storable
from protocols.venue.strict_json import read_object

FIRST_CURSOR, LAST_CURSOR = "MA==", "LTE="
_SECONDS_BELOW = 10**11
"""Smaller epoch times are seconds, larger ones milliseconds (venue.md §2.2)."""
_YEAR_10000_MS = 253_402_300_800_000
_SHARES_LEAST, _SHARES_BELOW = Decimal(1).scaleb(-6), 10**13
_TEXT_MAX = 500
_ZERO = Decimal(0)
_PRICE_QUANTUM = Decimal(1).scaleb(-18)


class FillStatus(enum.StrEnum):
    """How far the settlement of a trade has come. CONFIRMED and FAILED are final."""

    MATCHED = "MATCHED"
    MINED = "MINED"
    RETRYING = "RETRYING"
    CONFIRMED = "CONFIRMED"
    FAILED = "FAILED"


@attrs.frozen
class OwnWallet:
    """What of a trade is ours: entries with our API key, or our funder's address."""

    api_key: str
    address: str
    """Lower case."""


@attrs.frozen(kw_only=True)
class VenueOrder:
    """An order as the venue has it. Shares; a price in USD a share."""

    order_hash: str
    status: str
    """Upper case, without its prefix; free text is possible."""
    condition_id: str
    token_id: str
    side: str
    price: Decimal
    original_shares: Decimal
    matched_shares: Decimal | None
    order_type: str
    created_ms: int
    trade_ids: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class VenueFill:
    """Our part of a trade: one for each order of ours in it."""

    trade_id: str
    order_hash: str
    condition_id: str
    token_id: str
    side: str
    shares: Decimal
    price: Decimal
    role: str
    """TAKER or MAKER."""
    status: str
    """A `FillStatus`."""
    transaction_hash: str | None
    match_ms: int


@attrs.frozen(kw_only=True)
class BalanceAllowance:
    """What an account holds of pUSD or of a token, and what exchanges may take of it: base units."""

    balance_micro: int
    allowances_micro: Mapping[str, int]
    """By spender, lower case."""


@attrs.frozen
class Page:
    """One page of a list, and the cursor of the next; None at the end."""

    rows: tuple[dict[str, Any], ...]
    next_cursor: str | None


def read_page(body: bytes) -> Page:
    """Returns a page of `/data/orders` or `/data/trades`. Raises `MalformedError`."""
    fields = read_object(body, chars_max=32 << 20)
    rows, cursor = fields.get("data"), fields.get("next_cursor")
    if not isinstance(rows, list):
        raise MalformedError("data", type(rows).__name__)
    more = isinstance(cursor, str) and cursor not in ("", LAST_CURSOR)
    return Page(tuple(row for row in rows if isinstance(row, dict)), str(cursor) if more else None)


def read_order(fields: Mapping[str, Any]) -> VenueOrder:
    """Returns an order of `/data/order` or `/data/orders`. Raises `MalformedError`."""
    return VenueOrder(
        order_hash=text_of(fields, "id").lower(),
        status=plain_status(text_of(fields, "status")),
        condition_id=text_of(fields, "market").lower(),
        token_id=text_of(fields, "asset_id"),
        side=_side(fields),
        price=exact_price(decimal_from(fields.get("price"), "price")),
        original_shares=_size(fields.get("original_size"), "original_size"),
        matched_shares=matched_of(fields),
        order_type=text_of(fields, "order_type").upper() if fields.get("order_type") else "",
        created_ms=epoch_ms_of(fields.get("created_at") or 0),
        trade_ids=texts_of(fields.get("associate_trades")),
    )


def read_trade(fields: Mapping[str, Any], own: OwnWallet) -> list[VenueFill]:
    """Returns our fills in a trade, none when nothing of it is ours. Raises `MalformedError`.

    A taker's price is what his makers sold at: the trade's own price may be his limit (venue.md §7.5). A maker's size, price
    and token are those of his own entry, never the taker's (D35).
    """
    status = plain_status(text_of(fields, "status"))
    status = FillStatus.MATCHED.value if status == "MATCHED_NOT_BROADCASTED" else status
    if status not in FillStatus.__members__:
        raise MalformedError("status", status[:40])
    match_time = fields.get("match_time") or fields.get("matchtime") or fields.get("timestamp") or 0
    shared: dict[str, Any] = {
        "trade_id": text_of(fields, "id"),
        "condition_id": text_of(fields, "market").lower(),
        "status": status,
        "transaction_hash": text_of(fields, "transaction_hash") if fields.get("transaction_hash") else None,
        "match_ms": epoch_ms_of(match_time),
    }
    makers = fields.get("maker_orders") or []
    if not isinstance(makers, list):
        raise MalformedError("maker_orders", repr(makers)[:40])
    entries = [one for one in makers if isinstance(one, dict)]
    fills = [_maker_fill(fields, one, shared) for one in entries if _is_own(one, own)]
    role = str(fields.get("trader_side") or "").upper()
    if role == "TAKER" or (role != "MAKER" and not fills and _is_own(fields, own)):
        fills.append(_taker_fill(fields, entries, shared))
    return fills


def read_balance(body: bytes) -> BalanceAllowance:
    """Returns a balance with its allowances. Raises `MalformedError`."""
    fields = read_object(body)
    allowances = fields.get("allowances")
    if not isinstance(allowances, dict):
        single = fields.get("allowance")
        allowances = {} if single is None else {"": single}
    return BalanceAllowance(
        balance_micro=_whole(fields.get("balance"), "balance"),
        allowances_micro={str(spender).lower(): _whole(value, "allowance") for spender, value in allowances.items()},
    )


def plain_status(status: str) -> str:
    """Returns a status in upper case without the prefix that REST puts before it."""
    return status.upper().removeprefix("ORDER_STATUS_").removeprefix("TRADE_STATUS_")


def epoch_ms_of(value: object) -> int:
    """Returns a time in epoch ms that comes as seconds, milliseconds or ISO 8601, which is UTC where it does not say.

    Raises `MalformedError("time")`.
    """
    if isinstance(value, str) and "T" in value:
        try:
            moment = datetime.fromisoformat(value)
            number = Decimal(round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000))
        except (ValueError, OverflowError):
            raise MalformedError("time", repr(value)[:40]) from None
    else:
        told = decimal_from(value, "time")
        number = told if told >= _SECONDS_BELOW else told * 1000
    if not 0 <= number < _YEAR_10000_MS:
        raise MalformedError("time", str(number)[:40])
    return int(number)


def matched_of(fields: Mapping[str, Any]) -> Decimal | None:
    """Returns the shares that an order has matched, or None when it does not say. Raises `MalformedError`."""
    value = fields.get("size_matched")
    return None if value is None or value == "" else _size(value, "size_matched")


def text_of(fields: Mapping[str, Any], name: str) -> str:
    """Returns a text that the database can hold. Raises `MalformedError`."""
    value = fields.get(name)
    if not _is_text(value):
        raise MalformedError(name, repr(value)[:40])
    return value


def texts_of(value: object) -> tuple[str, ...]:
    """Returns the texts of a list that the database can hold, and none when it is no list."""
    entries = value if isinstance(value, list) else ()
    return tuple(one for one in entries if _is_text(one))


def _maker_fill(fields: Mapping[str, Any], entry: Mapping[str, Any], shared: dict[str, Any]) -> VenueFill:
    token_id = text_of(entry if entry.get("asset_id") else fields, "asset_id")
    return VenueFill(
        order_hash=text_of(entry, "order_id").lower(),
        token_id=token_id,
        side=_maker_side(fields, entry, token_id),
        shares=_shares(entry.get("matched_amount"), "matched_amount"),
        price=exact_price(decimal_from(entry.get("price"), "price")),
        role="MAKER",
        **shared,
    )


def _maker_side(fields: Mapping[str, Any], entry: Mapping[str, Any], token_id: str) -> str:
    """The other side on the taker's token; the same side on the other token, where they minted or merged."""
    said = str(entry.get("side") or "").upper()
    if said in ("BUY", "SELL"):
        return said
    taker_side = _side(fields)
    if token_id != text_of(fields, "asset_id"):
        return taker_side
    return "SELL" if taker_side == "BUY" else "BUY"


def _taker_fill(fields: Mapping[str, Any], entries: list[dict[str, Any]], shared: dict[str, Any]) -> VenueFill:
    token_id, shares = text_of(fields, "asset_id"), _shares(fields.get("size"), "size")
    told = exact_price(decimal_from(fields.get("price"), "price"))
    return VenueFill(
        order_hash=text_of(fields, "taker_order_id").lower(),
        token_id=token_id,
        side=_side(fields),
        shares=shares,
        price=_taker_price(entries, token_id, shares) or told,
        role="TAKER",
        **shared,
    )


def _taker_price(entries: list[dict[str, Any]], token_id: str, shares: Decimal) -> Decimal | None:
    """The mean of his makers' prices, seen from his token; None where they do not make up his size."""
    total = usd = _ZERO
    try:
        for entry in entries:
            matched = _shares(entry.get("matched_amount"), "matched_amount")
            price = exact_price(decimal_from(entry.get("price"), "price"))
            total += matched
            usd += matched * (price if str(entry.get("asset_id") or token_id) == token_id else 1 - price)
    except MalformedError:
        return None
    if total != shares or not total:
        return None
    return exact_price((usd / total).quantize(_PRICE_QUANTUM))


def _is_own(fields: Mapping[str, Any], own: OwnWallet) -> bool:
    return fields.get("owner") == own.api_key or str(fields.get("maker_address") or "").lower() == own.address


def _is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and len(value) <= _TEXT_MAX and storable(value) == value


def _side(fields: Mapping[str, Any]) -> str:
    side = text_of(fields, "side").upper()
    if side not in ("BUY", "SELL"):
        raise MalformedError("side", side[:40])
    return side


def _shares(value: object, name: str) -> Decimal:
    number = _size(value, name)
    if number < _SHARES_LEAST:
        raise MalformedError(name, str(number)[:40])
    return number


def _size(value: object, name: str) -> Decimal:
    number = decimal_from(value, name)
    if not 0 <= number < _SHARES_BELOW:
        raise MalformedError(name, str(number)[:40])
    return number


def _whole(value: object, name: str) -> int:
    """Base units. An allowance without limit is 2^256 - 1: 78 digits."""
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not (text.isascii() and text.isdigit() and len(text) <= 78):
        raise MalformedError(name, repr(value)[:40])
    return int(text)
