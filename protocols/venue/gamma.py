"""Market objects of Gamma (venue.md §3): JSON inside strings, absent fields, two id lengths."""

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec

from protocols.amounts import decimal_from
from protocols.errors import MalformedError
from protocols.markets import Market, MarketToken
from protocols.text import storable_or_none, storable_tree
from protocols.timestamps import epoch_ms
from protocols.trades import canonical_condition_id
from protocols.venue.strict_json import boolean_or_none, decode_answer, read_object

MARKETS_PER_CALL_MAX = 100


class _Page(msgspec.Struct):
    markets: list[msgspec.Raw]


class _Named(msgspec.Struct):
    conditionId: str | None = None


_read_name = msgspec.json.Decoder(_Named).decode
_read_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_read_page = msgspec.json.Decoder(_Page).decode
_encode = msgspec.json.Encoder(decimal_format="number").encode


def split_markets(body: bytes) -> list[msgspec.Raw]:
    """Returns the market objects of a `/markets` or `/markets/keyset` answer, undecoded.

    Raises `TransientError` for HTML, half a document, or anything else that is neither.
    """
    if body.lstrip()[:1] == b"[":
        return decode_answer(_read_array, body, "/markets")
    return decode_answer(_read_page, body, "/markets/keyset").markets


def named_in(item: msgspec.Raw) -> str | None:
    """Returns the canonical condition id of a market object; None when it has none that is understood."""
    try:
        condition_id = _read_name(item).conditionId
        return None if condition_id is None else canonical_condition_id(condition_id)
    except (msgspec.DecodeError, MalformedError):
        return None


def decode_market(item: bytes) -> Market:
    """Returns the market of one object. Raises `MalformedError`."""
    return market_from(read_object(item))


def decode_markets(body: bytes) -> tuple[list[Market], list[MalformedError]]:
    """Returns the markets of a `/markets` or `/markets/keyset` answer and the objects that were not understood.

    Raises `TransientError` when the body is no list of objects. The caller must compare ids: an unknown filter is
    ignored by Gamma and unrelated markets come back (D59).
    """
    markets, malformed = [], []
    for item in split_markets(body):
        try:
            markets.append(decode_market(bytes(item)))
        except MalformedError as error:
            malformed.append(error)
    return markets, malformed


def market_from(fields: dict[str, Any]) -> Market:
    """Returns the market that a Gamma object describes.

    Raises `MalformedError` when it has no id or its outcomes and tokens do not belong together.
    """
    condition_id = fields.get("conditionId")
    if not isinstance(condition_id, str):
        raise MalformedError("condition_id", repr(condition_id)[:40])
    outcomes = tuple(storable_or_none(name) or "" for name in _listed(fields, "outcomes"))
    events = fields.get("events")
    event = events[0] if isinstance(events, list) and events and isinstance(events[0], dict) else {}
    return Market(
        condition_id=canonical_condition_id(condition_id),
        gamma_market_id=str(fields.get("id", ""))[:40],
        slug=storable_or_none(fields.get("slug")),
        event_slug=storable_or_none(event.get("slug")),
        title=storable_or_none(fields.get("question")),
        category=storable_or_none(fields.get("category")),
        outcomes=outcomes,
        outcome_prices=_prices(fields, len(outcomes)),
        tokens=_tokens(fields, outcomes),
        active=boolean_or_none(fields.get("active")),
        closed=fields.get("closed") is True,
        accepting_orders=boolean_or_none(fields.get("acceptingOrders")),
        resolution_status=_status(fields),
        negative_risk=boolean_or_none(fields.get("negRisk")),
        version=storable_or_none(fields.get("version"), 10),
        tick_size=_optional_decimal(fields.get("orderPriceMinTickSize")),
        order_size_min=_optional_decimal(fields.get("orderMinSize")),
        start_ms=_optional_ms(fields.get("startDate")),
        end_ms=_optional_ms(fields.get("endDate")),
        close_ms=_optional_ms(fields.get("closedTime")),
        image=storable_or_none(fields.get("image") or fields.get("icon")),
        raw=_encode(storable_tree(fields)).decode(),
    )


def spellings_of(condition_id: str) -> tuple[str, ...]:
    """Returns what to ask Gamma for: a protocol V2 market is known there by 62 digits, elsewhere by 64 (venue.md §3.1)."""
    is_v2 = len(condition_id) == 66 and condition_id.endswith("00")
    return (condition_id, condition_id[:64]) if is_v2 else (condition_id,)


def condition_id_spellings(condition_ids: Iterable[str]) -> list[str]:
    """Returns all spellings of these ids."""
    return [spelling for condition_id in condition_ids for spelling in spellings_of(condition_id)]


def _listed(fields: dict[str, Any], name: str) -> list[Any]:
    value = fields.get(name)
    if isinstance(value, str):
        try:
            value = json.loads(value, parse_float=Decimal) if value else []
        except (ValueError, ArithmeticError, RecursionError):
            raise MalformedError(name, str(value)[:40]) from None
    return value if isinstance(value, list) else []


def _tokens(fields: dict[str, Any], outcomes: tuple[str, ...]) -> tuple[MarketToken, ...]:
    ids = [str(token) for token in _listed(fields, "clobTokenIds") or _listed(fields, "positionIds")]
    if not ids:
        return ()
    if len(ids) != len(outcomes):
        raise MalformedError("tokens", f"{len(ids)} tokens for {len(outcomes)} outcomes")
    pairs = zip(ids, outcomes, strict=True)
    return tuple(MarketToken(token_id=id_, outcome=name, outcome_index=i) for i, (id_, name) in enumerate(pairs))


def _prices(fields: dict[str, Any], outcomes: int) -> tuple[Decimal, ...] | None:
    values = _listed(fields, "outcomePrices")
    if not values or len(values) != outcomes:
        return None
    try:
        prices = tuple(decimal_from(value, "outcome_prices") for value in values)
    except MalformedError:
        return None
    return prices if all(0 <= price <= 1 for price in prices) else None


def _status(fields: dict[str, Any]) -> str | None:
    value = storable_or_none(fields.get("umaResolutionStatus") or fields.get("resolutionStatus"), 40)
    return value.lower() if value else None


def _optional_decimal(value: object) -> Decimal | None:
    try:
        return decimal_from(value, "number")
    except MalformedError:
        return None


def _optional_ms(value: object) -> int | None:
    try:
        return epoch_ms(value)
    except MalformedError:
        return None
