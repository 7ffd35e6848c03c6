"""Makes sure that markets which somebody names have rows."""

from collections.abc import Collection, Sequence

import attrs
import trio

from actors.market_asking import ask_markets, call_spans
from actors.price_memory import Forgetful
from protocols.errors import RejectedError
from protocols.ingest import MarketCatalog, MarketStore
from protocols.markets import Market

ABSENT_S = 60.0


@attrs.define(eq=False, kw_only=True)
class MarketEnsurer:
    """One request at a time: those who wait find the rows of those before them. Needs no task of its own."""

    store: MarketStore
    catalog: MarketCatalog
    calls: int = attrs.field(init=False, default=0)
    learned: int = attrs.field(init=False, default=0)
    _absent: Forgetful[str] = attrs.field(init=False, factory=lambda: Forgetful(ABSENT_S))
    _turn: trio.Lock = attrs.field(init=False, factory=trio.Lock)

    async def ensure(self, condition_ids: Sequence[str]) -> Collection[str]:
        """Returns those ids that have a row now; the others do not exist. Raises `TransientError`.

        An id that does not exist is not asked for again for a minute.
        """
        missing: Sequence[str] = await self.store.missing(condition_ids)
        if missing:
            async with self._turn:
                missing = await self._learn(await self.store.missing(missing))
        return set(condition_ids) - set(missing)

    async def _learn(self, missing: Sequence[str]) -> Sequence[str]:
        """Returns the ids that still have no row."""
        now_s = trio.current_time()
        asked = [id_ for id_ in missing if not self._absent.holds(id_, now_s)]
        found: list[Market] = []
        # As few calls as ids and their spellings allow: one for a hundred ids of today's usual kind.
        for start, end in call_spans(asked):
            found += await ask_markets(self.catalog, asked[start:end], self._count_call)
        stored = await self._stored(found)
        for condition_id in set(asked) - {market.condition_id for market in found}:
            self._absent.add(condition_id, now_s)
        self.learned += len(stored)
        return sorted(set(missing) - stored)

    def _count_call(self) -> None:
        self.calls += 1

    async def _stored(self, found: list[Market]) -> set[str]:
        """Stores markets and returns the ids of those that were taken; one bad market costs no other."""
        if not found:
            return set()
        try:
            await self.store.upsert(found)
        except RejectedError:
            if len(found) == 1:
                return set()
            middle = len(found) // 2
            return await self._stored(found[:middle]) | await self._stored(found[middle:])
        return {market.condition_id for market in found}
