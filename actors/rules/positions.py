"""What a complete snapshot of an account says about the positions that are stored, and when one of them has ended.

That a position is absent proves nothing by itself: lists move while their pages are read, and an answer may be empty because
the venue is ill. So an absent position is asked for by its market, and closed when the account's activity tells how it went,
or when it has stayed away for `UNEXPLAINED_MS`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import attrs

from protocols.positions import CloseReason, KnownPosition, MarketEnd, PositionChange, PositionEvent
from protocols.trader_accounts import Activity, ActivityKind, HeldPosition

REFRESH_MS = 300_000
"""A row that has not changed is rewritten this often, for its price and value."""
UNEXPLAINED_MS = 600_000
"""A position that is absent and of whose end the activity knows nothing is believed to be gone after this."""
UNKNOWN_MARKET_MS = 3_600_000
"""So long the reason may wait for a market that nobody knows yet."""
NEVER_S = 1 << 62
VENUE_LAG_S = 30
"""What happened this long before a snapshot may be missing from it."""


class Sale(NamedTuple):
    """A sale of an account, whose time is a whole second."""

    token_id: str
    shares_micro: int
    second: int


class Purchase(NamedTuple):
    """The same the other way round."""

    token_id: str
    shares_micro: int
    second: int


@attrs.frozen(kw_only=True)
class Comparison:
    """Stored positions against a snapshot."""

    events: tuple[PositionEvent, ...] = ()
    written: tuple[HeldPosition, ...] = ()
    """Rows to be stored: new, changed, back after they were missing, or due to be refreshed."""
    absent: tuple[KnownPosition, ...] = ()


@attrs.frozen(kw_only=True)
class Evidence:
    """What an account did since its absent positions were seen last."""

    redeemed: frozenset[str] = frozenset()
    """Condition ids."""
    sold_micro: Mapping[str, int] = attrs.field(factory=dict)
    """By token."""
    merged_micro: Mapping[str, int] = attrs.field(factory=dict)
    """By condition id: taken from each of its tokens."""
    given_away: frozenset[str] = frozenset()
    """Tokens that were sold or merged to the last share: whatever was redeemed in their market, it was the other one."""

    def gone_micro(self, position: KnownPosition) -> int:
        """Returns how many micro-shares of a token its holder gave away himself."""
        return self.sold_micro.get(position.token_id, 0) + self.merged_micro.get(position.condition_id, 0)

    def explains(self, position: KnownPosition) -> bool:
        """Returns whether nothing more needs to be known of how a position went."""
        return position.condition_id in self.redeemed or self.gone_micro(position) >= position.shares_micro


@attrs.frozen(kw_only=True)
class Ending:
    """What becomes of absent positions."""

    events: tuple[PositionEvent, ...] = ()
    closed: Mapping[str, CloseReason] = attrs.field(factory=dict)


def merged_rows(pages: Iterable[Sequence[HeldPosition]]) -> dict[str, HeldPosition]:
    """Returns rows by token; of a token that moved between pages the row that was read last counts."""
    return {row.token_id: row for page in pages for row in page if row.shares_micro > 0}


def compared(
    wallet: str, known: Sequence[KnownPosition], held: Mapping[str, HeldPosition], *, seen_ms: int
) -> Comparison:
    """Compares what is stored with a complete snapshot that was asked for at `seen_ms`."""
    before = {position.token_id: position for position in known}
    changes = [(before.get(row.token_id), row) for row in held.values()]
    return Comparison(
        events=tuple(_event(wallet, old, row, seen_ms) for old, row in changes if _is_event(old, row)),
        written=tuple(row for old, row in changes if _is_written(old, row, seen_ms)),
        absent=tuple(position for position in known if position.token_id not in held),
    )


def ended(
    wallet: str,
    absent: Sequence[KnownPosition],
    evidence: Evidence,
    markets: Mapping[str, MarketEnd],
    *,
    seen_ms: int,
) -> Ending:
    """Decides about positions that a second, targeted reading has not found either."""
    reasons = {
        position.token_id: close_reason(
            position, evidence, markets.get(position.condition_id, MarketEnd.UNKNOWN), seen_ms=seen_ms
        )
        for position in absent
    }
    closed = {token_id: reason for token_id, reason in reasons.items() if reason is not None}
    return Ending(
        events=tuple(
            _closing(wallet, position, closed[position.token_id], seen_ms)
            for position in absent
            if position.token_id in closed
        ),
        closed=closed,
    )


def close_reason(position: KnownPosition, evidence: Evidence, market: MarketEnd, *, seen_ms: int) -> CloseReason | None:
    """Returns how a position ended, or None while that is not certain.

    A redemption is one, unless nothing was left to redeem. Who sold or merged all of it closed it himself, even if the market
    has ended meanwhile; of what is not explained that way, the market decides.
    """
    if position.condition_id in evidence.redeemed and position.token_id not in evidence.given_away:
        return CloseReason.REDEEMED
    if evidence.explains(position):
        return CloseReason.MANUAL_CLOSE
    missing_ms = 0 if position.missing_since_ms is None else seen_ms - position.missing_since_ms
    if missing_ms < UNEXPLAINED_MS:
        # Also of what was sold in part: the rest may be hidden by a list that is empty because the venue is ill.
        return None
    if position.redeemable:
        return CloseReason.REDEEMED
    if market is MarketEnd.UNKNOWN and missing_ms < UNKNOWN_MARKET_MS:
        return None
    return CloseReason.MARKET_CLOSED if market is MarketEnd.ENDED else CloseReason.MANUAL_CLOSE


def evidence_since_s(absent: Sequence[KnownPosition]) -> int:
    """Returns the second from which an account's activity has to be known to explain how positions ended."""
    return min(map(_since_s, absent))


