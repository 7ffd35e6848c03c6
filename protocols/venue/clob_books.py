"""Whole order books of the CLOB's public reads (venue.md §4.8)."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

from protocols.decisions import Book
from protocols.errors import MalformedError, TransientError
from protocols.live.market import OrderBook
from protocols.trades import canonical_condition_id
from protocols.venue.clob_markets import levels_in, object_in
from protocols.venue.gamma_quotes import optional_decimal
from protocols.venue.strict_json import BODY_CHARS_MAX, boolean_or_none, read_array


def book_levels(body: bytes, token_id: str, observed_ms: int) -> Book | None:
    """Returns every level of a `/book` answer, best first, or None when it is another token's or nobody offers anything.

    Raises `TransientError` when the body is not a book.
    """
    fields = object_in(body, "/book")
    if fields.get("asset_id") != token_id:
        return None
    bids, asks = _side(fields.get("bids"), best_is_high=True), _side(fields.get("asks"), best_is_high=False)
    return Book(bids=bids, asks=asks, observed_ms=observed_ms) if bids or asks else None


def books_request(token_ids: Sequence[str]) -> bytes:
    """Returns the body of `POST /books`."""
    return msgspec.json.encode([{"token_id": token_id} for token_id in token_ids])


def order_book(body: bytes, token_id: str, observed_s: float) -> OrderBook | None:
    """Returns the book of a `GET /book` answer, or None when it is another token's.

    Raises `TransientError` when the body is not a book, or one that says nothing of its tick.
    """
    fields = object_in(body, "/book")
    if fields.get("asset_id") != token_id:
        return None
    book = _book(fields, observed_s)
    if book is None:
        raise TransientError("/book answered a book without a tick or a market")
    return book


def order_books(body: bytes, token_ids: Sequence[str], observed_s: float) -> dict[str, OrderBook]:
    """Returns the books of a `POST /books` answer by token; strangers and what is not understood are left out.

    Raises `TransientError` when the body is not a list.
    """
    try:
        entries = read_array(body, chars_max=BODY_CHARS_MAX)
    except MalformedError as error:
        raise TransientError(f"/books answered something else: {error}") from None
    wanted = set(token_ids)
    books = [
        _book(entry, observed_s) for entry in entries if isinstance(entry, dict) and entry.get("asset_id") in wanted
    ]
    return {book.token_id: book for book in books if book is not None}


def _book(fields: dict[str, Any], observed_s: float) -> OrderBook | None:
    tick, market = optional_decimal(fields.get("tick_size")), fields.get("market")
    if tick is None or not 0 < tick < 1 or not isinstance(market, str):
        return None
    return OrderBook(
        token_id=fields["asset_id"],
        condition_id=canonical_condition_id(market),
        bids=_side(fields.get("bids"), best_is_high=True),
        asks=_side(fields.get("asks"), best_is_high=False),
        tick=tick,
        min_shares=optional_decimal(fields.get("min_order_size")) or Decimal(0),
        negative_risk=boolean_or_none(fields.get("neg_risk")) is True,
        last_trade_price=optional_decimal(fields.get("last_trade_price")),
        observed_s=observed_s,
    )


def _side(value: Any, *, best_is_high: bool) -> tuple[tuple[Decimal, Decimal], ...]:
    """Returns levels in order; those at one price are one."""
    shares: dict[Decimal, Decimal] = {}
    for price, size in levels_in(value):
        shares[price] = shares.get(price, Decimal(0)) + size
    return tuple(sorted(shares.items(), reverse=best_is_high))
