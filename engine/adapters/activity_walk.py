"""Walks over an account's activity by time, where the API knows no cursors (venue.md §5.2).

Rows carry no key, and two of one transaction may be alike, so pages by offset cannot be fitted together while the list grows.
Time can: a full page is taken up to the second with which it ends, and the next one begins with that second.
"""

from collections.abc import Callable
from typing import TypeVar

import attrs

from engine.adapters.data_api import V1_CURSOR
from protocols.errors import MalformedError, RejectedError
from protocols.timestamps import epoch_ms
from protocols.trader_accounts import Activity, ActivityPage
from protocols.venue.data_api import PageRow

_T = TypeVar("_T")


@attrs.frozen(kw_only=True)
class ActivityWalk:
    """Where a walk stands: the newest second that is still wanted, and how many of its rows have been read."""

    until_s: int
    offset: int = 0

    @classmethod
    def at(cls, cursor: str | None, *, until_s: int, offset_max: int) -> "ActivityWalk":
        """Returns the walk that a cursor tells of; None begins one. Raises `RejectedError` beyond `offset_max`."""
        if cursor is None:
            return cls(until_s=until_s)
        second, _, offset = cursor.removeprefix(V1_CURSOR).partition(":")
        if int(offset) > offset_max:
            raise RejectedError(f"more than {offset_max} rows in one second cannot be read")
        return cls(until_s=int(second), offset=int(offset))

    def inside(self, page: ActivityPage, since_s: int) -> ActivityPage:
        """Returns a page without rows of other times."""
        return _between(page, since_s, self.until_s)

    def step(self, page: ActivityPage, *, since_s: int, limit: int) -> ActivityPage:
        """Returns what is new in a page, and where it goes on. Raises `RejectedError` when the API does not keep to times."""
        seconds = [*map(_trade_second, page.trades), *map(_other_second, page.others)]
        known = [second for second in seconds if second is not None]
        if known and max(known) > self.until_s + 1:
            raise RejectedError("activity outside the time that was asked for")
        oldest = min(known, default=self.until_s)
        if page.rows_sent < limit or oldest < since_s:
            return attrs.evolve(self.inside(page, since_s), next_cursor=None)
        if oldest >= self.until_s:
            onward = f"{V1_CURSOR}{self.until_s}:{self.offset + page.rows_sent}"
            return attrs.evolve(self.inside(page, since_s), next_cursor=onward)
        return attrs.evolve(_between(page, oldest + 1, self.until_s), next_cursor=f"{V1_CURSOR}{oldest}:0")


def _between(page: ActivityPage, since_s: int, until_s: int) -> ActivityPage:
    def kept(items: tuple[_T, ...], second_of: Callable[[_T], int | None]) -> tuple[_T, ...]:
        return tuple(item for item in items if (second := second_of(item)) is None or since_s <= second <= until_s)

    return attrs.evolve(page, trades=kept(page.trades, _trade_second), others=kept(page.others, _other_second))


def _trade_second(item: PageRow) -> int | None:
    """None for a trade whose time makes no sense, which the ingest counts and drops."""
    try:
        return epoch_ms(item.row.timestamp) // 1_000
    except MalformedError:
        return None


def _other_second(item: Activity) -> int:
    return item.at_ms // 1_000
