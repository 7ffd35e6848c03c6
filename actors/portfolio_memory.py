"""Books of copies that were matched before. One is used again only where the database says that no order has changed since.

So a second look costs no reading of thousands of fills, and still shows nothing older than the first one would.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from decimal import Decimal

import attrs

from actors.rules.portfolio.book import CopyBook
from protocols.portfolio import PortfolioQuery, PortfolioStore, TokenFacts

ORDERS_MAX = 10_000
"""Orders in all books together: about 8 MB. A larger portfolio is matched anew at each look."""
Paid = tuple[Decimal | None, int | None]
"""What a token paid, and when."""


@attrs.define(eq=False)
class KeptBook:
    """A book, and what it is true of."""

    stamp: str
    """Of the orders that it was read from."""
    book: CopyBook
    tokens: Sequence[str]
    """Those of which something was left before anything was settled."""
    paid: dict[str, Paid]
    """How tokens were settled in it."""
    orders: int

    def agrees(self, facts: Mapping[str, TokenFacts]) -> bool:
        """Returns whether what was settled was settled as it is said now: a payout may have been corrected."""
        return all(token_id in facts and _paid(facts[token_id]) == paid for token_id, paid in self.paid.items())

    def settle(self, facts: Mapping[str, TokenFacts], now_us: int) -> None:
        """Settles what has been resolved by now."""
        self.book.settle(facts, now_us)
        self.paid = {token_id: _paid(one) for token_id, one in facts.items() if one.payout is not None}


@attrs.define(eq=False)
class PortfolioMemory:
    """Reads books for those who look, and keeps those that were looked at last. Raises `TransientError`."""

    store: PortfolioStore
    orders_max: int = ORDERS_MAX
    reused: int = attrs.field(init=False, default=0)
    read: int = attrs.field(init=False, default=0)
    _kept: OrderedDict[object, KeptBook] = attrs.field(init=False, factory=OrderedDict)

    async def book(self, query: PortfolioQuery, now_us: int) -> tuple[CopyBook, Mapping[str, TokenFacts]]:
        """Returns the settled book of a query, not to be changed, and what is stored of its tokens."""
        key = query.user_id, tuple(sorted(query.accounts)), query.strategy_id, query.account
        kept = self._kept.get(key) if query.token_ids is None else None
        if kept is not None:
            facts = await self.store.facts_unless_changed(query, kept.stamp, kept.tokens)
            if facts is not None and kept.agrees(facts):
                self.reused += 1
                if key in self._kept:
                    self._kept.move_to_end(key)
                kept.settle(facts, now_us)
                return kept.book, facts
        self.read += 1
        book = CopyBook()
        stamp, facts = await self.store.read(query, book)
        fresh = KeptBook(stamp, book, book.open_tokens(), {}, sum(len(one.orders) for one in book.positions))
        fresh.settle(facts, now_us)
        if query.token_ids is None:
            self._keep(key, fresh)
        return book, facts

    def _keep(self, key: object, fresh: KeptBook) -> None:
        self._kept.pop(key, None)
        if fresh.orders <= self.orders_max:
            self._kept[key] = fresh
        while sum(one.orders for one in self._kept.values()) > self.orders_max:
            self._kept.popitem(last=False)


def _paid(facts: TokenFacts) -> Paid:
    return facts.payout, facts.resolved_us
