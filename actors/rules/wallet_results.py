"""What the venue's lists of an account say of its results, and from when on they are to be read again (domain.md §7.3)."""

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal

import attrs

from protocols.errors import MalformedError
from protocols.timestamps import epoch_ms, utc_datetime
from protocols.trader_accounts import ClosedPosition, HeldPosition
from protocols.wallet_results import PositionResult, ResultKind

DAY_MS = 86_400_000
OVERLAP_MS = 3_600_000
"""The venue's lists are late by seconds to minutes: what closed just before midnight may show up after it."""
FUTURE_MAX_MS = 3_600_000
LOST_TO = Decimal("0.01")
"""A resolved token of this price or less is worth nothing (domain.md §7.3)."""
MICRO = Decimal(1_000_000)
WINDOWS: tuple[tuple[str, int], ...] = (("1D", 1), ("7D", 7), ("30D", 30), ("3M", 90), ("6M", 180))
"""Rankings and their days (domain.md §7.4)."""


def read_from_ms(newest_close_ms: int | None, read_ms: int | None) -> int | None:
    """Returns the beginning of the day from which on closes are to be read; None: all of them.

    The newest day that is known is read again, since positions closed later on it (D78). A close that is newer than the reading
    that found it would hide what closed in between.
    """
    if newest_close_ms is None or read_ms is None:
        return None
    known_ms = min(newest_close_ms, read_ms) - OVERLAP_MS
    return known_ms - known_ms % DAY_MS


def closed_result(row: ClosedPosition, *, now_ms: int) -> PositionResult:
    """Returns the result of a closed position. Raises `MalformedError` for a close that is yet to come."""
    if row.closed_ms > now_ms + FUTURE_MAX_MS:
        raise MalformedError("closed_in_future", str(row.closed_ms))
    return PositionResult(
        token_id=row.token_id,
        condition_id=row.condition_id,
        kind=ResultKind.CLOSED,
        bought_micro=row.bought_micro,
        average_price=row.average_price,
        realized_usd=row.realized_usd,
        closed_ms=row.closed_ms,
        last_event_ms=row.closed_ms,
        text=row.text,
    )


def resolved_result(row: HeldPosition, *, now_ms: int) -> PositionResult | None:
    """Returns what a held position came to if its market is resolved, else None.

    A loss is what is left of the cost, beside what was realised of the token before. Raises `MalformedError` where the row does
    not say what it is worth or has cost.
    """
    if not row.redeemable:
        return None
    is_lost = _price(row) <= LOST_TO
    return PositionResult(
        token_id=row.token_id,
        condition_id=row.condition_id,
        kind=ResultKind.LOST if is_lost else ResultKind.PAID,
        bought_micro=row.shares_micro,
        average_price=row.average_price,
        realized_usd=(row.realized_usd or Decimal(0)) - _cost_usd(row) if is_lost else Decimal(0),
        closed_ms=lost_ms(row.text.end_date, row.last_event_ms, now_ms=now_ms),
        # Where it is not said: it was held an hour ago at least, no list is later than that. An earlier close is not its end.
        last_event_ms=now_ms - OVERLAP_MS if row.last_event_ms is None else row.last_event_ms,
        text=row.text,
    )


def lost_ms(end_date: str | None, last_event_ms: int | None, *, now_ms: int) -> int:
    """Returns when a position was lost: at its market's end, or at the last that happened to it, and not after now."""
    known = [moment for moment in (_moment(end_date), last_event_ms) if moment is not None]
    return min(max(known), now_ms) if known else now_ms


def newest_by_token(results: Iterable[PositionResult]) -> list[PositionResult]:
    """Returns one result a token and kind, the newest; of equals the one that was said last.

    Pages over a list that moves show a token twice, and one that was closed again with both of its closes.
    """
    newest: dict[tuple[ResultKind, str], PositionResult] = {}
    for result in results:
        key = (result.kind, result.token_id)
        known = newest.get(key)
        if known is None or result.closed_ms >= known.closed_ms:
            newest[key] = result
    return list(newest.values())


@attrs.define(eq=False, kw_only=True)
class PageTrail:
    """Follows a list from page to page, and says when it is no whole list."""

    pages_max: int
    pages: int = attrs.field(init=False, default=0)
    _cursors: set[str] = attrs.field(init=False, factory=set)

    def follow(self, malformed: int, next_cursor: str | None) -> str | None:
        """Returns where the list goes on after a page; None at its end.

        Raises `MalformedError` for rows that were not understood, a cursor that leads back, and a list without an end.
        """
        self.pages += 1
        if malformed:
            raise MalformedError("rows", f"{malformed} of page {self.pages} were not understood")
        if next_cursor is None:
            return None
        if next_cursor in self._cursors:
            raise MalformedError("cursor", f"page {self.pages} leads back")
        if self.pages >= self.pages_max:
            raise MalformedError("pages", f"more than {self.pages_max}")
        self._cursors.add(next_cursor)
        return next_cursor


def ranking_windows(anchor: date, first: date) -> list[tuple[str, date, date]]:
    """Returns (key, first day, last day) of every ranking: they end at the newest day of the data, not today.

    Each but ALL has a window of the same length just before it.
    """
    windows = [("ALL", first, anchor)]
    for key, days in WINDOWS:
        start = anchor - timedelta(days=days - 1)
        before = start - timedelta(days=1)
        windows += [(key, start, anchor), (f"{key}_PREV", before - timedelta(days=days - 1), before)]
    return windows


def utc_day(milliseconds: int) -> date:
    """Returns the UTC day of a moment."""
    return utc_datetime(milliseconds).date()


def _price(row: HeldPosition) -> Decimal:
    if row.price is not None:
        return row.price
    if row.value_usd is None:
        raise MalformedError("price", f"token {row.token_id} has no price")
    return row.value_usd * MICRO / row.shares_micro


def _cost_usd(row: HeldPosition) -> Decimal:
    if row.cost_usd is not None:
        return row.cost_usd
    if row.average_price is None:
        raise MalformedError("cost", f"token {row.token_id} has no cost")
    return row.average_price * row.shares_micro / MICRO


def _moment(end_date: str | None) -> int | None:
    try:
        return None if end_date is None else epoch_ms(end_date)
    except MalformedError:
        return None
