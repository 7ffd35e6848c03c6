"""Who fetches a price, when several replicas want it. The one rule: stores in Redis and in memory settle by it.

All times are those of the store's own clock, so that the clocks of replicas need not agree.
"""

from collections.abc import Iterable, Mapping, Sequence

import attrs

from protocols.shared_quotes import Want

CLAIM_MS = 1_500
"""A claim ends after it. Longer than the venue takes for its answer, and short enough that whoever waits for a replica that
died gets his price within the patience of an asker."""
ASKED_MS = 10_000
"""So long somebody's wish to see a market counts."""
RIDE_MS = 500
"""A younger price gains nothing from a ride: `price_hot_set.AGE_MIN` of the usual TTL."""
ENDED_MS = 11_000
"""A price of a market whose trading has ended is good for so long, whoever asks (`price_freshness`)."""


@attrs.frozen(kw_only=True)
class Record:
    """What the store knows of a market, in milliseconds of its clock."""

    observed_ms: int | None = None
    """None: nobody has published it, or that was too long ago."""
    is_absent: bool = False
    """The venue had no such market then."""
    hidden: bool = False
    ended: bool = False
    resolved: bool = False
    asked_ms: int | None = None
    """When somebody's users wanted it last."""
    claim: str = ""
    """The flight that fetches it."""
    claimed_until_ms: int = 0


@attrs.frozen(kw_only=True)
class Settled:
    """Ids, by what becomes of them."""

    found: Sequence[str]
    ours: Sequence[str]
    along: Sequence[str]
    along_hidden: Sequence[str]
    theirs: Mapping[str, int]
    """Milliseconds until the claim ends."""


def settled(
    flight: str, wants: Sequence[Want], records: Mapping[str, Record], now_ms: int, *, room: int, ride_ms: int = RIDE_MS
) -> Settled:
    """Says what a flight takes from the store, what it fetches, and what it waits for.

    A call is made for what somebody waits for, and for nothing else; if it is made, it takes along what is old and looked at,
    here or elsewhere, the oldest first.
    """
    found: list[str] = []
    ours: list[str] = []
    theirs: dict[str, int] = {}
    riding: list[Want] = []
    looks_for_shown = looks_for_hidden = False
    for want in wants:
        record = records.get(want.condition_id, Record())
        if _is_good(record, want, now_ms):
            found.append(want.condition_id)
        elif want.rides:
            riding.append(want)
        elif (left_ms := _claimed_for_ms(record, flight, now_ms)) > 0:
            theirs[want.condition_id] = left_ms
        else:
            ours.append(want.condition_id)
            is_hidden = want.hidden or record.hidden
            looks_for_shown |= not is_hidden
            looks_for_hidden |= is_hidden
    along: list[str] = []
    along_hidden: list[str] = []
    if ours:
        for want in riding:
            record = records.get(want.condition_id, Record())
            is_hidden = want.hidden or record.hidden
            if _claimed_for_ms(record, flight, now_ms) <= 0 and len(ours) + len(along_hidden) < room:
                if is_hidden and looks_for_hidden:
                    along_hidden.append(want.condition_id)
                elif not is_hidden and looks_for_shown:
                    ours.append(want.condition_id)
        wanted = {want.condition_id for want in wants}
        for condition_id in _looked_at(flight, records, now_ms, ride_ms):
            is_hidden = records[condition_id].hidden
            if condition_id in wanted or not (looks_for_hidden if is_hidden else looks_for_shown):
                continue
            if len(ours) + len(along) + len(along_hidden) >= room:
                break
            (along_hidden if is_hidden else along).append(condition_id)
    return Settled(found=found, ours=ours, along=along, along_hidden=along_hidden, theirs=theirs)


def _is_good(record: Record, want: Want, now_ms: int) -> bool:
    if record.observed_ms is None:
        return False
    if record.is_absent or record.resolved:
        return True
    limit_ms = round(want.age_max_s * 1000)
    return now_ms - record.observed_ms < (max(limit_ms, ENDED_MS) if record.ended else limit_ms)


def _claimed_for_ms(record: Record, flight: str, now_ms: int) -> int:
    """Returns for how long another flight has it."""
    return record.claimed_until_ms - now_ms if record.claim not in ("", flight) else 0


def _looked_at(flight: str, records: Mapping[str, Record], now_ms: int, ride_ms: int) -> Iterable[str]:
    """Returns what was asked for since it was seen and is free, the oldest first."""
    due = [
        (record.observed_ms, condition_id)
        for condition_id, record in records.items()
        if record.asked_ms is not None
        and record.asked_ms >= now_ms - ASKED_MS
        and record.observed_ms is not None
        and record.asked_ms > record.observed_ms
        and now_ms - record.observed_ms >= (ENDED_MS if record.ended else ride_ms)
        and not record.resolved
        and not record.is_absent
        and _claimed_for_ms(record, flight, now_ms) <= 0
    ]
    return [condition_id for _, condition_id in sorted(due)]
