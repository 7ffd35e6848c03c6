"""Markets and books of the CLOB's public reads (venue.md §4.8): numbers as numbers or as strings, and a winner by token."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from protocols.errors import MalformedError, TransientError
from protocols.live.market import MarketTerms
from protocols.prices import BookTop, MarketFacts
from protocols.text import storable_or_none
from protocols.trades import canonical_condition_id
from protocols.venue.gamma_quotes import optional_decimal, prices_of
from protocols.venue.strict_json import BODY_CHARS_MAX, boolean_or_none, read_object


def clob_facts(body: bytes, condition_id: str) -> MarketFacts | None:
    """Returns the market of a `/markets/{condition_id}` answer, or None when it is another one or has no tokens yet.

    Raises `TransientError` when the body is not such an object.
    """
    fields = object_in(body, "/markets/{condition_id}")
    tokens = [token for token in _list(fields.get("tokens")) if isinstance(token, dict)]
    asked_for = canonical_condition_id(condition_id)
    told = fields.get("condition_id")
    if not isinstance(told, str) or not told or canonical_condition_id(told) != asked_for:
        return None
    if not tokens or not all(isinstance(token.get("token_id"), str) and token["token_id"] for token in tokens):
        return None
    closed = fields.get("closed") is True
    winners = [token.get("winner") is True for token in tokens]
    decided = closed and sum(winners) == 1
    if decided:
        prices: tuple[Decimal, ...] | None = tuple(Decimal(int(won)) for won in winners)
    else:
        prices = prices_of([token.get("price") for token in tokens], len(tokens))
    return MarketFacts(
        condition_id=asked_for,
        question=storable_or_none(fields.get("question")),
        slug=storable_or_none(fields.get("market_slug")),
        closed=closed,
        outcomes=tuple(storable_or_none(token.get("outcome")) or "" for token in tokens),
        outcome_prices=prices,
        token_ids=tuple(token["token_id"] for token in tokens),
        end_date_iso=storable_or_none(fields.get("end_date_iso")),
        game_start_time=storable_or_none(fields.get("game_start_time"), 40),
        market_avatar_url=storable_or_none(fields.get("image")) or storable_or_none(fields.get("icon")),
        description=storable_or_none(fields.get("description")),
        enable_order_book=boolean_or_none(fields.get("enable_order_book")),
        active=boolean_or_none(fields.get("active")),
        accepting_orders=boolean_or_none(fields.get("accepting_orders")),
        resolution_status="resolved" if decided else None,
        negative_risk=boolean_or_none(fields.get("neg_risk")),
        tick_size=optional_decimal(fields.get("minimum_tick_size")),
        order_size_min=optional_decimal(fields.get("minimum_order_size")),
    )


def book_top(body: bytes, token_id: str) -> BookTop | None:
    """Returns the best orders of a `/book` answer, whatever the order of its levels, or None when it is another token's.

    Raises `TransientError` when the body is not a book.
    """
    fields = object_in(body, "/book")
    if fields.get("asset_id") != token_id:
        return None
    bid = max(levels_in(fields.get("bids")), default=(None, None))
    ask = min(levels_in(fields.get("asks")), key=lambda level: level[0], default=(None, None))
    time_ms = optional_decimal(fields.get("timestamp"))
    return BookTop(
        token=token_id,
        condition_id=canonical_condition_id(str(fields.get("market") or "0x")),
        best_bid=bid[0],
        best_bid_size=bid[1],
        best_ask=ask[0],
        best_ask_size=ask[1],
        tick_size=optional_decimal(fields.get("tick_size")),
        order_size_min=optional_decimal(fields.get("min_order_size")),
        negative_risk=boolean_or_none(fields.get("neg_risk")),
        last_trade_price=optional_decimal(fields.get("last_trade_price")),
        book_time_ms=int(time_ms) if time_ms is not None and 0 < time_ms < 10**15 else None,
    )


def market_terms(body: bytes, condition_id: str) -> MarketTerms | None:
    """Returns the terms of a `/clob-markets/{condition_id}` answer, or None when it is another market's.

    `ao`, `nr` and `itode` are left out where they are false, `fd` where nothing is charged. Raises `TransientError` when the
    body is not such an object, or names a fee that makes no sense: one that is not known is never taken to be none.
    """
    fields = object_in(body, "/clob-markets/{condition_id}")
    told = fields.get("c")
    asked_for = canonical_condition_id(condition_id)
    if not isinstance(told, str) or canonical_condition_id(told) != asked_for:
        return None
    rate, exponent = Decimal(0), Decimal(1)
    fees = fields.get("fd")
    if isinstance(fees, dict):
        told_rate, told_exponent = optional_decimal(fees.get("r")), optional_decimal(fees.get("e"))
        if told_rate is None or told_exponent is None or not 0 <= told_rate <= 1 or told_exponent not in range(10):
            raise TransientError("/clob-markets/{condition_id} answered a fee that makes no sense")
        rate, exponent = told_rate, told_exponent
    tokens = [token.get("t") for token in _list(fields.get("t")) if isinstance(token, dict)]
    return MarketTerms(
        condition_id=asked_for,
        token_ids=tuple(token for token in tokens if isinstance(token, str) and token),
        accepting_orders=fields.get("ao") is True,
        fee_rate=rate,
        fee_exponent=int(exponent),
        negative_risk=fields.get("nr") is True,
        taker_delay=fields.get("itode") is True,
    )


def levels_in(value: Any) -> list[tuple[Decimal, Decimal]]:
    """Returns the (price, shares) of a book's levels in their order; those that make no sense are left out."""
    levels = []
    for level in _list(value):
        if isinstance(level, dict):
            price, size = optional_decimal(level.get("price")), optional_decimal(level.get("size"))
            if price is not None and size is not None and 0 <= price <= 1 and size > 0:
                levels.append((price, size))
    return levels


def object_in(body: bytes, path: str) -> dict[str, Any]:
    """Returns the object of an answer. Raises `TransientError` naming `path` when it is none."""
    try:
        return read_object(body, chars_max=BODY_CHARS_MAX)
    except MalformedError as error:
        raise TransientError(f"{path} answered something else: {error}") from None


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()
