"""Rows of the reference's table `markets`, mapped to ours: two shapes of prices, wrong rows, and words that are no outcome."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from actors.rules.reference_rows import Mapped
from protocols.amounts import decimal_from
from protocols.errors import MalformedError
from protocols.markets import Market
from protocols.text import storable_or_none
from protocols.timestamps import epoch_ms, utc_datetime
from protocols.trades import canonical_condition_id
from protocols.venue.gamma import market_from

Row = Mapping[str, Any]
# Written where an outcome's name belongs (domain.md D60); comparing with it settled every position as lost.
_NO_OUTCOME = "resolved"


def map_market(row: Row) -> Mapped:
    """Returns a market and its tokens.

    Raises `MalformedError("market_of_another_id")` for a row that holds another market's data (domain.md D59), and
    `MalformedError("condition_id")`. Whether a market is resolved is told by the venue's own status only.
    """
    given = row.get("condition_id")
    if not isinstance(given, str):
        raise MalformedError("condition_id", repr(given)[:40])
    condition_id = canonical_condition_id(given)
    notes: list[str] = []
    gamma = _gamma(row, condition_id, notes)
    outcomes = _names(row.get("outcomes")) or (list(gamma.outcomes) if gamma else [])
    prices = _prices(row.get("outcome_prices"), outcomes, notes)
    if prices is None and gamma is not None and gamma.outcome_prices is not None:
        prices = [str(price) for price in gamma.outcome_prices]
    if _NO_OUTCOME in {str(row.get(name)).lower() for name in ("resolved_outcome", "winning_side")}:
        notes.append("resolved_outcome says 'resolved'")
    values = {
        "condition_id": condition_id,
        "gamma_market_id": storable_or_none(row.get("gamma_market_id"), 40)
        or (gamma.gamma_market_id if gamma else None),
        "market_slug": _text(row, "market_slug", "slug") or (gamma.slug if gamma else None),
        "event_slug": _text(row, "event_slug") or (gamma.event_slug if gamma else None),
        "title": _text(row, "title", "question") or (gamma.title if gamma else None),
        "category": _text(row, "category") or (gamma.category if gamma else None),
        "outcomes": json.dumps(outcomes),
        "outcome_prices": None if prices is None else json.dumps(prices),
        "active": row["active"] if isinstance(row.get("active"), bool) else None,
        "closed": row.get("closed") is True,
        "image": _text(row, "image", "icon"),
        **{name: _time(row, name, notes) for name in ("start_time", "end_time", "close_time", "last_price_updated_at")},
        **_only_from_the_venue(gamma),
        "tokens": _tokens(row, gamma, outcomes, notes),
    }
    return Mapped(values, tuple(notes))


def _only_from_the_venue(gamma: Market | None) -> dict[str, Any]:
    if gamma is None:
        names = ("accepting_orders", "resolution_status", "negative_risk", "protocol_version", "tick_size")
        return dict.fromkeys((*names, "order_size_min", "raw_gamma"))
    return {
        "accepting_orders": gamma.accepting_orders,
        "resolution_status": gamma.resolution_status,
        "negative_risk": gamma.negative_risk,
        "protocol_version": gamma.version,
        "tick_size": None if gamma.tick_size is None else str(gamma.tick_size),
        "order_size_min": None if gamma.order_size_min is None else str(gamma.order_size_min),
        "raw_gamma": gamma.raw,
    }


def _gamma(row: Row, condition_id: str, notes: list[str]) -> Market | None:
    raw = row.get("raw_gamma")
    if not isinstance(raw, dict) or not raw:
        return None
    try:
        market = market_from(raw)
    except MalformedError:
        notes.append("raw_gamma")
        return None
    if market.condition_id != condition_id:
        raise MalformedError("market_of_another_id", f"{condition_id} holds {market.condition_id}")
    return market


def _names(value: object) -> list[str]:
    listed = _parsed(value)
    if isinstance(listed, dict):
        listed = listed.get("outcomes")
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        return []
    return [storable_or_none(name) or "" for name in listed]


def _prices(value: object, outcomes: list[str], notes: list[str]) -> list[str] | None:
    """Prices in the order of `outcomes`: an array, {outcomes, outcomePrices}, or {outcome: price}; text or numbers."""
    found = _parsed(value)
    if found is None:
        return None
    listed: object = found
    if isinstance(found, dict) and "outcomePrices" in found:
        listed, names = _parsed(found["outcomePrices"]), _names(found.get("outcomes"))
        if names and names != outcomes and isinstance(listed, list) and len(listed) == len(names):
            # Told by name, never by position.
            listed = _by_name(dict(zip(names, listed, strict=True)), outcomes)
    elif isinstance(found, dict):
        listed = _by_name(found, outcomes)
    try:
        prices = [decimal_from(price, "outcome_prices") for price in listed] if isinstance(listed, list) else []
    except MalformedError:
        prices = []
    if not prices or len(prices) != len(outcomes) or not all(Decimal(0) <= price <= 1 for price in prices):
        notes.append("outcome_prices")
        return None
    return [str(price) for price in prices]


def _by_name(prices: Mapping[str, Any], outcomes: list[str]) -> list[Any]:
    return [prices[name] for name in outcomes] if outcomes and set(prices) == set(outcomes) else []


def _tokens(row: Row, gamma: Market | None, outcomes: list[str], notes: list[str]) -> list[dict[str, Any]]:
    if gamma is not None and gamma.tokens:
        found = [(token.token_id, token.outcome) for token in gamma.tokens]
    else:
        listed = _parsed(row.get("tokens"))
        if not listed:
            return []
        found = [
            (str(token.get("token_id") or token.get("tokenId") or ""), str(token.get("outcome")))
            for token in (listed if isinstance(listed, list) else [])
            if isinstance(token, dict)
        ]
    ids = [token_id for token_id, _ in found]
    usable = all(token_id.isascii() and token_id.isdigit() for token_id in ids) and len(set(ids)) == len(ids)
    if not usable or sorted(name for _, name in found) != sorted(outcomes) or len(set(outcomes)) != len(outcomes):
        notes.append("tokens")
        return []
    return [{"token_id": id_, "outcome": name, "outcome_index": outcomes.index(name)} for id_, name in found]


def _parsed(value: object) -> Any:
    """JSON that some writers stored as a text inside the JSON."""
    if isinstance(value, str):
        try:
            return json.loads(value, parse_float=Decimal)
        except (ValueError, ArithmeticError, RecursionError):
            return value
    return value


def _text(row: Row, *names: str) -> str | None:
    return next((text for name in names if (text := storable_or_none(row.get(name)))), None)


def _time(row: Row, name: str, notes: list[str]) -> str | None:
    value = row.get(name)
    if value is None:
        return None
    try:
        return utc_datetime(epoch_ms(value)).isoformat()
    except MalformedError:
        notes.append(name)
        return None
