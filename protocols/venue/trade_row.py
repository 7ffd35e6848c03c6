"""Builds a `TradeRow` from a JSON object whose fields have unexpected types or spellings.

Used where the typed decoder refused a row, and for the snake_case rows of the Data API v2.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from protocols.amounts import decimal_from
from protocols.errors import MalformedError
from protocols.trades import TradeRow


def trade_row_from(fields: Mapping[str, Any]) -> TradeRow:
    """Returns the row that `fields` describes.

    A wrong type in a descriptive field costs that field; in an essential one it raises `MalformedError` with the
    field's name as reason. `not_a_trade` marks rewards, splits and other rows without side or token.
    """
    kind = fields.get("type", "TRADE")
    side = fields.get("side")
    token = _first(fields, "asset", "token_id", "tokenId")
    if kind not in ("TRADE", None) or not side or token in (None, ""):
        raise MalformedError("not_a_trade", str(kind)[:30])
    if not isinstance(side, str):
        raise MalformedError("side", repr(side)[:40])
    return TradeRow(
        proxy_wallet=_text(fields, "proxyWallet", "proxy_wallet"),
        condition_id=_text(fields, "conditionId", "condition_id"),
        transaction_hash=_text(fields, "transactionHash", "transaction_hash"),
        asset=_token(token),
        side=side,
        price=decimal_from(fields.get("price"), "price"),
        size=decimal_from(fields.get("size"), "size"),
        timestamp=_timestamp(fields.get("timestamp")),
        outcome_index=_index(_first(fields, "outcomeIndex", "outcome_index")),
        outcome=_optional_text(fields, "outcome"),
        slug=_optional_text(fields, "slug"),
        event_slug=_optional_text(fields, "eventSlug", "event_slug"),
        title=_optional_text(fields, "title"),
        name=_optional_text(fields, "name"),
        icon=_optional_text(fields, "icon"),
        profile_image=_optional_text(fields, "profileImage", "profile_image"),
    )


def _first(fields: Mapping[str, Any], *spellings: str) -> Any:
    for spelling in spellings:
        if spelling in fields:
            return fields[spelling]
    return None


def _text(fields: Mapping[str, Any], *spellings: str) -> str:
    value = _first(fields, *spellings)
    if not isinstance(value, str) or not value:
        raise MalformedError(spellings[-1], repr(value)[:40])
    return value


def _token(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if value.bit_length() <= 256 else ""
    if isinstance(value, str):
        return value
    raise MalformedError("token", repr(value)[:40])


def _timestamp(value: object) -> int | str:
    if isinstance(value, Decimal):
        return int(value) if value.is_finite() and value.adjusted() < 16 else str(value)[:40]
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise MalformedError("timestamp", repr(value)[:40])


def _optional_text(fields: Mapping[str, Any], *spellings: str) -> str | None:
    value = _first(fields, *spellings)
    return value if isinstance(value, str) else None


def _index(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 4:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
