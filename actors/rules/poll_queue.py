"""Who is polled next: of those that are due, whoever has waited longest, counted by importance.

Within a lane the longest wait goes first. Between lanes a wait counts `WEIGHT` times, so that under load a copy target is
polled twice as often as a trader who is only followed, and four times as often as one who is only marked: nobody starves.
A wallet whose polls fail waits longer each time. Those that fail, and the few whose polls take very long, stand apart and are
left to the few workers that take such wallets: however many they are and however long they hang, the others are polled as if
they were not there (D72).
"""

import enum
import heapq
from collections.abc import Collection, Mapping
from itertools import chain
from statistics import median

import attrs

from protocols.trades import Lane

FAILED_FIRST_S = 2.0
FAILED_MAX_S = 300.0
SLOW_S = 5.0
"""A poll that takes longer is slow; when more than a quarter of all are, it is the venue, and no wallet stands apart for it."""
HOT_LANES = (Lane.TARGET, Lane.FOLLOWED)
HOT_WALLETS_MAX = 5_000
"""More than that cannot be polled often; those that are left over are polled by the cold tier."""


class HotLane(enum.IntEnum):
    """Why a wallet is hot; a smaller number matters more."""

    TARGET = 0
    FOLLOWED = 1
    MARKED = 2


WEIGHT = {HotLane.TARGET: 4.0, HotLane.FOLLOWED: 2.0, HotLane.MARKED: 1.0}


@attrs.define(eq=False)
class Queued:
    """One wallet and how it stands. Times are monotonic."""

    wallet: str
    lane: HotLane
    waits_since_s: float
    due_s: float
    ticket: int = 0
    """Only the entry of a heap with this number counts."""
    failures: int = 0
    apart: bool = False
    """In the heap of those that may take long."""
    polling: bool = False
    ended_s: float | None = None
    """End of the last poll that succeeded."""
    cycle_s: float | None = None
    """Between the ends of the last two polls that succeeded, one right after the other."""


@attrs.define(eq=False, kw_only=True)
class PollQueue:
    """Hot wallets and when each is due."""

    entries: dict[str, Queued] = attrs.field(init=False, factory=dict)
    _heaps: dict[tuple[HotLane, bool], list[tuple[float, int, str]]] = attrs.field(init=False, factory=dict)
    """By lane and whether they stand apart: (due, ticket, wallet)."""
    _slow: set[str] = attrs.field(init=False, factory=set)
    _tickets: int = attrs.field(init=False, default=0)

    def set_wallets(self, wanted: Mapping[str, HotLane], now_s: float) -> None:
        """Takes up wallets that are new, moves those whose lane changed, and forgets the others."""
        for wallet in self.entries.keys() - wanted.keys():
            del self.entries[wallet]
            self._slow.discard(wallet)
        for wallet, lane in wanted.items():
            known = self.entries.get(wallet)
            if known is None:
                known = self.entries[wallet] = Queued(wallet, lane, waits_since_s=now_s, due_s=now_s)
            elif known.lane is lane:
                continue
            known.lane = lane
            if not known.polling:
                self._push(known)

    def take(self, now_s: float, *, apart: bool) -> Queued | None:
        """Returns the wallet to poll now, or None. `apart`: those that stand apart may be taken, too."""
        best, best_score = None, -1.0
        for lane in HotLane:
            for stands_apart in (False, True) if apart else (False,):
                head = self._head(lane, stands_apart)
                if head is None or head.due_s > now_s:
                    continue
                score = (now_s - head.waits_since_s) * WEIGHT[lane]
                if score > best_score:
                    best, best_score = head, score
        if best is not None:
            heapq.heappop(self._heaps[best.lane, best.apart])
            best.polling = True
        return best

    def next_due_s(self, *, apart: bool) -> float:
        """Returns when a wallet is due next; infinity when there is none."""
        heads = [self._head(lane, one) for lane in HotLane for one in ((False, True) if apart else (False,))]
        return min((head.due_s for head in heads if head is not None), default=float("inf"))

    def done(self, one: Queued, now_s: float, *, cooldown_s: float, took_s: float = 0.0) -> None:
        """Says that a poll succeeded, and how long it took."""
        if took_s > SLOW_S:
            self._slow.add(one.wallet)
        else:
            self._slow.discard(one.wallet)
        one.cycle_s = None if one.ended_s is None or one.failures else now_s - one.ended_s
        one.failures, one.ended_s = 0, now_s
        self._again(one, now_s, cooldown_s)

    def failed(self, one: Queued, now_s: float, *, cooldown_s: float) -> None:
        """Says that a poll failed; the next one is due later each time."""
        pause_s = min(FAILED_MAX_S, FAILED_FIRST_S * 2.0 ** min(one.failures, 30))
        one.failures += 1
        one.cycle_s = None
        self._again(one, now_s, max(pause_s, cooldown_s))

    def put_back(self, one: Queued, now_s: float) -> None:
        """Says that a poll was not made, for a reason that has nothing to do with the wallet."""
        one.polling = False
        if self.entries.get(one.wallet) is one:
            one.due_s = now_s
            self._push(one)

    def lag_s(self, now_s: float) -> float:
        """Returns by how much the wallet is late that is overdue longest; failing ones are not counted."""
        late = [now_s - one.due_s for one in self.entries.values() if not one.polling and not one.failures]
        return max(0.0, max(late, default=0.0))

    def cycle_s(self, lane: HotLane) -> float | None:
        """Returns the median time between the last two polls of the wallets of a lane; None before there were two."""
        known = [one.cycle_s for one in self.entries.values() if one.lane is lane and one.cycle_s is not None]
        return median(known) if known else None

    def _again(self, one: Queued, now_s: float, pause_s: float) -> None:
        one.polling = False
        if self.entries.get(one.wallet) is one:
            one.waits_since_s, one.due_s = now_s, now_s + pause_s
            self._push(one)

    def _push(self, one: Queued) -> None:
        self._tickets += 1
        one.ticket = self._tickets
        is_slow = one.wallet in self._slow and len(self._slow) <= max(1, len(self.entries) // 4)
        one.apart = one.failures > 0 or is_slow
        heap = self._heaps.setdefault((one.lane, one.apart), [])
        heapq.heappush(heap, (one.due_s, one.ticket, one.wallet))

    def _head(self, lane: HotLane, apart: bool) -> Queued | None:
        heap = self._heaps.get((lane, apart), [])
        while heap:
            one = self.entries.get(heap[0][2])
            if one is not None and one.ticket == heap[0][1] and not one.polling:
                return one
            heapq.heappop(heap)
        return None


def hot_wallets(lanes: Mapping[str, Lane], marked: Collection[str]) -> tuple[dict[str, HotLane], int]:
    """Returns the wallets of the hot tier, and how many there was no room for. Those that matter most have room first."""
    followed = (
        (wallet, HotLane(lane.value)) for wanted in HOT_LANES for wallet, lane in lanes.items() if lane is wanted
    )
    others = ((wallet, HotLane.MARKED) for wallet in sorted(marked) if lanes.get(wallet) not in HOT_LANES)
    hot: dict[str, HotLane] = {}
    left_out = 0
    for wallet, lane in chain(followed, others):
        if len(hot) < HOT_WALLETS_MAX:
            hot[wallet] = lane
        else:
            left_out += 1
    return hot, left_out
