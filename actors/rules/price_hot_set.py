"""Which markets ride along in a call that is made anyway."""

import heapq
from collections.abc import Iterable, Sequence

import attrs

AGE_MIN = 0.25
"""Part of the TTL; a younger price gains nothing from a ride. Markets a little apart still meet at the next call."""


@attrs.frozen
class Candidate:
    """A market in memory."""

    condition_id: str
    observed_s: float
    asked_s: float
    """When somebody wanted a price not older than the TTL; now for markets of an open stream."""
    hidden: bool = False
    """It is in the venue's list of closed markets, which costs a call of its own and is asked for more rarely."""


def riders(candidates: Iterable[Candidate], room: int, now_s: float, ttl_s: float) -> Sequence[str]:
    """Returns up to `room` markets that were asked for since they were seen, the oldest first."""
    hot = (
        (each.observed_s, each.condition_id)
        for each in candidates
        if each.asked_s > each.observed_s and now_s - each.observed_s >= AGE_MIN * ttl_s
    )
    return [condition_id for _, condition_id in heapq.nsmallest(max(0, room), hot)]
