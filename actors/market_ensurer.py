"""Makes sure that markets which somebody names have rows."""

from collections.abc import Collection, Sequence

import attrs
import trio

from actors.price_memory import Forgetful
from protocols.errors import RejectedError
from protocols.ingest import MarketCatalog, MarketStore
from protocols.markets import Market

CALL_VALUES_MAX = 100
"""An id of protocol V2 is asked for in both spellings (venue.md §3.1)."""
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
        for start, end in _spans(asked):
            found += await self._ask(asked[start:end])
        stored = await self._stored(found)
        for condition_id in set(asked) - {market.condition_id for market in found}:
            self._absent.add(condition_id, now_s)
        self.learned += len(stored)
        return sorted(set(missing) - stored)

    async def _ask(self, condition_ids: Sequence[str]) -> list[Market]:
        """One call; a second one only for ids that may be hidden because they are closed (venue.md §3.1)."""
        try:
            self.calls += 1
            found = await self.catalog.markets(condition_ids, closed=None)
            rest = sorted(set(condition_ids) - {market.condition_id for market in found})
            if rest:
                self.calls += 1
                found += await self.catalog.markets(rest, closed=True)
        except RejectedError:
            if len(condition_ids) == 1:
                return []
            middle = len(condition_ids) // 2
            return await self._ask(condition_ids[:middle]) + await self._ask(condition_ids[middle:])
        return found

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


def _spans(condition_ids: Sequence[str]) -> list[tuple[int, int]]:
    spans, start, values = list[tuple[int, int]](), 0, 0
    for index, condition_id in enumerate(condition_ids):
        cost = 2 if condition_id.endswith("00") else 1
        if values + cost > CALL_VALUES_MAX:
            spans.append((start, index))
            start, values = index, 0
        values += cost
    return [*spans, (start, len(condition_ids))] if condition_ids else []
