"""What a source of rows hands over: matches in blocks, still without the venue's time."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Protocol

import attrs

from engine.simulator.market import Market
from engine.simulator.profiles import Profile


@attrs.frozen(kw_only=True, eq=False)
class MatchedFill:
    """One wallet's side of a match. The taker's come first."""

    wallet: str
    is_taker: bool
    side: str
    market: Market
    outcome_index: int
    size_micro: int
    price: Decimal
    profile: Profile | None = None
    """None: the wallet's profile in this world."""
    shown_outcome_index: int | None = None
    """None: the venue decides."""


@attrs.frozen(kw_only=True, eq=False)
class Match:
    """One transaction."""

    transaction_hash: str
    fills: tuple[MatchedFill, ...]
    timestamp_s: int | None = None
    """Block time to show instead of now."""


@attrs.frozen(kw_only=True, eq=False)
class Block:
    """Matches that appear together, and what happened to markets before them."""

    offset_s: float
    """Seconds since the source began, at speed 1."""
    matches: Sequence[Match] = ()
    before: Sequence[Callable[[int], None]] = ()
    """Called with the venue's time in milliseconds before the matches are booked: markets that close or resolve."""


class RowSource(Protocol):
    """A tape or the synthetic platform."""

    def next_block(self) -> Block | None:
        """Returns the next block in order of `offset_s`, or None when there is no more."""
        ...

    def describe(self) -> dict[str, object]:
        """Returns what a person wants to know of it, as JSON values."""
        ...
