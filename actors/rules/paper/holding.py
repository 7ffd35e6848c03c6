"""What a trader held before he sold: the venue's word plus trades since, else his net buys as far as they were seen."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from protocols.paper import Holding

VENUE_LAG_MS = 10_000
"""The venue's positions are this far behind at most: 5 s of cache and about 5 s of its own (venue.md §5.1)."""
BASELINES_MAX = 4
OBSERVED_WITHIN_MS = 120_000
"""A change of a position is explained by fills that are no older than this before its snapshot."""


class KnownFill(NamedTuple):
    """One fill of a trader in a token: signed micro-shares, negative for a sale."""

    trade_id: str
    trade_ms: int
    signed_micro: int


def holding_before(baseline: Holding | None, fills: Iterable[KnownFill], *, trade_id: str, trade_ms: int) -> int | None:
    """Returns the micro-shares that a trader held before one of his sales; None when nothing is known.

    `baseline` counts from its own time on; a sale from before it is measured by net buys alone. Equal times count as before,
    since a source gives seconds and hands out trades in order.
    """
    before = [fill for fill in fills if fill.trade_id != trade_id and fill.trade_ms <= trade_ms]
    if baseline is not None and baseline.as_of_ms < trade_ms:
        held = baseline.micro + sum(fill.signed_micro for fill in before if fill.trade_ms > baseline.as_of_ms)
        return max(0, held)
    if not before:
        return None
    return max(0, sum(fill.signed_micro for fill in before))


def observed_as_of_ms(
    fills: Iterable[KnownFill], *, before_micro: int, after_micro: int, seen_ms: int, since_ms: int | None = None
) -> int | None:
    """Returns the time up to which an observed holding has all fills, or None when that cannot be told.

    A snapshot is some seconds behind, so of the latest fills it has a part. Which one is told by the change itself: it is the
    sum of the fills since the snapshot before, which had all up to `since_ms`. Of several such sums the first counts: what lies
    between them adds up to nothing. Where the one before is not known, it is any run of fills, the latest of several: if that
    is wrong, the fill that it takes for known changes the next snapshot.
    """
    recent = sorted(
        (fill for fill in fills if fill.trade_ms > seen_ms - OBSERVED_WITHIN_MS), key=lambda fill: fill.trade_ms
    )
    change_micro = after_micro - before_micro
    end = None if since_ms is None else _end_of_sum([one for one in recent if one.trade_ms > since_ms], change_micro)
    if end is None:
        end = _end_of_run(recent, change_micro)
    if end is not None:
        return end.trade_ms
    unsure = any(fill.trade_ms > seen_ms - VENUE_LAG_MS for fill in recent)
    return None if unsure else seen_ms - VENUE_LAG_MS


def since_of_ms(baselines: Sequence[Holding], before_micro: int) -> int | None:
    """Returns up to when the snapshot before had all fills: what was learned of it, if its amount was."""
    return next((one.as_of_ms for one in reversed(baselines) if one.micro == before_micro), None)


def _end_of_sum(fills: Sequence[KnownFill], change_micro: int) -> KnownFill | None:
    """Returns the fill up to which the first ones add up to a change; fills of one moment are all in it, or none."""
    total = 0
    for place, fill in enumerate(fills):
        total += fill.signed_micro
        is_last_of_moment = place + 1 == len(fills) or fills[place + 1].trade_ms != fill.trade_ms
        if is_last_of_moment and total == change_micro:
            return fill
    return None


def _end_of_run(fills: Sequence[KnownFill], change_micro: int) -> KnownFill | None:
    """Returns the last fill of the latest run that adds up to a change."""
    for end in range(len(fills), 0, -1):
        total = 0
        for fill in reversed(fills[:end]):
            total += fill.signed_micro
            if total == change_micro:
                return fills[end - 1]
    return None


def remembered(baselines: Sequence[Holding], said: Holding) -> list[Holding]:
    """Returns what is kept of what the venue said, oldest first, with what it says now.

    What was taken for later than that was taken wrongly: it was said before.
    """
    return [*(one for one in baselines if one.as_of_ms < said.as_of_ms), said][-BASELINES_MAX:]


def may_have_more(said: Holding, fills: Iterable[KnownFill]) -> bool:
    """Returns whether a holding, taken for as old as the venue may be, may have fills from since: they would count twice."""
    return any(said.as_of_ms < fill.trade_ms <= said.as_of_ms + VENUE_LAG_MS for fill in fills)


def recalled(baselines: Sequence[Holding], stored: Holding, fills: Iterable[KnownFill]) -> list[Holding]:
    """Returns what is kept with what is on record, which says nothing against what is known already.

    What may have fills from after its time is left out.
    """
    if may_have_more(stored, fills) or any(one.as_of_ms == stored.as_of_ms for one in baselines):
        return list(baselines)
    return sorted([*baselines, stored], key=lambda one: one.as_of_ms)[-BASELINES_MAX:]


def baseline_for(baselines: Sequence[Holding], trade_ms: int) -> Holding | None:
    """Returns the latest of some holdings that is older than a trade."""
    older = [one for one in baselines if one.as_of_ms < trade_ms]
    return max(older, key=lambda one: one.as_of_ms, default=None)
