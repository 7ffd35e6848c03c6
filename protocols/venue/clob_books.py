"""Whole order books of the CLOB's public reads (venue.md §4.8)."""

from decimal import Decimal
from typing import Any

from protocols.decisions import Book
from protocols.venue.clob_markets import levels_in, object_in


def book_levels(body: bytes, token_id: str, observed_ms: int) -> Book | None:
    """Returns every level of a `/book` answer, best first, or None when it is another token's or nobody offers anything.

    Raises `TransientError` when the body is not a book.
    """
    fields = object_in(body, "/book")
    if fields.get("asset_id") != token_id:
        return None
    bids, asks = _side(fields.get("bids"), best_is_high=True), _side(fields.get("asks"), best_is_high=False)
    return Book(bids=bids, asks=asks, observed_ms=observed_ms) if bids or asks else None


def _side(value: Any, *, best_is_high: bool) -> tuple[tuple[Decimal, Decimal], ...]:
    """Returns levels in order; those at one price are one."""
    shares: dict[Decimal, Decimal] = {}
    for price, size in levels_in(value):
        shares[price] = shares.get(price, Decimal(0)) + size
    return tuple(sorted(shares.items(), reverse=best_is_high))
