"""Puts a portfolio together when somebody looks at it: fills, payouts, fresh quotes. No result is kept until the next look."""

import contextlib
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import Protocol

import attrs
import trio

from actors.portfolio_memory import PortfolioMemory
from actors.rules.portfolio.book import CopyBook
from actors.rules.portfolio.figures import Valued, valued_at
from actors.rules.portfolio.matching import Days
from actors.rules.portfolio.official import Comparison, compared
from actors.rules.portfolio.pricing import Price, price_of, quoted_prices
from protocols.clock import WallClock
from protocols.errors import TransientError
from protocols.portfolio import NewMark, PortfolioQuery, PortfolioStore, TokenFacts
from protocols.prices import Quote

QUOTES_WAIT_S = 2.0
"""Longest wait for quotes; what has none by then is valued with what is stored."""
MARKETS_MAX = 500
"""Markets that are quoted for one look, those with the most money first: the rest of a larger portfolio has stored prices."""
TURN = 500
"""Positions that are valued before other tasks have their turn."""


class Quotes(Protocol):
    """The price cache, as far as a portfolio needs it."""

    async def quotes(self, condition_ids: Collection[str], max_age_ms: int = 0) -> Mapping[str, Quote | None]:
        """Returns quotes at most 3 s old while an upstream answers. Raises `TransientError`."""
        ...


@attrs.frozen(kw_only=True, eq=False)
class Portfolio:
    """Everything of one look."""

    now_us: int
    valued: Sequence[Valued]
    """Positions, and what was sold without one; by scope and token."""
    days: Sequence[Days]
    """By UTC day, of each token."""
    facts: Mapping[str, TokenFacts]
    """Of tokens of which something is, or was until its market was resolved, left."""
    official: Mapping[str, Comparison] | None = None
    """By token; None when it was not asked for, or of a part only."""

    @cached_property
    def at(self) -> Mapping[tuple[str, str], Valued]:
        """Returns positions by scope and token."""
        return {(one.position.scope, one.position.token_id): one for one in self.valued}


@attrs.define(eq=False, kw_only=True)
class PortfolioDesk:
    """Reads the store and asks the price cache; `quotes` None values with stored prices alone. Raises `TransientError`."""

    store: PortfolioStore
    quotes: Quotes | None
    clock: WallClock
    wait_s: float = QUOTES_WAIT_S
    memory: PortfolioMemory = attrs.field(
        default=attrs.Factory(lambda self: PortfolioMemory(self.store), takes_self=True)
    )

    async def portfolio(self, query: PortfolioQuery, *, official: bool = False) -> Portfolio:
        """Returns the copies of a user, valued now. `official` is of whole accounts: it needs a query without filters."""
        now_us = self.clock.now_ms() * 1000
        book, facts = await self.memory.book(query, now_us)
        quoted = await self._quoted(book, facts, now_us)
        valued = list[Valued]()
        for number, position in enumerate(list(book.positions), 1):
            price = price_of(facts.get(position.token_id), quoted.get(position.token_id)) if position.is_open else None
            valued.append(valued_at(position, price))
            if not number % TURN:
                await trio.lowlevel.checkpoint()
        comparisons: Mapping[str, Comparison] | None = None
        if official and query.is_whole:
            tokens = {position.token_id for position in book.positions}
            comparisons = compared(book.positions, await self.store.official(query, tokens))
        return Portfolio(now_us=now_us, valued=valued, days=list(book.days.values()), facts=facts, official=comparisons)

    async def fresh_marks(self, query: PortfolioQuery) -> tuple[int, Sequence[NewMark]]:
        """Returns how many open tokens there are, and a mark for each that has a fresh quote."""
        now_us = self.clock.now_ms() * 1000
        book, facts = await self.memory.book(query, now_us)
        quoted = await self._quoted(book, facts, now_us)
        marks = [
            NewMark(
                token_id=token_id, condition_id=str(facts[token_id].condition_id), price=price.usd,
                priced_ms=now_us // 1000 if price.at_us is None else price.at_us // 1000,
            )
            for token_id, price in quoted.items()
        ]  # fmt: skip
        return len({one.token_id for one in book.positions if one.is_open}), marks

    async def _quoted(self, book: CopyBook, facts: Mapping[str, TokenFacts], now_us: int) -> dict[str, Price]:
        """Asks once for all markets of what is open. Nothing comes of weather: what is stored is older and says so."""
        if self.quotes is None:
            return {}
        at_stake: dict[str, int] = {}
        for position in book.positions:
            one = facts.get(position.token_id)
            if position.is_open and one is not None and one.condition_id is not None:
                at_stake[one.condition_id] = at_stake.get(one.condition_id, 0) + position.cost
        wanted = sorted(at_stake, key=lambda condition_id: -at_stake[condition_id])[:MARKETS_MAX]
        quotes: Mapping[str, Quote | None] = {}
        if wanted:
            with trio.move_on_after(self.wait_s):
                with contextlib.suppress(TransientError):
                    quotes = await self.quotes.quotes(wanted)
        # By the clock after the wait: a quote that came meanwhile is not of the future.
        return quoted_prices(facts.values(), quotes, max(now_us, self.clock.now_ms() * 1000))
