"""What this process has journaled lately: a database that lost its last commits is told of it again.

An order is sent once it is journaled. A standby that is promoted without the last commits does not know it, and the venue has
it all the same; who sent it still knows. With the journal re-created, its fate is looked up like that of every order whose
answer was lost (`reconciler.py`).
"""

from collections import deque
from collections.abc import Collection, Iterable, Sequence

import attrs
import trio

from protocols.live.orders import LiveIntent, SignedOrder

KEPT_S = 900.0
"""Far longer than a standby may lag behind, and than it takes to promote it."""
KEPT_MAX = 10_000
Pair = tuple[LiveIntent, SignedOrder]


@attrs.define(eq=False)
class OrderMemory:
    """Journaled orders of the last minutes, of whatever account; outlives leases, not the process."""

    _kept: deque[tuple[float, Pair]] = attrs.field(init=False, factory=lambda: deque(maxlen=KEPT_MAX))

    def keep(self, orders: Iterable[Pair]) -> None:
        """Remembers orders whose journal is committed."""
        now_s = trio.current_time()
        self._kept.extend((now_s, pair) for pair in orders)
        while self._kept and self._kept[0][0] < now_s - KEPT_S:
            self._kept.popleft()

    def of(self, accounts: Collection[str]) -> Sequence[Pair]:
        """Returns what is remembered of some accounts, the oldest first."""
        since_s = trio.current_time() - KEPT_S
        return [pair for at_s, pair in self._kept if at_s >= since_s and pair[1].account in accounts]
