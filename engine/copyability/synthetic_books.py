"""Order books at the time of a replay, made up from the prices that were known by then."""

from bisect import bisect_left
from collections import defaultdict
from decimal import Decimal

import attrs

from actors.rules.copyability.depth import DepthModel
from engine.copyability.price_tape import PriceTape
from protocols.clock import WallClock
from protocols.decisions import Book


@attrs.frozen(kw_only=True)
class Glance:
    """What a book looked like when somebody asked for it. USD a share; None where that side is empty."""

    observed_ms: int
    middle: Decimal
    best_bid: Decimal | None
    best_ask: Decimal | None


@attrs.define(eq=False, kw_only=True)
class Glances:
    """Every book that was asked for, so that costs can be told apart afterwards."""

    _by_token: defaultdict[str, list[Glance]] = attrs.field(init=False, factory=lambda: defaultdict(list))

    def note(self, token_id: str, glance: Glance) -> None:
        """Remembers a glance; times rise."""
        self._by_token[token_id].append(glance)

    def from_then(self, token_id: str, at_ms: int) -> Glance | None:
        """Returns the first glance at a token's book at that time or later."""
        found = self._by_token.get(token_id, [])
        place = bisect_left(found, at_ms, key=lambda one: one.observed_ms)
        return found[place] if place < len(found) else None


@attrs.define(eq=False, kw_only=True)
class SyntheticBooks:
    """`BookDepths` on virtual time: it looks at the clock, and at nothing that the clock has not reached."""

    tape: PriceTape
    model: DepthModel
    clock: WallClock
    glances: Glances

    async def depth(self, token_id: str) -> Book | None:
        """Returns the book as it may have been now; None for a token without any trade by now."""
        now_ms = self.clock.now_ms()
        middle = self.tape.price_at(token_id, now_ms)
        if middle is None:
            return None
        book = self.model.book(middle, self.tape.day_usd(token_id, now_ms), now_ms)
        glance = Glance(
            observed_ms=now_ms,
            middle=middle,
            best_bid=book.bids[0][0] if book.bids else None,
            best_ask=book.asks[0][0] if book.asks else None,
        )
        self.glances.note(token_id, glance)
        return book
