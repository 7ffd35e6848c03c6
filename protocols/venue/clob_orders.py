"""`POST /order`, cancels and their answers (venue.md §4.3, §4.6)."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs
import msgspec

from protocols.amounts import decimal_from
from protocols.errors import MalformedError
from protocols.text import storable
from protocols.venue.clob_account import texts_of
from protocols.venue.order_typed_data import Order
from protocols.venue.strict_json import read_object

TEXT_MAX = 300
_AMOUNT_BELOW = 10**13
_encode = msgspec.json.Encoder().encode


@attrs.frozen(kw_only=True)
class Answered:
    """The venue, or somebody before it, answered with a status."""

    status: int
    body: bytes
    retry_after_s: float | None = None
    rate_limit_remaining: int | None = None
    """Tokens left in the signer's bucket, where the venue says so; below 0 when it let more through (venue.md §6)."""


@attrs.frozen
class Unsent:
    """Proved: not a byte of the request left, such as when no connection could be made."""

    reason: str


@attrs.frozen
class Lost:
    """Sent, or perhaps sent, and no whole answer came: nobody knows what became of it."""

    reason: str


PostReply = Answered | Unsent | Lost


@attrs.frozen(kw_only=True)
class OrderAnswer:
    """The body of an answer to `POST /order`. Amounts are USD and shares, None where the venue does not say."""

    success: bool
    error: str
    order_hash: str
    status: str
    """live, matched, delayed, unmatched or empty; lower case."""
    making: Decimal | None
    taking: Decimal | None
    trade_ids: tuple[str, ...]


@attrs.frozen(kw_only=True)
class CancelAnswer:
    """What was cancelled, and what was not and why."""

    canceled: tuple[str, ...]
    not_canceled: Mapping[str, str]


def encode_post(
    order: Order,
    signature: str,
    *,
    owner: str,
    order_type: str,
    post_only: bool = False,
    expiration_s: int = 0,
) -> bytes:
    """Returns the body of `POST /order`. `owner` is the API key; the expiration is not signed, and 0 but for GTD."""
    document: dict[str, Any] = {
        "deferExec": False,
        "order": {
            "builder": order.builder,
            "expiration": str(expiration_s),
            "maker": order.maker,
            "makerAmount": str(order.maker_amount),
            "metadata": order.metadata,
            "salt": order.salt,
            "side": order.side,
            "signature": signature,
            "signatureType": order.signature_type,
            "signer": order.signer,
            "takerAmount": str(order.taker_amount),
            "timestamp": str(order.timestamp_ms),
            "tokenId": str(order.token_id),
        },
        "orderType": order_type,
        "owner": owner,
    }
    if post_only:
        document["postOnly"] = True
    return _encode(document)


def read_order_answer(body: bytes) -> OrderAnswer:
    """Returns what an answer says. Raises `MalformedError` when it is not such an answer."""
    fields = read_object(body)
    success = fields.get("success")
    if not isinstance(success, bool):
        raise MalformedError("success", repr(success)[:40])
    trade_ids = fields.get("tradeIDs") or fields.get("tradeIds")
    return OrderAnswer(
        success=success,
        error=_text(fields.get("errorMsg")),
        order_hash=_text(fields.get("orderID")).lower(),
        status=_text(fields.get("status")).lower(),
        making=_amount(fields.get("makingAmount")),
        taking=_amount(fields.get("takingAmount")),
        trade_ids=texts_of(trade_ids),
    )


def error_text(body: bytes) -> str | None:
    """Returns the text of an error body in the venue's own shape, or None for anything else, such as a page of HTML."""
    try:
        fields = read_object(body)
    except MalformedError:
        return None
    for name in ("error", "error_msg", "errorMsg", "message"):
        if isinstance(fields.get(name), str) and fields[name]:
            return _text(fields[name])
    return None


def error_code(body: bytes) -> str | None:
    """Returns the `code` of an error body, where there is one."""
    try:
        code = read_object(body).get("code")
    except MalformedError:
        return None
    return code if isinstance(code, str) else None


def retry_after_of(body: bytes) -> int | None:
    """Returns the `retry_after_seconds` of an error body, where there is one."""
    try:
        seconds = read_object(body).get("retry_after_seconds")
    except MalformedError:
        return None
    return seconds if isinstance(seconds, int) and not isinstance(seconds, bool) and seconds >= 0 else None


def read_cancel_answer(body: bytes) -> CancelAnswer:
    """Returns what was cancelled. Raises `MalformedError`."""
    fields = read_object(body)
    canceled, refused = fields.get("canceled"), fields.get("not_canceled")
    if not isinstance(canceled, list):
        raise MalformedError("canceled", repr(canceled)[:40])
    return CancelAnswer(
        canceled=tuple(one.lower() for one in texts_of(canceled)),
        not_canceled={_text(one).lower(): _text(why) for one, why in refused.items()}
        if isinstance(refused, dict)
        else {},
    )


def _text(value: object) -> str:
    """What is too long is cut, what the database cannot hold replaced."""
    return storable(value[:TEXT_MAX]) if isinstance(value, str) else ""


def _amount(value: object) -> Decimal | None:
    """ "0" is a number like any other; "" says nothing."""
    if value is None or value == "":
        return None
    number = decimal_from(value, "amount")
    if not 0 <= number < _AMOUNT_BELOW:
        raise MalformedError("amount", str(number)[:40])
    return number
