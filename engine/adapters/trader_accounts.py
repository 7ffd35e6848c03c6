"""What accounts hold, closed and did, and how they rank, over HTTP: Data API v2, or v1 where a server speaks only that."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Protocol, TypeVar

import attrs

from engine.adapters.activity_walk import ActivityWalk
from engine.adapters.data_api import V1_CURSOR, VersionedDataApi
from engine.adapters.offset_walk import OffsetWalk
from engine.adapters.upstream import Upstream
from protocols.clock import WallClock
from protocols.errors import RejectedError
from protocols.trader_accounts import ActivityPage, Board, ClosedPage, HeldPage, LeaderboardPage, Period
from protocols.trades import canonical_condition_id
from protocols.venue.activity_rows import decode_activity_v1, decode_activity_v2
from protocols.venue.leaderboard_rows import decode_leaderboard_v1, decode_leaderboard_v2
from protocols.venue.position_rows import decode_closed_v1, decode_closed_v2, decode_held_v1, decode_held_v2

V2_ROWS = 1_000
HELD_V1_ROWS, HELD_V1_OFFSET_MAX = 500, 10_000
CLOSED_V1_ROWS, CLOSED_V1_OFFSET_MAX = 50, 100_000
ACTIVITY_V1_ROWS, ACTIVITY_V1_OFFSET_MAX = 500, 10_000
BOARD_V1_ROWS, BOARD_V1_OFFSET_MAX = 50, 1_000
CONDITIONS_MAX = 20
_Params = list[tuple[str, str | int]]


class _OfAccount(Protocol):
    @property
    def wallet(self) -> str: ...

    @property
    def token_id(self) -> str: ...


_Row = TypeVar("_Row", bound=_OfAccount)


@attrs.define(eq=False, kw_only=True)
class DataApiAccounts:
    """`TraderAccounts` of the Data API. Page sizes and offsets are the largest that venue.md §5 knows."""

    api: Upstream
    clock: WallClock
    _held: VersionedDataApi = attrs.field(init=False)
    _closed: VersionedDataApi = attrs.field(init=False)
    _activity: VersionedDataApi = attrs.field(init=False)
    _boards: VersionedDataApi = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        """One for each kind of question: that v2 lacks one path says nothing of the others."""
        ask = partial(VersionedDataApi, api=self.api, clock=self.clock)
        self._held, self._closed = ask(what="positions"), ask(what="closed positions")
        self._activity, self._boards = ask(what="activity"), ask(what="leaderboards")

    async def held_page(
        self, wallet: str, *, condition_ids: tuple[str, ...] = (), cursor: str | None = None
    ) -> HeldPage:
        """Returns a page of all that an account holds, dust and worthless tokens too."""
        if len(condition_ids) > CONDITIONS_MAX:
            raise RejectedError(f"positions in more than {CONDITIONS_MAX} markets at once")
        by_v2 = partial(self._held_v2, wallet.lower(), condition_ids)
        return await self._held.page(cursor, by_v2, partial(self._held_v1, wallet.lower(), condition_ids))

    async def closed_page(self, wallet: str, *, since_ms: int | None = None, cursor: str | None = None) -> ClosedPage:
        """Returns a page of closed positions, newest first."""
        since_s = since_ms // 1_000 if since_ms is not None else None
        by_v2 = partial(self._closed_v2, wallet.lower(), since_s)
        return await self._closed.page(cursor, by_v2, partial(self._closed_v1, wallet.lower(), since_s))

    async def activity_page(
        self, wallet: str, *, since_s: int, until_s: int, cursor: str | None = None
    ) -> ActivityPage:
        """Returns a page of what an account did within a time, newest first."""
        by_v2 = partial(self._activity_v2, wallet.lower(), since_s, until_s)
        return await self._activity.page(cursor, by_v2, partial(self._activity_v1, wallet.lower(), since_s, until_s))

    async def leaderboard_page(self, board: Board, period: Period, *, cursor: str | None = None) -> LeaderboardPage:
        """Returns a page of a leaderboard over all categories."""
        by_v2 = partial(self._board_v2, board, period)
        return await self._boards.page(cursor, by_v2, partial(self._board_v1, board, period))

    async def _held_v2(self, wallet: str, condition_ids: Sequence[str], cursor: str | None) -> HeldPage:
        # Without a status it is everything that is held; what would hide dust is set to nothing.
        params: _Params = [("user", wallet), ("filter_type", "TOKENS"), ("filter_amount", 0), ("limit", V2_ROWS)]
        if condition_ids:
            params.append(("condition_id", ",".join(condition_ids)))
        page = decode_held_v2(await self._held.get("/v2/positions", _with_cursor(params, cursor)))
        return _moved_on(_held_by(wallet, condition_ids, page), cursor)

    async def _held_v1(self, wallet: str, condition_ids: Sequence[str], cursor: str | None) -> HeldPage:
        walk = OffsetWalk.at(cursor, offset_max=HELD_V1_OFFSET_MAX)
        params: _Params = [("user", wallet), ("sizeThreshold", 0), ("limit", HELD_V1_ROWS), ("offset", walk.offset)]
        # Titles stand still while sizes and prices change.
        params += [("sortBy", "TITLE"), ("sortDirection", "ASC")]
        if condition_ids:
            params.append(("market", ",".join(condition_ids)))
        page = decode_held_v1(await self._held.get("/positions", params))
        ids = [row.token_id for row in page.rows]
        onward = walk.onward(ids, rows_sent=page.rows_sent, limit=HELD_V1_ROWS)
        fresh = page.rows[walk.repeated(ids) :]
        return _held_by(wallet, condition_ids, attrs.evolve(page, rows=fresh, next_cursor=onward))

    async def _closed_v2(self, wallet: str, since_s: int | None, cursor: str | None) -> ClosedPage:
        params: _Params = [("user", wallet), ("status", "CLOSED"), ("sort_by", "TIMESTAMP"), ("limit", V2_ROWS)]
        params.append(("sort_direction", "DESC"))
        if since_s is not None:
            params.append(("start", max(0, since_s - 1)))
        page = decode_closed_v2(await self._closed.get("/v2/positions", _with_cursor(params, cursor)))
        return _moved_on(_closed_by(wallet, _since(page, since_s)), cursor)

    async def _closed_v1(self, wallet: str, since_s: int | None, cursor: str | None) -> ClosedPage:
        walk = OffsetWalk.at(cursor, offset_max=CLOSED_V1_OFFSET_MAX)
        params: _Params = [("user", wallet), ("limit", CLOSED_V1_ROWS), ("offset", walk.offset)]
        params += [("sortBy", "TIMESTAMP"), ("sortDirection", "DESC")]
        page = decode_closed_v1(await self._closed.get("/closed-positions", params))
        ids = [row.token_id for row in page.rows]
        onward = walk.onward(ids, rows_sent=page.rows_sent, limit=CLOSED_V1_ROWS)
        fresh = page.rows[walk.repeated(ids) :]
        return _closed_by(wallet, _since(attrs.evolve(page, rows=fresh, next_cursor=onward), since_s))

    async def _activity_v2(self, wallet: str, since_s: int, until_s: int, cursor: str | None) -> ActivityPage:
        params: _Params = [("user", wallet), *_around(since_s, until_s), ("limit", V2_ROWS)]
        params.append(("sort_direction", "DESC"))
        page = decode_activity_v2(await self._activity.get("/v2/activity", _with_cursor(params, cursor)))
        walk = ActivityWalk(until_s=until_s)
        return _moved_on(_activity_by(wallet, walk.inside(page, since_s)), cursor)

    async def _activity_v1(self, wallet: str, since_s: int, until_s: int, cursor: str | None) -> ActivityPage:
        walk = ActivityWalk.at(cursor, until_s=until_s, offset_max=ACTIVITY_V1_OFFSET_MAX)
        params: _Params = [("user", wallet), *_around(since_s, walk.until_s)]
        params += [("limit", ACTIVITY_V1_ROWS), ("offset", walk.offset), ("sortBy", "TIMESTAMP")]
        params.append(("sortDirection", "DESC"))
        page = decode_activity_v1(await self._activity.get("/activity", params))
        return _activity_by(wallet, walk.step(page, since_s=since_s, limit=ACTIVITY_V1_ROWS))

    async def _board_v2(self, board: Board, period: Period, cursor: str | None) -> LeaderboardPage:
        params: _Params = [("time_period", period.value.lower()), ("sort_by", board.value), ("limit", V2_ROWS)]
        page = decode_leaderboard_v2(await self._boards.get("/v2/leaderboard", _with_cursor(params, cursor)))
        return _moved_on(page, cursor)

    async def _board_v1(self, board: Board, period: Period, cursor: str | None) -> LeaderboardPage:
        """Ranks tell pages apart. A board that moves shows somebody twice or not at all, and is read again tomorrow."""
        walk = OffsetWalk.at(cursor, offset_max=BOARD_V1_OFFSET_MAX)
        params: _Params = [("category", "OVERALL"), ("timePeriod", period.value), ("limit", BOARD_V1_ROWS)]
        params += [("orderBy", "PNL" if board is Board.PNL else "VOL"), ("offset", walk.offset)]
        page = decode_leaderboard_v1(await self._boards.get("/v1/leaderboard", params))
        last = int(walk.last_id or 0)
        fresh = tuple(row for row in page.rows if row.rank > last)
        if page.rows and not fresh:
            raise RejectedError("the same page of the leaderboard came again: it cannot be read further")
        if page.rows_sent < BOARD_V1_ROWS:
            return attrs.evolve(page, rows=fresh)
        last = max((row.rank for row in fresh), default=last)
        return attrs.evolve(page, rows=fresh, next_cursor=f"{V1_CURSOR}{walk.offset + page.rows_sent}:{last}")


_Page = TypeVar("_Page", HeldPage, ClosedPage, ActivityPage, LeaderboardPage)


def _around(since_s: int, until_s: int) -> _Params:
    """Asks for a second more at both ends: nobody says whether the bounds belong to the time. What is outside is left out."""
    return [("start", max(0, since_s - 1)), ("end", until_s + 1)]


def _with_cursor(params: _Params, cursor: str | None) -> _Params:
    return [*params, ("cursor", cursor)] if cursor is not None else params


def _moved_on(page: _Page, cursor: str | None) -> _Page:
    """Returns a page that does not lead back to itself. Raises `RejectedError`."""
    if cursor is not None and page.next_cursor == cursor:
        raise RejectedError("the cursor leads to the same page for ever")
    return page


def _held_by(wallet: str, condition_ids: Sequence[str], page: HeldPage) -> HeldPage:
    rows, malformed = _of_wallet(wallet, page.rows, page.malformed)
    wanted = {canonical_condition_id(each) for each in condition_ids}
    rows = tuple(row for row in rows if not wanted or row.condition_id in wanted)
    return attrs.evolve(page, rows=rows, malformed=malformed)


def _closed_by(wallet: str, page: ClosedPage) -> ClosedPage:
    rows, malformed = _of_wallet(wallet, page.rows, page.malformed)
    return attrs.evolve(page, rows=rows, malformed=malformed)


def _of_wallet(wallet: str, rows: Sequence[_Row], malformed: Counter[str]) -> tuple[tuple[_Row, ...], Counter[str]]:
    """Returns the rows of the wallet that was asked for; an API that knows no such filter answers with anybody's."""
    own = tuple(row for row in rows if row.wallet == wallet)
    return own, malformed + Counter(another_wallet=len(rows) - len(own))


def _activity_by(wallet: str, page: ActivityPage) -> ActivityPage:
    trades = tuple(item for item in page.trades if item.row.proxy_wallet.lower() == wallet)
    others = tuple(item for item in page.others if item.wallet == wallet)
    foreign = len(page.trades) + len(page.others) - len(trades) - len(others)
    return attrs.evolve(page, trades=trades, others=others, malformed=page.malformed + Counter(another_wallet=foreign))


def _since(page: ClosedPage, since_s: int | None) -> ClosedPage:
    """Returns a page without what closed before a second; the list ends there if it is in the order of time, as asked."""
    if since_s is None:
        return page
    closes = [row.closed_ms // 1_000 for row in page.rows]
    recent = tuple(row for row in page.rows if row.closed_ms // 1_000 >= since_s)
    ends = len(recent) < len(closes) and all(left >= right for left, right in pairwise(closes))
    return attrs.evolve(page, rows=recent, next_cursor=None if ends else page.next_cursor)
