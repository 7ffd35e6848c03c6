"""Prices out of Gamma's answers (venue.md §3): many markets every two seconds, so only what is needed is decoded."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from protocols.amounts import decimal_from
from protocols.errors import MalformedError
from protocols.prices import MarketFacts
from protocols.text import storable, storable_or_none
from protocols.trades import canonical_condition_id
from protocols.venue.strict_json import boolean_or_none, read_object


class _Fields(msgspec.Struct, rename="camel", kw_only=True):
    """What is read of a market object; the rest is skipped without being built."""

    condition_id: Any = None
    question: Any = None
    slug: Any = None
    events: Any = None
    event_slug: Any = None
    closed: Any = None
    outcomes: Any = None
    outcome_prices: Any = None
    clob_token_ids: Any = None
    position_ids: Any = None
    end_date: Any = None
    end_date_iso: Any = None
    game_start_time: Any = None
    image: Any = None
    icon: Any = None
    description: Any = None
    tags: Any = None
    category: Any = None
    enable_order_book: Any = None
    active: Any = None
    accepting_orders: Any = None
    uma_resolution_status: Any = None
    resolution_status: Any = None
    neg_risk: Any = None
    order_price_min_tick_size: Any = None
    order_min_size: Any = None
    crypto_market_config: Any = None


_read = msgspec.json.Decoder(_Fields, float_hook=Decimal).decode
_read_lists = msgspec.json.Decoder(float_hook=Decimal).decode


def facts_in(item: msgspec.Raw) -> MarketFacts:
    """Returns the market that one object describes. Raises `MalformedError`."""
    try:
        fields = _read(item)
    except (msgspec.MsgspecError, UnicodeError, RecursionError, ArithmeticError):
        return facts_of(read_object(bytes(item)))
    return _facts(fields)


def facts_of(fields: Mapping[str, Any]) -> MarketFacts:
    """Returns the market that a decoded object describes. Raises `MalformedError`."""
    names = zip(_Fields.__struct_fields__, _Fields.__struct_encode_fields__, strict=True)
    return _facts(_Fields(**{name: fields.get(wire) for name, wire in names}))


def _facts(fields: _Fields) -> MarketFacts:
    if not isinstance(fields.condition_id, str):
        raise MalformedError("condition_id", repr(fields.condition_id)[:40])
    outcomes = tuple(storable(name) if isinstance(name, str) else "" for name in _listed(fields.outcomes))
    events = fields.events
    event = events[0] if isinstance(events, list) and events and isinstance(events[0], dict) else {}
    status = storable_or_none(fields.uma_resolution_status or fields.resolution_status, 40)
    config = fields.crypto_market_config
    return MarketFacts(
        condition_id=canonical_condition_id(fields.condition_id),
        question=storable_or_none(fields.question),
        slug=storable_or_none(fields.slug),
        event_slug=storable_or_none(event.get("slug")) or storable_or_none(fields.event_slug),
        closed=fields.closed is True,
        outcomes=outcomes,
        outcome_prices=prices_of(_listed(fields.outcome_prices), len(outcomes)),
        token_ids=_tokens(fields, len(outcomes)),
        end_date_iso=storable_or_none(fields.end_date_iso) or storable_or_none(fields.end_date),
        game_start_time=storable_or_none(fields.game_start_time, 40),
        market_avatar_url=storable_or_none(fields.image) or storable_or_none(fields.icon),
        event_status=storable_or_none(event.get("gameStatus"), 40),
        score=storable_or_none(event.get("score"), 40),
        crypto_symbol=storable_or_none(config.get("asset"), 40) if isinstance(config, dict) else None,
        description=storable_or_none(fields.description),
        tags=tag_labels(fields.tags if fields.tags is not None else event.get("tags")),
        category=storable_or_none(fields.category),
        enable_order_book=boolean_or_none(fields.enable_order_book),
        active=boolean_or_none(fields.active),
        accepting_orders=boolean_or_none(fields.accepting_orders),
        resolution_status=status.lower() if status else None,
        negative_risk=boolean_or_none(fields.neg_risk),
        tick_size=optional_decimal(fields.order_price_min_tick_size),
        order_size_min=optional_decimal(fields.order_min_size),
    )


def prices_of(values: Sequence[Any], count: int) -> tuple[Decimal, ...] | None:
    """Returns one price from 0 to 1 for each outcome, or None: half a set is none, and so is 0 for every outcome (D63)."""
    if not values or len(values) != count:
        return None
    try:
        prices = tuple(decimal_from(value, "outcome_prices") for value in values)
    except MalformedError:
        return None
    return prices if all(0 <= price <= 1 for price in prices) and any(prices) else None


def optional_decimal(value: object) -> Decimal | None:
    """Returns a number that may be absent; also of a float text or string."""
    try:
        return decimal_from(value, "number")
    except MalformedError:
        return None


def _tokens(fields: _Fields, outcomes: int) -> tuple[str, ...]:
    ids = tuple(str(token) for token in _listed(fields.clob_token_ids) or _listed(fields.position_ids))
    if ids and len(ids) != outcomes:
        raise MalformedError("tokens", f"{len(ids)} tokens for {outcomes} outcomes")
    return ids


def _listed(value: Any) -> list[Any]:
    """Returns a list that may be written as a string of JSON; broken ones are no list."""
    if isinstance(value, str):
        try:
            value = _read_lists(value) if value else []
        except (msgspec.MsgspecError, UnicodeError, RecursionError, ArithmeticError):
            value = _listed_slowly(value)
    return value if isinstance(value, list) else []


def _listed_slowly(text: str) -> Any:
    # Lone surrogates and the like: the strict decoder refuses the whole list for one name.
    try:
        return json.loads(text, parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError):
        raise MalformedError("list", text[:40]) from None


def tag_labels(value: Any) -> tuple[str, ...] | None:
    """Returns labels, or None for what is no list; tags come as texts and as objects with a label."""
    if not isinstance(value, list):
        return None
    labels = [tag.get("label") if isinstance(tag, dict) else tag for tag in value[:50]]
    return tuple(storable(label[:100]) for label in labels if isinstance(label, str))
