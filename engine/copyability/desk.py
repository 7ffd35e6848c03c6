"""Answers what copying a trader would have made: what the job kept, or computed now at somebody's own size."""

from collections import OrderedDict
from decimal import Decimal

import attrs
import trio

from engine.copyability.side_scoring import SideScoring
from protocols.copyability import Copyability, CopyabilityReports
from protocols.errors import TransientError

REMEMBERED_S = 600.0
REMEMBERED_MAX = 200
WAITING_MAX = 4
Key = tuple[str, Decimal, int]


@attrs.define(eq=False, kw_only=True)
class CopyabilityDesk:
    """One computation at a time, a few that wait, and what was computed lately."""

    reports: CopyabilityReports
    scoring: SideScoring
    _lock: trio.Lock = attrs.field(init=False, factory=trio.Lock)
    _waiting: int = attrs.field(init=False, default=0)
    _seen: OrderedDict[Key, tuple[float, Copyability]] = attrs.field(init=False, factory=OrderedDict)

    async def kept(self, wallet: str) -> Copyability | None:
        """Returns what the job found out last. Raises `TransientError`."""
        return await self.reports.find(wallet)

    async def at_size(self, wallet: str, size_usd: Decimal, days: int) -> Copyability:
        """Returns a result of the last ten minutes, else computes it.

        Raises `TransientError` when too many wait, and `RejectedError` when it takes too long or too much memory.
        """
        key = (wallet, size_usd.normalize(), days)
        if (found := self._remembered(key)) is not None:
            return found
        if self._waiting >= WAITING_MAX:
            raise TransientError("others are being computed; try again in a moment")
        self._waiting += 1
        try:
            async with self._lock:
                # Who waited before may have asked the same.
                if (found := self._remembered(key)) is not None:
                    return found
                [result] = await self.scoring.score([wallet], size_usd, days, self.scoring.config.ask_max_s)
        finally:
            self._waiting -= 1
        self._seen[key] = (trio.current_time(), result)
        while len(self._seen) > REMEMBERED_MAX:
            self._seen.popitem(last=False)
        return result

    def _remembered(self, key: Key) -> Copyability | None:
        found = self._seen.get(key)
        if found is None or trio.current_time() - found[0] > REMEMBERED_S:
            return None
        return found[1]
