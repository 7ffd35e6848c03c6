"""Positions and their value in the two spellings of the Data API (venue.md §5): v2 envelopes and v1 bare arrays."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs
import msgspec

from protocols.amounts import decimal_from, size_micro
from protocols.errors import MalformedError, TransientError
from protocols.venue.strict_json import decode_answer

_SMALLEST = Decimal("0.000001")


class _Pagination(msgspec.Struct):
    has_more: bool | None = None
    next_cursor: str | None = None


class _Envelope(msgspec.Struct):
    data: Any
    pagination: _Pagination | None = None


_decode_envelope = msgspec.json.Decoder(_Envelope, float_hook=Decimal).decode
_decode_array = msgspec.json.Decoder(list[Any], float_hook=Decimal).decode


@attrs.frozen(kw_only=True)
class PositionPage:
    """Holdings of one response."""

    micro_by_token: Mapping[str, int]
    """Micro-shares."""
    rows_sent: int
    next_cursor: str | None = None


def decode_positions_v2(body: bytes) -> PositionPage:
    """Returns a page of `/v2/positions`. Raises `TransientError` for another shape: half a holding is none."""
    envelope = decode_answer(_decode_envelope, body, "/v2/positions")
    pagination = envelope.pagination or _Pagination()
    cursor = pagination.next_cursor if pagination.has_more is not False else None
    return _page(envelope.data, "token_id", "current_size", "/v2/positions", cursor or None)


def decode_positions_v1(body: bytes) -> PositionPage:
    """Returns a page of the v1 `/positions`, which is asked by offset. Raises `TransientError` for another shape."""
    return _page(decode_answer(_decode_array, body, "/positions"), "asset", "size", "/positions", None)


def decode_value_v2(body: bytes) -> Decimal:
    """Returns the USD of `/v2/value`; a wallet without a row holds nothing. Raises `TransientError`."""
    return _value(decode_answer(_decode_envelope, body, "/v2/value").data, "/v2/value")


def decode_value_v1(body: bytes) -> Decimal:
    """Returns the USD of the v1 `/value`; a wallet without a row holds nothing. Raises `TransientError`."""
    return _value(decode_answer(_decode_array, body, "/value"), "/value")


def _page(rows: Any, token: str, size: str, path: str, cursor: str | None) -> PositionPage:
    micro: dict[str, int] = {}
    if not isinstance(rows, list):
        raise TransientError(f"{path} answered something else: no list")
    for row in rows:
        if not isinstance(row, dict) or not isinstance(row.get(token), str):
            raise TransientError(f"{path} answered a row without {token}")
        try:
            shares = decimal_from(row.get(size), size)
            held = size_micro(shares) if shares >= _SMALLEST else 0
        except MalformedError as error:
            raise TransientError(f"{path} answered a size that makes no sense: {error}") from None
        micro[row[token]] = micro.get(row[token], 0) + held
    return PositionPage(micro_by_token=micro, rows_sent=len(rows), next_cursor=cursor)


def _value(data: Any, path: str) -> Decimal:
    rows = data if isinstance(data, list) else [data]
    try:
        return sum((decimal_from(row.get("value"), "value") for row in rows if isinstance(row, dict)), Decimal(0))
    except MalformedError as error:
        raise TransientError(f"{path} answered something else: {error}") from None
