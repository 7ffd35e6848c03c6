"""Recorded order books, where the parameters of made-up ones come from: `python -m tests.bench.copyability_sources [FILE]`."""

import csv
import gzip
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from protocols.decisions import Book

RECORDED = Path(__file__).parents[3] / "shared" / "data" / "clob-market-channel-2025-06-17.csv.gz"
SHARES = (Decimal("0.10"), Decimal("0.25"), Decimal("0.50"), Decimal("0.75"), Decimal("0.90"))


def recorded_books(path: Path) -> list[Book]:
    """Returns the whole books of a recording of the market channel, one row a level, that have both sides."""
    sides: dict[tuple[str, str, str], dict[str, list[tuple[Decimal, Decimal]]]] = {}
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["event_type"] == "book":
                key = (row["asset_id"], row["timestamp"], row["hash"])
                side = "asks" if row["side"].lower() in ("ask", "sell") else "bids"
                level = (Decimal(row["price"]), Decimal(row["size"]))
                sides.setdefault(key, {"asks": [], "bids": []})[side].append(level)
    return [
        Book(asks=tuple(sorted(one["asks"])), bids=tuple(sorted(one["bids"], reverse=True)), observed_ms=int(key[1]))
        for key, one in sides.items()
        if one["asks"] and one["bids"]
    ]


def cumulative_usd(side: Sequence[tuple[Decimal, Decimal]], ticks: int) -> Decimal:
    """Returns the USD behind the best price and so many ticks of a cent further."""
    best = side[0][0]
    return sum((price * size for price, size in side if abs(price - best) <= ticks * Decimal("0.01")), Decimal(0))


def quantiles(values: Sequence[Decimal]) -> list[Decimal]:
    """Returns the values at `SHARES`."""
    ordered = sorted(values)
    return [ordered[int(len(ordered) * share)] for share in SHARES]


def main(path: Path = RECORDED) -> None:
    """Prints spreads and depths of a recording."""
    books = recorded_books(path)
    print(f"{len(books)} books of {path.name}; quantiles {', '.join(f'{share:.0%}' for share in SHARES)}")
    spreads = quantiles([book.asks[0][0] - book.bids[0][0] for book in books])
    print("half spread, USD a share:", *(f"{one / 2:.4f}" for one in spreads))
    for ticks in (0, 1, 2, 3, 5, 10):
        found = quantiles([cumulative_usd(side, ticks) for book in books for side in (book.asks, book.bids)])
        print(f"USD within {ticks} cents of the best price:", *(f"{one:,.0f}" for one in found))


if __name__ == "__main__":
    main(*(Path(one) for one in sys.argv[1:2]))
