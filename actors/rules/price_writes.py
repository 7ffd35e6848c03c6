"""Which observations are worth a write, and when."""

from collections.abc import Mapping
from decimal import Decimal

from protocols.prices import MarketFacts

Kept = tuple[tuple[Decimal, ...] | None, bool, bool | None, str | None]
"""What of a market is kept in its row."""


def kept_of(facts: MarketFacts) -> Kept:
    """Returns what a row keeps of an observation: two that are equal here are written once."""
    return facts.outcome_prices, facts.closed, facts.accepting_orders, facts.resolution_status


def due(pending: Mapping[str, object], written_s: Mapping[str, float], interval_s: float, now_s: float) -> list[str]:
    """Returns the markets whose last write is long enough ago."""
    return [id_ for id_ in pending if now_s >= written_s.get(id_, float("-inf")) + interval_s]


def next_due_s(pending: Mapping[str, object], written_s: Mapping[str, float], interval_s: float) -> float:
    """Returns when the next market falls due; infinite when nothing waits."""
    return min((written_s.get(id_, float("-inf")) + interval_s for id_ in pending), default=float("inf"))
