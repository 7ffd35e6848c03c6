"""Books of copies that were matched before. Used again, they are read anew where orders have changed since.

So a second look costs no reading of thousands of fills, and still shows nothing older than the first one would: the database is
asked at every look what has changed.
"""

from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence

import attrs

from actors.rules.portfolio.book import CopyBook
from protocols.portfolio import CopiedFill, PortfolioQuery, PortfolioStore, Stamps, TakesFills, TokenFacts

ORDERS_MAX = 10_000
"""Orders in all books together: about 8 MB. A larger portfolio is matched anew at each look."""
Facts = Mapping[str, TokenFacts]


@attrs.frozen(eq=False)
class KeptBook:
    """A book, and the stamps of the orders that it was read from."""

    book: CopyBook = attrs.field(factory=CopyBook)
    stamps: Stamps | None = None


@attrs.define(eq=False)
class _Reading:
    """`TakesFills`: those of changed tokens, beside a book that has the others."""

    before: CopyBook
    changed: Collection[str] = ()
    fresh: CopyBook = attrs.field(factory=CopyBook)

    def begin(self, changed: Collection[str]) -> TakesFills:
        self.changed = changed
        return self

    def take(self, fills: Sequence[CopiedFill]) -> None:
        self.fresh.take(fills)

    def open_tokens(self) -> Collection[str]:
        changed = set(self.changed)
        return [one for one in self.before.open_tokens() if one not in changed] + self.fresh.open_tokens()


@attrs.define(eq=False)
class PortfolioMemory:
    """Reads books for those who look, and keeps those that were looked at last. Raises `TransientError`.

    A book is never changed, but for what is settled in it, so that several may look at the same one.
    """

    store: PortfolioStore
    orders_max: int = ORDERS_MAX
    matched: int = attrs.field(init=False, default=0)
    """So often a token was matched."""
    _kept: OrderedDict[object, KeptBook] = attrs.field(init=False, factory=OrderedDict)

    async def book(self, query: PortfolioQuery, now_us: int) -> tuple[CopyBook, Facts]:
        """Returns the settled book of a query, not to be changed, and what is stored of its tokens."""
        if query.token_ids is not None:
            renewed, facts = await self._renewed(KeptBook(), query)
        else:
            key = query.user_id, tuple(sorted(query.accounts)), query.strategy_id, query.account
            renewed, facts = await self._renewed(self._kept.get(key) or KeptBook(), query)
            if not renewed.book.is_settled_as(facts):
                # What is settled cannot be opened again.
                renewed, facts = await self._renewed(KeptBook(), query)
            self._keep(key, renewed)
        renewed.book.settle(facts, now_us)
        return renewed.book, facts

    async def _renewed(self, kept: KeptBook, query: PortfolioQuery) -> tuple[KeptBook, Facts]:
        reading = _Reading(kept.book)
        stamps, facts = await self.store.read(query, kept.stamps, reading.begin)
        self.matched += len(reading.changed)
        book = kept.book.renewed(reading.changed, reading.fresh) if reading.changed else kept.book
        return KeptBook(book, stamps), facts

    def _keep(self, key: object, kept: KeptBook) -> None:
        self._kept.pop(key, None)
        self._kept[key] = kept
        # A book of nothing takes room, too: anybody may ask for as many as there are names.
        while sum(max(1, one.book.orders) for one in self._kept.values()) > self.orders_max:
            self._kept.popitem(last=False)