def evidence_of(
    sales: Iterable[Sale],
    others: Iterable[Activity],
    absent: Sequence[KnownPosition],
    purchases: Iterable[Purchase] = (),
) -> Evidence:
    """Returns what activity says about absent positions. What came before a snapshot that still had one is no evidence."""
    since_by_token = {position.token_id: _since_s(position) for position in absent}
    since_by_condition: dict[str, int] = {}
    for position in absent:
        known_s = since_by_condition.get(position.condition_id, 0)
        since_by_condition[position.condition_id] = max(known_s, _since_s(position))
    sold = [one for one in sales if one.second >= since_by_token.get(one.token_id, NEVER_S)]
    bought = [one for one in purchases if one.second >= since_by_token.get(one.token_id, NEVER_S)]
    changes = [one for one in others if one.at_ms // 1000 >= since_by_condition.get(one.condition_id, NEVER_S)]
    merges = [one for one in changes if one.kind in (ActivityKind.MERGE, ActivityKind.CONVERSION)]
    return Evidence(
        redeemed=frozenset(one.condition_id for one in changes if one.kind is ActivityKind.REDEEM),
        sold_micro=_total((one.token_id, one.shares_micro) for one in sold),
        merged_micro=_total((one.condition_id, one.shares_micro) for one in merges),
        given_away=_given_away(absent, sold, merges, bought),
    )


def _given_away(
    absent: Sequence[KnownPosition],
    sales: Sequence[Sale],
    merges: Sequence[Activity],
    purchases: Sequence[Purchase],
) -> frozenset[str]:
    """Returns the tokens of which nothing can have been left.

    A snapshot may have what happened shortly before it, or not: then less was given away than it seems, and more was bought.
    """
    seen_s = {position.token_id: position.written_ms // 1000 for position in absent}
    market_s = {position.condition_id: position.written_ms // 1000 for position in absent}
    bought = _total((one.token_id, one.shares_micro) for one in purchases)
    sold = _total((one.token_id, one.shares_micro) for one in sales if one.second > seen_s[one.token_id])
    merged = _total(
        (one.condition_id, one.shares_micro) for one in merges if one.at_ms // 1000 > market_s[one.condition_id]
    )
    return frozenset(
        position.token_id
        for position in absent
        if sold[position.token_id] + merged[position.condition_id] >= position.shares_micro + bought[position.token_id]
    )


def _total(amounts: Iterable[tuple[str, int]]) -> Counter[str]:
    total = Counter[str]()
    for name, micro in amounts:
        total[name] += micro
    return total


def _since_s(position: KnownPosition) -> int:
    return position.written_ms // 1000 - VENUE_LAG_S


def _is_event(old: KnownPosition | None, row: HeldPosition) -> bool:
    return old is None or old.shares_micro != row.shares_micro


def _is_written(old: KnownPosition | None, row: HeldPosition, seen_ms: int) -> bool:
    return (
        old is None
        or (old.shares_micro, old.redeemable, old.mergeable) != (row.shares_micro, row.redeemable, row.mergeable)
        or old.missing_since_ms is not None
        or seen_ms - old.written_ms >= REFRESH_MS
    )


def _event(wallet: str, old: KnownPosition | None, row: HeldPosition, seen_ms: int) -> PositionEvent:
    before_micro = 0 if old is None else old.shares_micro
    if old is None:
        change = PositionChange.OPENED
    else:
        change = PositionChange.INCREASED if row.shares_micro > before_micro else PositionChange.PARTLY_CLOSED
    return PositionEvent(
        wallet=wallet,
        token_id=row.token_id,
        condition_id=row.condition_id,
        change=change,
        before_micro=before_micro,
        after_micro=row.shares_micro,
        seen_ms=seen_ms,
    )


def _closing(wallet: str, position: KnownPosition, reason: CloseReason, seen_ms: int) -> PositionEvent:
    return PositionEvent(
        wallet=wallet,
        token_id=position.token_id,
        condition_id=position.condition_id,
        change=PositionChange.CLOSED,
        before_micro=position.shares_micro,
        after_micro=0,
        seen_ms=seen_ms,
        reason=reason,
    )
